//! JSON in which no name occurs twice.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

/// Reads an object that has no name twice, at any depth.
///
/// Parsers differ in which of two equal names they take, so a proxy in front of an API and the API
/// could read two different tokens (RFC 8725 §2.4; RFC 7515 §4 asks to refuse the header).
pub(crate) fn read_strictly<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    // serde would take an array for a struct, member by member.
    if !value.is_object() || members(&value) != written(bytes) {
        return None;
    }
    serde_json::from_value(value).ok()
}

/// For an optional member: absent is `None`, but `null` must read as a value of the type.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// How many members a value has at all depths: of equal names one was kept.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(named) => named.len() + named.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

/// How many were written: in JSON that was parsed, each has one colon outside of strings.
fn written(mut json: &[u8]) -> usize {
    let mut count = 0;
    while let Some(at) = json.iter().position(|byte| matches!(byte, b':' | b'"')) {
        let is_colon = json[at] == b':';
        json = &json[at + 1..];
        if is_colon {
            count += 1;
        } else {
            json = behind_string(json);
        }
    }
    count
}

/// What follows the string whose first quote was just passed.
fn behind_string(mut json: &[u8]) -> &[u8] {
    while let Some(at) = json.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        let is_end = json[at] == b'"';
        // Behind a backslash stands one byte that ends nothing.
        let next = at + if is_end { 1 } else { 2 };
        json = json.get(next..).unwrap_or_default();
        if is_end {
            break;
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_occur_once_in_each_object() {
        for (json, is_read) in [
            ("{}", true),
            (
                r#"{"a": {"a": [{"a": 1}, {"a": ":\":\\"}]}, "b:\"c": "\\"}"#,
                true,
            ),
            (r#"{"a": 1, "a": 1}"#, false),
            (r#"{"a": 1, "\u0061": 1}"#, false),
            (r#"{"x\"y": 1, "x\u0022y": 1}"#, false),
            (r#"{"a": [{"b": [], "c": {"d": "\\", "d": null}}]}"#, false),
            (r#"[{"a": 1}]"#, false),
            (r#"{"a": 1} {}"#, false),
            (r#"{"a": "\"}"#, false),
        ] {
            let read = read_strictly::<Value>(json.as_bytes());
            assert_eq!(read.is_some(), is_read, "{json}");
        }
    }
}
