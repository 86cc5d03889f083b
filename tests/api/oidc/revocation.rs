//! `/revoke`, and what else ends a grant: what is dead after it, and what is said when it failed.

use http::Method;
use lanyard::oidc::client::ClientKind;
use serde_json::Value;
use time::Duration;

use super::{Client, ORIGIN, World, assert_refused, code_of};
use crate::lab::cluster::tell;
use crate::lab::{Answer, Lab};

impl World {
    /// Shows a token at `/revoke`, as the client that a `Client` is.
    pub(crate) async fn revoke(&self, by: &Client, token: &str, hint: Option<&str>) -> Answer {
        let machine = self.lab.browser_in(9);
        let mut form = vec![("token", token)];
        form.extend(hint.map(|hint| ("token_type_hint", hint)));
        let request = machine.request(Method::POST, "/revoke");
        let request = if by.secret.is_some() {
            request.basic_auth(&by.id, by.secret.as_deref())
        } else {
            form.push(("client_id", &by.id));
            request
        };
        machine.send("/revoke", request.form(&form)).await
    }

    async fn revocations(&self) -> Vec<Value> {
        let events = self.lab.events_in(self.clinic.id).await;
        let revoked = events.into_iter().filter(|e| e.kind == "token.revoked");
        revoked.map(|event| event.detail).collect()
    }
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap()
}

/// INTR-06, RFC 7009 §2.1: whichever token is shown, and whatever is said of its type, the family
/// is dead with all that it gave; once more changes nothing. Another sign-in of hers goes on.
#[tokio::test]
async fn whichever_token_is_shown_all_of_its_family_is_dead() {
    let world = World::new().await;
    let api = world.api(|_| ()).await;
    let (web, spa, other) = (world.web().await, world.spa().await, world.web().await);
    let (_, elsewhere) = world.tokens(&other).await;
    let mut count = 0;
    for client in [&web, &spa] {
        for (shown, hint) in [
            ("refresh_token", None),
            ("refresh_token", Some("refresh_token")),
            ("refresh_token", Some("access_token")),
            ("access_token", Some("access_token")),
            ("access_token", Some("refresh_token")),
            ("access_token", Some("something else")),
        ] {
            let (_, first) = world.tokens(client).await;
            world.lab.clock.advance(Duration::SECOND);
            let second = world.refresh(client, text(&first, "refresh_token")).await;
            let second = second.json();
            let why = format!("{shown} {hint:?}");
            for access in [text(&first, "access_token"), text(&second, "access_token")] {
                assert!(world.holds(&api, access).await, "{why}");
            }
            for _ in 0..2 {
                let answer = world.revoke(client, text(&second, shown), hint).await;
                assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""), "{why}");
                assert_eq!(answer.header("cache-control"), "no-store");
            }
            for access in [text(&first, "access_token"), text(&second, "access_token")] {
                assert!(!world.holds(&api, access).await, "{why}");
            }
            let again = world.refresh(client, text(&second, "refresh_token")).await;
            assert_refused(&again, 400, "invalid_grant");
            count += 1;
            let told = world.revocations().await;
            assert_eq!(told.len(), count, "once: {why}");
            assert_eq!(told[count - 1]["cause"], shown);
            assert_eq!(told[count - 1]["client_id"], client.id);
            assert!(told[count - 1]["family"].is_string());
        }
    }
    let goes_on = world
        .refresh(&other, text(&elsewhere, "refresh_token"))
        .await;
    assert_eq!(goes_on.status, 200, "another client's family");
}

/// A refresh token of an older generation is its client's to revoke too: the family ends.
#[tokio::test]
async fn a_spent_refresh_token_ends_its_family_as_well() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, first) = world.tokens(&client).await;
    let spent = text(&first, "refresh_token");
    let second = world.refresh(&client, spent).await.json();
    assert_eq!(world.revoke(&client, spent, None).await.status, 200);
    let again = world.refresh(&client, text(&second, "refresh_token")).await;
    assert_refused(&again, 400, "invalid_grant");
    assert_eq!(world.revocations().await.len(), 1);
}

/// INTR-04, RFC 7009 §2.1 and §2.2: another client's token stays, and is told as an error; what is
/// no token, or none any more, is not one.
#[tokio::test]
async fn another_clients_token_stays_and_an_unknown_one_is_no_error() {
    let world = World::new().await;
    let (client, api) = (world.spa().await, world.api(|_| ()).await);
    let (web, public) = (world.web().await, world.spa().await);
    let (_, tokens) = world.tokens(&client).await;
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    for stranger in [&web, &public, &api] {
        for token in [access, refresh] {
            let answer = world.revoke(stranger, token, None).await;
            assert_refused(&answer, 400, "invalid_grant");
            assert!(world.holds(&api, access).await);
        }
    }
    assert!(world.revocations().await.is_empty());
    let next = world.refresh(&client, refresh).await;
    assert_eq!(next.status, 200, "it goes on");
    let mut forged = refresh.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for unknown in [forged.as_str(), "garbage", text(&tokens, "id_token")] {
        assert_eq!(world.revoke(&client, unknown, None).await.status, 200);
    }
    assert!(world.revocations().await.is_empty());
    let machine = world.lab.browser_in(9);
    let nobody = machine.request(Method::POST, "/revoke");
    let answer = machine
        .send("/revoke", nobody.form(&[("token", refresh)]))
        .await;
    assert_refused(&answer, 401, "invalid_client");
    let nothing = machine.request(Method::POST, "/revoke");
    let nothing = nothing.form(&[("client_id", &client.id)]);
    assert_refused(
        &machine.send("/revoke", nothing).await,
        400,
        "invalid_request",
    );
    world.lab.clock.advance(Duration::minutes(5));
    let over = world.revoke(&web, access, None).await;
    assert_eq!(over.status, 200, "it is nobody's any more");
}

/// RFC 7009 §2.2.1: a service's access token hangs on nothing that could end, which is not success.
#[tokio::test]
async fn a_services_access_token_is_told_not_to_be_revocable() {
    let world = World::new().await;
    let kind = |client: &mut lanyard::oidc::client::NewClient| client.kind = ClientKind::Service;
    let service = world.register(world.clinic.id, kind).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "visits:read"),
    ];
    let tokens = world.ask_token(&service, &form).await.json();
    let answer = world
        .revoke(&service, text(&tokens, "access_token"), None)
        .await;
    assert_refused(&answer, 400, "unsupported_token_type");
}

/// Two sign-ins of one client in one session: an access token ends both, a refresh token its own
/// family; the other's access tokens from before are refused with it, and its next one is good.
#[tokio::test]
async fn a_sibling_family_goes_on_with_its_next_token() {
    let world = World::new().await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let (browser, first) = world.tokens(&client).await;
    let back = browser.get(&world.request(&client, &[])).await.location();
    let second = world.redeem(&client, &code_of(&back.unwrap())).await.json();
    assert_eq!(
        super::claims(&first["access_token"])["sid"],
        super::claims(&second["access_token"])["sid"]
    );
    world.lab.clock.advance(Duration::SECOND);
    let revoked = world
        .revoke(&client, text(&first, "refresh_token"), None)
        .await;
    assert_eq!(revoked.status, 200);
    assert!(!world.holds(&api, text(&second, "access_token")).await);
    world.lab.clock.advance(Duration::SECOND);
    let next = world
        .refresh(&client, text(&second, "refresh_token"))
        .await
        .json();
    assert!(world.holds(&api, text(&next, "access_token")).await);
    let revoked = world
        .revoke(&client, text(&next, "access_token"), None)
        .await;
    assert_eq!(revoked.status, 200);
    let refused = world.refresh(&client, text(&next, "refresh_token")).await;
    assert_refused(&refused, 400, "invalid_grant");
}

/// TOK-15: a page of a registered origin may revoke; a stranger's may not read the answer.
#[tokio::test]
async fn the_pages_of_a_public_client_may_revoke() {
    let world = World::new().await;
    let client = world.spa().await;
    let (_, tokens) = world.tokens(&client).await;
    let page = world.lab.browser();
    for (origin, allowed) in [("https://evil.test", ""), (ORIGIN, ORIGIN)] {
        let form = [
            ("token", text(&tokens, "refresh_token")),
            ("client_id", &client.id),
        ];
        let request = page
            .request(Method::POST, "/revoke")
            .header("origin", origin)
            .form(&form);
        let answer = page.send("/revoke", request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
    }
}

/// How a database refuses a write: a disk that is full, a standby, a session that is cut.
const REFUSALS: [&str; 3] = [
    "raise exception 'no space left on device' using errcode = '53100'",
    "raise exception 'cannot execute in a read-only transaction' using errcode = '25006'",
    "perform pg_terminate_backend(pg_backend_pid())",
];

/// Makes every change of a table fail in this way.
async fn refuse_writes(world: &World, table: &str, how: &str) {
    let mut boss = world.lab.database.superuser().await;
    let sql = format!(
        "create or replace function public.refuse() returns trigger language plpgsql
           security definer as $$ begin {how}; return new; end $$;
         create or replace trigger refuse before update on {table}
           for each row execute function public.refuse()"
    );
    tell(&mut boss, &sql).await;
}

async fn accept_writes(world: &World, table: &str) {
    let mut boss = world.lab.database.superuser().await;
    tell(&mut boss, &format!("drop trigger refuse on {table}")).await;
}

#[track_caller]
fn assert_unavailable(answer: &Answer, how: &str) {
    assert_eq!(answer.status, 503, "{how}: {}", answer.body);
    assert_eq!(answer.header("retry-after"), "1", "{how}");
}

/// INTR-05 (fosite CVE-2020-15223): when the write failed, no success is said, nothing has changed,
/// nothing is on the record, and the same request succeeds later.
#[tokio::test]
async fn a_revocation_that_was_not_written_is_never_said_to_be() {
    let world = World::on(Lab::apart(|_| ()).await, &["patient"]).await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    for (number, how) in REFUSALS.into_iter().enumerate() {
        let (_, tokens) = world.tokens(&client).await;
        let (access, refresh) = (
            text(&tokens, "access_token"),
            text(&tokens, "refresh_token"),
        );
        refuse_writes(&world, "identity.token_family", how).await;
        for token in [refresh, access] {
            let answer = world.revoke(&client, token, None).await;
            assert_unavailable(&answer, how);
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
        }
        accept_writes(&world, "identity.token_family").await;
        assert!(world.holds(&api, access).await, "{how}: unchanged");
        assert_eq!(world.revocations().await.len(), number, "{how}");
        assert_eq!(world.revoke(&client, refresh, None).await.status, 200);
        assert!(!world.holds(&api, access).await);
        assert_eq!(world.revocations().await.len(), number + 1);
    }
}

/// INTR-05 of both ways to sign out.
#[tokio::test]
async fn a_logout_that_was_not_written_is_never_said_to_be() {
    let world = World::on(Lab::apart(|_| ()).await, &["patient"]).await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    for how in REFUSALS {
        let (browser, tokens) = world.tokens(&client).await;
        let access = text(&tokens, "access_token");
        let asked = browser
            .visit("/logout")
            .await
            .page("Do you want to sign out?");
        refuse_writes(&world, "identity.session", how).await;
        let hinted = format!("/logout?id_token_hint={}", text(&tokens, "id_token"));
        let answer = browser.get(&hinted).await;
        assert_unavailable(&answer, how);
        let confirmed = browser.submit(&asked, "logout-form", &[]).await;
        assert_unavailable(&confirmed, how);
        accept_writes(&world, "identity.session").await;
        assert!(world.holds(&api, access).await, "{how}: unchanged");
        browser.get(&hinted).await.goes_to("/signed-out");
        assert!(!world.holds(&api, access).await);
    }
}
