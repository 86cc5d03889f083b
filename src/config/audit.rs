//! How the logs are kept (`crate::audit::log`): the typed part of the configuration and its keys.

use std::path::PathBuf;

use time::Duration;

use super::model::Config;
use super::setting::{Kind, Setting};

/// How the logs of what happened are kept.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The folder of checkpoints outside of the database; `None`: `anchor` in `keys_dir`.
    pub anchor: Option<PathBuf>,
    /// Without an anchor for longer than this, nobody who works here can sign in.
    pub anchor_patience: Duration,
    /// How long one key signs.
    pub key_lifetime: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            anchor: None,
            anchor_patience: Duration::minutes(15),
            key_lifetime: Duration::days(365),
        }
    }
}

impl Config {
    /// The folder that checkpoints are anchored in.
    pub fn anchor(&self) -> PathBuf {
        let own = self.audit.anchor.clone();
        own.unwrap_or_else(|| self.keys_dir.join("anchor"))
    }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "audit.anchor",
        meaning: "The folder that the logs' checkpoints are also written to, best on another \
            machine's disk; if not given, `anchor` in keys_dir.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.audit.anchor,
        },
    },
    Setting {
        key: "audit.anchor_patience",
        meaning: "How long that folder may be out of reach before nobody who works here can sign \
            in.",
        kind: Kind::Length {
            least: Duration::minutes(2),
            most: Duration::hours(24),
            at: |c| &mut c.audit.anchor_patience,
        },
    },
    Setting {
        key: "audit.key_lifetime",
        meaning: "How long one key signs the logs; the public halves of all stay published.",
        kind: Kind::Length {
            least: Duration::hours(24),
            most: Duration::days(800),
            at: |c| &mut c.audit.key_lifetime,
        },
    },
];
