//! A delegation for a token under `act` (RFC 8693), and what is done with it.

use http::Method;
use lanyard::audit::log::Logs;
use lanyard::ids::TenantId;
use lanyard::oidc::client::ClientKind;
use serde_json::{Value, json};
use time::Duration;

use super::super::api::plant;
use super::super::assert_refused;
use super::{ACCESS_TOKEN, ALL, DELEGATION, Family, OWN, Seat, assert_problem, claims};

/// Both identities, the patient's role, what is lent, a `sid` of its own, no refresh token, no ID
/// token, five minutes.
#[tokio::test]
async fn a_proxys_token_names_both_and_opens_what_is_lent() {
    let family = Family::new().await;
    let id = family.granted(&family.parent()).await;
    let pat = family.seat(&family.pat).await;
    let answer = family.exchange(&pat, &id, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["issued_token_type"], ACCESS_TOKEN);
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    assert_eq!(tokens["scope"], "visits:read");
    assert_eq!(tokens["expires_in"], 300);
    let said = claims(&tokens["access_token"]);
    assert_eq!(said["sub"], json!(family.ada()));
    assert_eq!(said["tid"], json!(family.world.clinic.id));
    assert_eq!(said["roles"], json!(["patient"]));
    assert_eq!(said["sid"], json!(id));
    let act = json!({ "sub": family.pats, "delegation": id, "basis": "parent" });
    assert_eq!(said["act"], act);
    let issued = family.told("token_issued").await;
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0].detail["patient"], json!(family.ada()));
    assert_eq!(issued[0].detail["proxy"], json!(family.pats));
    let (subject, actor): (Option<uuid::Uuid>, Option<uuid::Uuid>) = sqlx::query_as(
        "select subject_id, actor_id from audit.event
         where tenant_id = $1 and type = 'delegation.token_issued'",
    )
    .bind(family.world.clinic.id)
    .fetch_one(&mut family.world.lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(subject, Some(family.ada().as_uuid()));
    assert_eq!(actor, Some(family.pats.as_uuid()));
}

/// Her visits and nobody else's, and each request is on the record with both; she is told by name
/// who it was.
#[tokio::test]
async fn what_a_proxy_saw_is_told_to_the_patient_by_his_name() {
    let family = Family::apart().await;
    let doctor = family.world.lab.person("Doctor Vale").await;
    let clinic = family.world.clinic.id;
    let doctor = family.world.lab.join(&doctor, clinic, &["clinician"]).await;
    let hers = plant(&family.world, family.ada(), doctor).await;
    plant(&family.world, family.pats, doctor).await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let acting = family.acting(&pat, &id).await;
    let seen = family.get("/api/v1/visits", &acting).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let seen = seen.json();
    let ids: Vec<_> = seen["visits"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0]["id"], json!(hers));
    let recorded = family.told("request_recorded").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].detail["route"], "/api/v1/visits");
    assert_eq!(recorded[0].detail["delegation"], json!(id));
    Logs::of(&family.world.lab.app).sequence().await.unwrap();
    let ada = family.seat(&family.world.person).await;
    for token in [&ada.token, &acting] {
        let told = family.get("/api/v1/audit/accesses", token).await.json();
        let first = &told["accesses"][0];
        assert_eq!(first["type"], "visit.listed", "{told}");
        assert_eq!(first["was_acted"], true);
        assert_eq!(first["proxy"], "Pat Quill");
    }
}

/// What is not lent is not looked at, whatever has the same scope; and nothing is changed.
#[tokio::test]
async fn nothing_else_of_the_patients_is_opened() {
    let family = Family::new().await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let acting = family.acting(&pat, &id).await;
    let scope = claims(&json!(acting))["scope"].clone();
    assert_eq!(scope, "profile:read visits:read");
    let me = family.get("/api/v1/me", &acting).await;
    assert_problem(&me, 403, "impersonation_forbidden");
    let visits = family.get("/api/v1/visits", &acting).await;
    assert_eq!(visits.status, 200, "{}", visits.body);
    let emergency = format!("/api/v1/visits?as=emergency&patient={}", family.ada());
    assert_problem(
        &family.get(&emergency, &acting).await,
        403,
        "insufficient_role",
    );
    for (method, path) in [
        (Method::GET, OWN.to_owned()),
        (Method::POST, OWN.to_owned()),
        (Method::POST, format!("{OWN}/{id}/end")),
        (Method::GET, ALL.to_owned()),
        (Method::POST, "/api/v1/announcement".to_owned()),
    ] {
        let machine = family.world.lab.browser_in(9);
        let request = machine.request(method, &path).bearer_auth(&acting);
        let answer = machine.send(&path, request.json(&json!({}))).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
    }
    let own = family.get(OWN, &pat.token).await.json();
    assert_eq!(own["you_act_for"][0]["ended_at"], Value::Null);
    assert_eq!(family.world.call("/userinfo", &acting).await.status, 403);
}

/// Of a patient who also works there, what she is as a patient.
#[tokio::test]
async fn a_patient_who_works_there_lends_nothing_of_her_work() {
    let family = Family::new().await;
    let lab = &family.world.lab;
    let clinic = family.world.clinic.id;
    let both = lab.person("Doctor Patient").await;
    let both = lab.join(&both, clinic, &["clinician", "patient"]).await;
    plant(&family.world, family.ada(), both).await;
    let mut wish = family.agent();
    wish["patient"] = json!(both);
    let id = family.granted(&wish).await;
    let pat = family.seat(&family.pat).await;
    let acting = family.acting(&pat, &id).await;
    assert_eq!(claims(&json!(acting))["roles"], json!(["patient"]));
    let answer = family.get("/api/v1/visits?as=clinician", &acting).await;
    assert_problem(&answer, 403, "insufficient_role");
    let own = family.get("/api/v1/visits", &acting).await.json();
    assert_eq!(own["visits"], json!([]));
}

#[tokio::test]
async fn an_exchange_widens_nothing() {
    let family = Family::new().await;
    let id = family.granted(&family.parent()).await;
    let pat = family.seat(&family.pat).await;
    for (name, value, word) in [
        ("scope", "profile:read", "invalid_scope"),
        ("scope", "visits:read delegation:write", "invalid_scope"),
        ("scope", "openid", "invalid_scope"),
        (
            "audience",
            "https://elsewhere.example.test",
            "invalid_target",
        ),
        ("subject_token_type", ACCESS_TOKEN, "invalid_request"),
        ("actor_token_type", DELEGATION, "invalid_request"),
        ("subject_token", "x", "invalid_grant"),
        ("subject_token", "", "invalid_request"),
        ("actor_token", "", "invalid_request"),
        ("actor_token", "x", "invalid_grant"),
    ] {
        let answer = family.exchange(&pat, &id, &[(name, value)]).await;
        assert_refused(&answer, 400, word);
    }
    assert!(family.told("token_issued").await.is_empty());
}

/// A delegation is its proxy's, through the app that he signed in to; and no chain.
#[tokio::test]
async fn a_delegation_is_exchanged_by_its_proxy_himself() {
    let family = Family::new().await;
    let id = family.granted(&family.parent()).await;
    let pat = family.seat(&family.pat).await;
    let ada = family.seat(&family.world.person).await;
    assert_refused(&family.exchange(&ada, &id, &[]).await, 400, "invalid_grant");
    let tina = family.seat(&family.tina).await;
    assert_refused(
        &family.exchange(&tina, &id, &[]).await,
        400,
        "invalid_grant",
    );
    let other = family.world.web().await;
    let answer = family.exchange_by(&other, &pat, &id, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    let spa = family.world.spa().await;
    let answer = family.exchange_by(&spa, &pat, &id, &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
    let service = family.world.register(TenantId::PLATFORM, |client| {
        client.kind = ClientKind::Service;
    });
    let answer = family.exchange_by(&service.await, &pat, &id, &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
    let acting = Seat {
        token: family.acting(&pat, &id).await,
        browser: pat.browser,
    };
    let chain = family.exchange(&acting, &id, &[]).await;
    assert_refused(&chain, 400, "invalid_request");
}

/// No longer than the delegation; not before it begins.
#[tokio::test]
async fn no_token_outlives_the_delegation_or_comes_before_it() {
    let family = Family::new().await;
    let mut wish = family.agent();
    wish["valid_from"] = json!(family.at(Duration::minutes(2)));
    wish["valid_until"] = json!(family.at(Duration::minutes(6)));
    let id = family.granted(&wish).await;
    let pat = family.seat(&family.pat).await;
    let early = family.exchange(&pat, &id, &[]).await;
    assert_refused(&early, 400, "invalid_grant");
    family.world.lab.clock.advance(Duration::minutes(2));
    let token = family.exchange(&pat, &id, &[]).await.json();
    assert_eq!(token["expires_in"], 240);
    family.world.lab.clock.advance(Duration::minutes(4));
    let pat = family.seat(&family.pat).await;
    let over = family.exchange(&pat, &id, &[]).await;
    assert_refused(&over, 400, "invalid_grant");
    let denied = family.told("denied").await;
    let reasons: Vec<_> = denied.iter().map(|e| &e.detail["reason"]).collect();
    assert_eq!(reasons, ["not_standing", "not_standing"]);
}

/// An API of another's says what it answered: on the record, with both.
#[tokio::test]
async fn another_api_says_what_it_answered() {
    let family = Family::new().await;
    let id = family.granted(&family.parent()).await;
    let pat = family.seat(&family.pat).await;
    let audience = "https://labs.example.test";
    let tenant = TenantId::PLATFORM;
    let portal = family
        .world
        .register(tenant, |client| {
            client.scopes = super::SCOPES.split(' ').map(str::to_owned).collect();
            client.audiences.push(audience.to_owned());
        })
        .await;
    let api = family
        .world
        .register(tenant, |client| {
            client.kind = ClientKind::Resource;
            client.audiences = vec![audience.to_owned()];
            client.scopes.clear();
        })
        .await;
    let request = family.world.request(&portal, &[("scope", super::SCOPES)]);
    let back = pat.browser.get(&request).await.location().expect("back");
    let tokens = family.world.redeem(&portal, &super::code_of(&back)).await;
    let seat = Seat {
        token: tokens.json()["access_token"].as_str().unwrap().to_owned(),
        browser: pat.browser,
    };
    let given = family
        .exchange_by(&portal, &seat, &id, &[("audience", audience)])
        .await;
    let said = claims(&given.json()["access_token"]);
    let event = json!({
        "jti": said["jti"], "tid": said["tid"], "sid": said["sid"], "iat": said["iat"],
        "exp": said["exp"], "at": said["iat"], "method": "GET", "route": "/labs/{lab}",
        "status": 200,
    });
    let report = async |event: &Value| {
        let machine = family.world.lab.browser_in(9);
        let request = machine
            .request(Method::POST, "/activity/acted")
            .basic_auth(&api.id, api.secret.as_deref());
        let request = request.json(&json!({ "events": [event] }));
        machine.send("/activity/acted", request).await.status
    };
    assert_eq!(report(&event).await, 204);
    let mut forged = event.clone();
    forged["sid"] = json!(crate::lab::some_id());
    assert_eq!(report(&forged).await, 400);
    let recorded = family.told("request_recorded").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].detail["audience"], audience);
    assert_eq!(recorded[0].detail["route"], "/labs/{lab}");
    assert_eq!(recorded[0].detail["client_id"], api.id);
}
