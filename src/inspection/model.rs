//! What is asked of a log, and what it answers.

use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::EventType;
use crate::db::StoreError;

/// Which entries are wanted; all of what is said must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the member with this id, whoever did it; in the platform's log, of the account too.
    pub person: Option<Uuid>,
    /// Done by this one for somebody else.
    pub actor: Option<Uuid>,
    /// Of one of these types.
    pub types: Option<Vec<&'static str>>,
    /// Of the request with this id.
    pub trace: Option<String>,
    /// About this tenant, in a log that is of many.
    pub tenant: Option<Uuid>,
}

impl Filter {
    /// Whether it leaves nothing out.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    EventType::ALL.iter().map(|event| event.name())
}

/// What [`types`] understands: each type by its name, and all of one noun, as `sign_in.*`.
pub fn patterns() -> Vec<String> {
    let nouns = names().filter_map(|name| Some(format!("{}.*", name.split_once('.')?.0)));
    let mut all: Vec<_> = names().map(str::to_owned).chain(nouns).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The types that a pattern means; none if it means none.
pub fn types(pattern: &str) -> Option<Vec<&'static str>> {
    let meant: Vec<_> = match pattern.strip_suffix(".*") {
        Some(noun) => names()
            .filter(|name| name.split_once('.').is_some_and(|(of, _)| of == noun))
            .collect(),
        None => names().filter(|name| *name == pattern).collect(),
    };
    (!meant.is_empty()).then_some(meant)
}

/// Whether a trace can have that name: what a header of traces can say, and no more.
pub fn is_trace(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_word)
}

/// An entry as its line says it. The account stays where it is: a member is named by her id in
/// this clinic, which is another in every other one.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its place in the log.
    pub index: i64,
    /// The event's.
    pub id: Uuid,
    /// As in `docs/AUDIT.md`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The class of access under which it happened.
    pub class: String,
    /// Whom it is about, if a member.
    pub subject: Option<Uuid>,
    /// Who did it for her, if somebody else.
    pub actor: Option<Uuid>,
    /// By the server's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// By the database's.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The id of the request that did it, if one did.
    pub trace: Option<String>,
    /// What else is known; by type.
    pub detail: Map<String, Value>,
}

impl Entry {
    /// Reads a line of the log.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]: no line that the database wrote.
    pub(super) fn of_line(line: &str) -> Result<Self, StoreError> {
        serde_json::from_str(line).map_err(|_| StoreError::Corrupt {
            table: "audit.entry",
            what: "a line that is none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_type_or_all_of_a_noun() {
        assert_eq!(types("visit.listed"), Some(vec!["visit.listed"]));
        let sign_ins = types("sign_in.*").expect("there are some");
        assert!(sign_ins.iter().all(|name| name.starts_with("sign_in.")));
        assert!(sign_ins.len() > 1);
        for nothing in [
            "",
            "*",
            "visit",
            "sign.*",
            "visit.*.x",
            "nothing.*",
            "VISIT.LISTED",
        ] {
            assert_eq!(types(nothing), None, "{nothing}");
        }
        assert!(patterns().iter().all(|pattern| types(pattern).is_some()));
    }

    #[test]
    fn a_trace_is_a_word() {
        assert!(is_trace("4bf92f3577b34da6a3ce929d0e0e4736"));
        for none in ["", "a b", "a\0", "\u{e4}", &"a".repeat(129)] {
            assert!(!is_trace(none), "{none:?}");
        }
    }
}
