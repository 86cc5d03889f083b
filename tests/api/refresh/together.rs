//! The common case: two statements, one durable commit, shared by those that arrive together
//! (docs/decisions/0020). Every order of events here is made by a lock, not by luck.

use std::time::Duration as Real;

use sqlx::PgConnection;
use tokio::task::JoinHandle;

use super::standing::FALLS;
use super::*;
use crate::lab::cluster::{self, tell};
use crate::seal::proxy::Proxy;

/// Holds up the second statement of every rotation, when it has its family already.
const HOLD: &str = "begin; lock table identity.refresh_token in share mode";

async fn apart() -> World {
    World::of(Lab::apart(|_| ()).await).await
}

fn begin(world: &World, by: &Party, refresh_token: &str) -> JoinHandle<Answer> {
    let (browser, by) = (world.lab.browser(), by.clone());
    let token = refresh_token.to_owned();
    tokio::spawn(async move { refresh(&browser, &by, &token).await })
}

/// Until `count` statements of the server's wait for `holder`, and all of them are the clerk's.
async fn until_held(world: &World, holder: &mut PgConnection, count: i64) {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(holder)
        .await
        .unwrap();
    let held = format!(
        "select count(*) from pg_locks
         where not granted and relation = 'identity.refresh_token'::regclass
           and pg_blocking_pids(pid) @> array[{pid}]"
    );
    while world.count(held.clone()).await < count {
        tokio::time::sleep(Real::from_millis(5)).await;
    }
}

/// How many transactions wrote what these queries find.
async fn transactions(world: &World, rows: &str) -> i64 {
    let distinct = "select count(distinct wrote) from";
    world
        .count(format!("{distinct} ({rows}) written (wrote)"))
        .await
}

/// Issue 3, "Measured speed": the path, not the time. The best of many, since a connection's first
/// call prepares its statement.
#[tokio::test]
async fn a_rotation_is_two_round_trips_and_one_durable_commit() {
    let database = cluster::fresh().await;
    let proxy = Proxy::before(&database);
    let world = World::of(Lab::on(proxy.database.clone()).await).await;
    for party in [world.confidential().await, world.public().await] {
        let mut held = world.sign_in(&party).await.tokens;
        let mut least = usize::MAX;
        for _ in 0..12 {
            let before = proxy.round_trips();
            held = world.refresh(&party, &held.refresh).await.tokens();
            least = least.min(proxy.round_trips() - before);
            let (family, generation) = (held.family(), held.generation());
            let written = format!(
                "select xmin::text from identity.token_family where family_id = '{family}'
                 union all
                 select xmin::text from identity.refresh_token
                   where family_id = '{family}' and generation = {generation}
                 union all
                 select xmin::text from audit.event
                   where type = 'refresh.rotated' and detail ->> 'family' = '{family}'
                     and detail ->> 'generation' = '{}'",
                generation - 1
            );
            assert_eq!(transactions(&world, &written).await, 1);
        }
        assert_eq!(least, 2);
    }
}

/// Design §11, revocation is monotonic: what is committed between the judgment and the writing is
/// not outrun, for a member, a clinic, an account, a password and a session.
#[tokio::test]
async fn what_falls_between_the_judgment_and_the_writing_is_not_outrun() {
    let world = apart().await;
    for party in [world.public().await, world.confidential().await] {
        for fall in FALLS {
            let signed_in = world.sign_in(&party).await;
            let next = world.refresh(&party, &signed_in.refresh).await.tokens();
            let before = world.row(signed_in.family()).await;
            let mut holder = world.lab.database.superuser().await;
            tell(&mut holder, HOLD).await;
            let under_way = begin(&world, &party, &next.refresh);
            until_held(&world, &mut holder, 1).await;
            fall.befalls(&world, &signed_in, fall.down).await;
            tell(&mut holder, "rollback").await;
            under_way.await.unwrap().refused("invalid_grant");
            let seen = ("refresh.rejected".to_owned(), fall.reason.to_owned());
            assert_eq!(world.last_event("reason").await, seen);
            let after = world.row(signed_in.family()).await;
            assert_eq!(after, before, "{}: nothing was written", fall.table);
            if let Some(up) = fall.up {
                fall.befalls(&world, &signed_in, up).await;
                world.refresh(&party, &next.refresh).await.tokens();
            }
        }
    }
}

/// The same for her roles: what is given is what she has when it is written.
#[tokio::test]
async fn a_role_taken_between_the_judgment_and_the_writing_is_not_given() {
    let world = apart().await;
    let party = world.confidential().await;
    let held = world.sign_in(&party).await;
    let mut holder = world.lab.database.superuser().await;
    tell(&mut holder, HOLD).await;
    let under_way = begin(&world, &party, &held.refresh);
    until_held(&world, &mut holder, 1).await;
    let subject = world.subject;
    let change = "update identity.membership_role set role = 'executive' where subject_id";
    world.tell(&format!("{change} = '{subject}'")).await;
    tell(&mut holder, "rollback").await;
    let tokens = under_way.await.unwrap().tokens();
    assert_eq!(tokens.claims["roles"], serde_json::json!(["executive"]));
}

/// Of many that wait and are then written by one statement, the one that fell is refused, and the
/// others have their successors.
#[tokio::test]
async fn one_that_can_not_be_rotated_takes_no_other_with_it() {
    let world = apart().await;
    let party = world.confidential().await;
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(world.sign_in(&party).await);
    }
    let mut holder = world.lab.database.superuser().await;
    tell(&mut holder, HOLD).await;
    let mut under_way = Vec::new();
    for (n, signed_in) in all.iter().enumerate() {
        under_way.push(begin(&world, &party, &signed_in.refresh));
        // Two are written at a time; the others wait for them.
        until_held(&world, &mut holder, i64::try_from(n + 1).unwrap().min(2)).await;
    }
    let fallen = all.last().unwrap();
    let [.., session_ends] = FALLS;
    session_ends
        .befalls(&world, fallen, session_ends.down)
        .await;
    tell(&mut holder, "rollback").await;
    let mut answers = Vec::new();
    for answer in under_way {
        answers.push(answer.await.unwrap());
    }
    let refused = answers.pop().unwrap();
    refused.refused("invalid_grant");
    for (answer, before) in answers.iter().zip(&all) {
        let tokens = answer.tokens();
        assert_eq!(
            (tokens.family(), tokens.generation()),
            (before.family(), 1),
            "each has its own"
        );
    }
    assert_eq!(world.current(fallen.family()).await, 0);
    let written = "select xmin::text from identity.refresh_token where generation = 1";
    let commits = transactions(&world, written).await;
    assert!(commits < 7, "they share their commits: {commits}");
}

/// A client that was disabled, or whose secret is no longer good, is refused at its next request,
/// though this process has read it before.
#[tokio::test]
async fn a_client_that_is_known_is_known_as_it_is_now() {
    let world = World::new().await;
    let party = world.confidential().await;
    let first = world.sign_in(&party).await;
    let held = world.refresh(&party, &first.refresh).await.tokens();
    let id = &party.id;
    let turn = "update identity.client set status =";
    let secrets = "update identity.client_secret set expires_at =";
    for (down, up) in [
        (format!("{turn} 'disabled'"), format!("{turn} 'active'")),
        (format!("{secrets} created_at"), format!("{secrets} null")),
    ] {
        world
            .tell(&format!("{down} where client_id = '{id}'"))
            .await;
        let refused = world.refresh(&party, &held.refresh).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
        world.tell(&format!("{up} where client_id = '{id}'")).await;
    }
    let wrong = Party {
        secret: Some("lcs_wrong".to_owned()),
        ..party.clone()
    };
    assert_eq!(world.refresh(&wrong, &held.refresh).await.status, 401);
    world.refresh(&party, &held.refresh).await.tokens();
}
