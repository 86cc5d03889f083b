//! The banner of a session in which somebody acts as the person.

use std::fmt;

use askama::filters::HtmlSafe;
use lanyard_verifier::Banner;

/// The banner of the verifier's companion, as every app may show it: one text, written once. It is
/// HTML that escapes what it shows (`src/verifier/tests/verifier/banner.rs`), so it is not escaped
/// again.
#[derive(Clone, Debug)]
pub struct ActingBanner(Banner);

impl From<Banner> for ActingBanner {
    fn from(banner: Banner) -> Self {
        Self(banner)
    }
}

impl fmt::Display for ActingBanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.html())
    }
}

impl HtmlSafe for ActingBanner {}
