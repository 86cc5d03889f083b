//! `/api/v1`: what a token opens, and what it does not.

use lanyard::ids::VisitId;
use lanyard::visits::{Visit, VisitKind, VisitState, service};
use serde_json::Value;

use super::World;

/// What a synthetic patient says.
const REASON: &str = "A cough that stays";

pub(super) async fn plant(
    world: &World,
    patient: lanyard::ids::SubjectId,
    practitioner: lanyard::ids::SubjectId,
) -> VisitId {
    let visit = Visit {
        id: VisitId::from_uuid(world.lab.app.env.random_uuid()),
        patient,
        practitioner,
        starts_at: world.lab.now(),
        kind: VisitKind::Video,
        state: VisitState::Scheduled,
        reason: Some(REASON.to_owned()),
    };
    service::plant(
        &world.lab.app,
        world.clinic.id,
        std::slice::from_ref(&visit),
    )
    .await
    .unwrap();
    visit.id
}

fn ids(answer: &Value) -> Vec<String> {
    let visits = answer["visits"].as_array().unwrap();
    visits
        .iter()
        .map(|visit| visit["id"].as_str().unwrap().to_owned())
        .collect()
}

/// VIS-01, VIS-12, minimum necessary (45 CFR 164.502(b)): each sees what her role shows.
#[tokio::test]
async fn each_role_sees_its_own_visits_and_the_reading_is_on_the_record() {
    let world = World::new().await;
    let client = world.web().await;
    let doctor = world.lab.person("Doctor Vale").await;
    let practitioner = world
        .lab
        .join(&doctor, world.clinic.id, &["clinician"])
        .await;
    let other = world.lab.person("Other Soul").await;
    let stranger = world
        .lab
        .join(&other, world.clinic.id, &["patient", "clinic_admin"])
        .await;
    let (hers, his) = (
        plant(&world, world.subject, practitioner).await,
        plant(&world, stranger, world.subject).await,
    );
    let (_, tokens) = world.tokens(&client).await;
    let token = tokens["access_token"].as_str().unwrap();
    let seen = world.call("/api/v1/visits", token).await.json();
    assert_eq!(ids(&seen), [hers.to_string()]);
    assert_eq!(seen["visits"][0]["practitioner"]["name"], "Doctor Vale");
    let as_doctor = world.call("/api/v1/visits?as=clinician", token).await;
    assert_eq!(as_doctor.status, 403, "not in that role");
    let events = world.lab.events_in(world.clinic.id).await;
    assert!(events.iter().any(|event| event.kind == "visit.listed"));
    let world = World {
        person: doctor,
        ..world
    };
    let (_, tokens) = world.tokens(&client).await;
    let seen = world
        .call("/api/v1/visits", tokens["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(ids(&seen), [hers.to_string()]);
    let world = World {
        person: other,
        ..world
    };
    let (_, tokens) = world.tokens(&client).await;
    let token = tokens["access_token"].as_str().unwrap();
    let as_patient = world.call("/api/v1/visits", token).await.json();
    assert_eq!(
        ids(&as_patient),
        [his.to_string()],
        "one class, never the union"
    );
    let as_admin = world
        .call("/api/v1/visits?as=care_team", token)
        .await
        .json();
    assert_eq!(ids(&as_admin).len(), 2);
}

/// Design §9: why a patient comes is ciphertext in the database, shown to who may see the visit,
/// and unreadable once the clinic's key is destroyed. A reason moved to another visit is not shown.
#[tokio::test]
async fn a_visits_reason_is_shown_to_who_may_see_it_and_is_ciphertext_at_rest() {
    let world = World::new().await;
    let client = world.web().await;
    let visit = plant(&world, world.subject, world.subject).await;
    let (_, tokens) = world.tokens(&client).await;
    let token = tokens["access_token"].as_str().unwrap();
    let seen = async || world.call("/api/v1/visits", token).await;
    assert_eq!(seen().await.json()["visits"][0]["reason"], REASON);
    let mut boss = world.lab.database.superuser().await;
    let stored: Vec<u8> =
        sqlx::query_scalar("select reason_sealed from visits.visit where visit_id = $1")
            .bind(visit)
            .fetch_one(&mut boss)
            .await
            .unwrap();
    let words = REASON.as_bytes();
    assert!(
        !stored
            .windows(4)
            .any(|part| words.windows(4).any(|word| word == part))
    );
    let other = plant(&world, world.subject, world.subject).await;
    let swap = "update visits.visit v set reason_sealed =
        (select o.reason_sealed from visits.visit o where o.visit_id = $2) where v.visit_id = $1";
    let swapped = sqlx::query(swap).bind(other).bind(visit);
    swapped.execute(&mut boss).await.unwrap();
    assert_eq!(seen().await.status, 500, "CFG-04: it is another row's");
    let destroyed = "update tenancy.data_key set wrapped = null, destroyed_at = now()
        where tenant_id = $1";
    let destroyed = sqlx::query(destroyed).bind(world.clinic.id);
    destroyed.execute(&mut boss).await.unwrap();
    let seen = seen().await.json();
    assert_eq!(ids(&seen).len(), 2);
    assert!(seen["visits"][0]["reason"].is_null() && seen["visits"][1]["reason"].is_null());
}

/// JWT-16, TEN-02: a clinic's token at another clinic's address is as garbage, and no header,
/// query or cookie changes whose it is.
#[tokio::test]
async fn a_token_of_one_clinic_is_garbage_at_another_s() {
    let world = World::new().await;
    let client = world.web().await;
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let (_, tokens) = world.tokens(&client).await;
    let token = tokens["access_token"].as_str().unwrap();
    let own = format!("/api/v1/clinics/{}/visits", world.clinic.slug);
    assert_eq!(world.call(&own, token).await.status, 200);
    let there = format!("/api/v1/clinics/{}/visits", harbor.slug);
    let crossed = world.call(&there, token).await;
    let garbage = world.call(&there, "garbage").await;
    assert_eq!(
        (crossed.status, garbage.status),
        (http::StatusCode::UNAUTHORIZED, crossed.status)
    );
    assert_eq!(crossed.body, garbage.body);
    assert_eq!(
        crossed.header("www-authenticate"),
        garbage.header("www-authenticate")
    );
    let machine = world.lab.browser_in(9);
    let me = machine
        .request(http::Method::GET, "/api/v1/me?tenant=x")
        .bearer_auth(token)
        .header("x-tenant", harbor.slug.as_str())
        .header("x-tenant-id", harbor.id.to_string());
    let me = machine.send("/api/v1/me", me).await.json();
    assert_eq!(me["clinic"]["id"], world.clinic.id.to_string(), "TEN-02");
}

/// Every route, without a token, with a wrong one, and with one whose role or scope is too weak.
#[tokio::test]
async fn every_route_refuses_without_a_token_and_without_its_permission() {
    let world = World::new().await;
    let client = world.web().await;
    let nobody = World {
        person: world.lab.person("No Role").await,
        ..world
    };
    nobody.lab.join(&nobody.person, nobody.clinic.id, &[]).await;
    let (_, tokens) = nobody.tokens(&client).await;
    let token = tokens["access_token"].as_str().unwrap();
    for route in lanyard::api::routes() {
        let (path, scope) = (format!("/api/v1{}", route.path), route.scope.name());
        let call = async |token: &str| {
            let machine = nobody.lab.browser_in(9);
            let request = machine.request(route.method.clone(), &path);
            machine.send(&path, request.bearer_auth(token)).await
        };
        let browser = nobody.lab.browser();
        let request = browser.request(route.method.clone(), &path);
        let without = browser.send(&path, request).await;
        assert_eq!(without.status, 401, "{path}");
        assert!(
            without
                .header("www-authenticate")
                .contains("resource_metadata"),
            "RFC 9728"
        );
        assert_eq!(call("garbage").await.status, 401, "{path}");
        let id_token = tokens["id_token"].as_str().unwrap();
        assert_eq!(call(id_token).await.status, 401, "JWT-06: {path}");
        let weak = call(token).await;
        assert_eq!(weak.status, 403, "{path} wants {scope}");
        assert!(
            weak.header("www-authenticate")
                .contains("insufficient_scope"),
            "VIS-13"
        );
    }
}

/// RFC 9728: where the API says whom it trusts.
#[tokio::test]
async fn the_api_says_which_issuer_it_trusts() {
    let world = World::new().await;
    let browser = world.lab.browser();
    let answer = browser
        .get("/.well-known/oauth-protected-resource/api/v1")
        .await
        .json();
    assert_eq!(answer["resource"], lanyard::api::audience(&world.lab.app));
    assert_eq!(
        answer["authorization_servers"],
        serde_json::json!([world.lab.issuer()])
    );
}
