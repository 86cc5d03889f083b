//! What the seal costs: with `tenant_id = $1` in the query it is checked once (design §3).

use super::attacker::{Attacker, Said};
use super::planted::Owner;
use crate::lab::cluster::{self, tell};

const TENANTS: u32 = 1000;

/// At 1,000 tenants, on the tables that a clinic lists.
#[tokio::test]
async fn the_tenant_filter_is_a_one_time_filter_when_the_query_names_the_tenant() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    tell(
        &mut boss,
        &format!(
            "set session_replication_role = replica;
             insert into tenancy.tenant (tenant_id, slug, slug_locator, name, accent, status,
                 created_at)
               select gen_random_uuid(), 'clinic-' || n, gen_random_uuid(), 'x', 'teal', 'active',
                 now() from generate_series(1, {TENANTS}) n;
             insert into visits.visit (tenant_id, visit_id, patient_id, practitioner_id, starts_at,
                 kind, state)
               select tenant_id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(),
                 'video', 'scheduled' from tenancy.tenant, generate_series(1, 10);
             analyze"
        ),
    )
    .await;
    let tenant: String = sqlx::query_scalar("select max(tenant_id::text) from tenancy.tenant")
        .fetch_one(&mut boss)
        .await
        .unwrap();
    let said = Said {
        tenant: tenant.clone(),
        ..Said::member("care_team")
    };
    let mut nurse = Attacker::on(&database, "lanyard_tenant", Some(said));
    for mode in ["force_generic_plan", "force_custom_plan"] {
        let answer = nurse.run(&[
            &format!("set local plan_cache_mode = {mode}"),
            "prepare visits (uuid) as
               select visit_id from visits.visit where tenant_id = $1 order by starts_at",
            &format!("explain (analyze, costs off, timing off) execute visits ('{tenant}')"),
        ]);
        let plan = plan(&answer);
        assert!(plan.contains("One-Time Filter: ("), "{plan}");
        assert!(plan.contains("Index Cond: (tenant_id ="), "{plan}");
        assert!(plan.contains("rows=10 "), "{plan}");
        // Another tenant's id: the seal is asked once, and nothing is read.
        let answer = nurse.run(&[
            &format!("set local plan_cache_mode = {mode}"),
            "prepare visits (uuid) as select visit_id from visits.visit where tenant_id = $1",
            "explain (analyze, costs off, timing off) execute visits (gen_random_uuid())",
        ]);
        let plan = self::plan(&answer);
        assert!(plan.contains("(never executed)"), "{plan}");
    }
}

fn plan(answer: &super::wire::Answer) -> String {
    assert_eq!(answer.errors, Vec::new());
    let lines = answer.rows.iter().filter_map(|row| row[0].as_deref());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every tenant's table: the policy never makes a query that names the tenant read another's rows.
#[tokio::test]
async fn a_query_that_names_the_tenant_reads_no_other_tenants_index_entries() {
    let mut nurse = Attacker::new("lanyard_tenant", Some(Said::member("care_team"))).await;
    let a = Owner::A.tenant();
    let explain = format!(
        "explain (analyze, costs off, timing off, summary off)
         select * from visits.visit where tenant_id = '{a}'"
    );
    let answer = nurse.run(&["set local enable_seqscan = off", &explain]);
    let plan = plan(&answer);
    assert!(!plan.contains("Rows Removed"), "{plan}");
}

/// A person's live sessions: the seal is asked once for all of them, and before any is read.
#[tokio::test]
async fn the_seal_is_asked_once_for_all_sessions_of_a_person() {
    let own = Owner::A.id("account_id", 1);
    let mut ada = Attacker::new("lanyard_identity", Some(Said::account(own.clone()))).await;
    for (account, reads) in [(own, true), (Owner::B.id("account_id", 1), false)] {
        let explain = format!(
            "explain (analyze, costs off, timing off, summary off)
             select session_id from identity.live_session where account_id = '{account}'"
        );
        let answer = ada.run(&[&explain]);
        let plan = plan(&answer);
        assert!(plan.contains("One-Time Filter: (seal.person() ="), "{plan}");
        assert_eq!(plan.contains("(never executed)"), !reads, "{plan}");
    }
}
