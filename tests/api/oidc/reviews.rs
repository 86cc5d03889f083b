//! `/api/v1/audit/accesses` and `/api/v1/audit/reviews`: what the log tells a patient, and what of
//! it somebody at the clinic signs off.

use lanyard::audit::log::Logs;
use lanyard::ids::SubjectId;
use serde_json::{Value, json};

use super::api::plant;
use super::{Answer, Client, World, code_of};
use crate::lab::world::Person;
use crate::lab::{Lab, some_id};

/// A world whose events are sequenced by nobody but the test.
async fn world() -> World {
    let lab = Lab::apart(|config| {
        let name = format!("lanyard-anchor-{}", some_id());
        config.audit.anchor = Some(std::env::temp_dir().join(name));
    })
    .await;
    World::on(lab, &["patient"]).await
}

impl World {
    async fn auditing(&self) -> Client {
        let platform = self.lab.platform().await;
        let scopes = ["audit:read", "audit:write"].map(str::to_owned);
        self.register(platform, |client| client.scopes.extend(scopes))
            .await
    }

    /// Somebody else of the same clinic, with an access token.
    async fn someone(&self, client: &Client, name: &str, roles: &[&str]) -> (SubjectId, String) {
        let person = self.lab.person(name).await;
        let subject = self.lab.join(&person, self.clinic.id, roles).await;
        (subject, self.token_of(client, &person).await)
    }

    async fn token_of(&self, client: &Client, person: &Person) -> String {
        let scope = "openid audit:read audit:write profile:read visits:read tenancy:read";
        let request = self.request(client, &[("scope", scope)]);
        let browser = self.lab.browser();
        let back = self.sign_in_as(&browser, person, &request).await;
        let tokens = self.redeem(client, &code_of(&back)).await.json();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn sequence(&self) {
        Logs::of(&self.lab.app).sequence().await.unwrap();
    }

    async fn sign_off(&self, token: &str, index: &Value, verdict: &str) -> Answer {
        let path = format!("/api/v1/audit/reviews/{index}");
        let machine = self.lab.browser_in(9);
        let request = machine
            .request(http::Method::POST, &path)
            .bearer_auth(token);
        let request = request.json(&json!({ "verdict": verdict }));
        machine.send(&path, request).await
    }

    async fn waiting(&self, token: &str) -> Vec<Value> {
        let answer = self.call("/api/v1/audit/reviews", token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["reviews"].as_array().unwrap().clone()
    }
}

/// Issue 4, 45 CFR 164.528: a patient is told who saw her record; nobody else is told of hers.
#[tokio::test]
async fn a_patient_is_told_who_saw_her_record() {
    let world = world().await;
    let client = world.auditing().await;
    let (doctor, doctors) = world.someone(&client, "Doctor Vale", &["clinician"]).await;
    let (_, others) = world.someone(&client, "Other Soul", &["patient"]).await;
    let hers = world.token_of(&client, &world.person).await;
    plant(&world, world.subject, doctor).await;
    let path = "/api/v1/audit/accesses";
    for token in [&doctors, &hers, &others] {
        assert_eq!(world.call("/api/v1/visits", token).await.status, 200);
    }
    world.sequence().await;
    let told = world.call(path, &hers).await.json();
    let by: Vec<_> = told["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|access| access["by"].clone())
        .collect();
    assert_eq!(
        by,
        [
            json!({ "name": "Ada Quill", "is_you": true }),
            json!({ "name": "Doctor Vale", "is_you": false }),
        ],
        "{told}"
    );
    assert_eq!(told["accesses"][0]["type"], "visit.listed");
    assert_eq!(told["next"], Value::Null);
    let nothing = world.call(path, &others).await.json();
    assert_eq!(nothing["accesses"], json!([]), "another patient's");
    assert_eq!(world.call(path, &doctors).await.status, 403, "no patient");
    let wrong = world.call("/api/v1/audit/accesses?before=x", &hers).await;
    assert_eq!(wrong.status, 400);
}

/// Issue 4, 45 CFR 164.308(a)(1)(ii)(D): what is unusual waits until somebody else than the one it
/// is about has looked at it, once; the signature is on the record.
#[tokio::test]
async fn what_is_unusual_waits_until_somebody_else_has_signed_it() {
    let world = world().await;
    let client = world.auditing().await;
    let (admin, admins) = world
        .someone(&client, "Tina Admin", &["clinic_admin"])
        .await;
    let (_, leads) = world
        .someone(&client, "Lea Lead", &["compliance_lead"])
        .await;
    let (_, nurses) = world.someone(&client, "Nora Nurse", &["nurse"]).await;
    let tina = World {
        person: world.lab.person("Tina Again").await,
        ..world
    };
    tina.lab
        .join(&tina.person, tina.clinic.id, &["clinic_admin"])
        .await;
    let world = tina;
    let (_, tokens) = world.tokens(&client).await;
    let first = tokens["refresh_token"].as_str().unwrap();
    let second = world.refresh(&client, first).await.json();
    let second = second["refresh_token"].as_str().unwrap().to_owned();
    world.refresh(&client, &second).await;
    world.refresh(&client, first).await;
    world.sequence().await;

    let waiting = world.waiting(&leads).await;
    let reuse = waiting
        .iter()
        .find(|one| one["type"] == "refresh.reuse_detected")
        .expect("the reuse waits");
    assert_eq!(reuse["why"], "session");
    assert_ne!(reuse["subject"], json!(admin));
    let again = world.token_of(&client, &world.person).await;
    let own = world.sign_off(&again, &reuse["index"], "expected").await;
    assert_eq!(own.status, 403, "her own deed");
    assert_eq!(world.waiting(&leads).await.len(), waiting.len());

    for path in ["/api/v1/audit/reviews", "/api/v1/audit/standing"] {
        assert_eq!(world.call(path, &nurses).await.status, 403, "{path}");
    }
    let not_hers = world.sign_off(&nurses, &reuse["index"], "expected").await;
    assert_eq!(not_hers.status, 403);
    let unknown = world.sign_off(&admins, &reuse["index"], "fine").await;
    assert_eq!(unknown.status, 400);
    let signed = world.sign_off(&admins, &reuse["index"], "incident").await;
    assert_eq!(signed.status, 200, "{}", signed.body);
    for token in [&admins, &leads] {
        let twice = world.sign_off(token, &reuse["index"], "expected").await;
        assert_eq!(twice.status, 404, "signed already");
    }
    assert_eq!(world.waiting(&leads).await.len(), waiting.len() - 1);
    let events = world.lab.events_in(world.clinic.id).await;
    let signatures: Vec<_> = events
        .iter()
        .filter(|e| e.kind == "review.signed")
        .collect();
    assert_eq!(signatures.len(), 1);
    assert_eq!(signatures[0].detail["verdict"], "incident");
}

/// Issue 4: the viewer says how much there is and how well it is kept.
#[tokio::test]
async fn an_auditor_is_told_how_well_the_log_is_kept() {
    let world = world().await;
    let client = world.auditing().await;
    let (_, leads) = world
        .someone(&client, "Lea Lead", &["compliance_lead"])
        .await;
    let before = world.call("/api/v1/audit/standing", &leads).await.json();
    assert_eq!((&before["size"], &before["signed"]), (&json!(0), &json!(0)));
    assert_eq!(before["retention_years"], 6);
    world.sequence().await;
    let after = world.call("/api/v1/audit/standing", &leads).await.json();
    assert!(after["size"].as_i64().unwrap() > 0, "{after}");
    assert!(after["oldest_recorded_at"].is_string(), "{after}");
}
