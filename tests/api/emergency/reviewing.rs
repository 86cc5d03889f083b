//! The queue, and signing off.

use serde_json::json;
use time::Duration;

use super::{OPEN, WHY, Ward, assert_problem, member, wanted};

const NOTE: &str = "He called the patient's doctor first";

#[tokio::test]
async fn the_queue_shows_what_waits_oldest_first_to_who_reviews() {
    let ward = Ward::new().await;
    let first = ward.open().await;
    ward.lab.clock.advance(Duration::MINUTE);
    let token = ward.token(&ward.doctor);
    let second = ward.post(OPEN, &token, &wanted(ward.own.0)).await.json();
    for who in [&ward.lead, &ward.admin] {
        let queue = ward.get(OPEN, &ward.token(who)).await.json();
        assert_eq!(queue["accesses"], json!([first, second]));
    }
    assert_eq!(first["why"], WHY);
    let queue = format!("{OPEN}?as=reviewer");
    let refused = ward.get(&queue, &token).await;
    assert_problem(&refused, 403, "insufficient_role");
    let own = format!("{OPEN}?as=clinician");
    let refused = ward.get(&own, &ward.token(&ward.lead)).await;
    assert_problem(&refused, 403, "insufficient_role");
    ward.close(&first).await;
    let reviewed = ward
        .review(&first, &ward.lead, &json!({ "finding": "appropriate" }))
        .await;
    assert_eq!(reviewed.status, 200, "{}", reviewed.body);
    let left = ward.get(OPEN, &ward.token(&ward.lead)).await.json();
    assert_eq!(left["accesses"], json!([second]));
}

#[tokio::test]
async fn it_is_signed_off_once_when_it_is_over() {
    let ward = Ward::new().await;
    let access = ward.open().await;
    let judged = json!({ "finding": "needs_follow_up", "note": NOTE });
    let early = ward.review(&access, &ward.lead, &judged).await;
    assert_problem(&early, 409, "wrong_state");
    ward.lab.clock.advance(Duration::minutes(60));
    let bare = ward
        .review(&access, &ward.lead, &json!({ "finding": "inappropriate" }))
        .await;
    assert_problem(&bare, 400, "invalid_request");
    assert_eq!(bare.json()["field"], "note");
    let signed = ward.review(&access, &ward.lead, &judged).await.json();
    assert_eq!(signed["review"]["by"], ward.lead.subject.to_string());
    assert_eq!(signed["review"]["at"], "2026-03-02T15:00:00Z");
    assert_eq!(signed["review"]["finding"], "needs_follow_up");
    assert_eq!(signed["review"]["note"], NOTE);
    let other = json!({ "finding": "appropriate" });
    let again = ward.review(&access, &ward.admin, &other).await;
    assert_problem(&again, 409, "wrong_state");
    let unknown = json!({ "id": ward.lab.app.env.random_uuid() });
    let unknown = ward.review(&unknown, &ward.lead, &other).await;
    assert_problem(&unknown, 404, "not_found");
    let events = ward.events().await;
    let last = events.last().unwrap();
    assert_eq!(last.kind, "emergency_access.reviewed");
    assert_eq!(last.detail["access"], access["id"]);
    assert_eq!(last.detail["patients"], json!([ward.other.0]));
    assert_eq!(last.detail["finding"], "needs_follow_up");
    assert!(!format!("{events:?}").contains("called the patient"));
}

/// Twenty at a time: one signs.
#[tokio::test]
async fn of_any_number_of_reviews_one_is_taken() {
    let ward = Ward::new().await;
    let access = ward.open().await;
    ward.close(&access).await;
    let tokens = [&ward.lead, &ward.admin].map(|who| ward.token(who));
    let path = format!("{OPEN}/{}/review", access["id"].as_str().unwrap());
    let answers = ward
        .twenty(&path, &tokens, &json!({ "finding": "appropriate" }))
        .await;
    let signed = answers.iter().filter(|(status, _)| *status == 200);
    assert_eq!(signed.count(), 1, "{answers:?}");
    for (status, body) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!(
            (*status, &body["code"]),
            (409, &json!("wrong_state")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn nobody_reviews_her_own() {
    let mut ward = Ward::new().await;
    let roles = &["clinician", "compliance_lead", "clinic_admin"];
    ward.doctor = member(&ward.lab, &ward.clinic, "Doctor All", roles).await;
    let access = ward.open().await;
    ward.close(&access).await;
    let judged = json!({ "finding": "appropriate" });
    let own = ward.review(&access, &ward.doctor, &judged).await;
    assert_problem(&own, 403, "insufficient_role");
    assert_eq!(ward.review(&access, &ward.admin, &judged).await.status, 200);
}

/// How many wait is told to who reviews, without a word of them.
#[tokio::test]
async fn what_waits_is_counted_for_who_reviews() {
    let ward = Ward::new().await;
    let path = format!("{OPEN}/waiting");
    let lead = ward.token(&ward.lead);
    let waiting = async |token: &str| ward.get(&path, token).await;
    assert_eq!(waiting(&lead).await.json(), json!({ "waiting": 0 }));
    let access = ward.open().await;
    assert_eq!(waiting(&lead).await.json(), json!({ "waiting": 1 }));
    let doctor = ward.token(&ward.doctor);
    assert_problem(&waiting(&doctor).await, 403, "insufficient_permission");
    ward.close(&access).await;
    let signed = json!({ "finding": "appropriate" });
    let signed = ward.review(&access, &ward.lead, &signed).await;
    assert_eq!(signed.status, 200, "{}", signed.body);
    assert_eq!(waiting(&lead).await.json(), json!({ "waiting": 0 }));
}
