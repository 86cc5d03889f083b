//! What delegations cost to look up, with many clinics and with many in one.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::lab::cluster::{self, tell};
use crate::queries::{Query, queries, register, seal};

/// A thousand clinics of twenty, and one of five thousand that all stand.
const CROWD: &str = "
    set session_replication_role = replica;
    create temp table clinic as select gen_random_uuid() as tenant_id, 20 as many
      from generate_series(1, 1000);
    insert into clinic values ('c11c0000-0000-4000-8000-000000000000', 5000);
    insert into identity.delegation (tenant_id, delegation_id, patient_id, patient_account_id,
        proxy_id, proxy_account_id, basis, document, scope, granted_by, granted_at, valid_from,
        valid_until)
      select tenant_id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), gen_random_uuid(), 'power_of_attorney', 'POA', '{visits.visit.read}',
        gen_random_uuid(), now() - n * interval '1 minute', now() - n * interval '1 minute',
        now() + interval '1 year'
      from clinic, generate_series(1, many) n;
    insert into identity.membership
        (tenant_id, subject_id, account_id, display_name, status, created_at)
      select tenant_id, patient_id, patient_account_id, 'x', 'active', now()
        from identity.delegation
      union all
      select tenant_id, proxy_id, proxy_account_id, 'x', 'active', now()
        from identity.delegation;
    update identity.delegation set ended_at = now(), end_reason = 'by_proxy'
      where ctid = any (array(select ctid from identity.delegation
        where tenant_id <> 'c11c0000-0000-4000-8000-000000000000' limit 3));
    set session_replication_role = origin;
    analyze";
const BIG: &str = "'c11c0000-0000-4000-8000-000000000000'";

/// One delegation of the big clinic: its id, patient, proxy, and their accounts.
async fn one(boss: &mut PgConnection) -> [String; 5] {
    let row = sqlx::raw_sql(AssertSqlSafe(format!(
        "select delegation_id::text, patient_id::text, proxy_id::text, patient_account_id::text,
           proxy_account_id::text
         from identity.delegation where tenant_id = {BIG} limit 1"
    )))
    .fetch_one(boss)
    .await
    .unwrap();
    std::array::from_fn(|column| format!("'{}'", row.get::<String, _>(column)))
}

/// The plan of a statement with what it really read, and nothing of it done.
async fn explain(login: &mut PgConnection, open: &str, query: &str) -> String {
    tell(login, &format!("begin; {open}")).await;
    let explain = format!("explain (analyze, costs off, timing off, summary off) {query}");
    let lines = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *login)
        .await
        .unwrap();
    tell(login, "rollback").await;
    let lines: Vec<String> = lines.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

/// How many rows of delegations a plan touched, whether it kept them or not.
fn touched(plan: &str) -> u64 {
    let number = |text: &str, after: &str| {
        let rest = text.split(after).nth(1)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    };
    let mut count = 0;
    let mut is_of_them = false;
    for line in plan.lines() {
        if line.contains("(actual rows=") || line.contains("(never executed)") {
            is_of_them = line.contains(" on delegation") || line.contains("_on_identity");
            let loops = number(line, "loops=").unwrap_or(0);
            count += u64::from(is_of_them) * number(line, "rows=").unwrap_or(0) * loops;
        } else if is_of_them {
            count += number(line, "Rows Removed by Filter: ").unwrap_or(0);
        }
    }
    count
}

/// A statement of the store by words of it alone, values for it, whose it is, and how many rows
/// it may touch.
type Ask = (&'static str, String, Of, u64);

#[derive(Clone, Copy)]
enum Of {
    /// Planned for its values each time.
    Page,
    Member,
    Job,
}

fn asks([id, patient, proxy, ..]: &[String; 5]) -> Vec<Ask> {
    let one = format!("{BIG}, {id}");
    let named = "as patient_name";
    let ended = format!("{one}, 'by_proxy', now()");
    let revoked = format!("{one}, 'revoked', now()");
    let pair = format!("{BIG}, {patient}, {proxy}, now()");
    vec![
        // Each twice: by its index, and by its key.
        (named, format!("{BIG}, null, null"), Of::Page, 210),
        (named, format!("{BIG}, {patient}, null"), Of::Page, 4),
        (named, format!("{BIG}, null, {id}"), Of::Page, 2),
        ("for no key update", one.clone(), Of::Member, 3),
        ("set ended_at = $4", ended, Of::Member, 3),
        ("set tokens_ended_at", revoked, Of::Member, 3),
        ("coalesce(ended_at", format!("{one}, now()"), Of::Member, 3),
        ("a.account_id in", one, Of::Member, 3),
        ("proxy_id = $3", pair, Of::Member, 3),
        ("order by ends_at", "now()".to_owned(), Of::Job, 10),
    ]
}

/// Every statement of the store, under the plan that it settles on: by an index, and hardly more
/// rows than it gives.
#[tokio::test]
async fn what_is_asked_of_delegations_is_found_by_indexes() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    tell(&mut boss, CROWD).await;
    let one = one(&mut boss).await;
    register(&database).await;
    let mut login = database.login("lanyard_identity").await;
    let mut own = queries();
    own.retain(|query| query.place.starts_with("src/delegation/store.rs"));
    let member = seal("grant|c11c0000-0000-4000-8000-000000000000|||||operations|rw");
    let job = seal("job||||||administer_delegations|rw");
    let mut judged = Vec::new();
    for (number, (words, values, of, most)) in asks(&one).into_iter().enumerate() {
        let found: Vec<&Query> = own.iter().filter(|q| q.sql.contains(words)).collect();
        let [query] = found.as_slice() else {
            panic!("{words}: {found:?}");
        };
        judged.push(query.place.as_str());
        let sql = format!("prepare ask_{number} as {}", query.sql);
        tell(&mut login, &sql).await;
        let (context, mode) = match of {
            Of::Page => (&member, "custom"),
            Of::Member => (&member, "generic"),
            Of::Job => (&job, "generic"),
        };
        let open = format!(
            "set local lanyard.context = '{context}';
             set local plan_cache_mode = force_{mode}_plan"
        );
        let execute = format!("execute ask_{number} ({values})");
        let plan = explain(&mut login, &open, &execute).await;
        // Of the branches that are not asked for the planner says so, and executes none.
        let mut parts = plan.lines();
        let reads_all = parts.any(|part| {
            part.contains("Seq Scan on delegation") && !part.contains("never executed")
        });
        assert!(!reads_all, "{words}:\n{plan}");
        assert!(touched(&plan) <= most, "{words}, {values}:\n{plan}");
    }
    // What is left reads no delegation: either side as a member, what of hers is lent, and the
    // writing of one.
    let left = own.iter().filter(|q| !judged.contains(&q.place.as_str()));
    for query in left {
        let reads = query.sql.contains("from identity.delegation");
        assert!(!reads, "{}: {}", query.place, query.sql);
    }
    let [_, patient, _, patients, proxies] = &one;
    by_triggers(&mut boss, (patient, [patients, proxies])).await;
}

/// What the triggers look for, by their owner.
async fn by_triggers(boss: &mut PgConnection, (member, accounts): (&str, [&str; 2])) {
    let [patients, proxies] = accounts;
    let asks = [
        format!("proxy_account_id = {proxies}"),
        format!("(patient_account_id = {patients} or proxy_account_id = {patients})"),
        format!("tenant_id = {BIG} and (patient_id = {member} or proxy_id = {member})"),
        format!("tenant_id = {BIG} and patient_id = {member}"),
    ];
    let open = format!(
        "set local role lanyard_owner; set local lanyard.context = '{}'",
        seal("grant|c11c0000-0000-4000-8000-000000000000|||||operations|rw")
    );
    for ask in asks {
        let query = format!(
            "select delegation_id from identity.delegation where ended_at is null and {ask}"
        );
        let plan = explain(boss, &open, &query).await;
        assert!(plan.contains("Index"), "{ask}:\n{plan}");
        assert!(touched(&plan) <= 3, "{ask}:\n{plan}");
    }
}
