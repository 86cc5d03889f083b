//! A forgotten password: asking for a link, and what it leads to.

use askama::Template;

use super::account::{ChangePasswordPage, ChangePasswordProblem};
use super::{Frame, Hidden, IdentifierProblem, Page};

/// Asks for the address. Posts `csrf`, `flow`, `login` to [`super::paths::RECOVERY`].
#[derive(Debug, Template)]
#[template(path = "recovery.html")]
pub struct RecoveryPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The sign-in that the person comes from, to go back to.
    pub flow: Option<Hidden>,
    /// What to fill in; may be empty.
    pub login: String,
    /// Why the page is shown again.
    pub problem: Option<IdentifierProblem>,
}

impl Page for RecoveryPage {
    fn sentence(&self) -> &'static str {
        "Choose a new password"
    }
}

/// A link is on its way, if the address is somebody's. The same for every address.
#[derive(Debug, Template)]
#[template(path = "recovery_sent.html")]
pub struct RecoverySentPage {
    /// Around it.
    pub frame: Frame,
    /// The address as typed.
    pub login: String,
    /// The sign-in to go back to.
    pub flow: Option<Hidden>,
}

impl Page for RecoverySentPage {
    fn sentence(&self) -> &'static str {
        "Look into your mail"
    }
}

/// Takes the new password. Posts `csrf`, `new_password` to [`super::paths::RECOVERY_NEW`].
#[derive(Debug, Template)]
#[template(path = "new_password.html")]
pub struct NewPasswordPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// Whose: for password managers, and for who has several accounts.
    pub login: String,
    /// Why the page is shown again.
    pub problem: Option<ChangePasswordProblem>,
}

impl NewPasswordPage {
    const MIN_CHARACTERS: usize = ChangePasswordPage::MIN_CHARACTERS;
}

impl Page for NewPasswordPage {
    fn sentence(&self) -> &'static str {
        "Set your new password"
    }
}

/// A link that is good for nothing any more: used, too old, or no longer the newest.
#[derive(Debug, Template)]
#[template(path = "dead_link.html")]
pub struct DeadLinkPage {
    /// Around it.
    pub frame: Frame,
}

impl Page for DeadLinkPage {
    fn sentence(&self) -> &'static str {
        "This link no longer works"
    }
}

/// The password is set.
#[derive(Debug, Template)]
#[template(path = "recovery_done.html")]
pub struct RecoveryDonePage {
    /// Around it.
    pub frame: Frame,
}

impl Page for RecoveryDonePage {
    fn sentence(&self) -> &'static str {
        "Your new password is set"
    }
}
