//! `lanyard audit`.

mod verify;

use super::args::Audit as Asked;
use super::output::{Failure, Output, Reply};

pub(super) fn run(asked: &Asked, output: Output) -> Result<Reply, Failure> {
    match asked {
        Asked::Verify(asked) => verify::run(asked, output),
    }
}
