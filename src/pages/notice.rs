//! Pages that tell something: an error, a question before logout, the end of a session.

use askama::Template;

use super::{Frame, Hidden, Page};

/// A place to go, in words.
#[derive(Debug, Clone)]
pub struct Link {
    /// A path of ours or a registered address. Never what a request brought along.
    pub href: String,
    /// What the button says.
    pub words: &'static str,
}

/// Something stopped a request.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Around it; the request id is shown large here.
    pub frame: Frame,
    /// HTTP status of the answer.
    pub status: u16,
    /// The public word of it: `invalid_request`, `not_found`.
    pub status_word: &'static str,
    /// What happened, one or two sentences for the person. Constant: nothing from the request.
    pub happened: &'static str,
    /// What the person can do now.
    pub advice: &'static str,
    /// Where to go on, if there is such a place.
    pub way_on: Option<Link>,
}

impl Page for ErrorPage {
    fn sentence(&self) -> &'static str {
        "Something went wrong"
    }
}

/// Asked before a logout that no valid `id_token_hint` vouches for. Posts `csrf`, `logout` to
/// [`super::paths::LOGOUT_CONFIRM`].
#[derive(Debug, Template)]
#[template(path = "logout_confirm.html")]
pub struct LogoutConfirmPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored logout request (where to return to), or empty.
    pub logout: Hidden,
    /// Who is signed in.
    pub login: String,
    /// The app that asked.
    pub client_name: Option<String>,
    /// Where "Stay signed in" leads.
    pub stay_href: String,
}

impl Page for LogoutConfirmPage {
    fn sentence(&self) -> &'static str {
        "Do you want to sign out?"
    }
}

/// Why a session is over. In addresses: `?reason=` and [`EndReason::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// Nobody did anything for the idle limit.
    Idle,
    /// The absolute limit has come.
    Expired,
    /// Ended from another device, by an administrator, by a changed password.
    Elsewhere,
    /// Support acted as somebody, and the grant is over.
    ImpersonationOver,
}

impl EndReason {
    const ALL: [Self; 5] = [
        Self::SignedOut,
        Self::Idle,
        Self::Expired,
        Self::Elsewhere,
        Self::ImpersonationOver,
    ];

    /// The value of `reason`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Elsewhere => "elsewhere",
            Self::ImpersonationOver => "impersonation_over",
        }
    }

    /// Reads `reason`; anything unknown, or nothing, is [`EndReason::SignedOut`], the calmest.
    pub fn from_word(word: Option<&str>) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|reason| Some(reason.word()) == word);
        known.unwrap_or(Self::SignedOut)
    }
}

/// The session is over: at the issuer and in the apps.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage {
    /// Around it. `session` must be `None`.
    pub frame: Frame,
    /// Why.
    pub reason: EndReason,
    /// Where "Sign in again" leads; without it the person is told to close the window.
    pub sign_in_href: Option<String>,
}

impl SignedOutPage {
    fn what_it_means(&self) -> &'static str {
        match self.reason {
            EndReason::SignedOut => {
                "You are signed out here and in every other app that you had open in this browser."
            }
            EndReason::Idle => {
                "Nothing happened for a while, so we closed the page to keep health records \
                 private. What was saved is safe."
            }
            EndReason::Expired => {
                "For safety everyone signs in again after some hours, even when busy. What was \
                 saved is safe."
            }
            EndReason::Elsewhere => {
                "You, or your clinic, ended this session from another window or device, or \
                 your password was changed. What was saved is safe."
            }
            EndReason::ImpersonationOver => {
                "You acted as somebody else. Its time was up, or somebody ended it. What you \
                 opened is on the record."
            }
        }
    }

    fn what_next(&self) -> &'static str {
        match (self.reason, &self.sign_in_href) {
            (EndReason::ImpersonationOver, _) => {
                "Your own sign-in goes on. You can close this window."
            }
            (EndReason::Elsewhere, Some(_)) => {
                "If that was not you, sign in and change your password."
            }
            (_, Some(_)) => "On a computer that others use, close this window when you leave.",
            (_, None) => "You can close this window now.",
        }
    }
}

impl Page for SignedOutPage {
    fn sentence(&self) -> &'static str {
        match self.reason {
            EndReason::SignedOut => "You are signed out",
            EndReason::Idle => "You were signed out because you were away",
            EndReason::Expired => "Your session has reached its end",
            EndReason::Elsewhere => "Your session was ended elsewhere",
            EndReason::ImpersonationOver => "This access is over",
        }
    }
}
