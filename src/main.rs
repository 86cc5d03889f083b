//! The process and its subcommands. No logic: see `lanyard::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lanyard::cli::main()
}
