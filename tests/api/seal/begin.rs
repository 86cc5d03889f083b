//! How transactions begin and connections go on: one message, never a transaction left open,
//! nothing of one tenant on the next one's connection (RLS-09).

use std::time::Duration;

use lanyard::env::{DatabaseClock, Env};
use sqlx::PgConnection;

use crate::lab::cluster::{self, Database};

/// Statements of the serving roles as the server's log has them.
async fn open_transactions(boss: &mut PgConnection, database: &Database) -> i64 {
    let count = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = $1 and usename like 'lanyard\\_%' and pid <> pg_backend_pid()
           and (xact_start is not null or state like 'idle in transaction%')",
    );
    count.bind(&database.name).fetch_one(boss).await.unwrap()
}

/// DOS-10: canceled at every point of its life, hundreds of times.
#[tokio::test]
async fn a_canceled_begin_leaves_no_transaction_open() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    // The state of a session is known only where its activity is tracked.
    cluster::tell(
        &mut boss,
        &format!(
            "alter role lanyard_identity in database {0} set track_activities = on;
             alter role lanyard_tenant in database {0} set track_activities = on;
             alter role lanyard_platform in database {0} set track_activities = on;
             alter role lanyard_apps in database {0} set track_activities = on",
            database.name
        ),
    )
    .await;
    let db = database.open(&Env::system(), 4).await;
    db.ready().await.unwrap();
    let mut canceled = 0;
    for attempt in 0..600_u64 {
        // Growing patience, so that the end comes at each point between acquire and commit.
        let patience = Duration::from_micros(attempt * 10);
        canceled += u32::from(tokio::time::timeout(patience, db.ready()).await.is_err());
    }
    assert!(canceled > 100, "{canceled}");
    // All connections are taken and given back once more, so whatever was open shows.
    while db.ready().await.is_err() {}
    while open_transactions(&mut boss, &database).await > 0 {
        tokio::task::yield_now().await;
    }
    db.close().await;
}

/// A transaction costs one message before its first statement.
#[tokio::test]
async fn begin_and_the_context_are_one_message() {
    let database = cluster::fresh().await;
    let proxy = super::proxy::Proxy::before(&database);
    let db = proxy.database.open(&Env::system(), 2).await;
    db.ready().await.unwrap();
    let messages = proxy.messages();
    let begins: Vec<&String> = messages
        .iter()
        .filter(|message| message.contains("lanyard.context"))
        .collect();
    assert_eq!(begins.len(), 5, "one for each plane: {messages:?}");
    for begin in begins {
        assert!(
            begin.starts_with("begin; set local lanyard.context = '1|"),
            "{begin}"
        );
    }
    // And none sets a context by itself.
    assert!(
        !messages
            .iter()
            .any(|message| message.starts_with("set local")),
        "{messages:?}"
    );
    db.close().await;
}

/// RLS-09: what a statement leaves in its session does not meet the next tenant's transaction.
#[tokio::test]
async fn a_connection_is_clean_when_the_next_transaction_has_it() {
    let database = cluster::fresh().await;
    let proxy = super::proxy::Proxy::before(&database);
    let db = proxy.database.open(&Env::system(), 2).await;
    for left in [
        "; declare left_over cursor with hold for select seal.class()",
        "; set lanyard.left_over = 'left'; set search_path = pg_temp",
        "; set session lanyard.context = 'left'; set default_transaction_read_only = on",
        "; listen left_over",
        "; prepare sqlx_s_1 as select 1; prepare sqlx_s_2 as select 2",
        "; commit; begin; prepare left_over as select 1",
    ] {
        proxy.inject(left);
        // A statement that was prepared under the driver's own name fails; so it should.
        let _ = db.ready().await;
        // Is anything of it there, in any of the planes' next transactions?
        proxy.inject(
            "; do $$ begin
               if exists (select from pg_cursors where name = 'left_over')
                 or exists (select from pg_prepared_statements where from_sql)
                 or exists (select pg_listening_channels())
                 or coalesce(current_setting('lanyard.left_over', true), '') <> ''
                 or current_setting('search_path') ~ 'pg_temp'
                 or current_setting('transaction_read_only')::boolean
               then raise exception 'left over'; end if;
             end $$",
        );
        for _ in 0..4 {
            db.ready()
                .await
                .unwrap_or_else(|error| panic!("{left}: {error:?}"));
        }
    }
    let cleaned = proxy
        .messages()
        .iter()
        .filter(|sent| sent.contains("; close all; unlisten *; reset all;"))
        .count();
    assert!(cleaned > 20, "{cleaned}");
    db.close().await;
}

/// The old key's contexts stay good until they expire; then the database forgets it.
#[tokio::test]
async fn a_renewed_key_leaves_running_transactions_alone() {
    let database = cluster::fresh().await;
    let env = Env::system();
    let db = database.open(&env, 4).await;
    let mut boss = database.superuser().await;
    let keys = "select count(*) from seal.mac_key";
    let until = "select extract(epoch from max(expires_at) - clock_timestamp())::float8,
                   extract(epoch from min(expires_at) - clock_timestamp())::float8
                 from seal.mac_key";
    assert_eq!(count(&mut boss, keys).await, 1);
    db.renew_seal_key(&env).await.unwrap();
    db.ready().await.unwrap();
    let (fresh, old): (f64, f64) = sqlx::query_as(until).fetch_one(&mut boss).await.unwrap();
    assert!((86_400.0..=90_000.0).contains(&fresh), "{fresh}");
    // More than a context lives (15 s), and no more than a minute.
    assert!((15.0..=60.0).contains(&old), "{old}");
    cluster::tell(
        &mut boss,
        "update seal.mac_key set expires_at = clock_timestamp()
         where expires_at < clock_timestamp() + interval '1 hour'",
    )
    .await;
    db.renew_seal_key(&env).await.unwrap();
    assert_eq!(count(&mut boss, keys).await, 2, "the expired one is gone");
    db.close().await;
    let within_a_minute = "select count(*) from seal.mac_key
                           where expires_at <= clock_timestamp() + interval '60 seconds'";
    assert_eq!(
        count(&mut boss, within_a_minute).await,
        2,
        "a stopped server leaves no key"
    );
}

async fn count(boss: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(boss).await.unwrap()
}

/// CFG-12: the production clock is the database's.
#[tokio::test]
async fn the_clock_follows_the_databases() {
    let database = cluster::shared().await;
    let db = database.open(&Env::system(), 2).await;
    let env = Env::system();
    env.clock
        .follow(DatabaseClock::machine_now() + time::Duration::hours(3));
    assert!(env.now() - DatabaseClock::machine_now() > time::Duration::hours(2));
    db.learn_clock(&env).await.unwrap();
    let apart = (env.now() - DatabaseClock::machine_now()).abs();
    assert!(
        apart < time::Duration::minutes(1),
        "one machine, one clock: {apart}"
    );
    db.close().await;
}
