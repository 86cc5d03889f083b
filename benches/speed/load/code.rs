//! The code flow in a browser whose person is signed in: authorization request, code, tokens.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use ring::digest::{SHA256, digest};
use url::Url;

use super::{Busy, Caller, Connection, Endpoints, Seed, Tokens, form, random_word};

/// Registered at both providers; nothing listens there.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/cb";
/// Asked for at both providers.
pub(crate) const SCOPE: &str = "openid offline_access";
/// More redirects than either provider makes.
const MOST_HOPS: u32 = 6;

pub(crate) struct Code {
    connection: Connection,
    endpoints: Endpoints,
    basic: String,
    jar: BTreeMap<String, String>,
    seed: Seed,
    scope: &'static str,
}

impl Code {
    pub(crate) fn new(seed: Seed, endpoints: &Endpoints) -> Result<Self> {
        let pairs = seed.cookie.split("; ").filter_map(|p| p.split_once('='));
        let jar = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            connection: Connection::new(&endpoints.token_endpoint)?,
            endpoints: endpoints.clone(),
            basic: seed.basic(),
            jar,
            seed,
            scope: SCOPE,
        })
    }

    /// For other scopes.
    pub(crate) fn asking(mut self, scope: &'static str) -> Self {
        self.scope = scope;
        self
    }

    /// With what the last flow gave.
    pub(crate) fn into_seed(self) -> Seed {
        self.seed
    }

    fn request(&self, state: &str, verifier: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut url = self.endpoints.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.seed.client_id)
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("scope", self.scope)
            .append_pair("state", state)
            .append_pair("nonce", &random_word())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Follows redirects to the client's address.
    async fn back(&mut self, mut url: Url) -> Result<Url> {
        for _ in 0..MOST_HOPS {
            let pairs = self.jar.iter().map(|(k, v)| format!("{k}={v}"));
            let cookies = pairs.collect::<Vec<_>>().join("; ");
            let headers = [
                (COOKIE.as_str(), cookies.as_str()),
                (ACCEPT.as_str(), "text/html"),
            ];
            let reply = self.connection.get(&url, &headers).await?;
            for (name, value) in reply.cookies() {
                if value.is_empty() {
                    self.jar.remove(name);
                } else {
                    self.jar.insert(name.to_owned(), value.to_owned());
                }
            }
            let Some(onward) = reply.location() else {
                if reply.status == 503 {
                    return Err(Busy.into());
                }
                bail!(
                    "{} answered {} without a redirect",
                    url.path(),
                    reply.status
                );
            };
            url = url.join(onward)?;
            if url.as_str().starts_with(REDIRECT) {
                return Ok(url);
            }
        }
        bail!("too many redirects")
    }

    async fn flow(&mut self) -> Result<()> {
        let (state, verifier) = (random_word(), random_word());
        let back = self.back(self.request(&state, &verifier)).await?;
        let given: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
        ensure!(given.get("state") == Some(&state), "another state: {back}");
        let code = given
            .get("code")
            .with_context(|| format!("no code: {back}"))?;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", &verifier),
        ]);
        let headers = [
            (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
            (AUTHORIZATION.as_str(), self.basic.as_str()),
        ];
        let to = &self.endpoints.token_endpoint;
        let reply = self.connection.post(to, &headers, body).await?;
        let tokens: Tokens = serde_json::from_slice(&reply.expect(200)?.body)?;
        ensure!(!tokens.id.is_empty(), "no ID token");
        self.seed.access_token = tokens.access;
        self.seed.refresh_token = tokens.refresh;
        Ok(())
    }
}

impl Caller for Code {
    async fn call(&mut self) -> Result<()> {
        let outcome = self.flow().await;
        if outcome.is_err() {
            self.connection.drop_connection();
        }
        outcome
    }
}
