//! Opening and closing, by the API.

use serde_json::json;
use time::Duration;

use super::{MFA, OPEN, WHY, Ward, assert_problem, wanted};

#[tokio::test]
async fn a_clinician_opens_a_record_for_an_hour_and_both_are_on_the_record() {
    let ward = Ward::new().await;
    let access = ward.open().await;
    assert_eq!(access["patient"]["id"], ward.other.0.to_string());
    assert_eq!(access["patient"]["name"], "Ben Stone");
    assert_eq!(access["clinician"]["name"], "Doctor Vale");
    let words = (&access["reason"], &access["why"]);
    assert_eq!(words, (&json!("life_threatening"), &json!(WHY)));
    assert_eq!(access["opened_at"], "2026-03-02T14:00:00Z");
    assert_eq!(access["expires_at"], "2026-03-02T15:00:00Z");
    assert!(access["closed_at"].is_null() && access["review"].is_null());
    let own = ward.get(OPEN, &ward.token(&ward.doctor)).await.json();
    assert_eq!(own["accesses"], json!([access]));
    ward.lab.clock.advance(Duration::MINUTE);
    let closed = ward.close(&access).await.json();
    assert_eq!(closed["closed_at"], "2026-03-02T14:01:00Z");
    // A second click, later.
    ward.lab.clock.advance(Duration::MINUTE);
    assert_eq!(ward.close(&access).await.json(), closed);
    let own = ward.get(OPEN, &ward.token(&ward.doctor)).await.json();
    assert_eq!(own["accesses"], json!([]));

    let events = ward.events().await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    let expected = ["opened", "listed", "closed", "listed"];
    assert_eq!(
        kinds,
        expected.map(|what| format!("emergency_access.{what}"))
    );
    for event in &events[..3] {
        assert_eq!(event.detail["patients"], json!([ward.other.0]), "{event:?}");
    }
    for event in [&events[0], &events[2]] {
        assert_eq!(event.detail["access"], access["id"], "{event:?}");
    }
    assert_eq!(events[0].detail["reason"], "life_threatening");
    let log = format!("{events:?}");
    assert!(
        !log.contains("waiting room") && !log.contains("Stone"),
        "{log}"
    );
}

/// What he typed is ciphertext at rest, bound to its row.
#[tokio::test]
async fn what_was_typed_is_ciphertext_at_rest() {
    let ward = Ward::new().await;
    ward.open().await;
    let stored: Vec<u8> =
        sqlx::query_scalar("select why_sealed from visits.emergency_access where tenant_id = $1")
            .bind(ward.clinic.id)
            .fetch_one(&mut ward.lab.database.superuser().await)
            .await
            .unwrap();
    assert!(!stored.windows(7).any(|part| part == b"waiting"));
}

/// One click, or twenty at a time: one access, one event, one letter.
#[tokio::test]
async fn any_number_of_clicks_open_one() {
    let ward = Ward::new().await;
    let token = ward.token(&ward.doctor);
    let answers = ward.twenty(OPEN, &[token], &wanted(ward.other.0)).await;
    for (status, body) in &answers {
        assert_eq!((*status, &body["id"]), (200, &answers[0].1["id"]), "{body}");
    }
    assert_eq!(ward.count().await, 1);
    let events = ward.events().await;
    let opened = events
        .iter()
        .filter(|e| e.kind == "emergency_access.opened");
    assert_eq!(opened.count(), 1);
    assert_eq!(ward.letters(&ward.lead).await.len(), 1);
}

/// It ends by itself; another one is another, with its own end and its own letter.
#[tokio::test]
async fn an_access_ends_by_itself_and_can_be_opened_again() {
    let ward = Ward::new().await;
    let first = ward.open().await;
    ward.lab
        .clock
        .advance(Duration::minutes(60) - Duration::SECOND);
    assert_eq!(ward.open().await["id"], first["id"], "still the first");
    ward.lab.clock.advance(Duration::SECOND);
    let closed = ward.close(&first).await.json();
    assert!(
        closed["closed_at"].is_null(),
        "it is over: nothing to close"
    );
    let second = ward.open().await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["expires_at"], "2026-03-02T16:00:00Z");
    assert_eq!(ward.letters(&ward.lead).await.len(), 2);
}

/// RFC 9470: only after a second factor that was proved just now.
#[tokio::test]
async fn opening_and_reviewing_want_a_fresh_second_factor() {
    let ward = Ward::new().await;
    let access = ward.open().await;
    ward.close(&access).await;
    let review = format!("{OPEN}/{}/review", access["id"].as_str().unwrap());
    let now = ward.lab.now().unix_timestamp();
    let calls = [
        (&ward.doctor, OPEN, wanted(ward.own.0)),
        (&ward.lead, &*review, json!({ "finding": "appropriate" })),
    ];
    for (who, path, body) in &calls {
        for weak in [
            json!({ "acr": "urn:lanyard:acr:password", "amr": ["pwd"] }),
            json!({ "auth_time": now - 301 }),
        ] {
            let token = ward.token_with(who, &weak);
            let refused = ward.post(path, &token, body).await;
            assert_problem(&refused, 401, "insufficient_user_authentication");
            let challenge = refused.header("www-authenticate");
            assert!(
                challenge.contains(&format!("acr_values=\"{MFA}\"")),
                "{challenge}"
            );
            assert!(challenge.contains("max_age=\"300\""), "{challenge}");
        }
        let token = ward.token_with(who, &json!({ "auth_time": now - 300 }));
        assert_eq!(ward.post(path, &token, body).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn nobody_else_opens_one_and_nothing_else_is_opened() {
    let ward = Ward::new().await;
    let body = wanted(ward.other.0);
    for who in [&ward.lead, &ward.admin] {
        let refused = ward.post(OPEN, &ward.token(who), &body).await;
        assert_problem(&refused, 403, "insufficient_permission");
    }
    let token = ward.token(&ward.doctor);
    let stranger = ward.lab.clinic("Harbor Clinic").await;
    let elsewhere = super::patient(&ward.lab, &stranger, "Far Away", ward.doctor.subject).await;
    // Another clinic's, no patient, himself, nobody.
    let nobody = lanyard::ids::SubjectId::from_uuid(ward.lab.app.env.random_uuid());
    for who in [elsewhere.0, ward.lead.subject, ward.doctor.subject, nobody] {
        let refused = ward.post(OPEN, &token, &wanted(who)).await;
        assert_problem(&refused, 404, "not_found");
    }
    let patient = ward.other.0;
    for (field, body) in [
        (
            "reason",
            json!({ "patient": patient, "reason": "curiosity", "why": WHY }),
        ),
        (
            "why",
            json!({ "patient": patient, "reason": "other", "why": "short" }),
        ),
        ("body", json!({ "patient": patient, "reason": "other" })),
        (
            "body",
            json!({ "patient": patient, "reason": "other", "why": WHY, "minutes": 600 }),
        ),
        (
            "body",
            json!({ "patient": "x", "reason": "other", "why": WHY }),
        ),
    ] {
        let refused = ward.post(OPEN, &token, &body).await;
        assert_problem(&refused, 400, "invalid_request");
        assert_eq!(refused.json()["field"], field, "{body}");
    }
    assert_eq!(ward.count().await, 0);
    assert_eq!(ward.events().await.len(), 0);
}

/// Nobody breaks the glass in another's name: not one of these routes, nor the reading.
#[tokio::test]
async fn none_of_it_is_possible_while_support_acts_as_the_person() {
    let ward = Ward::in_real_time().await;
    let access = ward.open().await;
    let id = access["id"].as_str().unwrap();
    let support = json!({ "act": {
        "sub": ward.lab.app.env.random_uuid(),
        "grant": ward.lab.app.env.random_uuid(),
        "preset": "read-only",
    } });
    let doctor = ward.token_with(&ward.doctor, &support);
    let lead = ward.token_with(&ward.lead, &support);
    let close = format!("{OPEN}/{id}/close");
    let review = format!("{OPEN}/{id}/review");
    let visits = format!("/api/v1/visits?as=emergency&patient={}", ward.other.0);
    // By verifier or handler; or before both: there is no such grant.
    for refused in [
        ward.post(OPEN, &doctor, &wanted(ward.own.0)).await,
        ward.post(&close, &doctor, &json!({})).await,
        ward.post(&review, &lead, &json!({ "finding": "appropriate" }))
            .await,
        ward.get(OPEN, &doctor).await,
        ward.get(OPEN, &lead).await,
        ward.get(&visits, &doctor).await,
    ] {
        let code = refused.json()["code"].as_str().unwrap().to_owned();
        let seen = (refused.status.as_u16(), code.as_str());
        let refusals = [(403, "impersonation_forbidden"), (401, "invalid_token")];
        assert!(refusals.contains(&seen), "{seen:?}");
    }
    assert_eq!(ward.events().await.len(), 1, "the opening alone");
}

/// A clinic that was given no data key can keep no words, so nothing is opened: a fault of the
/// operator's, who is told what to do.
#[tokio::test]
async fn a_clinic_without_a_data_key_opens_nothing_and_says_why() {
    let ward = Ward::new().await;
    let delete = sqlx::query("delete from tenancy.data_key where tenant_id = $1");
    delete
        .bind(ward.clinic.id)
        .execute(&mut ward.lab.database.superuser().await)
        .await
        .unwrap();
    let token = ward.token(&ward.doctor);
    let refused = ward.post(OPEN, &token, &wanted(ward.other.0)).await;
    assert_problem(&refused, 503, "no_data_key");
    assert_eq!(ward.count().await, 0);
    assert_eq!(ward.letters(&ward.lead).await.len(), 0);
}

/// Who has to be opened is found by name, and the finding is on the record; nobody but a clinician
/// looks, and by no single letter.
#[tokio::test]
async fn a_clinician_finds_the_patient_by_name_on_the_record() {
    let ward = Ward::new().await;
    let token = ward.token(&ward.doctor);
    let path = format!("{OPEN}/patients");
    let name = |name: &str| json!({ "name": name });
    let found = ward.post(&path, &token, &name("sTON")).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let expected = json!([{ "id": ward.other.0, "name": "Ben Stone" }]);
    assert_eq!(found.json()["patients"], expected);
    let staff = ward.post(&path, &token, &name("Lena")).await;
    assert_eq!(staff.json()["patients"], json!([]), "patients alone");
    for short in [json!({}), name("st"), name("%%"), json!({ "name": 7 })] {
        let refused = ward.post(&path, &token, &short).await;
        assert_problem(&refused, 400, "invalid_request");
    }
    let in_address = ward.get(&format!("{path}?name=sTON"), &token).await;
    assert_eq!(in_address.status, 405, "a name stands in no address");
    let lead = ward.token(&ward.lead);
    let refused = ward.post(&path, &lead, &name("sTON")).await;
    assert_problem(&refused, 403, "insufficient_permission");
    let events = ward.events().await;
    let sought: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "emergency_access.patient_sought")
        .map(|event| event.detail["patients"].clone())
        .collect();
    assert_eq!(sought, [json!([ward.other.0]), json!([])]);
}
