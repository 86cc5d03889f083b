//! Where support goes in as somebody.

use askama::Template;
use time::OffsetDateTime;

use super::{Frame, Hidden, Page};

/// Posts `csrf` and `client` to [`super::paths::impersonation_enter`], `csrf` to
/// [`super::paths::impersonation_end`].
#[derive(Debug, Template)]
#[template(path = "enter.html")]
pub struct EnterPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The grant: an id, not a secret.
    pub grant: String,
    /// Where support works: the platform's own console.
    pub back_href: String,
    /// What can be entered, while the grant stands in this session.
    pub enterable: Option<Enterable>,
}

/// A grant that stands.
#[derive(Debug, Clone)]
pub struct Enterable {
    /// As whom.
    pub person: String,
    /// Where.
    pub clinic: String,
    /// How much: its word.
    pub preset: &'static str,
    /// Why, as the person reads it.
    pub reason: String,
    /// The case.
    pub ticket: String,
    /// When it is over.
    pub ends_at: OffsetDateTime,
    /// Into which apps.
    pub apps: Vec<EnterApp>,
}

/// One app.
#[derive(Debug, Clone)]
pub struct EnterApp {
    /// Value of `client`.
    pub client: String,
    /// For people.
    pub name: String,
    /// Where it is.
    pub host: String,
}

impl EnterPage {
    fn enter_path(&self) -> String {
        super::paths::impersonation_enter(&self.grant)
    }

    fn end_path(&self) -> String {
        super::paths::impersonation_end(&self.grant)
    }
}

impl Page for EnterPage {
    fn sentence(&self) -> &'static str {
        if self.enterable.is_some() {
            "Go in as somebody else"
        } else {
            "This access is over"
        }
    }
}
