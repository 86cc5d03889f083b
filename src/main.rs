//! The process and its subcommands.
fn main() {}
