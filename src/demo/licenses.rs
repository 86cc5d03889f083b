//! What the made-up practitioners may practice as.

use super::world::RUTH;

/// What a practitioner may practice as, and where. Made up like everything here; nothing reads it
/// yet but the table.
#[derive(Debug)]
pub struct DemoLicense {
    /// Whose.
    pub login: &'static str,
    /// Letters after the name.
    pub title: &'static str,
    /// Postal codes of the states.
    pub states: &'static [&'static str],
}

/// The licenses of those who treat.
pub const LICENSES: [DemoLicense; 5] = [
    DemoLicense {
        login: RUTH,
        title: "MD",
        states: &["OR"],
    },
    DemoLicense {
        login: "maya.chen@example.test",
        title: "MD",
        states: &["OR", "WA"],
    },
    DemoLicense {
        login: "noah.brooks@example.test",
        title: "RN",
        states: &["OR", "ID", "UT"],
    },
    DemoLicense {
        login: "omar.haddad@example.test",
        title: "DO",
        states: &["CA"],
    },
    DemoLicense {
        login: "hugo.marsh@example.test",
        title: "PA-C",
        states: &["NV"],
    },
];
