//! What a browser holds of an app's: the session's cookie, and the one that binds sign-ins.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponseParts, ResponseParts};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::header::SET_COOKIE;
use http::request::Parts;
use secrecy::{ExposeSecret as _, SecretString};

use super::HOME;
use crate::apps::RelyingParty;
use crate::apps::model::{Kind, Ticket};
use crate::apps::sites::Site;

/// The browser behind a request.
#[derive(Debug)]
pub(super) struct Browser {
    /// The session's cookie, if one of our form came.
    pub(super) session: Option<Ticket>,
    login: Option<SecretString>,
    /// The page that it asks for: a path of ours, with its query.
    page: String,
}

/// Longest path that is come back to, in bytes.
const LONGEST_PAGE: usize = 1000;

impl Browser {
    /// The page that it asks for, to come back to: never another host's.
    pub(super) fn page(&self) -> &str {
        let is_ours = self.page.starts_with('/') && !self.page.starts_with("//");
        if is_ours && self.page.len() <= LONGEST_PAGE {
            &self.page
        } else {
            HOME
        }
    }

    /// The value that binds a sign-in under way to this browser, if it has one.
    pub(super) fn login(&self) -> Option<&str> {
        self.login.as_ref().map(SecretString::expose_secret)
    }

    /// The token for this session's forms; empty, which no form matches, without one.
    pub(super) fn csrf(&self, rp: &RelyingParty) -> String {
        let token = |t: &Ticket| {
            rp.app()
                .keys
                .csrf_token(t.value().expose_secret().as_bytes())
        };
        self.session.as_ref().map(token).unwrap_or_default()
    }

    /// Whether a form came from a page that we gave to this session.
    pub(super) fn owns(&self, rp: &RelyingParty, csrf: &str) -> bool {
        self.session.as_ref().is_some_and(|ticket| {
            rp.app()
                .keys
                .csrf_matches(ticket.value().expose_secret().as_bytes(), csrf)
        })
    }
}

impl FromRequestParts<RelyingParty> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        rp: &RelyingParty,
    ) -> Result<Self, Self::Rejection> {
        let jar = CookieJar::from_headers(&parts.headers);
        let of = |name| jar.get(name).map(Cookie::value);
        Ok(Self {
            session: of(rp.kind().session_cookie()).and_then(Ticket::parse),
            login: of(rp.kind().login_cookie())
                .filter(|v| v.len() == 43)
                .map(SecretString::from),
            page: match parts.uri.path_and_query() {
                Some(page) if parts.method == Method::GET => page.as_str().to_owned(),
                // A form's address shows nothing.
                _ => HOME.to_owned(),
            },
        })
    }
}

impl FromRequestParts<RelyingParty> for Site {
    type Rejection = http::StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &RelyingParty,
    ) -> Result<Self, Self::Rejection> {
        let site = parts.extensions.get::<Self>().cloned();
        site.ok_or(http::StatusCode::MISDIRECTED_REQUEST)
    }
}

/// A fresh value for the cookie that binds sign-ins.
pub(super) fn fresh_login(rp: &RelyingParty) -> SecretString {
    URL_SAFE_NO_PAD
        .encode(rp.app().env.random_bytes::<32>())
        .into()
}

/// `Set-Cookie` headers of an answer.
#[derive(Debug)]
pub(super) struct SetCookies {
    kind: Kind,
    cookies: Vec<Cookie<'static>>,
}

impl SetCookies {
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            kind,
            cookies: Vec::new(),
        }
    }

    /// The session's, until the browser closes: its end is the server's matter.
    pub(super) fn session(mut self, value: &SecretString) -> Self {
        self.cookies.push(locked(
            self.kind.session_cookie(),
            value.expose_secret().to_owned(),
        ));
        self
    }

    /// Takes the session's away.
    pub(super) fn no_session(mut self) -> Self {
        let mut gone = locked(self.kind.session_cookie(), String::new());
        gone.make_removal();
        self.cookies.push(gone);
        self
    }

    /// Binds sign-ins to this browser.
    pub(super) fn login(mut self, value: &SecretString) -> Self {
        self.cookies.push(locked(
            self.kind.login_cookie(),
            value.expose_secret().to_owned(),
        ));
        self
    }
}

impl IntoResponseParts for SetCookies {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut res: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for cookie in self.cookies {
            let value = cookie
                .to_string()
                .parse()
                .expect("our cookies are visible ASCII");
            res.headers_mut().append(SET_COOKIE, value);
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
