//! `lanyard audit`.

mod archive;
mod export;
mod hold;
mod sink;
mod tail;
mod verify;

use super::args::Audit as Asked;
use super::output::{Failure, Reply};
use super::site::{self, Site};
use crate::audit::log::LogError;
use crate::config::Given;
use crate::http::chain;

pub(super) fn run(asked: &Asked, given: &Given) -> Result<Reply, Failure> {
    match asked {
        Asked::Verify(asked) => verify::run(asked),
        Asked::Export(asked) => export::run(asked, &Site::enter(given)?),
        Asked::Tail(asked) => tail::run(asked, &Site::enter(given)?),
        Asked::Sink(asked) => sink::run(asked, &Site::enter(given)?),
        Asked::Hold(asked) => hold::run(asked, &Site::enter(given)?),
        Asked::Archive(asked) => archive::run(asked, &Site::enter(given)?),
        Asked::Expire { before } => archive::expire(*before, &Site::enter(given)?),
    }
}

/// Why a log can't be read.
fn unread(error: &LogError) -> Failure {
    match error {
        LogError::Store(error) => site::store(error),
        LogError::Behind => {
            Failure::failed(chain(error), "The servers' lines of the job `log` say why.")
        }
        LogError::Anchor(_) | LogError::NoKey | LogError::Note(_) => {
            Failure::failed(chain(error), "Is `issuer` what the servers have?")
        }
    }
}
