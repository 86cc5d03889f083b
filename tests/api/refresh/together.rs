//! The common case: two statements of one transaction, shared by those that arrive together
//! (docs/decisions/0020). Every order of events here is made by a lock, not by luck.

use std::time::Duration as Real;

use sqlx::PgConnection;
use tokio::task::JoinHandle;

use super::standing::FALLS;
use super::*;
use crate::lab::cluster::{self, Database, tell};
use crate::seal::proxy::Proxy;

/// Where a rotation is held up.
#[derive(Clone, Copy)]
enum Before {
    /// Before it holds its family.
    Holding,
    /// When it is judged.
    Writing,
}

impl Before {
    const fn table(self) -> &'static str {
        match self {
            Self::Holding => "identity.token_family",
            Self::Writing => "identity.refresh_token",
        }
    }

    const fn lock(self) -> &'static str {
        match self {
            Self::Holding => "begin; lock table identity.token_family in exclusive mode",
            Self::Writing => "begin; lock table identity.refresh_token in share mode",
        }
    }
}

pub(super) async fn apart() -> World {
    World::of(Lab::apart(|_| ()).await).await
}

fn begin(world: &World, by: &Party, refresh_token: &str) -> JoinHandle<Answer> {
    let (browser, by) = (world.lab.browser(), by.clone());
    let token = refresh_token.to_owned();
    tokio::spawn(async move { refresh(&browser, &by, &token).await })
}

/// Until a turn of the server's waits for `holder`'s lock on `table`.
pub(super) async fn until_held(world: &World, holder: &mut PgConnection, table: &str) {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(holder)
        .await
        .unwrap();
    let held = format!(
        "select count(*) from pg_locks
         where not granted and relation = '{table}'::regclass
           and pg_blocking_pids(pid) @> array[{pid}]"
    );
    while world.count(held.clone()).await < 1 {
        tokio::time::sleep(Real::from_millis(5)).await;
    }
}

/// How many transactions wrote what these queries find.
pub(super) async fn transactions(world: &World, rows: &str) -> i64 {
    let distinct = "select count(distinct wrote) from";
    world
        .count(format!("{distinct} ({rows}) written (wrote)"))
        .await
}

/// Issue 3, "Measured speed": the path, not the time: begin, hold and read, write, commit. The best
/// of many, since a connection's first call prepares its statement.
#[tokio::test]
async fn a_rotation_by_itself_is_four_round_trips_and_one_durable_commit() {
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
        assert_eq!(least, 4);
    }
}

/// A thousand others of the clinic, made from what the one has; the planner is told nothing.
pub(crate) const CROWD: &str = "
    set session_replication_role = replica;
    do $$ declare r record; begin
      for r in select * from (values ('tenant_session', 'session_id'), ('membership', 'subject_id'),
          ('token_family', 'family_id'), ('authorization_code', 'code_id'),
          ('session', 'session_id')) as t (name, key)
      loop
        execute format('create temp table crowd as select t.* from (select * from identity.%I
          limit 1) t, generate_series(1, 1000)', r.name);
        execute format('update crowd set %I = gen_random_uuid()', r.key);
        if r.name = 'tenant_session' then
          update crowd set sid = gen_random_uuid();
        elsif r.name = 'membership' then
          update crowd set account_id = gen_random_uuid();
        end if;
        execute format('insert into identity.%I select * from crowd', r.name);
        drop table crowd;
      end loop;
    end $$";

/// Rows that Postgres has read for anybody so far, and how often one of `table` was looked up.
pub(crate) async fn read(database: &Database, table: &str) -> (i64, i64) {
    let rows = "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
                from pg_stat_user_tables where schemaname in ('identity', 'tenancy')";
    let looked_up = "select idx_scan from pg_stat_user_tables where relid";
    let both = format!("select ({rows}), ({looked_up} = 'identity.{table}'::regclass)");
    sqlx::query_as(AssertSqlSafe(both))
        .fetch_one(&mut database.superuser().await)
        .await
        .unwrap()
}

/// What a rotation reads has nothing to do with how many others the clinic has, even if its plan
/// was made when it had none.
#[tokio::test]
async fn a_rotation_reads_no_other_persons_rows() {
    const ROTATIONS: i64 = 20;
    let world = apart().await;
    let party = world.confidential().await;
    let mut held = world.sign_in(&party).await.tokens;
    held = world.refresh(&party, &held.refresh).await.tokens();
    world.tell(CROWD).await;
    let (rows_before, before) = read(&world.lab.database, "token_family").await;
    for _ in 0..ROTATIONS {
        held = world.refresh(&party, &held.refresh).await.tokens();
    }
    // Each looks its family up three times: to hold it, to read it, to write it.
    let rows = loop {
        let (rows, looked_up) = read(&world.lab.database, "token_family").await;
        if looked_up - before >= 3 * ROTATIONS {
            break rows;
        }
        tokio::time::sleep(Real::from_millis(50)).await;
    };
    let each = (rows - rows_before) / ROTATIONS;
    assert!(each < 60, "{each} rows a rotation");
}

/// Design §11, revocation is monotonic: what is committed before the family is held is not outrun,
/// for a member, a clinic, an account, a password and a session.
#[tokio::test]
async fn what_falls_before_the_family_is_held_is_not_outrun() {
    let world = apart().await;
    for party in [world.public().await, world.confidential().await] {
        for fall in FALLS {
            let signed_in = world.sign_in(&party).await;
            let next = world.refresh(&party, &signed_in.refresh).await.tokens();
            let before = world.row(signed_in.family()).await;
            let mut holder = world.lab.database.superuser().await;
            tell(&mut holder, Before::Holding.lock()).await;
            let under_way = begin(&world, &party, &next.refresh);
            until_held(&world, &mut holder, Before::Holding.table()).await;
            fall.befalls(&world, signed_in.session, fall.down).await;
            tell(&mut holder, "rollback").await;
            under_way.await.unwrap().refused("invalid_grant");
            let seen = ("refresh.rejected".to_owned(), fall.reason.to_owned());
            assert_eq!(world.last_event("reason").await, seen);
            let after = world.row(signed_in.family()).await;
            assert_eq!(after, before, "{}: nothing was written", fall.table);
            if let Some(up) = fall.up {
                fall.befalls(&world, signed_in.session, up).await;
                world.refresh(&party, &next.refresh).await.tokens();
            }
        }
    }
}

/// What is committed later ends what is given: the successor is worth nothing.
#[tokio::test]
async fn what_falls_between_the_judgment_and_the_writing_ends_what_is_given() {
    let world = apart().await;
    let party = world.confidential().await;
    for fall in FALLS {
        let signed_in = world.sign_in(&party).await;
        let mut holder = world.lab.database.superuser().await;
        tell(&mut holder, Before::Writing.lock()).await;
        let under_way = begin(&world, &party, &signed_in.refresh);
        until_held(&world, &mut holder, Before::Writing.table()).await;
        fall.befalls(&world, signed_in.session, fall.down).await;
        tell(&mut holder, "rollback").await;
        let given = under_way.await.unwrap().tokens();
        for token in [&given.refresh, &signed_in.refresh] {
            world.refresh(&party, token).await.refused("invalid_grant");
            let seen = ("refresh.rejected".to_owned(), fall.reason.to_owned());
            assert_eq!(world.last_event("reason").await, seen);
        }
        if let Some(up) = fall.up {
            fall.befalls(&world, signed_in.session, up).await;
        }
    }
}

/// The same for her roles: what is given is what she has when the family is held.
#[tokio::test]
async fn a_role_taken_before_the_family_is_held_is_not_given() {
    let world = apart().await;
    let party = world.confidential().await;
    let held = world.sign_in(&party).await;
    let mut holder = world.lab.database.superuser().await;
    tell(&mut holder, Before::Holding.lock()).await;
    let under_way = begin(&world, &party, &held.refresh);
    until_held(&world, &mut holder, Before::Holding.table()).await;
    let subject = world.subject;
    let session = held.session;
    world
        .tell(&format!(
            "update identity.session set factor_proved_at = proved_at
             where session_id = '{session}';
             update identity.membership_role set role = 'executive' where subject_id = '{subject}'"
        ))
        .await;
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
    tell(&mut holder, Before::Writing.lock()).await;
    let mut under_way = Vec::new();
    for signed_in in &all {
        // The first is about to be written; the others wait for it.
        under_way.push(begin(&world, &party, &signed_in.refresh));
        until_held(&world, &mut holder, Before::Writing.table()).await;
    }
    let fallen = all.last().unwrap();
    let [.., session_ends] = FALLS;
    session_ends
        .befalls(&world, fallen.session, session_ends.down)
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
