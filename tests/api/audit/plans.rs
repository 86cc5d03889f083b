//! What a page of a long log costs: asserted by what is read, not by a clock.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::begun;
use crate::lab::cluster::{self, Database, tell};
use crate::queries::{queries, register};

const TENANT: Uuid = Uuid::from_u128(0xa);
const RARE: Uuid = Uuid::from_u128(0xbeef);
const ENTRIES: u32 = 60_000;
const PAGE: u32 = 50;

/// A long log of one clinic among short ones, over three months: one person, one account, one
/// actor, one trace, one type and one clinic that it is about are rare.
async fn filled() -> Database {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    tell(
        &mut boss,
        &format!(
            "select audit.make_partition('2026-01-01'), audit.make_partition('2026-02-01');
             insert into audit.entry (tenant_id, leaf_index, event_id, recorded_at, type,
               account_id, subject_id, actor_id, trace, about_tenant, line, leaf_hash)
             select case when n <= {ENTRIES} then '{TENANT}'::uuid
                 else ('00000000-0000-4000-8000-' || lpad(to_hex(n % 500), 12, '0'))::uuid end,
               n, gen_random_uuid(), '2026-01-01'::timestamptz + n * interval '60 seconds',
               case when n % 20000 = 7 then 'sign_in.refused' else 'visit.listed' end,
               case when n % 20000 = 12 then '{RARE}'::uuid else gen_random_uuid() end,
               case when n % 20000 = 8 then '{RARE}'::uuid
                 when n % 20000 <> 12 then gen_random_uuid() end,
               case when n % 20000 = 9 then '{RARE}'::uuid end,
               case when n % 20000 = 10 then 'rare' else n::text end,
               case when n % 20000 = 11 then '{RARE}'::uuid end, '{{}}', sha256('x')
             from generate_series(1, {ENTRIES} + 5000) n;
             analyze audit.entry"
        ),
    )
    .await;
    register(&database).await;
    database
}

/// Rows that a plan read and threw away, in all of its parts.
fn wasted(plan: &Value) -> f64 {
    let own = plan["Rows Removed by Filter"].as_f64().unwrap_or_default();
    let loops = plan["Actual Loops"].as_f64().unwrap_or(1.0);
    let parts = plan["Plans"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    own * loops + parts.iter().map(wasted).sum::<f64>()
}

/// The most rows that one part of a plan gave.
fn most(plan: &Value) -> f64 {
    let given = plan["Actual Rows"].as_f64().unwrap_or_default();
    let parts = plan["Plans"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    parts.iter().map(most).fold(given, f64::max)
}

fn parts(plan: &Value, found: &mut Vec<String>) {
    let name = |key: &str| plan[key].as_str().unwrap_or_default().to_owned();
    found.push(format!("{} {}", name("Node Type"), name("Relation Name")));
    for part in plan["Plans"].as_array().into_iter().flatten() {
        parts(part, found);
    }
}

async fn executed(login: &mut PgConnection, sql: &str, values: &str) -> Value {
    tell(login, &format!("prepare page as {sql}")).await;
    let explain =
        format!("explain (analyze, costs off, timing off, format json) execute page ({values})");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_one(&mut *login)
        .await
        .unwrap();
    tell(login, "deallocate page").await;
    plan[0]["Plan"].clone()
}

/// Issue 4: a page is found by an index, whatever is filtered by, and reads a page's worth of rows
/// of a log however long.
#[tokio::test]
async fn a_page_of_a_long_log_reads_a_pages_worth() {
    let database = filled().await;
    let context = format!("auditor|{TENANT}||||||rw");
    let pages: Vec<_> = queries()
        .into_iter()
        .filter(|query| query.place.starts_with("src/inspection/store.rs"))
        .filter(|query| query.sql.contains("leaf_index desc limit $3"))
        .collect();
    assert_eq!(pages.len(), 7);
    for query in pages {
        // What drives each statement is given; the rest is not asked for.
        let (driver, values) = if query.sql.contains("and trace = $7") {
            ("trace", "null, null, null, 'rare', null".to_owned())
        } else if query.sql.contains("and account_id = $4\n") {
            ("account", format!("'{RARE}', null, null, null, null"))
        } else if query.sql.contains("and subject_id = $4\n") {
            ("person", format!("'{RARE}', null, null, null, null"))
        } else if query.sql.contains("and actor_id = $5\n") {
            ("actor", format!("null, '{RARE}', null, null, null"))
        } else if query.sql.contains("and about_tenant = $8\n") {
            ("tenant", format!("null, null, null, null, '{RARE}'"))
        } else if query.sql.contains("unnest($6") {
            (
                "types",
                "null, null, '{sign_in.refused,visit.listed}', null, null".to_owned(),
            )
        } else {
            ("nothing", "null, null, null, null, null".to_owned())
        };
        let mut login = begun(&database, "lanyard_tenant", &context).await;
        let values = format!("'{TENANT}', 50000, {PAGE}, {values}");
        let plan = executed(&mut login, &query.sql, &values).await;
        let mut names = Vec::new();
        parts(&plan, &mut names);
        let reads_all = names
            .iter()
            .any(|name| name.starts_with("Seq Scan entry_2026_0"));
        assert!(!reads_all, "{driver}: {names:?}");
        assert!(wasted(&plan) < 100.0, "{driver}: {plan}");
        assert!(most(&plan) <= f64::from(2 * PAGE + 5), "{driver}: {plan}");
    }
}
