//! Second factors: proving one, setting one up, looking after them.

use askama::Template;
use time::OffsetDateTime;

use super::sign_in::{WayBack, too_many_attempts};
use super::{Frame, Hidden, Page, Qr};

/// Asks for the code of her device. Posts `csrf`, `flow`, `code` to
/// [`super::paths::SIGN_IN_CODE`].
#[derive(Debug, Template)]
#[template(path = "code.html")]
pub struct CodePage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow.
    pub flow: Hidden,
    /// Whose code it is.
    pub login: String,
    /// The app that asks, by its registered name.
    pub client_name: Option<String>,
    /// For who does not go on.
    pub way_back: Option<WayBack>,
    /// Why the page is shown again.
    pub problem: Option<CodeProblem>,
}

/// Why a code was not taken. Wrong, used before and too old are one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeProblem {
    /// Nothing was typed.
    Missing,
    /// No code of hers that is still good.
    Mismatch,
    /// Too many attempts.
    Throttled {
        /// Seconds, at least 1.
        retry_after_seconds: u32,
    },
}

impl CodeProblem {
    fn of_code(self) -> String {
        match self {
            Self::Missing => "Type the six digits that your app shows.".to_owned(),
            Self::Mismatch => "That code is not right, or it was used before. Wait until your \
                               app shows the next one and type that."
                .to_owned(),
            Self::Throttled {
                retry_after_seconds,
            } => too_many_attempts(retry_after_seconds),
        }
    }

    fn of_recovery_code(self) -> String {
        match self {
            Self::Missing => "Type one of your recovery codes.".to_owned(),
            Self::Mismatch => {
                "That recovery code is not right, or it was used before. Try another one."
                    .to_owned()
            }
            Self::Throttled {
                retry_after_seconds,
            } => too_many_attempts(retry_after_seconds),
        }
    }
}

impl Page for CodePage {
    fn sentence(&self) -> &'static str {
        "Enter your code"
    }
}

/// Asks for a recovery code instead. Posts `csrf`, `flow`, `code` to
/// [`super::paths::SIGN_IN_RECOVERY_CODE`].
#[derive(Debug, Template)]
#[template(path = "recovery_code.html")]
pub struct RecoveryCodePage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow.
    pub flow: Hidden,
    /// Whose code it is.
    pub login: String,
    /// For who does not go on.
    pub way_back: Option<WayBack>,
    /// Why the page is shown again.
    pub problem: Option<CodeProblem>,
}

impl Page for RecoveryCodePage {
    fn sentence(&self) -> &'static str {
        "Enter a recovery code"
    }
}

/// Sets a device up. Posts `csrf`, `code` to `action`, in a sign-in `flow` too, from the account
/// page `name` too.
#[derive(Debug, Template)]
#[template(path = "enroll.html")]
pub struct EnrollPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow; none from the account page, where she names the device.
    pub flow: Option<Hidden>,
    /// Whose device it becomes.
    pub login: String,
    /// Where the form goes.
    pub action: &'static str,
    /// For her camera: the address below as a square.
    pub qr: Qr,
    /// For an app on the same phone.
    pub address: Hidden,
    /// To be typed by hand.
    pub secret: Hidden,
    /// Whether she may say "not now", once.
    pub may_postpone: bool,
    /// In a sign-in, for who does not go on.
    pub way_back: Option<WayBack>,
    /// Why the page is shown again.
    pub problem: Option<EnrollProblem>,
}

/// Why a device does not count yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrollProblem {
    /// No code, or not this device's.
    Mismatch,
    /// The name is too long.
    Name,
}

impl EnrollProblem {
    fn words(self) -> &'static str {
        match self {
            Self::Mismatch => {
                "That code is not right. Type the six digits that your app shows now. If it goes \
                 on, check that your phone sets its clock by itself."
            }
            Self::Name => "That name is too long. Use 60 characters at most.",
        }
    }
}

impl EnrollPage {
    /// In groups of four, as it is read out and typed.
    fn groups(&self) -> Vec<String> {
        let text = self.secret.to_string();
        let letters: Vec<char> = text.chars().collect();
        letters
            .chunks(4)
            .map(|group| group.iter().collect())
            .collect()
    }

    fn is_about_code(&self) -> bool {
        self.problem == Some(EnrollProblem::Mismatch)
    }

    fn is_about_name(&self) -> bool {
        self.problem == Some(EnrollProblem::Name)
    }
}

impl Page for EnrollPage {
    fn sentence(&self) -> &'static str {
        "Set up sign-in codes"
    }
}

/// New recovery codes, shown once.
#[derive(Debug, Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodesPage {
    /// Around it.
    pub frame: Frame,
    /// As they are typed.
    pub codes: Vec<Hidden>,
    /// Where she goes on.
    pub onward: String,
}

impl Page for RecoveryCodesPage {
    fn sentence(&self) -> &'static str {
        "Keep these recovery codes"
    }
}

/// Her devices and recovery codes.
#[derive(Debug, Template)]
#[template(path = "factors.html")]
pub struct FactorsPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// Oldest first.
    pub devices: Vec<FactorDevice>,
    /// Recovery codes that are still good.
    pub codes_left: u32,
    /// Whether her work asks for a device, so that the last one stays.
    pub is_required: bool,
    /// What has just been done.
    pub notice: Option<FactorNotice>,
}

/// One device.
#[derive(Debug, Clone)]
pub struct FactorDevice {
    /// Value of `device` in the forms: an id, no secret.
    pub id: String,
    /// As she calls it.
    pub name: String,
    /// Since when.
    pub added_at: OffsetDateTime,
    /// When its code was last taken.
    pub last_used_at: Option<OffsetDateTime>,
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorNotice {
    /// A device was added.
    Added,
    /// One was removed.
    Removed,
    /// One has another name.
    Renamed,
    /// She proved who she is, and may change things now.
    Confirmed,
    /// The last one can't be removed.
    LastStays,
    /// She has as many as there can be.
    TooMany,
}

impl FactorNotice {
    fn words(self) -> &'static str {
        match self {
            Self::Added => "The device is set up. From now on you are asked for its code.",
            Self::Removed => "The device is removed.",
            Self::Renamed => "The device has its new name.",
            Self::Confirmed => {
                "Thank you. For the next five minutes you can change your devices and codes."
            }
            Self::LastStays => {
                "Your work asks for sign-in codes, so your last device stays. Add another one \
                 first."
            }
            Self::TooMany => "You have as many devices as there can be. Remove one first.",
        }
    }

    const fn is_problem(self) -> bool {
        matches!(self, Self::LastStays | Self::TooMany)
    }
}

impl FactorsPage {
    fn may_remove(&self) -> bool {
        self.devices.len() > 1 || !self.is_required
    }
}

impl Page for FactorsPage {
    fn sentence(&self) -> &'static str {
        "Your sign-in codes"
    }
}
