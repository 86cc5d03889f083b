//! An entry as an event of the Open Cybersecurity Schema Framework (<https://schema.ocsf.io>).

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Weight, weight};
use crate::audit::format::line::Line;

/// The version of the schema.
const SCHEMA: &str = "1.6.0";
/// What the schema calls any activity that it has no number for.
const OTHER: u32 = 99;

/// Classes of the schema, by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    AccountChange = 3001,
    Authentication = 3002,
    EntityManagement = 3004,
    UserAccess = 3005,
    ApiActivity = 6003,
}

/// The event of an entry. What the schema has no place for stands under `unmapped`.
pub fn ocsf(line: &Line) -> Value {
    let (class, activity) = mapped(&line.event);
    let number = class as u32;
    let weight = weight(&line.event);
    let mut event = json!({
        "category_uid": number / 1000,
        "class_uid": number,
        "activity_id": activity,
        "type_uid": number * 100 + activity,
        "severity_id": severity(weight),
        "status_id": if weight == Weight::Usual { 1 } else { 2 },
        "time": milliseconds(line.occurred_at),
        "message": line.event,
        "metadata": metadata(line),
        "unmapped": { "class": line.class, "detail": line.detail },
    });
    if activity == OTHER {
        event["activity_name"] = json!(line.event);
    }
    if let Some(reason) = line.detail.get("reason") {
        event["status_detail"] = reason.clone();
    }
    if let Some(actor) = line.actor.or(line.account) {
        event["actor"] = json!({ "user": user(Some(actor)) });
    }
    concern(&mut event, class, line);
    event
}

/// What each class must say of whom or what it is about.
fn concern(event: &mut Value, class: Class, line: &Line) {
    let about = line.subject.or(line.account).or_else(|| named(line));
    match class {
        Class::AccountChange => event["user"] = user(about),
        Class::Authentication => {
            event["user"] = user(about);
            event["service"] = json!({ "name": "Lanyard", "uid": line.log });
            if line.event == "session.signed_in" {
                event["is_new_logon"] = json!(line.detail.get("again") != Some(&json!(true)));
            }
        }
        Class::EntityManagement => {
            let noun = line.event.split('.').next().unwrap_or_default();
            event["entity"] = json!({ "name": noun, "type": noun });
        }
        Class::UserAccess => {
            event["user"] = user(about);
            let roles = line.detail.get("roles").cloned();
            event["privileges"] = roles.unwrap_or_else(|| json!([]));
        }
        Class::ApiActivity => {
            event["api"] = json!({ "operation": line.event });
            // The schema wants one, and addresses are not recorded.
            event["src_endpoint"] = json!({ "name": "not recorded" });
            if event.get("actor").is_none() {
                event["actor"] = json!({ "user": user(about) });
            }
        }
    }
}

/// Class and activity of an event.
fn mapped(event: &str) -> (Class, u32) {
    use Class::{AccountChange, ApiActivity, Authentication, EntityManagement, UserAccess};
    let (noun, participle) = event.split_once('.').unwrap_or((event, ""));
    match (noun, participle) {
        ("session", "signed_in")
        | ("sign_in", _)
        | ("factor", "proved" | "refused" | "throttled") => (Authentication, 1),
        ("session", "ended") => (Authentication, 2),
        ("authorize" | "code" | "token", _) => (Authentication, 4),
        ("refresh", _) => (Authentication, 5),
        ("account", "created") => (AccountChange, 1),
        ("password", _) => (AccountChange, 3),
        ("recovery", _) | ("account", "recovered") => (AccountChange, 4),
        ("account", "erased") => (AccountChange, 6),
        ("factor", "added") => (AccountChange, 10),
        ("factor", "removed" | "reset") => (AccountChange, 11),
        ("account" | "factor" | "recovery_code", _) => (AccountChange, OTHER),
        ("membership", "created") => (UserAccess, 1),
        ("membership", _) => (UserAccess, OTHER),
        (_, "listed" | "viewed" | "read" | "exported") => (ApiActivity, 2),
        (_, "created") => (EntityManagement, 1),
        (_, "changed") => (EntityManagement, 3),
        (_, "deleted") => (EntityManagement, 4),
        _ => (EntityManagement, OTHER),
    }
}

const fn severity(weight: Weight) -> u32 {
    match weight {
        Weight::Usual => 1,
        Weight::Refused => 2,
        Weight::Alarming => 4,
    }
}

fn metadata(line: &Line) -> Value {
    json!({
        "version": SCHEMA,
        "product": {
            "name": "Lanyard",
            "vendor_name": "Lanyard",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "uid": line.id,
        "event_code": line.event,
        "log_name": line.log,
        "tenant_uid": line.log,
        "sequence": line.index,
        "correlation_uid": line.trace,
        "logged_time": milliseconds(line.recorded_at),
    })
}

/// The account that a sign-in before any session was for, if it was one of ours.
fn named(line: &Line) -> Option<Uuid> {
    let names = ["account", "account_id", "subject_id"];
    let found = names
        .iter()
        .find_map(|name| line.detail.get(*name)?.as_str());
    found?.parse().ok()
}

fn user(id: Option<Uuid>) -> Value {
    id.map_or_else(|| json!({ "name": "unknown" }), |id| json!({ "uid": id }))
}

fn milliseconds(at: OffsetDateTime) -> i128 {
    at.unix_timestamp_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::entry;
    use super::{Class, mapped, ocsf};
    use crate::audit::EventType;

    #[test]
    fn a_sign_in_is_an_authentication() {
        let line = entry(
            "session.signed_in",
            &json!({ "amr": ["pwd"], "again": false }),
        );
        let event = ocsf(&line);
        assert_eq!(event["class_uid"], 3002);
        assert_eq!(event["category_uid"], 3);
        assert_eq!(event["type_uid"], 300_201);
        assert_eq!(event["time"], 1_772_460_000_123_i64);
        assert_eq!(event["user"], json!({ "uid": line.subject }));
        assert_eq!(event["actor"], json!({ "user": { "uid": line.account } }));
        assert_eq!(event["service"]["name"], "Lanyard");
        assert_eq!(event["is_new_logon"], true);
        assert_eq!(
            (&event["severity_id"], &event["status_id"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(event["metadata"]["sequence"], 17);
        assert_eq!(event["metadata"]["uid"], json!(line.id));
        assert_eq!(event["unmapped"]["detail"]["amr"], json!(["pwd"]));
    }

    #[test]
    fn what_is_refused_failed_and_what_is_stolen_is_severe() {
        let mut line = entry("sign_in.refused", &json!({ "reason": "password" }));
        (line.account, line.subject) = (None, None);
        let event = ocsf(&line);
        assert_eq!(
            (&event["severity_id"], &event["status_id"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(event["status_detail"], "password");
        assert_eq!(event["user"], json!({ "name": "unknown" }));
        assert_eq!(event.get("actor"), None);
        let event = ocsf(&entry("refresh.reuse_detected", &json!({})));
        assert_eq!(event["severity_id"], 4);
    }

    #[test]
    fn a_reading_is_a_call_of_an_api() {
        let event = ocsf(&entry("visit.listed", &json!({ "visits": ["a"] })));
        assert_eq!(event["type_uid"], 600_302);
        assert_eq!(event["api"]["operation"], "visit.listed");
        assert!(event["actor"]["user"]["uid"].is_string());
    }

    /// What the schema requires of each class is there, for every event of the catalog.
    #[test]
    fn every_event_has_what_its_class_requires() {
        for event in EventType::ALL {
            let mut line = entry(event.name(), &json!({}));
            (line.account, line.subject, line.actor) = (None, None, None);
            let said = ocsf(&line);
            let (class, activity) = mapped(event.name());
            let required: &[&str] = match class {
                Class::AccountChange => &["user"],
                Class::Authentication => &["user", "service"],
                Class::EntityManagement => &["entity"],
                Class::UserAccess => &["user", "privileges"],
                Class::ApiActivity => &["actor", "api", "src_endpoint"],
            };
            for member in required {
                assert!(!said[*member].is_null(), "{}: {member}", event.name());
            }
            let has_name = said.get("activity_name").is_some();
            assert_eq!(has_name, activity == super::OTHER, "{}", event.name());
        }
    }
}
