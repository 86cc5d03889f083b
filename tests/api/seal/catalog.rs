//! Today's and tomorrow's objects against the rules of design §3 (RLS-13, RLS-34).

use std::path::Path;

use sqlx::{AssertSqlSafe, PgConnection};

use super::rules::{
    OTHER_KEYS, OTHER_REFERENCES, PRELUDE, RULES, WITHOUT_TENANT, schemas_per_plane,
};
use crate::lab::cluster::{self, tell};

/// `rule: offender`, for each.
async fn offenses(boss: &mut PgConnection) -> Vec<String> {
    let named = |list: &[(&str, &str)]| -> Vec<String> {
        list.iter().map(|(name, _)| (*name).to_owned()).collect()
    };
    let mut offenses = Vec::new();
    for (rule, query) in RULES.into_iter().chain([schemas_per_plane()]) {
        // Every query takes the reviewed lists, whether it asks them or not.
        let lists = "lists as (select $1::text[], $2::text[], $3::text[])";
        let sql = format!("{PRELUDE}, {lists} select * from ({query}) as offenders (name)");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(named(&WITHOUT_TENANT))
            .bind(named(&OTHER_KEYS))
            .bind(named(&OTHER_REFERENCES))
            .fetch_all(&mut *boss)
            .await
            .unwrap_or_else(|error| panic!("{rule}: {error}"));
        offenses.extend(found.into_iter().map(|name| format!("{rule}: {name}")));
    }
    offenses
}

#[tokio::test]
async fn nothing_in_the_schema_breaks_a_rule_of_the_seal() {
    let mut boss = cluster::shared().await.superuser().await;
    let offenses = offenses(&mut boss).await;
    assert!(offenses.is_empty(), "{}", offenses.join("\n"));
}

/// An exception that excepts nothing any more is one that nobody reviews.
#[tokio::test]
async fn every_reviewed_exception_is_still_one() {
    let mut boss = cluster::shared().await.superuser().await;
    for (table, _) in WITHOUT_TENANT {
        let is_there: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(table)
            .fetch_one(&mut boss)
            .await
            .unwrap();
        assert!(is_there, "{table}");
    }
    for (name, _) in OTHER_KEYS.into_iter().chain(OTHER_REFERENCES) {
        let is_there: bool =
            sqlx::query_scalar("select exists (select from pg_constraint where conname = $1)")
                .bind(name)
                .fetch_one(&mut boss)
                .await
                .unwrap();
        assert!(is_there, "{name}");
    }
}

/// Each line breaks one rule, and is named.
#[tokio::test]
async fn whatever_breaks_a_rule_is_named() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    for (breach, named) in BREACHES {
        tell(&mut boss, "begin").await;
        tell(&mut boss, breach).await;
        let found = offenses(&mut boss).await;
        let is_named = found.iter().any(|offense| offense.contains(named));
        assert!(is_named, "{breach}: {found:?}");
        tell(&mut boss, "rollback").await;
    }
    assert_eq!(offenses(&mut boss).await, Vec::<String>::new());
}

/// Two helpers' migrations met under one number once; the migrator says so only when it runs.
#[test]
fn every_migration_has_a_number_of_its_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let mut numbers: Vec<String> = files
        .filter_map(|file| {
            let (number, name) = file.to_str()?.split_once('_')?;
            let is_sql = Path::new(name).extension() == Some("sql".as_ref());
            is_sql.then(|| number.to_owned())
        })
        .collect();
    numbers.sort();
    let count = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "{numbers:?}");
}

/// What breaks a rule, and what must be named for it.
const BREACHES: &[(&str, &str)] = &[
    (
        "create table visits.bare (tenant_id uuid not null primary key)",
        "FORCE ROW LEVEL SECURITY: visits.bare",
    ),
    ("create table public.stray (a int)", "public.stray"),
    (
        "create table visits.part (tenant_id uuid not null, n int not null,
               primary key (tenant_id, n)) partition by list (n);
             alter table visits.part enable row level security, force row level security;
             create table visits.part_1 partition of visits.part for values in (1)",
        "FORCE ROW LEVEL SECURITY: visits.part_1",
    ),
    (
        "alter table visits.visit no force row level security",
        "visits.visit",
    ),
    (
        "create policy second on visits.visit for select to lanyard_tenant using (false)",
        "visits.visit for lanyard_tenant",
    ),
    (
        "create policy open on visits.visit for select using (seal.tenant() is null)",
        "open",
    ),
    (
        "create policy lax on visits.visit for select to lanyard_apps using (true)",
        "lax",
    ),
    (
        "create policy sub on visits.visit for select to lanyard_apps
             using (tenant_id = (select seal.tenant()))",
        "sub",
    ),
    (
        "alter table visits.visit drop constraint visit_pkey",
        "visits.visit",
    ),
    (
        "create unique index on visits.visit (visit_id)",
        "visit_visit_id_idx",
    ),
    (
        "alter table visits.visit add unique (visit_id, tenant_id)",
        "visit_visit_id_tenant_id_key",
    ),
    (
        "create table visits.note (tenant_id uuid not null, note_id uuid, visit_id uuid,
               primary key (tenant_id, note_id));
             alter table visits.visit add constraint odd unique (visit_id, tenant_id);
             alter table visits.note add foreign key (visit_id, tenant_id)
               references visits.visit (visit_id, tenant_id)",
        "note_visit_id_tenant_id_fkey",
    ),
    (
        "alter table visits.visit add foreign key (patient_id) references identity.account",
        "visit_patient_id_fkey",
    ),
    (
        "create table tenancy.loose (a int primary key)",
        "tenancy.loose",
    ),
    (
        "create table visits.lax (tenant_id uuid)",
        "never null: visits.lax",
    ),
    (
        "create view visits.seen as select * from visits.visit",
        "visits.seen",
    ),
    (
        "create materialized view visits.held as select 1 as a",
        "visits.held",
    ),
    ("create sequence visits.number", "visits.number"),
    (
        "alter table visits.visit add number int generated always as identity",
        "visit_number_seq",
    ),
    (
        "create function visits.all_of() returns setof visits.visit language sql
             security definer as 'select * from visits.visit'",
        "visits.all_of",
    ),
    (
        "create function visits.late() returns int language sql security definer
             set search_path = pg_temp, pg_catalog as 'select 1'",
        "search_path ends in pg_temp: visits.late",
    ),
    (
        "create function visits.f() returns int language sql as 'select 1'",
        "EXECUTE to PUBLIC",
    ),
    (
        "grant select on visits.visit to public",
        "visits.visit: SELECT to PUBLIC",
    ),
    (
        "grant select (state) on visits.visit to public",
        "visits.visit.state: SELECT to PUBLIC",
    ),
    (
        "grant usage on schema visits to public",
        "visits: USAGE to PUBLIC",
    ),
    (
        "grant usage on schema identity to lanyard_tenant",
        "identity by lanyard_tenant",
    ),
    (
        "grant truncate on visits.visit to lanyard_tenant",
        "TRUNCATE to lanyard_tenant",
    ),
    (
        "grant all on visits.visit to lanyard_tenant",
        "TRIGGER to lanyard_tenant",
    ),
    (
        "grant create on schema visits to lanyard_tenant",
        "CREATE to lanyard_tenant",
    ),
    (
        "grant select on seal.mac_key to lanyard_identity",
        "seal.mac_key to lanyard_identity",
    ),
    (
        "grant execute on function seal.retire(text) to lanyard_identity",
        "seal.retire to lanyard_identity",
    ),
    (
        "alter table visits.visit owner to lanyard_tenant",
        "visits.visit",
    ),
    (
        "alter default privileges for role lanyard_owner grant select on tables to
               lanyard_tenant",
        "r of lanyard_owner",
    ),
    (
        "create type visits.mood as enum ('a')",
        "visits.mood: USAGE to PUBLIC",
    ),
    ("create publication everything for all tables", "everything"),
    (
        "create rule r as on insert to visits.visit do instead nothing",
        "visits.visit",
    ),
];
