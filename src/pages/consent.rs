//! What another party's app may see, asked of the person whose it is.

use askama::Template;

use super::{Frame, Hidden, Page};

/// Asks. Posts `csrf`, `flow`, `asked`, and `decision` (`allow` or `deny`) to
/// [`super::paths::CONSENT`].
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct ConsentPage {
    /// Around it; with the clinic whose records it is about.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// The stored flow.
    pub flow: Hidden,
    /// What the answer is for.
    pub asked: Hidden,
    /// The app, by its registered name.
    pub client_name: String,
    /// What it wants, each in words that begin with a verb.
    pub wishes: Vec<String>,
    /// Whether it can change nothing by that.
    pub is_for_reading: bool,
    /// After so many hours at most it has to send her here again.
    pub most_hours: i64,
    /// Who is signed in.
    pub login: String,
}

impl Page for ConsentPage {
    fn sentence(&self) -> &'static str {
        "Let this app see your information?"
    }
}
