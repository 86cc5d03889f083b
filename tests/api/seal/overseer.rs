//! Class `overseer`: sees support's grants of all clinics, and lets them end. Nothing else.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::lab::cluster::{self, tell};
use crate::queries::{register, seal};

const GRANTS: &str = "
    set session_replication_role = replica;
    insert into identity.impersonation
        (tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
         actor_name, client_id, reason, ticket, preset, minutes, rule, state, requested_at,
         start_by)
      select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), gen_random_uuid(), 'Sam', 'c', 'a reason of some length', 'T', 'assist',
        5, 'consent_of_user', 'requested', now(), now() + interval '1 day'
      from generate_series(1, 3);
    set session_replication_role = origin";

/// Runs statements under the class; what the database says against it.
async fn under(login: &mut PgConnection, class: &str, statements: &str) -> Option<String> {
    let id = uuid::Uuid::from_u128(7);
    let context = seal(&format!("{class}|||{id}|||operations|rw"));
    tell(
        login,
        &format!("begin; set local lanyard.context = '{context}'"),
    )
    .await;
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut *login)
        .await;
    let code = done.err().map(|error| {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        code.unwrap_or_default().into_owned()
    });
    tell(login, if code.is_some() { "rollback" } else { "commit" }).await;
    code
}

async fn count(login: &mut PgConnection, class: &str, query: &'static str) -> i64 {
    let id = uuid::Uuid::from_u128(7);
    let context = seal(&format!("{class}|||{id}|||operations|rw"));
    tell(
        login,
        &format!("begin; set local lanyard.context = '{context}'"),
    )
    .await;
    let count = sqlx::query_scalar(query).fetch_one(&mut *login).await;
    tell(login, "rollback").await;
    count.unwrap()
}

#[tokio::test]
async fn an_overseer_ends_grants_and_changes_nothing_else_of_them() {
    let database = cluster::fresh().await;
    tell(&mut database.superuser().await, GRANTS).await;
    register(&database).await;
    let mut login = database.login("lanyard_identity").await;
    let grants = "select count(*) from identity.impersonation";
    assert_eq!(count(&mut login, "overseer", grants).await, 3);
    assert_eq!(count(&mut login, "agent", grants).await, 0);
    for table in [
        "select count(*) from identity.membership",
        "select count(*) from identity.tenant_session",
        "select count(*) from identity.account",
    ] {
        assert_eq!(count(&mut login, "overseer", table).await, 0, "{table}");
    }
    for refused in [
        "update identity.impersonation set state = 'approved', approved_at = now()",
        "update identity.impersonation set state = 'ended', ended_at = now(),
           end_reason = 'by_subject'",
        "update identity.impersonation set state = 'ended', ended_at = now(),
           end_reason = 'by_operator', end_recorded_at = now()",
        "insert into identity.sessions_end (tenant_id, order_id, ended_at, reason)
           values (gen_random_uuid(), gen_random_uuid(), now(), 'drill')",
        "insert into identity.sessions_end_proof
           (tenant_id, order_id, completed_at, sessions, families, codes)
           values (gen_random_uuid(), gen_random_uuid(), now(), 0, 0, 0)",
    ] {
        let said = under(&mut login, "overseer", refused).await;
        assert_eq!(said.as_deref(), Some("42501"), "{refused}");
    }
    let end = "update identity.impersonation
        set state = 'ended', ended_at = now(), end_reason = 'by_operator' where ended_at is null";
    assert_eq!(
        under(&mut login, "agent", end).await,
        None,
        "and changes no row"
    );
    let open = "select count(*) from identity.impersonation where ended_at is null";
    assert_eq!(count(&mut login, "overseer", open).await, 3);
    assert_eq!(under(&mut login, "overseer", end).await, None);
    assert_eq!(count(&mut login, "overseer", open).await, 0);
}
