//! Why the private cluster could not be had, and what the operator can do about it.

use std::{io, path::PathBuf};

/// Each message says what to do. None holds a secret or data of a tenant.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL 15 or newer server was found. Install one (Debian, Ubuntu: \
         `apt-get install postgresql`), name its folder of programs with `postgres_bin`, \
         or set DATABASE_URL to use a server of your own"
    )]
    NoServer,

    #[error(
        "{data} was made by PostgreSQL {wanted}, which is not installed (found: {found}). \
         Install postgresql-{wanted}, or dump the data with that version and restore it here"
    )]
    OtherMajor {
        data: PathBuf,
        wanted: u32,
        found: String,
    },

    #[error(
        "`{0}` is missing, which the private PostgreSQL needs. Install it \
         (Debian, Ubuntu: `apt-get install {1}`), or set DATABASE_URL"
    )]
    NoTool(&'static str, &'static str),

    #[error(
        "{path} is not a folder that Lanyard may use: {why}. It was left untouched: name an \
         empty folder, or one that Lanyard made"
    )]
    NotOurs { path: PathBuf, why: String },

    #[error(
        "{path} is in use by another running Lanyard{holder}. Stop that one, or give this one \
         a data folder of its own"
    )]
    InUse { path: PathBuf, holder: String },

    #[error("the system user cannot be used: {0}")]
    Account(String),

    #[error("{program} failed ({status}). {hint}\n{output}")]
    Program {
        program: &'static str,
        status: String,
        hint: &'static str,
        output: String,
    },

    #[error(
        "processes {pids:?} still use {data} and did not end when asked. End them, then start \
         again"
    )]
    Leftover { data: PathBuf, pids: Vec<u32> },

    #[error(
        "PostgreSQL did not answer within {seconds} s. Its log: {log}. Start again when the \
         machine is less busy\n{output}"
    )]
    NotReady {
        seconds: u64,
        log: PathBuf,
        output: String,
    },

    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// Names the deed and the path of an I/O error.
pub(super) trait At<T> {
    fn at(self, what: &'static str, path: impl Into<PathBuf>) -> Result<T, EmbeddedError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, what: &'static str, path: impl Into<PathBuf>) -> Result<T, EmbeddedError> {
        self.map_err(|source| EmbeddedError::Io {
            what,
            path: path.into(),
            source,
        })
    }
}
