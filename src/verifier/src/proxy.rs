//! As what somebody acts for a patient.

use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The legal basis of a delegation (45 CFR 164.502(g): personal representatives; 164.508: the
/// patient's own authorization).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// A parent of an unemancipated minor.
    Parent,
    /// A guardian whom a court appointed.
    Guardian,
    /// Whoever cares for the patient, by her own written authorization.
    Caregiver,
    /// An agent under her power of attorney for health care.
    PowerOfAttorney,
}

impl Basis {
    /// Every basis that there is.
    pub const ALL: [Self; 4] = [
        Self::Parent,
        Self::Guardian,
        Self::Caregiver,
        Self::PowerOfAttorney,
    ];

    /// As the token writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Guardian => "guardian",
            Self::Caregiver => "caregiver",
            Self::PowerOfAttorney => "power_of_attorney",
        }
    }

    /// As a page says it: "Ada Quill is acting as … (parent)".
    pub const fn words(self) -> &'static str {
        match self {
            Self::PowerOfAttorney => "agent under a power of attorney",
            Self::Parent | Self::Guardian | Self::Caregiver => self.name(),
        }
    }
}

impl Serialize for Basis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A text names no basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not parent, guardian, caregiver or power_of_attorney")]
pub struct UnknownBasis;

impl FromStr for Basis {
    type Err = UnknownBasis;

    fn from_str(text: &str) -> Result<Self, UnknownBasis> {
        Self::ALL
            .into_iter()
            .find(|basis| basis.name() == text)
            .ok_or(UnknownBasis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_is_read_as_it_is_written() {
        for basis in Basis::ALL {
            assert_eq!(basis.name().parse(), Ok(basis));
        }
        for no in ["Parent", "friend", "", "power of attorney"] {
            assert_eq!(no.parse::<Basis>(), Err(UnknownBasis), "{no:?}");
        }
    }
}
