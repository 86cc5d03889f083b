//! The log: what is committed becomes an entry, once, in its place, under signed checkpoints.
//!
//! Each test has a database of its own: whoever sequences takes the events of all tenants.

mod anchor;
mod export;
mod plans;
mod retention;
mod sequence;
mod sinks;

use lanyard::audit::log::Logs;
use lanyard::ids::TenantId;
use sqlx::{AssertSqlSafe, Error, PgConnection, Row as _};
use uuid::Uuid;

use crate::lab::cluster::{Database, tell};
use crate::lab::{Lab, some_id};
use crate::queries::{register, seal};

/// A login with a transaction open under a context that says this.
async fn begun(database: &Database, role: &str, content: &str) -> PgConnection {
    let mut login = database.login(role).await;
    let open = format!("begin; set local lanyard.context = '{}'", seal(content));
    tell(&mut login, &open).await;
    login
}

/// A job of that name, for no tenant.
fn job(name: &str) -> String {
    format!("job||||||{name}|rw")
}

/// One statement as a job; its SQLSTATE if it is refused.
async fn as_job(
    database: &Database,
    role: &str,
    name: &str,
    statement: &str,
) -> Result<Vec<String>, String> {
    let mut login = begun(database, role, &job(name)).await;
    let asked = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    let rows = match asked.fetch_all(&mut login).await {
        Ok(rows) => rows,
        Err(Error::Database(refusal)) => return Err(refusal.code().unwrap().into_owned()),
        Err(other) => panic!("{other}"),
    };
    tell(&mut login, "commit").await;
    let text = |row: &sqlx::postgres::PgRow| row.try_get_unchecked::<String, _>(0);
    Ok(rows.iter().map(|row| text(row).unwrap()).collect())
}

/// Appends an event of a clinic's, in a transaction that is open.
async fn append(login: &mut PgConnection, id: Uuid, detail: &str) {
    let statement =
        format!("select audit.append('{id}', 'token.issued', now(), '{detail}', sha256('mac'))");
    tell(login, &statement).await;
}

/// The context of a member of a clinic.
fn member(tenant: Uuid) -> String {
    format!("grant|{tenant}||||||rw")
}

/// A lab whose database knows the tests' own seal key.
async fn lab() -> Lab {
    let lab = Lab::apart(|config| {
        let name = format!("lanyard-anchor-{}", some_id());
        config.audit.anchor = Some(std::env::temp_dir().join(name));
    })
    .await;
    register(&lab.database).await;
    lab
}

/// A log's lines, in the order of their indices, which have no gap.
async fn lines(database: &Database, tenant: Uuid) -> Vec<String> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select leaf_index, line from audit.entry where tenant_id = $1 order by leaf_index",
    )
    .bind(tenant)
    .fetch_all(&mut database.superuser().await)
    .await
    .unwrap();
    for (place, (index, _)) in rows.iter().enumerate() {
        assert_eq!(*index, i64::try_from(place).unwrap());
    }
    rows.into_iter().map(|(_, line)| line).collect()
}

/// Gives every event its place.
async fn sequence(lab: &Lab) -> u64 {
    Logs::of(&lab.app).sequence().await.unwrap()
}

const PLATFORM: Uuid = TenantId::PLATFORM.as_uuid();
