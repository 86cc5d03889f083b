//! Ways to write: moving rows, keys as oracles, cascades, rights beyond the policies.

use super::attacker::{Attacker, Said};
use super::planted::{Owner, digest_of_others, planted, tables};

/// RLS-12, RLS-14, RLS-19, RLS-20, RLS-27: on every table by every role under every context, and
/// this time kept. Afterwards each row of others is as it was.
#[tokio::test]
async fn nothing_that_a_role_can_write_touches_a_row_of_others() {
    let database = planted().await;
    let mut boss = database.superuser().await;
    let all = tables(&mut boss).await;
    let before = digest_of_others(database).await;
    let b = Owner::B.tenant();
    for mut attacker in Attacker::all().await {
        for table in &all {
            for statement in WRITES {
                let statement = statement.replace("{t}", table).replace("{b}", &b);
                let kept = attacker.harmless(&[&statement]);
                assert!(
                    !kept.raw.windows(8).any(|bytes| bytes == b"uid=0(ro"),
                    "a program was run: {kept:?}"
                );
            }
            // Every column that it may change, in every row that it can see, committed.
            for column in updatable(&mut attacker, table) {
                let update = format!("update {table} set {column} = {column}");
                attacker.harmless(&[&update, "commit"]);
            }
            for deletion in [
                "delete from {t}",
                "delete from {t} where tenant_id <> seal.tenant()",
            ] {
                let others = deletion.replace("{t}", table);
                let counted = attacker.run(&[&others]);
                let context = attacker.said.as_ref().map(|said| said.class);
                // A deletes at most what is A's: three rows of each table.
                let deleted = counted
                    .tags
                    .iter()
                    .find_map(|tag| tag.strip_prefix("DELETE "));
                let deleted: u32 = deleted.map_or(0, |n| n.parse().unwrap());
                assert!(
                    deleted <= 3,
                    "{} {context:?} {others}: {counted:?}",
                    attacker.role
                );
            }
        }
    }
    assert_eq!(digest_of_others(database).await, before);
}

fn updatable(attacker: &mut Attacker, table: &str) -> Vec<String> {
    let columns = format!(
        "select attname from pg_attribute where attrelid = '{table}'::regclass and attnum > 0
           and has_column_privilege('{table}', attnum, 'update')"
    );
    let answer = attacker.wire.ask(&columns);
    answer
        .rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect()
}

/// RLS-18: whether a parent is another tenant's or nobody's, the answer is one.
#[tokio::test]
async fn a_foreign_key_does_not_tell_whose_a_parent_is() {
    let a = Owner::A.tenant();
    let code = |session: &str| {
        format!(
            "insert into identity.authorization_code (tenant_id, code_id, code_digest, client_id,
               session_id, subject_id, account_id, redirect_uri, scopes, audience, created_at,
               expires_at)
             values ('{a}', gen_random_uuid(), sha256('x'), 'x', '{session}',
               gen_random_uuid(), gen_random_uuid(), 'x', '{{}}', 'x', now(), now())"
        )
    };
    let mut identity = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let own = identity.harmless(&[&code(&Owner::A.id("session_id", 1))]);
    assert_eq!(own.errors, Vec::new());
    let foreign = identity.harmless(&[&code(&Owner::B.id("session_id", 1))]);
    let nobodys = identity.harmless(&[&code("deadbeef-0000-4000-8000-000000000000")]);
    assert_eq!(foreign.state(), "23503");
    assert_eq!(foreign.errors, nobodys.errors);
}

/// RLS-20: what exists elsewhere can be made here; what is unique on the whole platform is not
/// asked of a tenant's transaction.
#[tokio::test]
async fn a_unique_key_does_not_tell_what_others_have() {
    let a = Owner::A.tenant();
    let mut identity =
        Attacker::new("lanyard_identity", Some(Said::job("administer_clients"))).await;
    let client = |id: &str, conflict: &str| {
        format!(
            "insert into identity.client (tenant_id, client_id, client_locator, name, kind,
               profile, auth_method, id_token_alg, status, created_at)
             values ('{a}', '{id}', gen_random_uuid(), 'x', 'web', 'strict',
               'client_secret_basic', 'RS256', 'active', now()) {conflict}"
        )
    };
    for conflict in [
        "",
        "on conflict do nothing",
        "on conflict (tenant_id, client_id) do nothing",
    ] {
        let statement = client("canarybee-client-id-1", conflict);
        let answer = identity.run(&[&statement]);
        assert_eq!(answer.state(), "00000", "{answer:?}");
        assert!(answer.tags.contains(&"INSERT 0 1".to_owned()), "{answer:?}");
    }

    let account = |login: &str, id: &str, conflict: &str| {
        format!(
            "insert into identity.account (account_id, login, login_locator, display_name,
               status, created_at)
             values ('{id}', '{login}', gen_random_uuid(), 'x', 'active', now()) {conflict}"
        )
    };
    let own = Owner::A.id("account_id", 1);
    for said in [Said::member("grant"), Said::account(own.clone())] {
        let mut identity = Attacker::new("lanyard_identity", Some(said)).await;
        for conflict in [
            "",
            "on conflict do nothing",
            "on conflict (login) do nothing",
            "on conflict (login) do update set status = 'active'",
        ] {
            let taken = identity.run(&[&account("canarybee-login-1", &own, conflict)]);
            let free = identity.run(&[&account("nobody-has-this", &own, conflict)]);
            assert_eq!(taken.errors, free.errors, "{conflict}");
            assert_eq!(taken.state(), "42501", "{conflict}");
        }
    }
}

/// RLS-12, RLS-14 on the table that tenants write most.
#[tokio::test]
async fn a_row_can_be_made_for_nobody_else_and_for_nobody() {
    let mut seeder = Attacker::new("lanyard_tenant", Some(Said::job("seed_visits"))).await;
    let visit = |tenant: &str| {
        format!(
            "insert into visits.visit (tenant_id, visit_id, patient_id, practitioner_id,
               starts_at, kind, state)
             values ({tenant}, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(),
               'video', 'scheduled')"
        )
    };
    let own = format!("'{}'", Owner::A.tenant());
    assert_eq!(seeder.run(&[&visit(&own)]).state(), "00000");
    let other = format!("'{}'", Owner::B.tenant());
    for tenant in [other.as_str(), "null", "gen_random_uuid()"] {
        assert_eq!(seeder.run(&[&visit(tenant)]).state(), "42501", "{tenant}");
    }
}

/// Every way to write that Postgres has, on the table `{t}`.
const WRITES: &[&str] = &[
    "delete from {t}",
    "delete from {t} where true returning *",
    "update {t} set tenant_id = '{b}'",
    "update {t} set tenant_id = '{b}' returning *",
    "insert into {t} select * from {t}",
    "insert into {t} select * from {t} on conflict do nothing returning *",
    "insert into {t} (tenant_id) values ('{b}')",
    "insert into {t} (tenant_id) values (null)",
    "insert into {t} (tenant_id) values ('{b}') on conflict do nothing",
    "merge into {t} t using (select 1) s on true when matched then delete",
    "merge into {t} t using (select 1) s on false when not matched then insert
                   (tenant_id) values ('{b}')",
    "with gone as (delete from {t} returning *) select gone::text from gone",
    "truncate {t}",
    "truncate {t} cascade",
    "copy {t} from stdin",
    "copy {t} from '/etc/hostname'",
    "copy {t} from program 'id'",
    "copy {t} to program 'id'",
    "copy {t} to '/tmp/lanyard-copied'",
    "alter table {t} disable row level security",
    "alter table {t} no force row level security",
    "create policy mine on {t} using (true)",
    "create trigger mine before insert on {t} for each row
                   execute function pg_catalog.suppress_redundant_updates_trigger()",
    "create rule mine as on select to {t} do instead nothing",
    "create index on {t} (tenant_id)",
    "grant all on {t} to public",
    "alter table {t} owner to current_user",
    "drop table {t} cascade",
    "comment on table {t} is 'x'",
    "lock table {t} in access exclusive mode nowait; select * from {t}",
    "vacuum {t}",
    "analyze verbose {t}",
    "cluster {t}",
    "reindex table {t}",
];
