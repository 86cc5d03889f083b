//! Everything of a clinic is ended at once, and nothing of another's.

use std::time::Duration as Real;

use lanyard::cli::Operator;
use lanyard::oidc::client::{ClientKind, NewClient};
use lanyard::oidc::sessions_end::{Counts, Proof, Reason};
use serde_json::Value;
use sqlx::Connection as _;
use time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Client, World, assert_refused, code_of, parameter};
use crate::lab::Browser;

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap()
}

/// Begins to end everything in batches of so many sessions; hears of each batch.
fn begin(world: &World, most: i64) -> (JoinHandle<Proof>, mpsc::UnboundedReceiver<Counts>) {
    let (say, heard) = mpsc::unbounded_channel();
    let (app, clinic) = (world.lab.app.clone(), world.clinic.id);
    let task = tokio::spawn(async move {
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        let told = |counts| say.send(counts).unwrap();
        let ending = operator.end_sessions_by(most, clinic, Reason::Drill, told);
        ending.await.unwrap()
    });
    (task, heard)
}

async fn steps(world: &World) -> Vec<String> {
    let events = world.lab.events_in(world.clinic.id).await;
    let ended = events
        .into_iter()
        .filter(|event| event.kind == "tenant.sessions_ended");
    ended
        .map(|event| event.detail["step"].as_str().unwrap().to_owned())
        .collect()
}

/// A code of a clinic for who is signed in already.
async fn silently(world: &World, browser: &Browser, client: &Client, clinic: &str) -> url::Url {
    let more = [("prompt", "none"), ("organization", clinic)];
    let asked = browser.get(&world.request(client, &more)).await;
    asked.location().unwrap()
}

/// Sessions, grants, codes and tokens of the clinic are over, its services' too; the same session
/// goes on at another clinic; whoever signs in anew is let in.
#[tokio::test]
async fn all_of_a_clinic_is_over_and_nothing_of_another() {
    let world = World::new().await;
    let (client, api) = (world.web().await, world.api(|_| ()).await);
    let harbor = world.lab.clinic("Harbor Clinic").await;
    world.lab.join(&world.person, harbor.id, &["patient"]).await;
    let slug = world.clinic.slug.clone();
    let at_home = [("organization", slug.as_str())];
    let browser = world.lab.browser();
    let back = world
        .sign_in(&browser, &world.request(&client, &at_home))
        .await;
    let hers = world.redeem(&client, &code_of(&back)).await.json();
    let back = silently(&world, &browser, &client, &harbor.slug).await;
    let there = world.redeem(&client, &code_of(&back)).await.json();
    let kind = |client: &mut NewClient| client.kind = ClientKind::Service;
    let service = world.register(world.clinic.id, kind).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "visits:read"),
    ];
    let machines = world.ask_token(&service, &form).await.json();
    let waiting = code_of(&silently(&world, &browser, &client, &slug).await);
    for tokens in [&hers, &there, &machines] {
        assert!(world.holds(&api, text(tokens, "access_token")).await);
    }

    world.lab.clock.advance(Duration::SECOND);
    let proof = begin(&world, 1000).0.await.unwrap();
    let ended = Counts {
        sessions: 1,
        families: 1,
        codes: 1,
    };
    let until = world.lab.now();
    let whole = Proof {
        until,
        ended,
        left: 0,
        is_complete: true,
    };
    assert_eq!(proof, whole);
    assert_eq!(steps(&world).await, ["begun", "ended", "completed"]);

    assert_refused(&world.redeem(&client, &waiting).await, 400, "invalid_grant");
    let refused = world.refresh(&client, text(&hers, "refresh_token")).await;
    assert_refused(&refused, 400, "invalid_grant");
    for tokens in [&hers, &machines] {
        assert!(!world.holds(&api, text(tokens, "access_token")).await);
    }
    let userinfo = world.call("/userinfo", text(&hers, "access_token")).await;
    assert_eq!(userinfo.status, 401);
    assert!(world.holds(&api, text(&there, "access_token")).await);
    let next = world.refresh(&client, text(&there, "refresh_token")).await;
    assert_eq!(next.status, 200, "elsewhere she goes on");
    code_of(&silently(&world, &browser, &client, &harbor.slug).await);
    let back = silently(&world, &browser, &client, &slug).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));

    world.lab.clock.advance(Duration::SECOND);
    let back = world
        .sign_in(&browser, &world.request(&client, &at_home))
        .await;
    let anew = world.redeem(&client, &code_of(&back)).await.json();
    assert!(world.holds(&api, text(&anew, "access_token")).await);
    let next = world.refresh(&client, text(&anew, "refresh_token")).await;
    assert_eq!(next.status, 200);
    let again = world.ask_token(&service, &form).await.json();
    assert!(world.holds(&api, text(&again, "access_token")).await);
}

/// Interrupted in the middle, what was ended stays so, the rest goes on, and nothing says that it
/// is complete; begun again, it is.
#[tokio::test(flavor = "multi_thread")]
async fn it_may_be_interrupted_and_begun_again() {
    let world = World::new().await;
    let client = world.web().await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(world.tokens(&client).await.1);
    }
    let mut boss = world.lab.database.superuser().await;
    let mut holding = boss.begin().await.unwrap();
    let held: uuid::Uuid = sqlx::query_scalar(
        "select sid from identity.tenant_session where tenant_id = $1
         order by session_id desc limit 1 for update",
    )
    .bind(world.clinic.id)
    .fetch_one(&mut *holding)
    .await
    .unwrap();
    world.lab.clock.advance(Duration::SECOND);
    let (task, mut heard) = begin(&world, 1);
    while heard.recv().await.unwrap().sessions < 2 {}
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    holding.rollback().await.unwrap();
    assert_eq!(steps(&world).await, ["begun", "ended", "ended"]);
    for (number, tokens) in tokens.iter_mut().enumerate() {
        let sid = super::claims(&tokens["access_token"])["sid"].clone();
        let is_held = sid == held.to_string();
        let answer = world.refresh(&client, text(tokens, "refresh_token")).await;
        assert_eq!(answer.status == 200, is_held, "{number}");
        if is_held {
            *tokens = answer.json();
        }
    }
    let proof = begin(&world, 1).0.await.unwrap();
    assert!(proof.is_complete);
    assert_eq!((proof.ended.sessions, proof.ended.families), (1, 1));
    for tokens in &tokens {
        let answer = world.refresh(&client, text(tokens, "refresh_token")).await;
        assert_refused(&answer, 400, "invalid_grant");
    }
    let nothing = begin(&world, 1).0.await.unwrap();
    assert!(nothing.is_complete);
    assert_eq!(nothing.ended, Counts::default(), "repeatable");
}

/// A sign-in that was written before the end and is committed after it is waited for and ended; one
/// that is written after it, judged before, has ended when it is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_is_under_way_does_not_outrun_it() {
    let world = World::new().await;
    let client = world.web().await;
    let other = world.lab.person("Bea Quill").await;
    let hers = world.lab.join(&other, world.clinic.id, &["patient"]).await;
    world.lab.signed_in(&other).await;
    world.tokens(&client).await;
    let mut boss = world.lab.database.superuser().await;
    let mut writing = boss.begin().await.unwrap();
    let insert = "insert into identity.tenant_session
           (tenant_id, session_id, subject_id, sid, auth_time, opened_at, amr)
         select $1, s.session_id, $2, gen_random_uuid(), $4, $4, '{pwd}'
         from identity.session s where s.account_id = $3
         on conflict (tenant_id, session_id) do nothing";
    let opened = sqlx::query(insert)
        .bind(world.clinic.id)
        .bind(hers)
        .bind(other.account)
        .bind(world.lab.now())
        .execute(&mut *writing)
        .await
        .unwrap();
    assert_eq!(opened.rows_affected(), 1);
    let judged_at = world.lab.now();
    world.lab.clock.advance(Duration::SECOND);
    let (mut task, mut heard) = begin(&world, 1000);
    assert_eq!(heard.recv().await.unwrap().sessions, 1);
    let early = tokio::time::timeout(Real::from_millis(700), &mut task).await;
    assert!(early.is_err(), "it is not complete while somebody writes");
    writing.commit().await.unwrap();
    let proof = task.await.unwrap();
    assert!(proof.is_complete);
    assert_eq!(proof.ended.sessions, 2);

    world.lab.signed_in(&other).await;
    let late = sqlx::query(insert)
        .bind(world.clinic.id)
        .bind(hers)
        .bind(other.account)
        .bind(judged_at);
    assert_eq!(late.execute(&mut boss).await.unwrap().rows_affected(), 1);
    let alive: i64 = sqlx::query_scalar(
        "select count(*) from identity.tenant_session where tenant_id = $1 and ended_at is null",
    )
    .bind(world.clinic.id)
    .fetch_one(&mut boss)
    .await
    .unwrap();
    assert_eq!(alive, 0);
}

/// No statement takes an end back, and no serving role may change what was ordered.
#[tokio::test]
async fn an_end_is_not_taken_back() {
    let world = World::new().await;
    let client = world.web().await;
    world.tokens(&client).await;
    world.lab.clock.advance(Duration::SECOND);
    begin(&world, 1000).0.await.unwrap();
    let mut boss = world.lab.database.superuser().await;
    let again = "update identity.tenant_session set ended_at = null where tenant_id = $1";
    let refused = sqlx::query(again).bind(world.clinic.id).execute(&mut boss);
    let refused = refused.await.unwrap_err();
    let constraint = refused.as_database_error().unwrap().constraint();
    assert_eq!(constraint, Some("tenant_session_end_is_final"));
    let may: bool = sqlx::query_scalar(
        "select has_any_column_privilege('lanyard_identity', 'identity.sessions_end', 'update')
           or has_table_privilege('lanyard_identity', 'identity.sessions_end', 'delete')",
    )
    .fetch_one(&mut boss)
    .await
    .unwrap();
    assert!(!may);
}
