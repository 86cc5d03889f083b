//! The frame of an app's pages, and its errors in words that help.

use axum::response::Response;
use http::StatusCode;

use super::HOME;
use crate::apps::RelyingParty;
use crate::apps::oidc::OidcError;
use crate::apps::sites::Site;
use crate::apps::standing::StandingError;
use crate::db::StoreError;
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{ErrorPage, Frame, Link};

/// The frame of an app's page before anyone is signed in: it wears the host's clinic.
pub(super) fn frame(rp: &RelyingParty, site: &Site, id: &RequestId) -> Frame {
    let mut frame = Frame::new(rp.kind().name(), id.as_str());
    frame.clinic = site
        .clinic
        .as_ref()
        .map(crate::apps::model::ClinicFacts::shown);
    frame.demo_banner = id.is_of_a_demo();
    frame
}

/// Why an app has no page to show.
#[derive(Debug)]
pub(super) enum AppError {
    /// Nothing at this address.
    NotFound,
    /// Someone else's form, or one from an older page.
    Forged,
    /// A form of ours without one of its fields.
    Unreadable,
    /// The callback fits no sign-in that this browser began.
    StrangeCallback(&'static str),
    /// Signed in or not, nobody who runs the platform.
    NotStaff,
    /// The issuer sent the browser back with this error.
    Sent(String),
    /// The issuer can't be asked.
    Issuer(String),
    /// The issuer's answer is not what it must be.
    BadIssuer(String),
    /// Our rows can't be reached.
    Store(StoreError),
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<OidcError> for AppError {
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::Unreachable(detail) => Self::Issuer(detail),
            OidcError::Refused(_) => Self::StrangeCallback("the issuer refused the code"),
            OidcError::BadAnswer(detail) => Self::BadIssuer(detail),
        }
    }
}

impl From<StandingError> for AppError {
    fn from(error: StandingError) -> Self {
        match error {
            StandingError::Store(error) => Self::Store(error),
            StandingError::Issuer(error) => error.into(),
        }
    }
}

impl AppError {
    /// Status, its word, what happened, what to do; the log hears the reason.
    fn words(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing at this address.",
                "Check the address, or go to the start.",
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                "This form was not sent from a page of ours, or the page was too old.",
                "Go back, load the page again, and try once more.",
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "Bad request",
                "Something of the form is missing, or not as it should be. Nothing was done.",
                "Go back, load the page again, and try once more.",
            ),
            Self::StrangeCallback(_) => (
                StatusCode::BAD_REQUEST,
                "Bad request",
                "This sign-in was not begun in this browser, or it took too long.",
                "Start again.",
            ),
            Self::NotStaff => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                "Nobody was signed in: this console is for those who run the platform.",
                "Go to your clinic's own address. If you run the platform, sign in as yourself.",
            ),
            Self::Sent(_) => (
                StatusCode::BAD_REQUEST,
                "Not signed in",
                "The sign-in ended without an answer that lets you in.",
                "Start again; if it goes on, ask your clinic.",
            ),
            Self::Issuer(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Unavailable",
                "The sign-in can't be reached just now. Nothing is lost.",
                "Wait a minute and try again.",
            ),
            Self::BadIssuer(_) => (
                StatusCode::BAD_GATEWAY,
                "Bad answer",
                "The sign-in gave an answer that we do not trust.",
                "Try again; if it goes on, tell your clinic the number below.",
            ),
            Self::Store(StoreError::Unavailable(_) | StoreError::TransactionPooler) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Unavailable",
                "We can't reach our records just now. Nothing is lost.",
                "Wait a minute and try again.",
            ),
            Self::Store(
                StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Query(_),
            ) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Server error",
                "Something failed on our side. It is not your fault.",
                "Try again; if it goes on, tell your clinic the number below.",
            ),
        }
    }

    fn log(&self, rp: &RelyingParty, id: &RequestId) {
        let app = rp.kind().word();
        match self {
            Self::NotFound | Self::Forged | Self::Unreadable => {}
            Self::NotStaff => tracing::info!(request_id = %id, app, "not of the platform"),
            Self::StrangeCallback(why) => tracing::info!(request_id = %id, app, why, "callback"),
            Self::Sent(code) => {
                tracing::info!(request_id = %id, app, error.code = code, "callback");
            }
            Self::Issuer(detail) | Self::BadIssuer(detail) => {
                tracing::warn!(request_id = %id, app, detail, "issuer");
            }
            Self::Store(error) => {
                let detail = crate::http::chain(error);
                tracing::error!(request_id = %id, app, detail, "page");
            }
        }
    }

    /// The page.
    pub(super) fn respond(&self, rp: &RelyingParty, site: &Site, id: &RequestId) -> Response {
        self.log(rp, id);
        let (status, status_word, happened, advice) = self.words();
        let shown = ErrorPage {
            frame: frame(rp, site, id),
            status: status.as_u16(),
            status_word,
            happened,
            advice,
            way_on: Some(Link {
                href: HOME.to_owned(),
                words: "Go to the start",
            }),
        };
        page::page(status, &shown)
    }

    /// For a script that asked: the status alone.
    pub(super) fn status(&self, rp: &RelyingParty, id: &RequestId) -> StatusCode {
        self.log(rp, id);
        self.words().0
    }
}

/// An address that no clinic has (TEN-01). Nothing of the request is repeated, and nothing leads
/// on: who asked may have been sent here by a stranger.
pub(super) fn no_clinic(frame: Frame) -> Response {
    let status = StatusCode::MISDIRECTED_REQUEST;
    let shown = ErrorPage {
        frame,
        status: status.as_u16(),
        status_word: "Misdirected",
        happened: "No clinic has this address.",
        advice: "Look at its first part again, or ask your clinic for the right one.",
        way_on: None,
    };
    page::page(status, &shown)
}
