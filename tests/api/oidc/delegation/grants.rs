//! Who lets whom act for whom: the clinic by a paper, a patient her caregiver, and nobody else.

use lanyard::ids::SubjectId;
use serde_json::{Value, json};
use time::Duration;

use super::{ALL, Family, OWN, SCOPES, assert_problem, unix};
use crate::lab::some_id;

/// 45 CFR 164.502(g)(3): who, for whom, on what basis, by which paper, how much, until when; seen
/// by the clinic and by both, and on the record.
#[tokio::test]
async fn a_clinic_writes_down_who_acts_for_whom() {
    let family = Family::new().await;
    let tina = family.seat(&family.tina).await;
    let granted = family.post(&tina, ALL, &family.parent()).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let one = granted.json();
    assert_eq!(one["patient"]["name"], "Ada Quill");
    assert_eq!(one["proxy"]["name"], "Pat Quill");
    assert_eq!(one["basis"], "parent");
    assert_eq!(one["law"], "45 CFR 164.502(g)(3)");
    assert_eq!(one["document"], "CUSTODY-1");
    assert_eq!(one["scope"], json!(["visits.visit.read"]));
    assert_eq!(one["granted_by"], json!(family.tinas));
    let ages_out = one["ages_out_on"].as_str().unwrap();
    let first_instant = unix(&json!(format!("{ages_out}T00:00:00Z")));
    assert_eq!(unix(&one["ends_at"]), first_instant);
    let listed = family.get(ALL, &tina.token).await.json();
    assert_eq!(listed["delegations"], json!([one]));
    let (ada, pat) = (
        family.seat(&family.world.person).await,
        family.seat(&family.pat).await,
    );
    let hers = family.get(OWN, &ada.token).await.json();
    let his = family.get(OWN, &pat.token).await.json();
    assert_eq!(hers["act_for_you"][0]["id"], one["id"]);
    assert_eq!(hers["act_for_you"][0]["you_may_end"], false, "a minor");
    assert_eq!(hers["you_act_for"], json!([]));
    assert_eq!(his["you_act_for"][0]["id"], one["id"]);
    assert_eq!(his["you_act_for"][0]["you_may_end"], true);
    assert_eq!(his["act_for_you"], json!([]));
    let created = family.told("created").await;
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].detail["patient"], json!(family.ada()));
    assert_eq!(created[0].detail["proxy"], json!(family.pats));
    assert_eq!(created[0].detail["basis"], "parent");
    assert_eq!(created[0].detail["document"], "CUSTODY-1");
}

/// One at a time of the same two on the same basis; another basis is another.
#[tokio::test]
async fn one_stands_at_a_time() {
    let family = Family::new().await;
    let first = family.granted(&family.agent()).await;
    let tina = family.seat(&family.tina).await;
    let again = family.post(&tina, ALL, &family.agent()).await;
    assert_problem(&again, 409, "wrong_state");
    family.granted(&family.parent()).await;
    let ended = family
        .post(&tina, &format!("{ALL}/{first}/end"), &json!({}))
        .await;
    assert_eq!(ended.json()["end_cause"], "by_clinic", "{}", ended.body);
    let second = family.granted(&family.agent()).await;
    assert_ne!(first, second, "none is renewed in place");
}

/// What ran out makes room, and its end is on the record before its successor's beginning.
#[tokio::test]
async fn what_ran_out_makes_room() {
    let family = Family::new().await;
    let mut wish = family.agent();
    wish["valid_until"] = json!(family.at(Duration::minutes(10)));
    let first = family.granted(&wish).await;
    family.world.lab.clock.advance(Duration::minutes(10));
    family.granted(&family.agent()).await;
    let ended = family.told("ended").await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].detail["delegation"], json!(first));
    assert_eq!(ended[0].detail["cause"], "time");
}

#[tokio::test]
async fn terms_that_are_none_are_refused_by_their_field() {
    let family = Family::new().await;
    let tina = family.seat(&family.tina).await;
    let set = |of: Value, field: &str, to: Value| {
        let mut wish = of;
        wish[field] = to;
        wish
    };
    let (parent, agent) = (family.parent(), family.agent());
    let past = json!(family.at(-Duration::MINUTE));
    for (wish, field) in [
        (
            set(parent.clone(), "ages_out_on", Value::Null),
            "ages_out_on",
        ),
        (
            set(parent.clone(), "ages_out_on", json!("1990-05-01")),
            "ages_out_on",
        ),
        (
            set(parent.clone(), "ages_out_on", json!("2090-05-01")),
            "ages_out_on",
        ),
        (
            set(parent.clone(), "ages_out_on", json!("May")),
            "ages_out_on",
        ),
        (
            set(agent.clone(), "ages_out_on", json!("2030-05-01")),
            "ages_out_on",
        ),
        (
            set(parent.clone(), "document", json!("two words")),
            "document",
        ),
        (set(parent.clone(), "scope", json!([])), "scope"),
        (
            set(parent.clone(), "scope", json!(["visits.note.sign"])),
            "scope",
        ),
        (
            set(parent.clone(), "scope", json!(["tenancy.profile.read"])),
            "scope",
        ),
        (set(parent.clone(), "basis", json!("friend")), "basis"),
        (
            set(agent.clone(), "basis", json!("caregiver")),
            "valid_until",
        ),
        (
            set(agent.clone(), "valid_until", past.clone()),
            "valid_until",
        ),
        (set(agent.clone(), "valid_from", past), "valid_from"),
        (set(agent.clone(), "more", json!(1)), "body"),
    ] {
        let answer = family.post(&tina, ALL, &wish).await;
        assert_problem(&answer, 400, "invalid_request");
        assert_eq!(answer.json()["field"], field, "{wish}");
    }
    let listed = family.get(ALL, &tina.token).await.json();
    assert_eq!(listed["delegations"], json!([]));
    assert!(family.told("created").await.is_empty());
}

/// Members of the same clinic, both, with accounts that are active; and the patient is one.
#[tokio::test]
async fn both_are_active_members_and_she_is_a_patient() {
    let family = Family::new().await;
    let lab = &family.world.lab;
    let tina = family.seat(&family.tina).await;
    let harbor = lab.clinic("Harbor Clinic").await;
    let stranger = lab.person("Other Soul").await;
    let elsewhere = lab.join(&stranger, harbor.id, &["patient"]).await;
    let gone = lab.person("Gone Soul").await;
    let left = lab.join(&gone, family.world.clinic.id, &["patient"]).await;
    sqlx::query("update identity.account set status = 'disabled' where account_id = $1")
        .bind(gone.account)
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    let nobody = SubjectId::from_uuid(some_id());
    for (patient, proxy) in [
        (family.ada(), elsewhere),
        (elsewhere, family.pats),
        (family.ada(), left),
        (left, family.pats),
        (family.ada(), nobody),
        (family.tinas, family.pats),
    ] {
        let mut wish = family.agent();
        wish["patient"] = json!(patient);
        wish["proxy"] = json!(proxy);
        let answer = family.post(&tina, ALL, &wish).await;
        assert_problem(&answer, 404, "not_found");
    }
}

/// Nobody lets herself act; who may not write them down does not; and not without a fresh factor.
#[tokio::test]
async fn nobody_lets_herself_act() {
    let family = Family::new().await;
    let tina = family.seat(&family.tina).await;
    let mut herself = family.agent();
    herself["proxy"] = json!(family.tinas);
    let answer = family.post(&tina, ALL, &herself).await;
    assert_problem(&answer, 403, "insufficient_role");
    let pat = family.seat(&family.pat).await;
    let answer = family.post(&pat, ALL, &family.agent()).await;
    assert_problem(&answer, 403, "insufficient_permission");
    assert_problem(
        &family.get(ALL, &pat.token).await,
        403,
        "insufficient_permission",
    );
    family.world.lab.clock.advance(Duration::minutes(4));
    let late = family.seat_with(&family.tina, &[("scope", SCOPES)]).await;
    family.world.lab.clock.advance(Duration::seconds(301));
    let answer = family.post(&late, ALL, &family.agent()).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(family.told("created").await.is_empty());
}

/// 45 CFR 164.508: a patient's own authorization, of a caregiver, with an end; hers to take back.
#[tokio::test]
async fn a_patient_names_her_caregiver_and_takes_it_back() {
    let family = Family::new().await;
    family
        .world
        .lab
        .plant_devices(&family.world.person, 1)
        .await;
    let mfa = [("scope", SCOPES), ("acr_values", "urn:lanyard:acr:mfa")];
    let ada = family.seat_with(&family.world.person, &mfa).await;
    let wish = |until: String| {
        json!({
            "proxy": family.pats, "scope": ["visits.visit.read"], "valid_until": until,
        })
    };
    let too_long = wish(family.at(Duration::days(731)));
    let answer = family.post(&ada, OWN, &too_long).await;
    assert_problem(&answer, 400, "invalid_request");
    let mut herself = wish(family.at(Duration::days(30)));
    herself["proxy"] = json!(family.ada());
    let answer = family.post(&ada, OWN, &herself).await;
    assert_problem(&answer, 403, "insufficient_role");
    let named = family
        .post(&ada, OWN, &wish(family.at(Duration::days(30))))
        .await;
    assert_eq!(named.status, 200, "{}", named.body);
    let one = named.json();
    assert_eq!(one["basis"], "caregiver");
    assert_eq!(one["law"], "45 CFR 164.508");
    assert_eq!(one["document"], Value::Null);
    let id = one["id"].as_str().unwrap();
    assert_eq!(family.letters(&family.pat).await, ["delegation_made"]);
    let pat = family.seat(&family.pat).await;
    family.acting(&pat, id).await;
    let ended = family
        .post(&ada, &format!("{OWN}/{id}/end"), &json!({}))
        .await;
    assert_eq!(ended.json()["end_cause"], "by_patient", "{}", ended.body);
    let answer = family.exchange(&pat, id, &[]).await;
    super::super::assert_refused(&answer, 400, "invalid_grant");
}
