//! Walks one chain of refresh tokens.

use anyhow::{Result, ensure};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};

use super::{Caller, Connection, Endpoints, Seed, Tokens, form};

pub(crate) struct Refresh {
    connection: Connection,
    endpoints: Endpoints,
    basic: String,
    seed: Seed,
    keeps_access_tokens: bool,
    access_tokens: Vec<String>,
}

impl Refresh {
    pub(crate) fn new(seed: Seed, endpoints: &Endpoints) -> Result<Self> {
        Ok(Self {
            connection: Connection::new(&endpoints.token_endpoint)?,
            endpoints: endpoints.clone(),
            basic: seed.basic(),
            seed,
            keeps_access_tokens: false,
            access_tokens: Vec::new(),
        })
    }

    /// Also collects the access tokens.
    pub(crate) fn keeping_access_tokens(mut self) -> Self {
        self.keeps_access_tokens = true;
        self
    }

    /// With the newest refresh token, and the access tokens if they are kept.
    pub(crate) fn into_parts(self) -> (Seed, Vec<String>) {
        (self.seed, self.access_tokens)
    }

    async fn rotate(&mut self) -> Result<()> {
        let body = form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &self.seed.refresh_token),
        ]);
        let headers = [
            (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
            (AUTHORIZATION.as_str(), self.basic.as_str()),
        ];
        let to = &self.endpoints.token_endpoint;
        let reply = self.connection.post(to, &headers, body).await?;
        let tokens: Tokens = serde_json::from_slice(&reply.expect(200)?.body)?;
        ensure!(
            tokens.refresh != self.seed.refresh_token,
            "the refresh token was not rotated"
        );
        ensure!(!tokens.id.is_empty(), "no ID token");
        self.seed.refresh_token = tokens.refresh;
        if self.keeps_access_tokens {
            self.access_tokens.push(tokens.access);
        }
        Ok(())
    }
}

impl Caller for Refresh {
    async fn call(&mut self) -> Result<()> {
        let outcome = self.rotate().await;
        if outcome.is_err() {
            self.connection.drop_connection();
        }
        outcome
    }
}
