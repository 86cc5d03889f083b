//! Pulse Diary: an app that nobody at the clinic made, to try a consent with. A client like
//! anyone's: it knows the issuer over HTTP alone, and keeps nothing but a sign-in under way.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::DemoError;
use super::clients::{self, KnownAs};
use super::routes::{Demo, FRONT};
use super::state::World;
use crate::app::App;
use crate::apps::calls::Caller;
use crate::apps::model::PendingLogin;
use crate::apps::oidc::{Asked, Granted, Oidc};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{PartnerOutcome, PartnerPage, paths};

/// Its public name.
pub const CLIENT_ID: &str = "pulse-diary";
/// What people read.
pub const NAME: &str = "Pulse Diary";
/// Its page.
pub const PARTNER: &str = "/demo/partner";
pub(super) const CONNECT: &str = "/demo/partner/connect";
pub(super) const CALLBACK: &str = "/demo/partner/callback";
/// What it is registered for.
pub(super) const SCOPES: [&str; 2] = ["profile:read", "visits:read"];
/// What it asks for: who she is called comes with every sign-in.
const ASKED: [&str; 3] = ["profile", SCOPES[0], SCOPES[1]];
const COOKIE: &str = "__Host-demo_partner";
/// Sign-ins under way that are kept; an older one is forgotten.
const MOST_PENDING: usize = 200;

/// The app, with the sign-ins that are under way.
#[derive(Debug)]
pub(super) struct Partner {
    oidc: Oidc,
    pending: Mutex<BTreeMap<String, PendingLogin>>,
}

impl Partner {
    pub(super) fn new(app: &App, world: &World) -> Self {
        let secret = SecretString::from(world.partner_secret.clone().unwrap_or_default());
        let env = app.env.clone();
        Self {
            oidc: Oidc::new(
                app.issuer(),
                (CLIENT_ID, &ASKED),
                secret,
                Caller::new(),
                env,
            ),
            pending: Mutex::default(),
        }
    }

    fn keep(&self, state: &str, pending: PendingLogin) {
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_PENDING {
            all.clear();
        }
        all.insert(state.to_owned(), pending);
    }

    fn take(&self, state: &str) -> Option<PendingLogin> {
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(state)
    }
}

fn address(app: &App, path: &str) -> String {
    format!("{}{path}", app.issuer())
}

/// Registers it as somebody else's client and keeps its secret in the world; repeatable.
pub(super) async fn register(app: &App, world: &mut World) -> Result<(), DemoError> {
    if world.partner_secret.is_none() {
        let known_as = KnownAs {
            id: CLIENT_ID,
            name: NAME,
            back_to: CALLBACK,
            scopes: &SCOPES,
            is_first_party: false,
        };
        world.partner_secret = Some(clients::register(app, &known_as).await?);
        world.keep(&app.config, &app.env)?;
    }
    Ok(())
}

/// `GET /demo/partner`.
pub(super) async fn front(id: RequestId) -> Response {
    say(&id, None)
}

fn say(id: &RequestId, outcome: Option<PartnerOutcome>) -> Response {
    let shown = PartnerPage {
        frame: page::frame(id),
        name: NAME,
        connect_href: CONNECT,
        account_href: paths::ACCOUNT,
        home_href: FRONT,
        outcome,
    };
    page::page(StatusCode::OK, &shown)
}

/// `GET /demo/partner/connect`: off to the issuer.
pub(super) async fn connect(State(demo): State<Demo>, id: RequestId) -> Response {
    let state = URL_SAFE_NO_PAD.encode(demo.app.env.random_bytes::<32>());
    let asked = Asked {
        redirect_uri: address(&demo.app, CALLBACK),
        state: &state,
        organization: None,
        is_silent: false,
        step_up: None,
        sends: None,
        login_hint: None,
        renews: None,
    };
    match demo.partner.oidc.begin(asked).await {
        Ok(outset) => {
            demo.partner.keep(&state, outset.pending);
            let cookie = Cookie::build((COOKIE, state))
                .path("/")
                .secure(true)
                .http_only(true)
                .same_site(SameSite::Lax)
                .build();
            let to = Redirect::to(outset.address.as_str());
            (CookieJar::new().add(cookie), to).into_response()
        }
        Err(error) => failed(&id, &error.to_string()),
    }
}

fn failed(id: &RequestId, why: &str) -> Response {
    tracing::warn!(detail = why, "partner");
    say(id, Some(PartnerOutcome::Failed))
}

/// What the issuer sends a browser back with.
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    state: String,
    code: Option<SecretString>,
    error: Option<String>,
}

/// `GET /demo/partner/callback`.
pub(super) async fn callback(
    State(demo): State<Demo>,
    id: RequestId,
    jar: CookieJar,
    Query(back): Query<Back>,
) -> Response {
    let is_this_browsers = jar.get(COOKIE).map(Cookie::value) == Some(back.state.as_str());
    let pending = demo.partner.take(&back.state);
    let Some(pending) = pending.filter(|_| is_this_browsers) else {
        return failed(&id, "a callback that nobody began");
    };
    let Some(code) = back.code else {
        let is_denied = back.error.as_deref() == Some("access_denied");
        let outcome = if is_denied {
            PartnerOutcome::Denied
        } else {
            PartnerOutcome::Failed
        };
        return say(&id, Some(outcome));
    };
    let granted = match demo
        .partner
        .oidc
        .redeem(code.expose_secret(), pending)
        .await
    {
        Ok(granted) => granted,
        Err(error) => return failed(&id, &error.to_string()),
    };
    match visits(&demo.app, &granted).await {
        Some(visits) => say(&id, Some(PartnerOutcome::Connected { visits })),
        None => failed(&id, "the API gave no visits"),
    }
}

/// How many visits the API shows it.
async fn visits(app: &App, granted: &Granted) -> Option<usize> {
    let address = address(app, "/api/v1/visits").parse().ok()?;
    let token = granted.access_token.expose_secret();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let (status, _, body) = Caller::new().get(address, headers).await.ok()?;
    let told: serde_json::Value = serde_json::from_slice(&body).ok()?;
    (status == 200).then(|| told["visits"].as_array().map_or(0, Vec::len))
}

/// As the issuer knows it, for the demo's table.
pub(super) fn facts(issuer: &str, world: &World) -> serde_json::Value {
    serde_json::json!({
        "client_id": CLIENT_ID,
        "client_secret": world.partner_secret,
        "name": NAME,
        "kind": "web",
        "is_third_party": true,
        "scopes": SCOPES,
        "redirect_uris": [format!("{issuer}{CALLBACK}")],
        "post_logout_redirect_uris": [],
        "opens": format!("{issuer}{PARTNER}"),
    })
}
