//! Who may delete, what refers to what is deleted, and the table that the documents show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lanyard::config::Config;
use lanyard::retention::model::CHAINS;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::KINDS;
use crate::lab::cluster::shared;

fn tables() -> Vec<&'static str> {
    CHAINS
        .iter()
        .copied()
        .flatten()
        .map(|rule| rule.table)
        .collect()
}

/// Injected SQL in a serving role deletes nothing that is purged, dead or alive: the right is the
/// purging functions' owner's, and that one sees the dead alone, under the job alone.
#[tokio::test]
async fn no_serving_role_may_delete_and_the_one_that_does_sees_the_dead_alone() {
    let database = shared().await;
    for table in tables() {
        for role in ["lanyard_identity", "lanyard_apps", "lanyard_tenant"] {
            let statement = AssertSqlSafe(format!("delete from {table}"));
            let done = sqlx::raw_sql(statement)
                .execute(&mut database.login(role).await)
                .await;
            let refusal = done.expect_err(table);
            let code = refusal.as_database_error().unwrap().code().unwrap();
            assert_eq!(code, "42501", "{role}: {table}");
        }
    }
    let mut boss = database.superuser().await;
    let policies = sqlx::query(
        "select schemaname || '.' || tablename, qual, with_check from pg_policies
         where roles = '{lanyard_retention}'",
    )
    .fetch_all(&mut boss)
    .await
    .unwrap();
    let mut seen = BTreeSet::new();
    for policy in policies {
        let (table, using, check): (String, String, String) =
            (policy.get(0), policy.get(1), policy.get(2));
        assert!(using.contains("seal.is_purging()"), "{table}: {using}");
        assert_eq!(check, "false", "{table}");
        seen.insert(table);
    }
    assert_eq!(seen, tables().into_iter().map(str::to_owned).collect());
}

/// A table made later that refers to a sign-in would keep it forever: it goes into the list, or
/// its rows go with what they refer to.
#[tokio::test]
async fn whatever_refers_to_what_is_purged_is_purged_before_it() {
    let order: BTreeMap<&str, usize> = tables()
        .into_iter()
        .enumerate()
        .map(|(n, t)| (t, n))
        .collect();
    let references: Vec<(String, String)> = sqlx::query_as(
        "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
         where contype = 'f' and confdeltype = 'a'",
    )
    .fetch_all(&mut shared().await.superuser().await)
    .await
    .unwrap();
    for (from, to) in references {
        let Some(place) = order.get(to.as_str()) else {
            continue;
        };
        let before = order.get(from.as_str());
        assert!(
            before.is_some_and(|before| before < place),
            "{from} refers to {to}, and is not purged before it: src/retention/model.rs"
        );
    }
}

/// Issue 3: the table of what is kept is the list's.
#[test]
fn the_documents_show_the_list() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split("\n## What is kept").nth(1).expect("a section");
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for rule in CHAINS.iter().copied().flatten() {
        let kept = if rule.kept.contains('.') {
            format!("`{}`", rule.kept)
        } else {
            rule.kept.to_owned()
        };
        let row = [&format!("`{}`", rule.table), rule.since, &kept, rule.why];
        wanted.push(row.map(str::to_owned).to_vec());
    }
    wanted.push(
        [
            "`audit.event`",
            "never",
            "six years at least",
            "it is the record",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    assert_eq!(rows, wanted);
    let kinds: BTreeSet<_> = KINDS.iter().map(|kind| kind.table).collect();
    assert_eq!(kinds, tables().into_iter().collect());
    // What is fixed is said as it is; what is set has a key.
    let now = time::OffsetDateTime::UNIX_EPOCH;
    let retention = Config::default().retention;
    for rule in CHAINS.iter().copied().flatten() {
        let kept = KINDS
            .iter()
            .find(|kind| kind.table == rule.table)
            .unwrap()
            .kept;
        assert_eq!(now - rule.before(&retention, now), kept, "{}", rule.table);
    }
}
