//! The support's own app, as the self-driving run uses it: a client of the platform's that asks to
//! act as somebody, and exchanges what it was granted. It knows the issuer over HTTP alone.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::DemoError;
use super::browser::Seen;
use super::clients::{self, KnownAs};
use super::routes::FRONT;
use super::state::World;
use crate::app::App;
use crate::apps::api;
use crate::apps::calls::Caller;
use crate::oidc::token::token_exchange::{ACCESS_TOKEN, GRANT_TYPE, IMPERSONATION_GRANT};

/// Its public name.
pub const CLIENT_ID: &str = "support-desk";
/// What people read.
pub const NAME: &str = "Support desk";
/// What it asks for; each person gets what her roles allow of it.
const SCOPES: [&str; 6] = [
    "openid",
    "impersonation:read",
    "impersonation:write",
    "profile:read",
    "tenancy:write",
    "visits:read",
];

/// Registers it and keeps its secret in the world; repeatable.
pub(super) async fn register(app: &App, world: &mut World) -> Result<(), DemoError> {
    if world.desk_secret.is_none() {
        let known_as = KnownAs {
            id: CLIENT_ID,
            name: NAME,
            back_to: FRONT,
            scopes: &SCOPES,
            is_first_party: true,
        };
        world.desk_secret = Some(clients::register(app, &known_as).await?);
        world.keep(&app.config, &app.env)?;
    }
    Ok(())
}

/// A sign-in at the desk that is under way.
#[derive(Debug)]
pub(super) struct Outset {
    /// Where the browser goes.
    pub(super) address: String,
    verifier: PkceCodeVerifier,
}

/// The app.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    issuer: &'a str,
    secret: SecretString,
    caller: Caller,
}

impl<'a> Desk<'a> {
    pub(super) fn new(app: &'a App, world: &World) -> Self {
        Self {
            issuer: app.issuer(),
            secret: world.desk_secret.clone().unwrap_or_default().into(),
            caller: Caller::new(),
        }
    }

    fn back_to(&self) -> String {
        format!("{}{FRONT}", self.issuer)
    }

    /// Begins a sign-in (RFC 6749 §4.1.1, PKCE, RFC 8707).
    pub(super) fn begin(&self, app: &App) -> Outset {
        let fresh = || URL_SAFE_NO_PAD.encode(app.env.random_bytes::<32>());
        let verifier = PkceCodeVerifier::new(fresh());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let asked = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("redirect_uri", &self.back_to())
            .append_pair("scope", &SCOPES.join(" "))
            .append_pair("state", &fresh())
            .append_pair("nonce", &fresh())
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &api::audience(self.issuer))
            .finish();
        Outset {
            address: format!("{}/authorize?{asked}", self.issuer),
            verifier,
        }
    }

    /// Changes the code that a browser came back with into an access token.
    pub(super) async fn redeem(&self, outset: Outset, back: &Seen) -> Result<String, DemoError> {
        let code = back.at.query_pairs().find(|(name, _)| name == "code");
        let Some((_, code)) = code else {
            let why = format!("`{}` instead of a code", back.sentence());
            return Err(DemoError::Step(why));
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &self.back_to()),
            ("code_verifier", outset.verifier.secret()),
        ];
        self.token(&form).await?.map_err(|word| refused(&word))
    }

    /// Exchanges a grant for a token under `act` (RFC 8693), or says the word of the refusal.
    ///
    /// - `actor`: the access token of whoever asked for the grant
    pub(super) async fn exchange(
        &self,
        grant: &str,
        actor: &str,
    ) -> Result<Result<String, Value>, DemoError> {
        let form = [
            ("grant_type", GRANT_TYPE),
            ("subject_token", grant),
            ("subject_token_type", IMPERSONATION_GRANT),
            ("actor_token", actor),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        self.token(&form).await
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Result<String, Value>, DemoError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let basic = STANDARD.encode(format!("{CLIENT_ID}:{}", self.secret.expose_secret()));
        let headers = [
            (AUTHORIZATION, format!("Basic {basic}")),
            (CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()),
        ];
        let (_, answer) = self.post("/token", headers, body).await?;
        Ok(match answer["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(answer["error"].clone()),
        })
    }

    /// Changes something by the API: status and answer.
    pub(super) async fn change(
        &self,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), DemoError> {
        let headers = [
            (AUTHORIZATION, format!("Bearer {token}")),
            (CONTENT_TYPE, "application/json".to_owned()),
        ];
        let body = body.map(Value::to_string).unwrap_or_default();
        self.post(&format!("/api/v1{path}"), headers, body).await
    }

    /// Reads something by the API.
    pub(super) async fn read(&self, path: &str, token: &str) -> Result<(u16, Value), DemoError> {
        let headers = headers([(AUTHORIZATION, format!("Bearer {token}"))])?;
        let address = self.address(&format!("/api/v1{path}"))?;
        let asked = self.caller.get(address, headers).await;
        let (status, _, body) = asked.map_err(|e| DemoError::Step(e.to_string()))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn post(
        &self,
        path: &str,
        with: [(HeaderName, String); 2],
        body: String,
    ) -> Result<(u16, Value), DemoError> {
        let posted = self
            .caller
            .post(self.address(path)?, headers(with)?, body)
            .await;
        let (status, _, body) = posted.map_err(|e| DemoError::Step(e.to_string()))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn address(&self, path: &str) -> Result<Url, DemoError> {
        let address = format!("{}{path}", self.issuer);
        address.parse().map_err(|_| DemoError::Step(address))
    }
}

fn headers<const N: usize>(all: [(HeaderName, String); N]) -> Result<HeaderMap, DemoError> {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let value = HeaderValue::from_str(&value);
        headers.insert(
            name,
            value.map_err(|_| DemoError::Step("no token".to_owned()))?,
        );
    }
    Ok(headers)
}

/// A refusal where there should be none.
pub(super) fn refused(word: &Value) -> DemoError {
    DemoError::Step(format!("the issuer answers {word}"))
}

/// As the issuer knows it, for the demo's table.
pub(super) fn facts(issuer: &str, world: &World) -> Value {
    serde_json::json!({
        "client_id": CLIENT_ID,
        "client_secret": world.desk_secret,
        "name": NAME,
        "kind": "web",
        "is_third_party": false,
        "scopes": SCOPES,
        "redirect_uris": [format!("{issuer}{FRONT}")],
        "post_logout_redirect_uris": [],
        "opens": format!("{issuer}{FRONT}"),
    })
}
