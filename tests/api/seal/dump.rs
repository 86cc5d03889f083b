//! Backups under row-level security (RLS-29): whole, or an error; never silently empty.

use std::process::{Command, Output};

use sqlx::{AssertSqlSafe, PgConnection};

use super::planted::{planted, tables};
use crate::lab::cluster::{self, Database, tell};

fn dump(database: &Database, role: &str, more: &[&str]) -> Output {
    let mut command = Command::new("pg_dump");
    command
        .arg("--host")
        .arg(database.socket_dir())
        .args(["--username", role, "--no-password"]);
    command.args(more).arg(&database.name).output().unwrap()
}

/// RLS-29: what is silent elsewhere (no rows, exit 0) is an error here: the seal raises.
#[tokio::test]
async fn a_serving_role_dumps_nothing_and_is_told_so() {
    let database = planted().await;
    for more in [
        &["--schema=visits"][..],
        &["--schema=visits", "--enable-row-security"],
        &[],
    ] {
        let output = dump(database, "lanyard_tenant", more);
        assert!(!output.status.success(), "{more:?}");
        let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(!text.contains("canarybee"), "{more:?}");
    }
}

/// The restore drill: the administrator's dump holds every row of every table.
#[tokio::test]
async fn an_administrators_dump_restores_every_row() {
    let database = planted().await;
    let output = dump(database, "lanyard_bootstrap", &["--format=custom"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let copy = cluster::fresh().await;
    let mut boss = copy.superuser().await;
    let name = format!("{}_restored", copy.name);
    tell(
        &mut boss,
        &format!("create database {name} template template0"),
    )
    .await;
    let file = std::env::temp_dir().join(&name);
    std::fs::write(&file, &output.stdout).unwrap();
    let restored = Command::new("pg_restore")
        .arg("--host")
        .arg(copy.socket_dir())
        .args([
            "--username",
            "lanyard_bootstrap",
            "--exit-on-error",
            "--dbname",
            &name,
        ])
        // Planted words stand where keys want others, so without the keys.
        .args(["--section=pre-data", "--section=data"])
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let restored = copy.named_like(&name);
    let mut original = database.superuser().await;
    for table in tables(&mut original).await {
        // Server processes of other tests register keys in the meantime.
        if table == "seal.mac_key" {
            continue;
        }
        let before = count(&mut original, &table).await;
        let after = count(&mut restored.superuser().await, &table).await;
        assert_eq!(before, after, "{table}");
    }
}

async fn count(boss: &mut PgConnection, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql).fetch_one(boss).await.unwrap()
}
