//! What giving positions and reading costs, with many clinics and many events behind.

use sqlx::{AssertSqlSafe, Row as _};

use crate::lab::cluster::{self, tell};
use crate::queries::{register, seal};

/// At 1,000 tenants and 100,000 events: by their keys, and no table from end to end.
#[tokio::test]
async fn what_ended_is_found_by_indexes() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    tell(
        &mut boss,
        "set session_replication_role = replica;
         create temp table clinic as
           select gen_random_uuid() as tenant_id from generate_series(1, 1000);
         insert into revocation.published (tenant_id, position, event_id, kind, reason,
             occurred_at, issued_until, published_at)
           select tenant_id, row_number() over (), gen_random_uuid(), 'session', 'idle', now(),
             now(), now() - interval '1 day' + row_number() over () * interval '1 second'
           from clinic, generate_series(1, 100);
         insert into identity.tenant_session
             (tenant_id, session_id, subject_id, sid, auth_time, opened_at)
           select tenant_id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(), now()
           from clinic, generate_series(1, 20);
         insert into identity.membership
             (tenant_id, subject_id, account_id, display_name, status, created_at)
           select tenant_id, gen_random_uuid(), gen_random_uuid(), 'x', 'active', now()
           from clinic, generate_series(1, 20);
         set session_replication_role = origin;
         analyze",
    )
    .await;
    register(&database).await;
    let asks = [
        (
            "lanyard_identity",
            "select position from revocation.published where position > 99000
             order by position limit 500",
        ),
        (
            "lanyard_identity",
            "select min(p.position) - 1 from revocation.published p
             where p.published_at >= now() + interval '3 hours'",
        ),
        (
            "lanyard_owner",
            "select t.sid from identity.tenant_session t
             where t.session_id = 'b0b0cafe-0000-4000-8000-000000000000'",
        ),
        (
            "lanyard_owner",
            "select m.subject_id from identity.membership m
             where m.account_id = 'b0b0cafe-0000-4000-8000-000000000000'",
        ),
    ];
    for (role, ask) in asks {
        let open = format!(
            "begin; set local role {role}; set local lanyard.telling = 'yes';
             set local lanyard.context = '{}'",
            seal("job||||||tell_revocations|rw")
        );
        tell(&mut boss, &open).await;
        let lines = sqlx::raw_sql(AssertSqlSafe(format!("explain (costs off) {ask}")))
            .fetch_all(&mut boss)
            .await
            .unwrap();
        tell(&mut boss, "rollback").await;
        let lines: Vec<String> = lines.iter().map(|row| row.get(0)).collect();
        let plan = lines.join("\n");
        assert!(plan.contains("Index"), "{ask}:\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{ask}:\n{plan}");
    }
}
