//! The demo's front page and its mail catcher.

use askama::Template;
use time::OffsetDateTime;

use super::{AppLink, Clinic, Frame, Page};

/// Where a visitor of the demo starts.
#[derive(Debug, Template)]
#[template(path = "demo.html")]
pub struct DemoPage {
    /// Around it.
    pub frame: Frame,
    /// Who can sign in, grouped by clinic in the order given.
    pub people: Vec<DemoPerson>,
    /// What the phones of those show who have sign-in codes.
    pub codes_href: String,
    /// The mail catcher.
    pub mail_href: String,
    /// The app of another party.
    pub partner_href: String,
    /// The account page of who acted as somebody.
    pub support_href: String,
    /// The issuer's discovery document.
    pub discovery_href: String,
}

/// A made-up person of the demo.
#[derive(Debug, Clone)]
pub struct DemoPerson {
    /// Where they belong.
    pub clinic: Clinic,
    /// Name and what they are: `Ana Ortiz, patient`.
    pub who: String,
    /// The login identifier.
    pub login: String,
    /// The password: public, since everything here is made up.
    pub password: String,
    /// The app to open first.
    pub opens: AppLink,
    /// What to try.
    pub to_try: String,
}

impl Page for DemoPage {
    fn sentence(&self) -> &'static str {
        "Try Lanyard"
    }
}

/// What the made-up people's phones show just now.
#[derive(Debug, Template)]
#[template(path = "demo_codes.html")]
pub struct DemoCodesPage {
    /// Around it.
    pub frame: Frame,
    /// Those who have a device.
    pub people: Vec<DemoCode>,
    /// How long these codes are shown; then come the next ones.
    pub seconds_left: u32,
    /// Back to the demo's front page.
    pub home_href: String,
}

/// One person's phone.
#[derive(Debug, Clone)]
pub struct DemoCode {
    /// Whose.
    pub who: String,
    /// What they sign in with.
    pub login: String,
    /// Six digits: public, since everything here is made up.
    pub code: String,
}

impl Page for DemoCodesPage {
    fn sentence(&self) -> &'static str {
        "Sign-in codes"
    }
}

/// Mail that the demo caught, newest first.
#[derive(Debug, Template)]
#[template(path = "mail_list.html")]
pub struct MailListPage {
    /// Around it.
    pub frame: Frame,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// The messages.
    pub messages: Vec<MailRow>,
    /// Back to the demo's front page.
    pub home_href: String,
}

/// One caught message in the list.
#[derive(Debug, Clone)]
pub struct MailRow {
    /// Its page.
    pub href: String,
    /// Address it was for.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// When it was handed over.
    pub sent_at: OffsetDateTime,
}

impl Page for MailListPage {
    fn sentence(&self) -> &'static str {
        "Caught mail"
    }
}

/// One caught message.
#[derive(Debug, Template)]
#[template(path = "mail_message.html")]
pub struct MailMessagePage {
    /// Around it.
    pub frame: Frame,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// Address it was for.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// When it was handed over.
    pub sent_at: OffsetDateTime,
    /// Plain text.
    pub body: String,
    /// Back to the list.
    pub list_href: String,
}

impl Page for MailMessagePage {
    fn sentence(&self) -> &'static str {
        "A caught message"
    }
}

/// The app of another party, to try a consent with.
#[derive(Debug, Template)]
#[template(path = "partner.html")]
pub struct PartnerPage {
    /// Around it.
    pub frame: Frame,
    /// What it calls itself.
    pub name: &'static str,
    /// Starts the code flow.
    pub connect_href: &'static str,
    /// The issuer's account page.
    pub account_href: &'static str,
    /// Back to the demo's front page.
    pub home_href: &'static str,
    /// What the last try came to.
    pub outcome: Option<PartnerOutcome>,
}

/// What connecting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerOutcome {
    /// It has a token, and saw so many visits with it.
    Connected {
        /// How many.
        visits: usize,
    },
    /// The person said no.
    Denied,
    /// Something else stopped it.
    Failed,
}

impl PartnerOutcome {
    fn words(self) -> String {
        match self {
            Self::Connected { visits: 1 } => "Connected. It sees 1 visit of yours.".to_owned(),
            Self::Connected { visits } => format!("Connected. It sees {visits} visits of yours."),
            Self::Denied => "You did not allow it, so it sees nothing.".to_owned(),
            Self::Failed => "That did not work. Nothing was shared; try again.".to_owned(),
        }
    }
}

impl Page for PartnerPage {
    fn sentence(&self) -> &'static str {
        "An app of somebody else"
    }
}
