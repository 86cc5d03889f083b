//! Taking a dump of the database and putting one back, by PostgreSQL's own programs, as the
//! administrator: nobody else sees every row.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::connect::Connect;
use super::embedded;
use super::migrate::{self, MigrationError};

/// How PostgreSQL's programs reach the database as its administrator.
#[derive(Debug)]
pub struct Dumping {
    /// Where `pg_dump` and `pg_restore` lie.
    pub programs: PathBuf,
    /// The database, as `--dbname` takes it; no password in it.
    pub target: String,
    /// The administrator's password, if it needs one.
    pub password: Option<SecretString>,
}

/// A dump was not taken, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The program can't be run.
    #[error("{program} can't be run")]
    Program {
        /// Which.
        program: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ran and said no.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// Its first words.
        said: String,
    },
    /// The operator's: there is something already.
    #[error("the database is not empty")]
    NotEmpty,
    /// The roles can't be made.
    #[error(transparent)]
    Roles(#[from] MigrationError),
    /// The administrator's part failed.
    #[error("the administrator's part failed")]
    Administrator(#[from] sqlx::Error),
}

impl Dumping {
    /// Writes a dump: one snapshot, whatever is written meanwhile. Blocks.
    pub fn dump(&self, to: &Path) -> Result<(), DumpError> {
        let mut arguments: Vec<OsString> = vec!["--format=custom".into(), "--file".into()];
        arguments.push(to.into());
        self.run("pg_dump", arguments)
    }

    /// Puts a dump into an empty database, wholly or not at all. Blocks.
    pub fn restore(&self, from: &Path) -> Result<(), DumpError> {
        let mut arguments: Vec<OsString> =
            vec!["--exit-on-error".into(), "--single-transaction".into()];
        arguments.push(from.into());
        self.run("pg_restore", arguments)
    }

    fn run(&self, program: &'static str, arguments: Vec<OsString>) -> Result<(), DumpError> {
        let mut command = Command::new(self.programs.join(program));
        command
            .arg("--no-password")
            .arg("--dbname")
            .arg(&self.target)
            .args(arguments);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password.expose_secret());
        }
        let output = command
            .output()
            .map_err(|source| DumpError::Program { program, source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.chars().take(500).collect();
        Err(DumpError::Failed { program, said })
    }
}

/// PostgreSQL's programs of this machine, at least as new as what they are to read.
pub fn programs(wanted: Option<&Path>) -> Result<PathBuf, embedded::EmbeddedError> {
    embedded::programs(wanted)
}

/// Makes the roles that a dump names, and an empty database for it.
///
/// - `replace`: throws away what is there; without it a database that holds anything is refused
pub async fn make_room(connect: &Connect, replace: bool) -> Result<(), DumpError> {
    let mut admin = PgConnection::connect_with(&connect.administrator()).await?;
    let holds_something: bool = sqlx::query_scalar(
        "select exists (
           select from pg_catalog.pg_namespace n
           where n.nspname in ('lanyard', 'identity', 'seal')
         )",
    )
    .fetch_one(&mut admin)
    .await?;
    if holds_something && !replace {
        return Err(DumpError::NotEmpty);
    }
    migrate::make_roles(connect, &mut admin).await?;
    if holds_something {
        let name: String = sqlx::query_scalar("select quote_ident(current_database())")
            .fetch_one(&mut admin)
            .await?;
        admin.close().await?;
        let beside = connect.administrator().database("template1");
        let mut beside = PgConnection::connect_with(&beside).await?;
        for statement in [
            format!("drop database {name} with (force)"),
            format!("create database {name} template template0"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut beside)
                .await?;
        }
        beside.close().await?;
    }
    Ok(())
}
