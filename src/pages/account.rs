//! A person's own account: sessions, clinics, password.

use askama::Template;
use time::OffsetDateTime;

use super::sign_in::{TOO_BUSY, too_many_attempts};
use super::{Clinic, Frame, Hidden, Page};

/// The account's sessions and clinics. Ends one ([`super::paths::ACCOUNT_END_SESSION`]: `csrf`,
/// `session`), ends all ([`super::paths::ACCOUNT_END_ALL`]: `csrf`), links to the password form.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The login identifier.
    pub login: String,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// Live sessions, this one first.
    pub sessions: Vec<SessionRow>,
    /// Active memberships, by name.
    pub memberships: Vec<MembershipRow>,
    /// Her devices that make sign-in codes.
    pub devices: u32,
    /// Her recovery codes that are still good.
    pub codes_left: u32,
    /// Other parties' apps that may see something, by clinic and name.
    pub apps: Vec<AppRow>,
    /// Whether support acts for her just now.
    pub support_acts: bool,
    /// Whether it asks her.
    pub support_asks: bool,
    /// What the person has just done, if they come from a form.
    pub notice: Option<AccountNotice>,
}

/// One live session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Value of `session` in the form that ends it: an id, not a secret.
    pub id: String,
    /// The device in words: `Firefox on Windows`.
    pub device: String,
    /// When the person signed in.
    pub started_at: OffsetDateTime,
    /// When the person last did something.
    pub last_active_at: OffsetDateTime,
    /// Whether this page was asked for by this very session.
    pub is_this_device: bool,
}

/// A clinic that the person belongs to.
#[derive(Debug, Clone)]
pub struct MembershipRow {
    /// Name and color.
    pub clinic: Clinic,
    /// Roles in words.
    pub roles: String,
    /// The platform's apps there.
    pub apps: Vec<ClinicApp>,
}

/// One of the platform's apps at a clinic.
#[derive(Debug, Clone)]
pub struct ClinicApp {
    /// `Patient portal`.
    pub name: &'static str,
    /// Its address there.
    pub href: String,
}

/// An app of another party that may see something of the person's.
#[derive(Debug, Clone)]
pub struct AppRow {
    /// Ends the ids of the row's parts: a number on this page.
    pub number: usize,
    /// The app, by its registered name.
    pub name: String,
    /// Where.
    pub clinic: Clinic,
    /// What it may do, in words.
    pub wishes: Vec<String>,
    /// Since when.
    pub since: OffsetDateTime,
    /// When it last came.
    pub last_used_at: OffsetDateTime,
    /// Value of `clinic` in the form that takes it back: the slug.
    pub slug: String,
    /// Value of `client`.
    pub client: String,
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountNotice {
    /// One session was ended.
    SessionEnded,
    /// The password was changed and the other sessions ended.
    PasswordChanged,
    /// An app may see nothing any more.
    AppRemoved,
}

impl AccountNotice {
    fn words(self) -> &'static str {
        match self {
            Self::SessionEnded => "That device is signed out.",
            Self::AppRemoved => {
                "That app can no longer see your information. What it has read already, it may \
                 have kept: ask its maker to delete it."
            }
            Self::PasswordChanged => {
                "Your password is changed, and your other devices are signed out."
            }
        }
    }
}

impl AccountPage {
    fn others(&self) -> usize {
        self.sessions
            .iter()
            .filter(|session| !session.is_this_device)
            .count()
    }
}

impl Page for AccountPage {
    fn sentence(&self) -> &'static str {
        "Your account"
    }
}

/// Posts `csrf`, `current_password`, `new_password` to [`super::paths::ACCOUNT_PASSWORD`].
#[derive(Debug, Template)]
#[template(path = "change_password.html")]
pub struct ChangePasswordPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// For password managers: whose password this is.
    pub login: String,
    /// Why the page is shown again.
    pub problem: Option<ChangePasswordProblem>,
}

/// Why the password stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangePasswordProblem {
    /// The current password is not right.
    CurrentMismatch,
    /// Shorter than [`ChangePasswordPage::MIN_CHARACTERS`].
    TooShort,
    /// Longer than we take.
    TooLong,
    /// On the list of passwords that attackers try first.
    TooCommon,
    /// The same as the current one.
    Unchanged,
    /// Too many attempts.
    Throttled {
        /// Seconds, at least 1.
        retry_after_seconds: u32,
    },
    /// All hashing slots are taken; nothing was checked.
    Busy,
}

impl ChangePasswordProblem {
    pub(super) fn words(self) -> String {
        match self {
            Self::CurrentMismatch => "That is not your current password. Try again.".to_owned(),
            Self::TooShort => {
                let least = ChangePasswordPage::MIN_CHARACTERS;
                format!("Your new password is too short. Use {least} characters or more.")
            }
            Self::TooLong => "Your new password is too long. Use a shorter one.".to_owned(),
            Self::TooCommon => {
                "Many people use that password, so it is easy to guess. Choose another.".to_owned()
            }
            Self::Unchanged => "Your new password is the same as the current one.".to_owned(),
            Self::Throttled {
                retry_after_seconds,
            } => too_many_attempts(retry_after_seconds),
            Self::Busy => TOO_BUSY.to_owned(),
        }
    }

    /// Whether the message belongs to the field of the current password.
    fn is_about_current(self) -> bool {
        matches!(self, Self::CurrentMismatch)
    }

    /// Whether the message belongs to the field of the new password.
    fn is_about_new(self) -> bool {
        matches!(
            self,
            Self::TooShort | Self::TooLong | Self::TooCommon | Self::Unchanged
        )
    }
}

impl ChangePasswordPage {
    /// Fewest characters (Unicode scalar values) of a new password: NIST SP 800-63B-4 §3.1.1.2,
    /// for a password that is the only factor.
    pub const MIN_CHARACTERS: usize = 15;

    fn is_about_current(&self) -> bool {
        self.problem
            .is_some_and(ChangePasswordProblem::is_about_current)
    }

    fn is_about_new(&self) -> bool {
        self.problem
            .is_some_and(ChangePasswordProblem::is_about_new)
    }
}

impl Page for ChangePasswordPage {
    fn sentence(&self) -> &'static str {
        "Change your password"
    }
}
