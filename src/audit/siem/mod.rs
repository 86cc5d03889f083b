//! Entries in the words of those who watch many systems: OCSF events and syslog messages. Pure.
//!
//! A new event needs nothing here: what it means is told by its noun and its participle, and what
//! neither tells is said as it is.

mod ocsf;
mod syslog;

pub use ocsf::ocsf;
pub use syslog::{framed, syslog};

/// How much somebody who watches should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Something was done.
    Usual,
    /// Something was tried and not done.
    Refused,
    /// Somebody has what is not theirs.
    Alarming,
}

fn weight(event: &str) -> Weight {
    match event.split_once('.').map(|(_, participle)| participle) {
        Some("replayed" | "reuse_detected") => Weight::Alarming,
        Some("denied" | "refused" | "rejected" | "throttled") => Weight::Refused,
        _ => Weight::Usual,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::audit::format::line::Line;

    /// The line of an event that never happened.
    pub(super) fn text(event: &str, detail: &Value) -> String {
        let [log, id, account, subject] = [1, 2, 3, 4].map(uuid::Uuid::from_u128);
        json!({
            "v": 1, "log": log, "index": 17, "id": id, "type": event, "class": "member",
            "account": account, "subject": subject, "actor": null,
            "occurred_at": "2026-03-02T14:00:00.123456Z",
            "recorded_at": "2026-03-02T14:00:00.200000Z",
            "trace": null, "mac": "00", "detail": detail,
        })
        .to_string()
    }

    pub(super) fn entry(event: &str, detail: &Value) -> Line {
        Line::parse(&text(event, detail)).expect("a line")
    }
}
