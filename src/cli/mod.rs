//! The command line: what an operator asks for, and how the answer is said.

mod operator;

pub use operator::Operator;
