//! What somebody who looked at an entry says of it.

/// The one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Expected,
    /// Somebody has to be asked.
    FollowUp,
    /// A security incident (45 CFR 164.304): it is handled as such from here on.
    Incident,
}

impl Verdict {
    /// All, the mildest first.
    pub const ALL: [Self; 3] = [Self::Expected, Self::FollowUp, Self::Incident];

    /// As it stands in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::FollowUp => "follow_up",
            Self::Incident => "incident",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}
