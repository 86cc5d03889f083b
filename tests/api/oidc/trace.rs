//! From an entry of the log back to the request that made it.

use std::collections::BTreeMap;

use lanyard::audit::log::{self, Logs};
use serde_json::Value;

use super::log::{auditor, kinds, world};
use super::{Client, World, code_of};
use crate::lab::Browser;
use crate::lab::world::PASSWORD;

/// So many at once.
const MANY: usize = 8;

/// What the events of a type say of their requests, by what this member of their detail says.
async fn traces(world: &World, kind: &str, member: &str) -> BTreeMap<String, Option<String>> {
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("select detail ->> $2, detail ->> 'trace' from audit.event where type = $1")
            .bind(kind)
            .bind(member)
            .fetch_all(&mut world.lab.database.superuser().await)
            .await
            .unwrap();
    rows.into_iter().collect()
}

/// What was done in turns that requests share.
fn shared(world: &World, kind: &str) -> u64 {
    let told = world.lab.app.metrics.text(&world.lab.app);
    let series = format!("lanyard_turn_requests_total{{kind=\"{kind}\",outcome=\"done\"}} ");
    let line = told.lines().find_map(|line| line.strip_prefix(&series));
    line.map_or(0, |count| count.parse().unwrap())
}

/// Redeems a fresh code; the family, the refresh token and the id of the request.
async fn redeemed(world: &World, client: &Client, browser: &Browser) -> (String, String, String) {
    let back = browser.visit(&world.request(client, &[])).await;
    let answer = world
        .redeem(client, &code_of(&back.location().unwrap()))
        .await;
    let token = answer.json()["refresh_token"].as_str().unwrap().to_owned();
    let id = answer.header("x-request-id").to_owned();
    let of_it = traces(world, "code.redeemed", "family").await;
    let family = of_it
        .into_iter()
        .find(|(_, trace)| trace.as_ref() == Some(&id));
    (family.expect("its event names it").0, token, id)
}

/// Issue 4, "trace": each of many requests that are answered in one turn is named by its own
/// event; so is one that is answered alone; a job's is named by none.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_names_the_request_that_was_answered() {
    let world = world(&["patient"]).await;
    let client = world.web().await;
    let refused = world
        .lab
        .browser()
        .sign_in(&world.person.login, "not it")
        .await;
    let of_it = traces(&world, "sign_in.refused", "account").await;
    let account = world.person.account.to_string();
    assert_eq!(
        of_it[&account].as_deref(),
        Some(refused.header("x-request-id"))
    );

    let (browser, _) = world.tokens(&client).await;
    let before = (
        shared(&world, "redemption"),
        shared(&world, "authorization"),
    );
    let mut families = Vec::new();
    for _ in 0..MANY {
        families.push(redeemed(&world, &client, &browser).await);
    }
    assert!(shared(&world, "redemption") > before.0, "by the clerk");
    assert!(shared(&world, "authorization") > before.1, "by the clerk");
    let given = traces(&world, "authorize.granted", "code").await;
    assert!(given.values().all(Option::is_some), "{given:?}");

    let before = shared(&world, "rotation");
    let world = std::sync::Arc::new(world);
    let refreshes = families.into_iter().map(|(family, token, _)| {
        let (world, client) = (std::sync::Arc::clone(&world), client.clone());
        tokio::spawn(async move {
            let answer = world.refresh(&client, &token).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            (family, Some(answer.header("x-request-id").to_owned()))
        })
    });
    let refreshes: Vec<_> = refreshes.collect();
    let mut said = BTreeMap::new();
    for refresh in refreshes {
        said.extend([refresh.await.unwrap()]);
    }
    assert_eq!(said.len(), MANY);
    assert!(shared(&world, "rotation") > before, "by the clerk");
    assert_eq!(traces(&world, "refresh.rotated", "family").await, said);

    Logs::of(&world.lab.app).sequence().await.unwrap();
    log::keep(&world.lab.app).await.unwrap();
    let jobs = traces(&world, "audit.key_rotated", "key").await;
    assert_eq!(jobs.into_values().collect::<Vec<_>>(), [None]);
}

/// Issue 4, viewer: the trace that an answer shows finds what it recorded, and nothing else; it has
/// a place of its own in the entry.
#[tokio::test]
async fn the_id_of_an_answer_finds_its_entries() {
    let world = world(&["compliance_lead"]).await;
    let (client, token) = auditor(&world).await;
    let browser = world.lab.browser();
    let back = browser.sign_in(&world.person.login, PASSWORD).await;
    world.lab.prove_factor(&browser, back).await;
    let back = browser.visit(&world.request(&client, &[])).await;
    let redeemed = world
        .redeem(&client, &code_of(&back.location().unwrap()))
        .await;
    let seen = world.call("/api/v1/audit/events?most=1", &token).await;
    Logs::of(&world.lab.app).sequence().await.unwrap();
    for (answer, kind) in [(redeemed, "code.redeemed"), (seen, "audit.viewed")] {
        let id = answer.header("x-request-id");
        let path = format!("/api/v1/audit/events?trace={id}");
        let found = world.call(&path, &token).await.json();
        assert_eq!(kinds(&found), [kind], "{found}");
        let entry = &found["entries"][0];
        assert_eq!(entry["trace"], id);
        assert_eq!(entry["detail"].get("trace"), None::<&Value>, "{entry}");
    }
}

/// AUD-06: no text but a request id of ours gets into an entry's trace, whoever may append events.
#[tokio::test]
async fn no_trace_is_a_strangers_text() {
    let world = world(&["patient"]).await;
    let answer = world.lab.browser();
    let request = answer
        .request(http::Method::GET, "/sign-in")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("x-request-id", "4bf92f3577b34da6");
    let answer = answer.send("/sign-in", request).await;
    assert_ne!(answer.header("x-request-id"), "4bf92f3577b34da6");
    let mut boss = world.lab.database.superuser().await;
    for (trace, is_taken) in [
        ("\"4bf92f3577b34da6\"", true),
        ("\"4bf92f3577b34da6 \"", false),
        ("\"4BF92F3577B34DA6\"", false),
        ("\"\"", false),
        ("{}", false),
    ] {
        let detail = format!("{{\"trace\": {trace}}}");
        let planted = sqlx::query(
            "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
               detail, mac)
             values (gen_random_uuid(), gen_random_uuid(), 'token.issued', 'grant', now(), now(),
               $1::jsonb, sha256('mac'))",
        )
        .bind(&detail)
        .execute(&mut boss)
        .await;
        assert_eq!(planted.is_ok(), is_taken, "{detail}");
    }
}
