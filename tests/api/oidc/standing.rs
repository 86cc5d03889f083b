//! A clinic that is suspended, one that is stricter than others, and a log that can't be written.

use lanyard::oidc::client::ClientKind;
use lanyard::sessions::{Limits, administration};
use time::Duration;

use super::{World, assert_refused, code_of, parameter};
use crate::lab::Lab;
use crate::lab::cluster::tell;

/// TEN-07, TOK-14: from the next request on nothing is issued there; data and keys stay.
#[tokio::test]
async fn a_suspended_clinic_gets_no_token_and_loses_nothing() {
    let world = World::new().await;
    let client = world.web().await;
    let service = world
        .register(world.clinic.id, |client| {
            client.kind = ClientKind::Service;
            client.scopes = vec!["visits:read".to_owned()];
        })
        .await;
    let (browser, tokens) = world.tokens(&client).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let grant = [("grant_type", "client_credentials")];
    let mut boss = world.lab.database.superuser().await;
    let status = |to: &str| {
        let id = world.clinic.id;
        format!("update tenancy.tenant set status = '{to}' where tenant_id = '{id}'")
    };
    assert_eq!(world.ask_token(&service, &grant).await.status, 200);
    tell(&mut boss, &status("suspended")).await;
    assert_refused(&world.refresh(&client, refresh).await, 400, "invalid_grant");
    assert!(
        world
            .ask_token(&service, &grant)
            .await
            .status
            .is_client_error()
    );
    let silent = world.request(
        &client,
        &[("prompt", "none"), ("organization", &world.clinic.slug)],
    );
    let back = browser.visit(&silent).await;
    let back = back.location().expect("said to the client");
    assert!(parameter(&back, "code").is_none(), "{back}");
    assert!(parameter(&back, "error").is_some(), "{back}");
    assert_eq!(browser.get("/jwks").await.status, 200);
    tell(&mut boss, &status("active")).await;
    assert_eq!(world.ask_token(&service, &grant).await.status, 200);
    assert_eq!(
        world.refresh(&client, refresh).await.status,
        200,
        "as before"
    );
}

/// Design §2, record 0011: what lapsed on her own page by one clinic's limit goes on at the others,
/// which learn nothing of it.
#[tokio::test]
async fn a_strict_clinic_ends_nothing_at_a_laxer_one() {
    let world = World::new().await;
    let client = world.web().await;
    let strict = world.lab.clinic("Strict Clinic").await;
    let (lab, person) = (&world.lab, &world.person);
    let at = |slug: &str| {
        let silently = [("organization", slug), ("prompt", "none")];
        world.request(&client, &silently)
    };
    let browser = lab.browser();
    let back = world.sign_in(&browser, &world.request(&client, &[])).await;
    let tokens = world.redeem(&client, &code_of(&back)).await.json();
    lab.join(person, strict.id, &["patient"]).await;
    let limits = Limits {
        idle: Duration::minutes(10),
        absolute: Duration::hours(1),
    };
    let saved = administration::save_tenant_limits(&lab.app, strict.id, limits).await;
    saved.unwrap().unwrap();
    let back = browser.get(&at(&strict.slug)).await.location().unwrap();
    code_of(&back);

    lab.clock.advance(limits.idle);
    browser.get("/account").await.goes_to("/sign-in");
    let back = browser.get(&at(&strict.slug)).await.location().unwrap();
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
    let back = browser.get(&at(&world.clinic.slug)).await.location();
    code_of(&back.unwrap());
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(&client, refresh).await.status, 200);
}

/// AUD-04: what can't be recorded does not happen: sign-in, code, tokens, refresh, reading.
#[tokio::test]
async fn what_can_not_be_recorded_does_not_happen() {
    let lab = Lab::apart(|_| ()).await;
    let clinic = lab.clinic("Juniper Clinic").await;
    let person = lab.person("Ada Quill").await;
    let subject = lab.join(&person, clinic.id, &["patient"]).await;
    let world = World {
        lab,
        clinic,
        person,
        subject,
    };
    let client = world.web().await;
    let mut boss = world.lab.database.superuser().await;
    let door = "execute on function audit.append(uuid, text, timestamptz, jsonb, bytea)";
    let roles = "lanyard_identity, lanyard_tenant";
    let (shut, open) = (
        format!("revoke {door} from {roles}; revoke insert on audit.event from lanyard_clerk"),
        format!("grant {door} to {roles}; grant insert on audit.event to lanyard_clerk"),
    );
    let browser = world.lab.browser();
    tell(&mut boss, &shut).await;
    let login = &world.person.login;
    let refused = browser.sign_in(login, crate::lab::world::PASSWORD).await;
    assert!(refused.status.is_server_error(), "{}", refused.status);
    assert_eq!(count(&world, "identity.session").await, 0);
    tell(&mut boss, &open).await;
    let back = world.sign_in(&browser, &world.request(&client, &[])).await;
    let code = code_of(&back);
    tell(&mut boss, &shut).await;
    assert!(world.redeem(&client, &code).await.status.is_server_error());
    assert_eq!(count(&world, "identity.token_family").await, 0);
    tell(&mut boss, &open).await;
    let tokens = world.redeem(&client, &code).await.json();
    let (access, refresh) = (
        tokens["access_token"]
            .as_str()
            .expect("the code was not spent"),
        tokens["refresh_token"].as_str().unwrap(),
    );
    tell(&mut boss, &shut).await;
    assert!(
        world
            .refresh(&client, refresh)
            .await
            .status
            .is_server_error()
    );
    let read = world.call("/api/v1/visits", access).await;
    assert!(
        read.status.is_server_error() && !read.body.contains("visits\":"),
        "{}",
        read.body
    );
    tell(&mut boss, &open).await;
    assert_eq!(
        world.refresh(&client, refresh).await.status,
        200,
        "not spent either"
    );
}

async fn count(world: &World, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql)
        .fetch_one(&mut world.lab.database.superuser().await)
        .await
        .unwrap()
}
