//! A text as a value.

use time::OffsetDateTime;

/// Most characters (Unicode scalar values).
const MOST_CHARACTERS: usize = 500;

/// 1 to 500 characters; lines may be broken, other controls are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementText(String);

impl AnnouncementText {
    /// Parses what was typed; `None` if it can't be shown.
    pub fn parse(typed: &str) -> Option<Self> {
        let text = typed.replace("\r\n", "\n");
        let text = text.trim();
        let fits = (1..=MOST_CHARACTERS).contains(&text.chars().count())
            && !text.chars().any(|c| c.is_control() && c != '\n');
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a clinic says just now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Announcement {
    /// Its text.
    pub body: String,
    /// Since when.
    pub written_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::AnnouncementText;

    #[test]
    fn an_announcement_is_a_text_of_500_characters_at_most() {
        let of = |text: &str| AnnouncementText::parse(text).map(|text| text.0);
        assert_eq!(of(" a\r\nb ").as_deref(), Some("a\nb"));
        assert_eq!(
            of(&"\u{e9}".repeat(500)).map(|t| t.chars().count()),
            Some(500)
        );
        for no in ["", " \n ", "a\u{0}b", &"x".repeat(501)] {
            assert_eq!(of(no), None, "{no:?}");
        }
    }
}
