//! The named colors a clinic may choose from.

use std::fmt;
use std::str::FromStr;

/// A clinic's color, one of a fixed palette: a tenant never supplies CSS (`attacks.md` WEB-07).
///
/// Each is the class `accent-<name>` in `lanyard.css`, checked for contrast in light and dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Accent {
    /// Blue-green.
    Juniper,
    /// Blue.
    Harbor,
    /// Burnt orange.
    Clay,
    /// Purple.
    Plum,
    /// Crimson.
    Rose,
    /// Grey-blue: also what a page without a clinic wears.
    #[default]
    Slate,
}

impl Accent {
    /// All of them, in the order a settings page lists them.
    pub const ALL: [Self; 6] = [
        Self::Juniper,
        Self::Harbor,
        Self::Clay,
        Self::Plum,
        Self::Rose,
        Self::Slate,
    ];

    /// The stored name, lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Juniper => "juniper",
            Self::Harbor => "harbor",
            Self::Clay => "clay",
            Self::Plum => "plum",
            Self::Rose => "rose",
            Self::Slate => "slate",
        }
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not in the palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the accents: juniper, harbor, clay, plum, rose, slate")]
pub struct UnknownAccent;

impl FromStr for Accent {
    type Err = UnknownAccent;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|accent| accent.name() == name)
            .ok_or(UnknownAccent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_is_read_back_from_its_name_and_nothing_else_is() {
        for accent in Accent::ALL {
            assert_eq!(accent.name().parse(), Ok(accent));
        }
        for hostile in ["", "Juniper", "juniper ", "#fff", "slate\" onload=\"x"] {
            assert_eq!(hostile.parse::<Accent>(), Err(UnknownAccent));
        }
    }
}
