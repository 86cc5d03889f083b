//! What a browser holds of ours: the session cookie, and the cookie that binds its forms.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponseParts, ResponseParts};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::oidc::handover::model::{PresentedHandover, TRANSFER_LIFE};
use crate::recovery::model::RecoveryLink;
use crate::secret::KeyedDigest;
use crate::sessions::PresentedSession;

/// `__Host-`: Secure, this host alone, the whole path (RFC 6265bis §4.1.3). Browsers allow it on
/// loopback without TLS.
const SESSION_COOKIE: &str = "__Host-lanyard_session";
const BROWSER_COOKIE: &str = "__Host-lanyard_browser";
const RECOVERY_COOKIE: &str = "__Host-lanyard_recovery";
/// Binds a transfer into an app to the browser that it was made in.
const TRANSFER_COOKIE: &str = "__Host-lanyard_transfer";
/// A browser's session under a grant to act as somebody: never the SSO session.
const HANDOVER_COOKIE: &str = "__Host-lanyard_handover";
/// How long a browser is known again, in days: the most that browsers keep a cookie
/// (RFC 6265bis §5.5).
const BROWSER_DAYS: i64 = 400;

/// The browser behind a request to a page: always has an identity, made at its first visit.
#[derive(Debug)]
pub struct Browser {
    secret: SecretString,
    is_new: bool,
    /// The session cookie, if one of our form came.
    pub session: Option<PresentedSession>,
    /// The link that this browser came with from a mail, if it did.
    pub recovery: Option<RecoveryLink>,
    /// What binds a transfer to this browser, if one is under way.
    pub transfer: Option<PresentedHandover>,
    /// Its session under a grant, if it has one.
    pub handover: Option<PresentedHandover>,
    csrf: SecretString,
    digest: KeyedDigest,
}

impl Browser {
    /// The token for this browser's forms.
    pub fn csrf(&self) -> &str {
        self.csrf.expose_secret()
    }

    /// Whether a form came from a page that we gave to this browser.
    pub fn owns(&self, app: &App, csrf: &str) -> bool {
        !self.is_new
            && app
                .keys
                .csrf_matches(self.secret.expose_secret().as_bytes(), csrf)
    }

    /// What an interaction keeps to know its browser again.
    pub const fn digest(&self) -> &KeyedDigest {
        &self.digest
    }

    /// The cookie to set if the browser is new; put it beside every page.
    pub fn greeting(&self) -> SetCookies {
        SetCookies(self.is_new.then(|| self.kept()).into_iter().collect())
    }

    /// The same cookie again, so that a browser in use stays known.
    pub fn renewal(&self) -> SetCookies {
        SetCookies((!self.is_new).then(|| self.kept()).into_iter().collect())
    }

    fn kept(&self) -> Cookie<'static> {
        let mut cookie = locked(BROWSER_COOKIE, self.secret.expose_secret().to_owned());
        cookie.set_max_age(time::Duration::days(BROWSER_DAYS));
        cookie
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let jar = CookieJar::from_headers(&parts.headers);
        let (known, session) = presented(&jar);
        let is_new = known.is_none();
        let fresh = || URL_SAFE_NO_PAD.encode(app.env.random_bytes::<32>()).into();
        let secret: SecretString = known.unwrap_or_else(fresh);
        let recovery = jar
            .get(RECOVERY_COOKIE)
            .and_then(|c| RecoveryLink::parse(c.value()));
        let of_handover = |name| {
            jar.get(name)
                .and_then(|c| PresentedHandover::parse(c.value()))
        };
        let bytes = secret.expose_secret().as_bytes();
        let csrf = SecretString::from(app.keys.csrf_token(bytes));
        let digest = app.keys.digest("browser", bytes, &[]);
        Ok(Self {
            secret,
            is_new,
            session,
            recovery,
            transfer: of_handover(TRANSFER_COOKIE),
            handover: of_handover(HANDOVER_COOKIE),
            csrf,
            digest,
        })
    }
}

/// What a browser shows of ours: its own secret and its session, each if it has our form.
pub fn presented(jar: &CookieJar) -> (Option<SecretString>, Option<PresentedSession>) {
    let secret = jar
        .get(BROWSER_COOKIE)
        .map(Cookie::value)
        .filter(|value| value.len() == 43);
    let session = jar
        .get(SESSION_COOKIE)
        .and_then(|cookie| PresentedSession::parse(cookie.value()));
    (secret.map(SecretString::from), session)
}

/// `Set-Cookie` headers of an answer.
#[derive(Debug, Default)]
pub struct SetCookies(Vec<Cookie<'static>>);

impl SetCookies {
    /// The session cookie, until the browser closes: its end is the server's matter.
    #[must_use]
    pub fn session(mut self, value: &SecretString) -> Self {
        self.0
            .push(locked(SESSION_COOKIE, value.expose_secret().to_owned()));
        self
    }

    /// Takes the session cookie away.
    #[must_use]
    pub fn no_session(self) -> Self {
        self.without(SESSION_COOKIE)
    }

    /// What stands for a link from a mail, for as long as one is good.
    #[must_use]
    pub fn recovery(mut self, value: &SecretString) -> Self {
        let mut cookie = locked(RECOVERY_COOKIE, value.expose_secret().to_owned());
        cookie.set_max_age(crate::recovery::model::LIFETIME);
        self.0.push(cookie);
        self
    }

    /// Takes that away.
    #[must_use]
    pub fn no_recovery(self) -> Self {
        self.without(RECOVERY_COOKIE)
    }

    /// Binds a transfer to this browser, for as long as one is good.
    #[must_use]
    pub(crate) fn transfer(mut self, value: &SecretString) -> Self {
        let mut cookie = locked(TRANSFER_COOKIE, value.expose_secret().to_owned());
        cookie.set_max_age(TRANSFER_LIFE);
        self.0.push(cookie);
        self
    }

    /// Takes that away.
    #[must_use]
    pub(crate) fn no_transfer(self) -> Self {
        self.without(TRANSFER_COOKIE)
    }

    /// The browser's session under a grant: its end is the server's matter.
    #[must_use]
    pub(crate) fn handover(mut self, value: &SecretString) -> Self {
        self.0
            .push(locked(HANDOVER_COOKIE, value.expose_secret().to_owned()));
        self
    }

    /// Takes that away.
    #[must_use]
    pub(crate) fn no_handover(self) -> Self {
        self.without(HANDOVER_COOKIE)
    }

    fn without(mut self, name: &'static str) -> Self {
        let mut gone = locked(name, String::new());
        gone.make_removal();
        self.0.push(gone);
        self
    }
}

impl IntoResponseParts for SetCookies {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut res: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for cookie in self.0 {
            let value = cookie
                .to_string()
                .parse()
                .expect("our cookies are visible ASCII");
            res.headers_mut().append(http::header::SET_COOKIE, value);
        }
        Ok(res)
    }
}

fn locked(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}
