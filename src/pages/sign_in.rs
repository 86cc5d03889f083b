//! Signing in: who, the password, which clinic.

use askama::Template;

use super::{Clinic, Frame, Hidden, Page};

/// The way out of a page of signing in, for who does not want to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayBack {
    /// To the app that asked, by its registered name. Posts `csrf`, `flow` to
    /// [`super::paths::SIGN_IN_DECLINE`].
    App(String),
    /// To her own [`super::paths::ACCOUNT_FACTORS`], which asked for a fresh proof.
    Factors,
}

/// Step one. Posts `csrf`, `flow`, `login` to [`super::paths::SIGN_IN`].
#[derive(Debug, Template)]
#[template(path = "identifier.html")]
pub struct IdentifierPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow that this sign-in belongs to.
    pub flow: Hidden,
    /// What to fill in: a `login_hint`, or what was typed before. May be empty.
    pub login: String,
    /// The app that asked, by its registered name.
    pub client_name: Option<String>,
    /// For who does not go on.
    pub way_back: Option<WayBack>,
    /// Why the page is shown again.
    pub problem: Option<IdentifierProblem>,
}

/// What was wrong with the typed identifier, by its form alone: nothing tells whether it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierProblem {
    /// Nothing was typed.
    Missing,
    /// It cannot be an identifier: too long, or characters that none has.
    Malformed,
}

impl IdentifierProblem {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Missing => "Type the email address that you sign in with.",
            Self::Malformed => "That does not look like an email address. Check it and try again.",
        }
    }
}

impl Page for IdentifierPage {
    fn sentence(&self) -> &'static str {
        "Sign in to continue"
    }
}

/// Step two. Posts `csrf`, `flow`, `password` to [`super::paths::SIGN_IN_PASSWORD`].
#[derive(Debug, Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow.
    pub flow: Hidden,
    /// The identifier as typed.
    pub login: String,
    /// Whether a forgotten password can be replaced by mail.
    pub can_recover: bool,
    /// For who does not go on.
    pub way_back: Option<WayBack>,
    /// Why the page is shown again.
    pub problem: Option<PasswordProblem>,
}

/// Why a password was not taken. Unknown account and wrong password are one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordProblem {
    /// Nothing was typed.
    Missing,
    /// The pair does not match.
    Mismatch,
    /// Too many attempts; after this many seconds another is looked at.
    Throttled {
        /// Seconds, at least 1.
        retry_after_seconds: u32,
    },
    /// All hashing slots are taken; nothing was checked.
    Busy,
    /// The log is not anchored, and she works at a clinic.
    Unanchored,
}

impl PasswordProblem {
    fn words(self) -> String {
        match self {
            Self::Missing => "Type your password.".to_owned(),
            Self::Mismatch => {
                "That email address and password do not match. Check both and try again.".to_owned()
            }
            Self::Throttled {
                retry_after_seconds,
            } => too_many_attempts(retry_after_seconds),
            Self::Busy => TOO_BUSY.to_owned(),
            Self::Unanchored => {
                "Our record of who did what can't be kept safe just now, so nobody who works at a \
                 clinic can sign in. Patients can. Your password was right: try again later, or \
                 tell whoever runs this service."
                    .to_owned()
            }
        }
    }
}

pub(super) const TOO_BUSY: &str =
    "Very many people are signing in just now. Nothing is wrong: try again in a few seconds.";

pub(super) fn too_many_attempts(seconds: u32) -> String {
    let wait = super::moment::wait(seconds);
    format!("Too many attempts. Your account is safe: try again in {wait}.")
}

impl Page for PasswordPage {
    fn sentence(&self) -> &'static str {
        "Enter your password"
    }
}

/// Step three, for people who belong to several clinics. Posts `csrf`, `flow`, `organization` to
/// [`super::paths::SIGN_IN_CLINIC`]; one button for each clinic.
#[derive(Debug, Template)]
#[template(path = "chooser.html")]
pub struct ChooserPage {
    /// Around it. Without a clinic, since none is chosen.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow.
    pub flow: Hidden,
    /// Who signed in.
    pub login: String,
    /// The account's active memberships, by name.
    pub clinics: Vec<ClinicChoice>,
}

/// One clinic to go on with.
#[derive(Debug, Clone)]
pub struct ClinicChoice {
    /// Value of `organization`: the slug. Also ends the button's id, `organization-<slug>`.
    pub slug: String,
    /// Name and color.
    pub clinic: Clinic,
    /// What the person is there, in words: `Patient`, `Physician and clinic admin`.
    pub roles: String,
}

impl Page for ChooserPage {
    fn sentence(&self) -> &'static str {
        "Choose your clinic"
    }
}
