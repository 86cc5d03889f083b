//! How a login reaches the database.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::logins::Logins;

/// How serving roles prove themselves to Postgres.
#[derive(Clone, Debug)]
pub enum Login {
    /// By the operating system's user, over the private cluster's socket.
    Peer,
    /// By SCRAM, with a password for each role.
    Password(Arc<Logins>),
}

/// Server and database, without a role.
#[derive(Clone, Debug)]
pub struct Connect {
    base: PgConnectOptions,
    login: Login,
}

impl Connect {
    /// To a private cluster's socket directory.
    pub fn private(socket_dir: PathBuf, database: &str) -> Self {
        let base = PgConnectOptions::new_without_pgpass()
            .socket(socket_dir)
            .port(5432)
            .ssl_mode(PgSslMode::Disable)
            .database(database);
        Self {
            base,
            login: Login::Peer,
        }
    }

    /// To the server of a `DATABASE_URL`; its user and password are the administrator's and are
    /// not served with.
    pub fn server(base: PgConnectOptions, logins: Arc<Logins>) -> Self {
        Self {
            base,
            login: Login::Password(logins),
        }
    }

    /// The options for one role.
    pub fn options(&self, role: &str) -> PgConnectOptions {
        // The driver's own start-up parameter is one that PgBouncer refuses unless told otherwise;
        // floats travel in binary here, so nothing is lost.
        let base = self.base.clone().extra_float_digits(None);
        let named = base.username(role).application_name("lanyard");
        match &self.login {
            Login::Peer => named,
            Login::Password(logins) => named.password(logins.password(role).expose_secret()),
        }
    }

    /// The options as given: for the administrator, in `migrate` alone.
    pub(super) fn administrator(&self) -> PgConnectOptions {
        match self.login {
            Login::Peer => self.base.clone().username("lanyard_bootstrap"),
            Login::Password(_) => self.base.clone(),
        }
    }

    /// The folder of the socket, where it is one.
    pub fn socket_dir(&self) -> Option<PathBuf> {
        self.base.get_socket().cloned()
    }

    /// How the roles log in.
    pub(super) const fn login(&self) -> &Login {
        &self.login
    }
}
