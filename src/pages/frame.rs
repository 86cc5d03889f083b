//! What surrounds every page: whose it is, and how long the session lasts.

use time::OffsetDateTime;

use super::{Accent, ActingBanner, Hidden, paths};

/// The clinic whose name and color a page wears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clinic {
    /// Display name, as the clinic wrote it. Escaped here.
    pub name: String,
    /// Its color.
    pub accent: Accent,
}

/// What surrounds every page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Who speaks: `Lanyard`, or the app's own name such as `Patient portal`.
    pub product: &'static str,
    /// The clinic, as soon as it is known. Its name is then always in sight.
    pub clinic: Option<Clinic>,
    /// Shown small at the foot, to be read out to support; the log has the same.
    pub request_id: String,
    /// Whether to say that all people and records are made up.
    pub demo_banner: bool,
    /// The session behind the page, if someone is signed in: brings the warning before its end.
    pub session: Option<SessionFacts>,
    /// Who acts as the person, if somebody does: the first on the page, and nothing hides it.
    pub acting: Option<ActingBanner>,
}

impl Frame {
    /// A page of ours about nobody in particular yet.
    pub fn new(product: &'static str, request_id: impl Into<String>) -> Self {
        let request_id = request_id.into();
        Self {
            product,
            clinic: None,
            request_id,
            demo_banner: false,
            session: None,
            acting: None,
        }
    }

    pub(super) fn accent(&self) -> Accent {
        self.clinic
            .as_ref()
            .map_or(Accent::default(), |clinic| clinic.accent)
    }

    /// The clinic's name, or ours where no clinic is known yet.
    pub(super) fn owner(&self) -> &str {
        self.clinic
            .as_ref()
            .map_or(self.product, |clinic| &clinic.name)
    }
}

/// How long the session behind a page lasts. Instants are the server's, half open: at
/// `idle_ends_at` the session has ended.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// When the page was made.
    pub server_now: OffsetDateTime,
    /// When it ends if nobody does anything.
    pub idle_ends_at: OffsetDateTime,
    /// When it ends whatever anybody does.
    pub session_ends_at: OffsetDateTime,
    /// The whole idle limit, in seconds, as policy has it for this session.
    pub idle_limit_seconds: u32,
    /// For the two forms of the warning: [`paths::SESSION_ACTIVITY`] and `sign_out_path`.
    pub csrf: Hidden,
    /// Where "Sign out now" posts `csrf`: [`paths::APP_SIGN_OUT`] in an app.
    pub sign_out_path: &'static str,
}

impl SessionFacts {
    /// For `<meta name="lanyard-session">`, JSON, unix milliseconds.
    pub(super) fn json(&self) -> String {
        serde_json::json!({
            "server_now": unix_milliseconds(self.server_now),
            "idle_ends_at": unix_milliseconds(self.idle_ends_at),
            "session_ends_at": unix_milliseconds(self.session_ends_at),
            "idle_limit": u64::from(self.idle_limit_seconds) * 1000,
            "session_path": paths::SESSION,
            "signed_out_path": paths::SIGNED_OUT,
        })
        .to_string()
    }

    /// Whether the absolute end comes first: then staying active does not help.
    pub(super) fn ends_for_good(&self) -> bool {
        self.session_ends_at <= self.idle_ends_at
    }

    pub(super) fn first_end_at(&self) -> OffsetDateTime {
        self.idle_ends_at.min(self.session_ends_at)
    }

    /// For a browser without JavaScript: whole seconds until one second after the first end, so
    /// that the server agrees that it is over.
    pub(super) fn refresh_seconds(&self) -> i64 {
        (self.first_end_at() - self.server_now)
            .whole_seconds()
            .max(0)
            + 1
    }

    pub(super) fn idle_limit_minutes(&self) -> u32 {
        self.idle_limit_seconds.div_ceil(60)
    }
}

fn unix_milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("a year below 9999 fits")
}
