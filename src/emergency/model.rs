//! What an emergency access is.

use time::OffsetDateTime;

use crate::ids::{EmergencyId, SubjectId};
use crate::words::words;

words! {
    /// Why the glass is broken.
    Reason {
        /// The patient's life is in danger.
        LifeThreatening = "life_threatening",
        /// The patient can't be asked, or can't answer.
        PatientUnreachable = "patient_unreachable",
        /// A colleague whose patient it is can't be there.
        CoveringColleague = "covering_colleague",
        /// The patient is handed over.
        TransferOfCare = "transfer_of_care",
        /// Something else: the words say what.
        Other = "other",
    }
}

words! {
    /// What a review finds.
    Finding {
        /// It was in order.
        Appropriate = "appropriate",
        /// It was not.
        Inappropriate = "inappropriate",
        /// Somebody still has to be asked.
        NeedsFollowUp = "needs_follow_up",
    }
}

/// One clinician's access to one patient's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyAccess {
    /// Which.
    pub id: EmergencyId,
    /// Who opened it.
    pub clinician: SubjectId,
    /// Whose record.
    pub patient: SubjectId,
    /// Why, in one word.
    pub reason: Reason,
    /// Since when.
    pub opened_at: OffsetDateTime,
    /// Until when at most.
    pub expires_at: OffsetDateTime,
    /// When he closed it, if he did before that.
    pub closed_at: Option<OffsetDateTime>,
    /// What was found, once it was reviewed.
    pub review: Option<Review>,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// When.
    pub at: OffsetDateTime,
    /// Who signed it.
    pub by: SubjectId,
    /// What was found.
    pub finding: Finding,
}

impl EmergencyAccess {
    /// When it opens nothing any more.
    pub fn ends_at(&self) -> OffsetDateTime {
        self.closed_at.unwrap_or(self.expires_at)
    }
}

/// Fewest and most characters (Unicode scalar values) of what is typed.
const CHARACTERS: std::ops::RangeInclusive<usize> = 10..=500;

/// What somebody typed about an access: 10 to 500 characters, lines may be broken. It may hold
/// health information: sealed at rest, and in no event, letter or log.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedText(String);

impl std::fmt::Debug for TypedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedText(***)")
    }
}

impl TypedText {
    /// Parses what was typed; `None` if it is too short, too long, or holds other controls.
    pub fn parse(typed: &str) -> Option<Self> {
        let text = typed.replace("\r\n", "\n");
        let text = text.trim();
        let fits = CHARACTERS.contains(&text.chars().count())
            && !text.chars().any(|c| c.is_control() && c != '\n');
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::TypedText;

    #[test]
    fn what_is_typed_has_10_to_500_characters() {
        let of = |text: &str| TypedText::parse(text).map(|text| text.0);
        assert_eq!(
            of(" 0123\r\n5678\u{e9} ").as_deref(),
            Some("0123\n5678\u{e9}")
        );
        assert!(of(&"\u{e9}".repeat(500)).is_some());
        for no in [
            "",
            "012345678",
            "012345678  ",
            "0123\u{7}56789",
            &"x".repeat(501),
        ] {
            assert_eq!(of(no), None, "{no:?}");
        }
    }
}
