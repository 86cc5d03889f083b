//! `/introspect`: what an API is told of a token, and what nobody is.

use http::Method;
use lanyard::oidc::client::{AuthMethod, ClientKind, NewClient};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use time::Duration;

use super::{Client, World, assert_refused, claims, code_of};
use crate::lab::Answer;
use crate::lab::cluster::tell;

impl World {
    /// A resource server of all clinics, for the usual audience unless `change` says otherwise.
    pub(super) async fn api(&self, change: impl FnOnce(&mut NewClient)) -> Client {
        let platform = self.lab.platform().await;
        self.register(platform, |client| {
            client.kind = ClientKind::Resource;
            client.scopes.clear();
            change(client);
        })
        .await
    }

    pub(super) async fn introspect(&self, by: &Client, token: &str) -> Answer {
        let machine = self.lab.browser_in(9);
        let request = machine
            .request(Method::POST, "/introspect")
            .basic_auth(&by.id, by.secret.as_deref())
            .form(&[("token", token)]);
        machine.send("/introspect", request).await
    }

    /// Whether an API is told that a token holds; if not, it is told nothing else.
    pub(super) async fn holds(&self, by: &Client, token: &str) -> bool {
        let answer = self.introspect(by, token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let holds = answer.json()["active"] == true;
        assert!(
            holds || answer.body == r#"{"active":false}"#,
            "{}",
            answer.body
        );
        holds
    }

    async fn execute(&self, sql: &str) {
        let mut boss = self.lab.database.superuser().await;
        let (tenant, subject) = (self.clinic.id, self.subject);
        let sql = sql
            .replace("$tenant", &format!("'{tenant}'"))
            .replace("$subject", &format!("'{subject}'"))
            .replace("$account", &format!("'{}'", self.person.account));
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut boss).await;
        assert!(done.unwrap().rows_affected() > 0);
    }
}

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap().to_owned()
}

/// RFC 7662 §2.2, and what of a session and a clinic it says beside.
#[tokio::test]
async fn an_api_is_told_what_a_token_says_while_it_holds() {
    let world = World::new().await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let (_, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    let answer = world.introspect(&api, &access).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut told = answer.json();
    let said = claims(&tokens["access_token"]);
    for (name, value) in [("active", json!(true)), ("token_type", json!("Bearer"))] {
        assert_eq!(told.as_object_mut().unwrap().remove(name), Some(value));
    }
    let mut expected = said.clone();
    expected.as_object_mut().unwrap().remove("amr");
    assert_eq!(told, expected, "the claims, and nothing else");
    assert_eq!(told["sid"], said["sid"]);
    assert_eq!(told["roles"], json!(["patient"]));
    let machine = world.lab.browser_in(9);
    let without = machine
        .request(Method::POST, "/introspect")
        .basic_auth(&api.id, api.secret.as_deref());
    let without = machine
        .send("/introspect", without.form(&[("x", "y")]))
        .await;
    assert_refused(&without, 400, "invalid_request");
    world.lab.clock.advance(Duration::seconds(299));
    assert!(world.holds(&api, &access).await);
    world.lab.clock.advance(Duration::SECOND);
    assert!(!world.holds(&api, &access).await, "over");
}

/// INTR-01: whoever is no resource server is told nothing, not even that it is no token.
#[tokio::test]
async fn nobody_but_a_resource_server_is_told_anything() {
    let world = World::new().await;
    let (web, spa, api) = (
        world.web().await,
        world.spa().await,
        world.api(|_| ()).await,
    );
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let theirs = world.register(harbor.id, |_| ()).await;
    let (_, tokens) = world.tokens(&web).await;
    let access = text(&tokens, "access_token");
    let machine = world.lab.browser_in(9);
    for token in [access.as_str(), "garbage"] {
        let post = || machine.request(Method::POST, "/introspect");
        let named = [("token", token), ("client_id", spa.id.as_str())];
        let wrong = post().basic_auth(&api.id, Some("wrong"));
        for (who, request) in [
            ("nobody", post().form(&[("token", token)])),
            ("a public client", post().form(&named)),
            (
                "a token",
                post().bearer_auth(&access).form(&[("token", token)]),
            ),
            ("a wrong secret", wrong.form(&[("token", token)])),
        ] {
            let answer = machine.send("/introspect", request).await;
            assert_refused(&answer, 401, "invalid_client");
            assert!(!answer.body.contains("active"), "{who}");
        }
        for client in [&web, &theirs] {
            let answer = world.introspect(client, token).await;
            assert_refused(&answer, 401, "invalid_client");
        }
    }
    let asked = machine.get(&format!("/introspect?token={access}")).await;
    assert_eq!(asked.status, 405, "a token is not put into an address");
}

/// INTR-02: of a token for another audience, of another clinic than the caller's, or of another
/// kind, exactly `{"active":false}`.
#[tokio::test]
async fn a_token_that_is_not_the_callers_business_is_not_active() {
    let world = World::new().await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let billing = vec!["https://billing.example.test".to_owned()];
    let billing = world.api(|api| api.audiences = billing).await;
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let resource = |client: &mut NewClient| {
        client.kind = ClientKind::Resource;
        client.scopes.clear();
    };
    let theirs = world.register(harbor.id, resource).await;
    let own = world.register(world.clinic.id, resource).await;
    let (_, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    assert!(world.holds(&api, &access).await);
    assert!(world.holds(&own, &access).await, "the clinic's own");
    assert!(!world.holds(&billing, &access).await, "another audience");
    assert!(!world.holds(&theirs, &access).await, "another clinic");
    let (head, rest) = access.split_once('.').unwrap();
    let forged = format!("{head}.{}", rest.replacen('e', "f", 1));
    for token in [
        &text(&tokens, "refresh_token"),
        &text(&tokens, "id_token"),
        &forged,
        "garbage",
    ] {
        assert!(!world.holds(&api, token).await, "{token}");
    }
}

/// Each thing behind a token ends it by itself, at once, and the next answer says so.
#[tokio::test]
async fn a_token_ends_with_whatever_is_behind_it() {
    let mut world = World::new().await;
    let api = world.api(|_| ()).await;
    let client = world.web().await;
    let named = format!("client_id = '{}'", client.id);
    let (off, on) = ("status = 'disabled'", "status = 'active'");
    for (what, end, again) in [
        (
            "client",
            format!("update identity.client set {off} where {named}"),
            format!("update identity.client set {on} where {named}"),
        ),
        (
            "account",
            format!("update identity.account set {off} where account_id = $account"),
            format!("update identity.account set {on} where account_id = $account"),
        ),
        (
            "membership",
            "update identity.membership set status = 'ended'
             where tenant_id = $tenant and subject_id = $subject"
                .to_owned(),
            format!(
                "update identity.membership set {on}
             where tenant_id = $tenant and subject_id = $subject"
            ),
        ),
        (
            "clinic",
            "update tenancy.tenant set status = 'suspended' where tenant_id = $tenant".to_owned(),
            format!("update tenancy.tenant set {on} where tenant_id = $tenant"),
        ),
        (
            "password",
            "update identity.account set password_epoch = password_epoch + 1
             where account_id = $account"
                .to_owned(),
            "update identity.account set password_epoch = password_epoch - 1
             where account_id = $account"
                .to_owned(),
        ),
    ] {
        let (_, tokens) = world.tokens(&client).await;
        let access = text(&tokens, "access_token");
        assert!(world.holds(&api, &access).await, "{what}");
        world.execute(&end).await;
        assert!(!world.holds(&api, &access).await, "{what}");
        world.execute(&again).await;
        assert!(world.holds(&api, &access).await, "{what}: the control");
    }
    let (_, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    world
        .execute(
            "update identity.tenant_session set ended_at = now()
             where tenant_id = $tenant and subject_id = $subject",
        )
        .await;
    assert!(!world.holds(&api, &access).await, "ended by the clinic");
    world.person = world.lab.person("Bea Quill").await;
    world.subject = world
        .lab
        .join(&world.person, world.clinic.id, &["patient"])
        .await;
    let (browser, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    assert!(world.holds(&api, &access).await);
    let out = format!("/logout?id_token_hint={}", text(&tokens, "id_token"));
    browser.get(&out).await.goes_to("/signed-out");
    assert!(!world.holds(&api, &access).await, "signed out");
}

/// What she has no longer is not told, though the token says it still.
#[tokio::test]
async fn a_role_that_was_taken_away_is_told_no_longer_nor_what_it_opens() {
    let world = World::with_roles(&["patient", "clinic_admin"]).await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let (_, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    let told = world.introspect(&api, &access).await.json();
    assert_eq!(told["roles"], json!(["clinic_admin", "patient"]));
    assert!(told["scope"].as_str().unwrap().contains("visits:read"));
    world
        .execute("delete from identity.membership_role where tenant_id = $tenant")
        .await;
    let told = world.introspect(&api, &access).await.json();
    assert_eq!(told["active"], true);
    assert_eq!(told["roles"], json!([]));
    assert_eq!(told["scope"], "email openid profile");
}

/// A session that its clocks ended is over for a token too; and a withdrawn key takes what it
/// signed with it, though this server has not yet heard of it.
#[tokio::test]
async fn clocks_and_keys_end_tokens() {
    let world = World::on(crate::lab::Lab::apart(|_| ()).await, &["patient"]).await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let (_, tokens) = world.tokens(&client).await;
    let mut refresh = text(&tokens, "refresh_token");
    for _ in 0..7 {
        world.lab.clock.advance(Duration::minutes(4));
        let answer = world.refresh(&client, &refresh).await.json();
        refresh = text(&answer, "refresh_token");
    }
    let answer = world.refresh(&client, &refresh).await.json();
    let access = text(&answer, "access_token");
    world.lab.clock.advance(Duration::seconds(119));
    assert!(
        world.holds(&api, &access).await,
        "a second before 30 minutes"
    );
    world.lab.clock.advance(Duration::SECOND);
    assert!(!world.holds(&api, &access).await, "idle");
    let (_, tokens) = world.tokens(&client).await;
    let access = text(&tokens, "access_token");
    assert!(world.holds(&api, &access).await);
    let mut boss = world.lab.database.superuser().await;
    let gone = "update identity.signing_key set standing = 'gone', private_sealed = null,
                  gone_at = now() where alg = 'ES256'";
    tell(&mut boss, gone).await;
    assert!(!world.holds(&api, &access).await, "its key is withdrawn");
}

/// RFC 7662 of a service's own token: it has no session; its client and its clinic carry it.
#[tokio::test]
async fn a_services_token_holds_as_long_as_its_client() {
    let world = World::new().await;
    let api = world.api(|_| ()).await;
    let service = |client: &mut NewClient| {
        client.kind = ClientKind::Service;
        client.auth_method = AuthMethod::ClientSecretBasic;
    };
    let service = world.register(world.clinic.id, service).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "visits:read"),
    ];
    let tokens = world.ask_token(&service, &form).await.json();
    let access = text(&tokens, "access_token");
    let told = world.introspect(&api, &access).await.json();
    assert_eq!(told["scope"], "visits:read");
    assert_eq!(told["client_id"], service.id);
    assert!(told["sid"].is_null() && told["acr"].is_null());
    let named = format!("where client_id = '{}'", service.id);
    world
        .execute(&format!(
            "update identity.client set status = 'disabled' {named}"
        ))
        .await;
    assert!(!world.holds(&api, &access).await);
}

/// INTR-10, the issuer's part: it says of each token anew what it is good for, and forbids keeping
/// that, so that an answer for one scope or audience is none for another, nor after a revocation.
#[tokio::test]
async fn an_answer_is_of_one_token_at_one_moment() {
    let world = World::new().await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let browser = world.lab.browser();
    let narrow = world.request(&client, &[("scope", "openid profile:read")]);
    let back = world.sign_in(&browser, &narrow).await;
    let tokens = world.redeem(&client, &code_of(&back)).await.json();
    let access = text(&tokens, "access_token");
    let answer = world.introspect(&api, &access).await;
    assert_eq!(answer.json()["scope"], "openid profile:read");
    assert_eq!(answer.header("cache-control"), "no-store");
    let refused = world.call("/api/v1/visits", &access).await;
    assert_eq!(refused.status, 403, "not within what was told");
    let refresh = text(&tokens, "refresh_token");
    assert_eq!(world.revoke(&client, &refresh, None).await.status, 200);
    let after = world.introspect(&api, &access).await;
    assert_eq!(after.body, r#"{"active":false}"#);
    assert_eq!(after.header("cache-control"), "no-store");
}
