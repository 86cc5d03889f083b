//! A proxy's token once it is given: what APIs are told of it (RFC 7662), and its end before the
//! delegation's (RFC 7009).

use http::Method;
use lanyard::ids::TenantId;
use lanyard::oidc::client::{ClientKind, NewClient};
use lanyard::signing::{self, Alg, TokenType};
use serde_json::{Value, json};
use time::Duration;

use super::super::{Client, assert_refused, claims};
use super::{Family, OWN, assert_problem};
use crate::revocation::{Ear, event, head, kind};

impl Family {
    /// Whether one stands in the table, and why its tokens were ended, if they were.
    async fn stored(&self, id: &str) -> (bool, Option<String>) {
        sqlx::query_as(
            "select ended_at is null, tokens_end_reason from identity.delegation
             where delegation_id = $1::text::uuid",
        )
        .bind(id)
        .fetch_one(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }

    /// How our own API answers to a token.
    async fn seen(&self, token: &str) -> u16 {
        let answer = self.get("/api/v1/visits", token).await;
        answer.status.as_u16()
    }

    /// How the issuer answers to an API that is about to let a token in.
    async fn recorded(&self, api: &Client, token: &str, status: u16) -> u16 {
        let said = claims(&json!(token));
        let event = json!({
            "jti": said["jti"], "tid": said["tid"], "sid": said["sid"], "iat": said["iat"],
            "exp": said["exp"], "at": said["iat"], "method": "GET", "route": "/v1/visits",
            "status": status,
        });
        let machine = self.world.lab.browser_in(9);
        let request = machine
            .request(Method::POST, "/activity/acted")
            .basic_auth(&api.id, api.secret.as_deref());
        let request = request.json(&json!({ "events": [event] }));
        let answer = machine.send("/activity/acted", request).await;
        answer.status.as_u16()
    }
}

/// INTR-02: what the token says, to its own API alone, and nothing once the delegation is over.
#[tokio::test]
async fn an_api_is_told_who_acts_while_the_delegation_stands() {
    let family = Family::new().await;
    let world = &family.world;
    let api = world.api(|_| ()).await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let token = family.acting(&pat, &id).await;
    let mut told = world.introspect(&api, &token).await.json();
    for (name, value) in [("active", json!(true)), ("token_type", json!("Bearer"))] {
        assert_eq!(told.as_object_mut().unwrap().remove(name), Some(value));
    }
    let mut said = claims(&json!(token));
    said.as_object_mut().unwrap().remove("amr");
    assert_eq!(told, said, "the claims, and nothing else");
    let act = json!({ "sub": family.pats, "delegation": id, "basis": "power_of_attorney" });
    assert_eq!(told["act"], act);
    assert_eq!(told["sid"], json!(id));
    assert_eq!(told["tid"], json!(world.clinic.id));
    let elsewhere = |client: &mut NewClient| {
        client.audiences = vec!["https://elsewhere.example.test".to_owned()];
    };
    let elsewhere = world.api(elsewhere).await;
    assert!(!world.holds(&elsewhere, &token).await, "another audience");
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let theirs = world.register(harbor.id, |client| {
        client.kind = ClientKind::Resource;
        client.scopes.clear();
    });
    let theirs = theirs.await;
    assert!(!world.holds(&theirs, &token).await, "another clinic's API");
    let ada = family.seat(&world.person).await;
    family
        .post(&ada, &format!("{OWN}/{id}/end"), &json!({}))
        .await;
    assert!(!world.holds(&api, &token).await, "ended");
}

/// By its time and the birthday, by what takes the ground from under either, and by the proxy's
/// sign-out: whatever it is, the next answer is no.
#[tokio::test]
async fn an_api_is_told_of_each_end() {
    let family = Family::apart().await;
    let world = &family.world;
    let api = world.api(|_| ()).await;
    let mut brief = family.agent();
    brief["valid_until"] = json!(family.at(Duration::minutes(2)));
    let mut child = family.parent();
    let tomorrow = world.lab.now().date().next_day().unwrap();
    child["ages_out_on"] = json!(tomorrow.to_string());
    let (brief, child) = (family.granted(&brief).await, family.granted(&child).await);
    let pat = family.seat(&family.pat).await;
    let token = family.acting(&pat, &brief).await;
    let midnight = tomorrow.midnight().assume_utc();
    world
        .lab
        .clock
        .advance(Duration::minutes(2) - Duration::SECOND);
    assert!(world.holds(&api, &token).await);
    world.lab.clock.advance(Duration::SECOND);
    assert!(!world.holds(&api, &token).await, "its time is over");
    let early = midnight - world.lab.now() - Duration::SECOND;
    world.lab.clock.advance(early);
    let pat = family.seat(&family.pat).await;
    let token = family.acting(&pat, &child).await;
    assert!(world.holds(&api, &token).await);
    world.lab.clock.advance(Duration::SECOND);
    assert!(!world.holds(&api, &token).await, "aged out");

    let (ada, pats) = (family.ada().as_uuid(), family.pats.as_uuid());
    for (table, column, status, id) in [
        ("membership", "subject_id", "suspended", pats),
        ("membership", "subject_id", "ended", ada),
        (
            "account",
            "account_id",
            "disabled",
            family.pat.account.as_uuid(),
        ),
    ] {
        world.lab.clock.advance(Duration::seconds(30));
        let delegation = family.granted(&family.agent()).await;
        let seat = family.seat(&family.pat).await;
        let token = family.acting(&seat, &delegation).await;
        assert!(world.holds(&api, &token).await);
        let becomes = |status: &str| {
            format!("update identity.{table} set status = '{status}' where {column} = '{id}'")
        };
        let mut boss = world.lab.database.superuser().await;
        for status in [status, "active"] {
            crate::lab::cluster::tell(&mut boss, &becomes(status)).await;
            assert!(!world.holds(&api, &token).await, "{table} {status}");
        }
    }
    world.lab.clock.advance(Duration::seconds(30));
    let delegation = family.granted(&family.agent()).await;
    let seat = family.seat(&family.pat).await;
    let token = family.acting(&seat, &delegation).await;
    assert!(world.holds(&api, &token).await);
    let page = seat.browser.visit("/account").await;
    let out = seat.browser.submit(&page, "end-all", &[]).await;
    out.goes_to("/signed-out");
    assert!(!world.holds(&api, &token).await, "he signed out");
    let said = (true, Some("proxy_signed_out".to_owned()));
    assert_eq!(family.stored(&delegation).await, said);
}

/// No `act` that is not the delegation's own is believed.
#[tokio::test]
async fn a_proxys_token_holds_only_by_its_own_delegation() {
    let family = Family::new().await;
    let world = &family.world;
    let api = world.api(|_| ()).await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let said = claims(&json!(family.acting(&pat, &id).await));
    let resigned = |change: &dyn Fn(&mut Value)| {
        let mut claims = said.clone();
        change(&mut claims);
        let ring = world.lab.app.ring();
        signing::sign(ring.current(Alg::Es256), TokenType::AccessToken, &claims)
    };
    assert!(world.holds(&api, &resigned(&|_| ())).await, "the control");
    let other = crate::lab::some_id().to_string();
    let forged: [&dyn Fn(&mut Value); 4] = [
        &|claims| claims["act"]["delegation"] = json!(other),
        &|claims| claims["sub"] = json!(family.tinas),
        &|claims| claims["act"] = json!({ "sub": family.pats }),
        &|claims| {
            claims["sid"] = json!(other);
            claims["act"]["delegation"] = json!(other);
        },
    ];
    for (number, change) in forged.into_iter().enumerate() {
        assert!(!world.holds(&api, &resigned(change)).await, "{number}");
    }
}

/// INTR-06, RFC 7009 §2.1: his app is done with a token, and with all that was given so far, on the
/// record, once; the delegation stands and gives another. Another app ends nothing.
#[tokio::test]
async fn who_revokes_a_proxys_token_ends_what_was_given() {
    let family = Family::apart().await;
    let world = &family.world;
    let api = world.api(|_| ()).await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let (first, second) = (
        family.acting(&pat, &id).await,
        family.acting(&pat, &id).await,
    );
    let stranger = world.web().await;
    let refused = world.revoke(&stranger, &first, None).await;
    assert_refused(&refused, 400, "invalid_grant");
    assert!(world.holds(&api, &first).await);
    assert_eq!(family.recorded(&api, &first, 100).await, 204);
    assert!(family.told("tokens_ended").await.is_empty());
    for hint in [None, Some("refresh_token")] {
        let revoked = world.revoke(&family.portal, &first, hint).await;
        assert_eq!((revoked.status.as_u16(), &*revoked.body), (200, ""));
    }
    let said = (true, Some("revoked".to_owned()));
    assert_eq!(family.stored(&id).await, said);
    let ended = family.told("tokens_ended").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0].detail["client_id"], family.portal.id);
    assert_eq!(ended[0].detail["delegation"], json!(id));
    assert_eq!(ended[0].detail["cause"], "revoked");
    for token in [&first, &second] {
        assert!(!world.holds(&api, token).await);
        assert_eq!(family.seen(token).await, 401);
        assert_eq!(family.recorded(&api, token, 100).await, 409);
        let before = family.recorded(&api, token, 200).await;
        assert_eq!(before, 204, "what was answered before is recorded");
    }
    let over = family.get("/api/v1/visits", &second).await;
    assert_problem(&over, 401, "invalid_token");
    world.lab.clock.advance(Duration::SECOND);
    let third = family.acting(&pat, &id).await;
    assert!(world.holds(&api, &third).await);
    assert_eq!(family.seen(&third).await, 200);
    assert!(!world.holds(&api, &first).await, "it stays so");
    assert!(family.told("ended").await.is_empty());
}

/// Design §6: each verifier is told, by the `sid` that the tokens have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verifiers_are_told_that_a_proxys_tokens_are_over() {
    let family = Family::apart().await;
    let world = &family.world;
    let receiver = world.register(TenantId::PLATFORM, |client| {
        client.kind = ClientKind::Resource;
        client.scopes.clear();
    });
    let receiver = receiver.await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let token = family.acting(&pat, &id).await;
    let before = head(&world.lab).await;
    let revoked = world.revoke(&family.portal, &token, None).await;
    assert_eq!(revoked.status, 200);
    let after = head(&world.lab).await;
    let mut ear = Ear::at(&world.lab, &receiver, Some(before)).await;
    let told = ear.sets_until(&world.lab, after).await;
    let [(_, set)] = told.as_slice() else {
        panic!("once: {told:?}");
    };
    assert_eq!(kind(set), "session-revoked");
    assert_eq!(set["sub_id"]["session"]["id"], json!(id));
    assert_eq!(set["sub_id"]["user"]["sub"], json!(family.ada()));
    assert_eq!(event(set)["reason_admin"]["en"], "revoked");
    let issued_at = claims(&json!(token))["iat"].as_i64().unwrap();
    assert!(event(set)["issued_until"].as_i64().unwrap() >= issued_at);
}

/// What was ended stays so, whoever says otherwise.
#[tokio::test]
async fn no_statement_brings_ended_tokens_back() {
    let family = Family::new().await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let token = family.acting(&pat, &id).await;
    family.world.revoke(&family.portal, &token, None).await;
    let mut boss = family.world.lab.database.superuser().await;
    for back in [
        "tokens_ended_at = null, tokens_end_reason = null",
        "tokens_ended_at = tokens_ended_at - interval '1 second'",
    ] {
        let sql = format!("update identity.delegation set {back} where delegation_id = '{id}'");
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut boss)
            .await;
        let error = error.unwrap_err().into_database_error().unwrap();
        assert_eq!(error.constraint(), Some("delegation_tokens_end_is_final"));
    }
}
