//! What the server refuses to serve from (RLS-01, RLS-02, RLS-16, RLS-17, RLS-27).

use lanyard::db::standing::{Severity, Standing, inspect};
use lanyard::env::Env;

use crate::lab::cluster::{self, Database, tell};

#[tokio::test]
async fn a_migrated_database_has_nothing_to_complain_of() {
    let database = cluster::shared().await;
    let db = database.open(&Env::system(), 4).await;
    assert_eq!(db.standing().await.unwrap().findings, Vec::new());
    db.ready().await.unwrap();
    db.close().await;
}

/// Each line breaks one rule in a database of its own and says what must be named; the second
/// statement mends it again, so that the next line is alone.
#[tokio::test]
async fn whatever_breaks_the_seal_keeps_the_server_from_serving_and_is_named() {
    let cluster = cluster::apart().await;
    let database = cluster.fresh().await;
    for (breach, mended, named) in BREACHES {
        let mut boss = database.superuser().await;
        tell(&mut boss, breach).await;
        let refused = refusals(&database).await;
        assert!(
            refused.iter().any(|what| what.contains(named)),
            "{breach}: {refused:?}"
        );
        tell(&mut boss, mended).await;
        assert_eq!(refusals(&database).await, Vec::<String>::new(), "{mended}");
    }
}

/// What a host may not allow its administrator is a finding with its cost, and the context then
/// goes as a bound parameter.
#[tokio::test]
async fn where_the_host_keeps_its_functions_open_contexts_are_bound_and_doctor_says_so() {
    let cluster = cluster::apart().await;
    let database = cluster.fresh().await;
    let mut boss = database.superuser().await;
    tell(
        &mut boss,
        "alter role lanyard_identity set track_activities = on",
    )
    .await;
    tell(
        &mut boss,
        "grant execute on function pg_catalog.pg_stat_get_activity(int) to public",
    )
    .await;
    let refused = refusals(&database).await;
    assert!(
        refused.iter().any(|what| what.contains("track_activities")),
        "{refused:?}"
    );

    // As `migrate` leaves it where it may revoke nothing.
    tell(
        &mut boss,
        "grant execute on function pg_catalog.set_config(text, text, boolean) to public;
         grant execute on function seal.open(text)
           to lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
             lanyard_sequencer",
    )
    .await;
    let standing = inspect(&database.connect).await.unwrap();
    assert!(standing.may_serve(), "{standing:?}");
    for named in ["set_config", "pg_stat_get_activity", "track_activities"] {
        let limit = standing
            .findings
            .iter()
            .find(|finding| finding.what.contains(named))
            .unwrap();
        assert_eq!(limit.severity, Severity::Limit);
    }
    let env = Env::system();
    let db = database.open(&env, 4).await;
    db.ready().await.unwrap();
    db.close().await;
}

async fn refusals(database: &Database) -> Vec<String> {
    let standing: Standing = inspect(&database.connect).await.unwrap();
    standing
        .refusals()
        .map(|finding| finding.what.clone())
        .collect()
}

/// What breaks the seal, what mends it again, and what must be named for it.
const BREACHES: &[(&str, &str, &str)] = &[
    (
        "alter role lanyard_tenant bypassrls",
        "alter role lanyard_tenant nobypassrls",
        "bypassrls",
    ),
    (
        "alter role lanyard_apps superuser",
        "alter role lanyard_apps nosuperuser",
        "superuser",
    ),
    (
        "alter role lanyard_owner login",
        "alter role lanyard_owner nologin",
        "lanyard_owner",
    ),
    (
        "grant lanyard_owner to lanyard_keeper",
        "revoke lanyard_owner from lanyard_keeper",
        "member of lanyard_owner",
    ),
    (
        "alter table visits.visit owner to lanyard_tenant",
        "alter table visits.visit owner to lanyard_owner",
        "owns",
    ),
    (
        "alter table visits.visit no force row level security",
        "alter table visits.visit force row level security",
        "visits.visit",
    ),
    (
        "create table public.stray (a int)",
        "drop table public.stray",
        "public.stray",
    ),
    (
        "create materialized view visits.seen as select * from visits.visit with no data",
        "drop materialized view visits.seen",
        "visits.seen",
    ),
    (
        "grant truncate on visits.visit to lanyard_tenant",
        "revoke truncate on visits.visit from lanyard_tenant",
        "TRUNCATE on visits.visit",
    ),
    (
        "grant create on schema public to public",
        "revoke create on schema public from public",
        "CREATE on schema public",
    ),
    (
        "grant execute on function seal.register(text, bytea, bytea, interval) to public",
        "revoke execute on function seal.register(text, bytea, bytea, interval) from public",
        "seal.register",
    ),
    (
        "update lanyard._sqlx_migrations set success = false where version = 6",
        "update lanyard._sqlx_migrations set success = true where version = 6",
        "behind",
    ),
];
