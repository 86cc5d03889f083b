//! The common case of an authorization: who is signed in is given a code in two statements of one
//! transaction, shared by those that arrive together (docs/decisions/0020).

use std::collections::HashSet;
use std::time::Duration as Real;

use sqlx::AssertSqlSafe;

use super::{Client, World, code_of, parameter};
use crate::lab::cluster::{self, tell};
use crate::lab::{Browser, Lab};
use crate::refresh::together::{CROWD, read};
use crate::seal::proxy::Proxy;

async fn count(world: &World, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(&mut world.lab.database.superuser().await)
        .await
        .unwrap()
}

/// The code that a signed-in browser is given at once.
async fn code(world: &World, browser: &Browser, client: &Client) -> String {
    let seen = browser.visit(&world.request(client, &[])).await;
    code_of(&seen.location().expect("back to the client"))
}

/// Issue 3, "Measured speed": begin, read, write, commit. The best of many, since a connection's
/// first call prepares its statement.
#[tokio::test]
async fn a_code_by_itself_is_four_round_trips_and_one_durable_commit() {
    let database = cluster::fresh().await;
    let proxy = Proxy::before(&database);
    let world = World::on(Lab::on(proxy.database.clone()).await, &["patient"]).await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    let mut least = usize::MAX;
    for _ in 0..12 {
        let before = proxy.round_trips();
        let code = code(&world, &browser, &client).await;
        least = least.min(proxy.round_trips() - before);
        assert_eq!(world.redeem(&client, &code).await.status, 200);
    }
    assert_eq!(least, 4);
    let apart = "select count(*) from identity.authorization_code c
                 where not exists (select from audit.event e
                   where e.type = 'authorize.granted' and e.detail ->> 'code' = c.code_id::text)";
    assert_eq!(count(&world, apart).await, 0, "each with its event");
    let told = world.lab.app.metrics.text(&world.lab.app);
    for kind in ["authorization", "redemption"] {
        let series = format!("lanyard_turn_requests_total{{kind=\"{kind}\",outcome=\"done\"}} ");
        let line = told.lines().find_map(|line| line.strip_prefix(&series));
        let done: u32 = line.expect("it is counted").parse().unwrap();
        assert!((11..=13).contains(&done), "{series}{done}");
    }
}

/// What an authorization reads has nothing to do with how many others the clinic has, even if its
/// plan was made when it had none.
#[tokio::test]
async fn an_authorization_reads_no_other_persons_rows() {
    const CODES: i64 = 20;
    let world = World::on(Lab::apart(|_| ()).await, &["patient"]).await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    code(&world, &browser, &client).await;
    let database = &world.lab.database;
    tell(&mut database.superuser().await, CROWD).await;
    let (rows_before, before) = read(database, "session").await;
    for _ in 0..CODES {
        code(&world, &browser, &client).await;
    }
    // Each looks its session up twice: for its account, and to be judged.
    let rows = loop {
        let (rows, looked_up) = read(database, "session").await;
        if looked_up - before >= 2 * CODES {
            break rows;
        }
        tokio::time::sleep(Real::from_millis(50)).await;
    };
    let each = (rows - rows_before) / CODES;
    assert!(each < 60, "{each} rows an authorization");
}

/// Those that come while one is written share a transaction; each has a code of its own, which is
/// good.
#[tokio::test]
async fn codes_that_are_asked_for_together_share_their_commit() {
    const MANY: usize = 8;
    let world = World::on(Lab::apart(|_| ()).await, &["patient"]).await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    code(&world, &browser, &client).await;
    let mut holder = world.lab.database.superuser().await;
    let lock = "begin; lock table identity.authorization_code in share mode";
    tell(&mut holder, lock).await;
    let request = world.request(&client, &[]);
    let mut under_way = Vec::new();
    for _ in 0..MANY {
        let (browser, request) = (browser.clone(), request.clone());
        let seen = tokio::spawn(async move { browser.visit(&request).await });
        under_way.push(seen);
        let held = "select count(*) from pg_locks where not granted
                    and relation = 'identity.authorization_code'::regclass";
        while count(&world, held).await < 1 {
            tokio::time::sleep(Real::from_millis(5)).await;
        }
    }
    tell(&mut holder, "rollback").await;
    let mut codes = HashSet::new();
    for seen in under_way {
        let seen = seen.await.unwrap();
        codes.insert(code_of(&seen.location().expect("back to the client")));
    }
    assert_eq!(codes.len(), MANY);
    for code in &codes {
        assert_eq!(world.redeem(&client, code).await.status, 200);
    }
    let commits = "select count(distinct xmin::text) from audit.event
                   where type = 'authorize.granted'";
    let commits = count(&world, commits).await;
    assert!(commits < 2 + 7, "they share their commits: {commits}");
}

/// A client is what its row says at this request, though this process has read it before.
#[tokio::test]
async fn a_client_that_is_known_is_known_as_it_is_now() {
    let world = World::new().await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    code(&world, &browser, &client).await;
    let tell = async |change: &str| {
        let mut boss = world.lab.database.superuser().await;
        let id = &client.id;
        tell(
            &mut boss,
            &format!("update identity.client set {change} where client_id = '{id}'"),
        )
        .await;
    };
    let request = world.request(&client, &[]);
    for (down, up) in [
        ("status = 'disabled'", "status = 'active'"),
        (
            "redirect_uris = '{https://elsewhere.example.test/cb}'",
            "redirect_uris = '{https://app.example.test/cb}'",
        ),
    ] {
        tell(down).await;
        assert_eq!(browser.visit(&request).await.status, 400, "{down}");
        tell(up).await;
        code(&world, &browser, &client).await;
    }
    tell("scopes = '{}'").await;
    let given = code(&world, &browser, &client).await;
    let tokens = world.redeem(&client, &given).await.json();
    assert_eq!(tokens["scope"], "email openid profile");
}

/// A session that ended, or another's secret for it, is given nothing, and is told nothing.
#[tokio::test]
async fn a_session_that_ended_is_given_no_code() {
    let world = World::new().await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    code(&world, &browser, &client).await;
    let silent = world.request(&client, &[("prompt", "none")]);
    let answer = async |browser: &Browser| {
        let seen = browser.visit(&silent).await;
        let back = seen.location().expect("back to the client");
        parameter(&back, "error").unwrap_or_default()
    };
    assert_eq!(answer(&browser).await, "");
    let name = "__Host-lanyard_session";
    let cookie = browser.cookie(name).expect("she is signed in");
    let other = if cookie.ends_with('A') { "Q" } else { "A" };
    let forged = format!("{}{other}", &cookie[..cookie.len() - 1]);
    browser.set_cookie(name, Some(&forged));
    assert_eq!(answer(&browser).await, "login_required");
    browser.set_cookie(name, Some(&cookie));
    assert_eq!(answer(&browser).await, "");
    let mut boss = world.lab.database.superuser().await;
    let end = "update identity.session set ended_at = active_at, end_reason = 'signed_out'";
    tell(&mut boss, end).await;
    assert_eq!(answer(&browser).await, "login_required");
}
