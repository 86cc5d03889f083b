//! What is read under an access, and the plan by which the database finds that it may.

use lanyard::audit::log::Logs;
use serde_json::json;

use super::{Member, Ward, assert_problem};

fn ids(answer: &crate::lab::Answer) -> Vec<String> {
    let body = answer.json();
    let visits = body["visits"].as_array().unwrap();
    let ids = visits
        .iter()
        .map(|visit| visit["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test]
async fn the_record_that_was_opened_is_shown_until_it_is_closed_and_no_other_is() {
    let ward = Ward::in_real_time().await;
    assert_problem(&ward.read(ward.other.0).await, 404, "not_found");
    let access = ward.open().await;
    let seen = ward.read(ward.other.0).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    assert_eq!(ids(&seen), [ward.other.1.to_string()]);
    let visit = &seen.json()["visits"][0];
    assert_eq!(visit["reason"], "A cough that stays");
    assert_eq!(visit["practitioner"]["name"], "Doctor Reed");
    // His own patient is none of the emergency's, and the other is none of his usual list.
    assert_problem(&ward.read(ward.own.0).await, 404, "not_found");
    let usual = ward.get("/api/v1/visits", &ward.token(&ward.doctor)).await;
    assert_eq!(ids(&usual), [ward.own.1.to_string()]);
    ward.close(&access).await;
    assert_problem(&ward.read(ward.other.0).await, 404, "not_found");

    let events = ward.events().await;
    let read: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "emergency_access.read")
        .collect();
    assert_eq!(read.len(), 1, "what was refused showed nothing");
    let detail = &read[0].detail;
    assert_eq!(detail["access"], access["id"]);
    assert_eq!(detail["patients"], json!([ward.other.0]));
    assert_eq!(detail["visits"], json!([ward.other.1]));
}

/// 45 CFR 164.528, and the console's half of the alert: the patient is told that her record was
/// read, and the opening waits among what somebody at the clinic has to look at.
#[tokio::test]
async fn the_patient_is_told_and_the_opening_waits_in_the_console() {
    let ward = Ward::in_real_time().await;
    ward.open().await;
    assert_eq!(ward.read(ward.other.0).await.status, 200);
    Logs::of(&ward.lab.app).sequence().await.unwrap();
    let patient = Member {
        subject: ward.other.0,
        roles: &["patient"],
        ..ward.doctor.clone()
    };
    let hers = ward.token_with(&patient, &json!({ "scope": "openid profile:read" }));
    let told = ward.get("/api/v1/audit/accesses", &hers).await.json();
    let told = told["accesses"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "emergency_access.read");
    assert_eq!(told[0]["by"]["name"], "Doctor Vale");
    let leads = ward.token_with(&ward.lead, &json!({ "scope": "openid audit:read" }));
    let waiting = ward.get("/api/v1/audit/reviews", &leads).await.json();
    let waiting = waiting["reviews"].as_array().unwrap();
    let opening = waiting
        .iter()
        .find(|one| one["type"] == "emergency_access.opened");
    assert_eq!(opening.expect("it waits")["why"], "access");
}

#[tokio::test]
async fn an_emergency_names_one_patient_and_is_a_clinicians() {
    let ward = Ward::in_real_time().await;
    ward.open().await;
    let token = ward.token(&ward.doctor);
    let nobody = ward.get("/api/v1/visits?as=emergency", &token).await;
    assert_problem(&nobody, 400, "invalid_request");
    assert_eq!(nobody.json()["field"], "patient");
    let usual = format!("/api/v1/visits?patient={}", ward.other.0);
    assert_problem(&ward.get(&usual, &token).await, 400, "invalid_request");
    let path = format!("/api/v1/visits?as=emergency&patient={}", ward.other.0);
    let admin = ward.get(&path, &ward.token(&ward.admin)).await;
    assert_problem(&admin, 403, "insufficient_role");
}

/// After its hour a request finds none by the server's clock; the database's own is asked in
/// `closed.rs`.
#[tokio::test]
async fn what_has_expired_shows_nothing() {
    let ward = Ward::in_real_time().await;
    ward.open().await;
    assert_eq!(ward.read(ward.other.0).await.status, 200);
    ward.lab.clock.advance(time::Duration::minutes(60));
    assert_problem(&ward.read(ward.other.0).await, 404, "not_found");
}
