//! The pages a person sees, and the one quiet design they share.
//!
//! Owns: the structs that handlers fill (each a [`Page`]), their templates in `templates/`, the
//! one style sheet `lanyard.css`, the scripts `session.js` and `live.js`, the marks, and the paths
//! that forms post to ([`paths`]). Not responsible for: headers, cookies, status codes, who may see
//! what.
//!
//! Invariants, held by tests in this folder:
//! 1. Nothing inline and nothing from elsewhere: no `style` or `on…` attribute, no script text,
//!    so that [`CONTENT_SECURITY_POLICY`] can be as strict as it is.
//! 2. Every value is escaped; no template switches escaping off.
//! 3. Every page says its [`Page::sentence`] as its only `h1`, and the clinic's name when there
//!    is a clinic.
//! 4. Every form has an `id` and works without JavaScript; it carries `csrf`, unless it only looks.
//! 5. Every pair of colors that is used together has the contrast of WCAG 2.2 AA in every accent,
//!    light and dark.

mod accent;
mod account;
mod acting;
mod apps;
mod assets;
mod clinic_support;
mod consent;
#[cfg(test)]
mod contrast;
mod deed;
mod demo;
mod emergency;
mod enter;
mod factor;
mod frame;
#[cfg(test)]
mod gallery;
mod hidden;
#[cfg(test)]
mod invariants;
mod log;
mod moment;
mod notice;
pub mod paths;
mod platform;
mod proxies;
mod qr;
mod recovery;
mod roles;
mod sign_in;
mod support;

pub use accent::{Accent, UnknownAccent};
pub use account::{
    AccountNotice, AccountPage, AppRow, ChangePasswordPage, ChangePasswordProblem, ClinicApp,
    MembershipRow, SessionRow,
};
pub use acting::ActingBanner;
pub use apps::{
    AnnouncementNotice, App, AppLink, ConsoleHomePage, Fact, MemberRow, Person, Refusal,
    RefusalPage, Surroundings, VisitRow, VisitsHomePage, WelcomePage,
};
pub use assets::{Asset, asset, css_href, icon_href, live_script_href, script_href};
pub use clinic_support::{ClinicSupportPage, ClinicSupportRow};
pub use consent::ConsentPage;
pub use deed::DeedNotice;
pub use demo::{
    DemoCode, DemoCodesPage, DemoPage, DemoPerson, MailListPage, MailMessagePage, MailRow,
    PartnerOutcome, PartnerPage,
};
pub use emergency::{
    EMERGENCY_REASONS, EmergenciesPage, EmergencyPage, OpenRow, RecordPage, SoughtPatients,
    WaitingRow,
};
pub use enter::{EnterApp, EnterPage, Enterable};
pub use factor::{
    CodePage, CodeProblem, EnrollPage, EnrollProblem, FactorDevice, FactorNotice, FactorsPage,
    RecoveryCodePage, RecoveryCodesPage,
};
pub use frame::{Clinic, Frame, SessionFacts};
pub use hidden::Hidden;
pub use log::{
    AccessRow, AccessesPage, LogFault, LogFilter, LogPage, LogProof, LogRow, LogStanding,
    LogVerdict, ReviewNotice, ReviewRow, ReviewsPage,
};
pub use moment::{clock_time, day_and_time, time_ago, time_left};
pub use notice::{EndReason, ErrorPage, Link, LogoutConfirmPage, SignedOutPage};
pub use platform::{
    ActingForm, ActingNotice, ActingPage, ActingRow, ActingStanding, EndingNotice, EndingProof,
    EndingRow, EndingsPage, FleetPage, KeyRow, PlatformHomePage, VerifierRow,
};
pub use proxies::{BASES, DelegationRow, DelegationsPage, ProxiesPage, ProxyRow};
pub use qr::Qr;
pub use recovery::{
    DeadLinkPage, NewPasswordPage, RecoveryDonePage, RecoveryPage, RecoverySentPage,
};
pub use roles::role_words;
pub use sign_in::{
    ChooserPage, ClinicChoice, IdentifierPage, IdentifierProblem, PasswordPage, PasswordProblem,
    WayBack,
};
pub use support::{SupportNotice, SupportOpened, SupportPage, SupportRow, SupportStanding};

/// What every page needs from its `Content-Security-Policy`, and nothing more.
///
/// Append `; form-action 'self' …`: browsers hold the redirect after a form's post to that list
/// too, so a page of the authorization flow must name the origin of the client's redirect URI.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
    script-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// A page that can be shown.
pub trait Page: askama::Template {
    /// The sentence that tells which page this is: its only `h1`, constant for a state of the
    /// page, so that people, tests and screen readers can rely on it.
    fn sentence(&self) -> &'static str;

    /// The whole document, HTML, UTF-8.
    fn html(&self) -> String {
        self.render()
            .expect("a template of strings and numbers writes to a string")
    }
}
