//! Ways to read: joined, hidden, prepared, indirect.

use super::attacker::{Attacker, Said};
use super::planted::{Owner, planted, tables};
use super::wire::{Answer, Wire};

/// For every table and every role: one statement after the other, each alone in its transaction.
async fn each_on_every_table(statements: &[&str]) -> usize {
    let mut boss = planted().await.superuser().await;
    let mut all = tables(&mut boss).await;
    all.extend(["identity.clinic".to_owned(), "tenancy.member".to_owned()]);
    let b = Owner::B.tenant();
    let mut answered = 0;
    for mut attacker in Attacker::all().await {
        let may = |table: &str| format!("select has_table_privilege('{table}', 'select')::text");
        for table in &all {
            if attacker.wire.ask(&may(table)).first() != Some("true") {
                continue;
            }
            for statement in statements {
                let statement = statement.replace("{t}", table).replace("{b}", &b);
                let messages: Vec<&str> = statement.split(" ;; ").collect();
                answered += usize::from(attacker.harmless(&messages).errors.is_empty());
            }
        }
    }
    answered
}

/// UNION branches, CTEs, sub-selects, set operations, joins: each branch has its own policies.
#[tokio::test]
async fn no_branch_of_a_statement_sees_more_than_the_statement() {
    let answered = each_on_every_table(&[
        "select t::text from {t} t union select t::text from {t} t",
        "select '1' union all select t::text from {t} t where t::text like '%bee%'",
        "select t::text from {t} t except select t::text from {t} t where t::text like '%dog%'",
        "with a as materialized (select * from {t}) select a::text from a",
        "with recursive r(n, x) as (select 1, null::text union all
           select n + 1, (select string_agg(t::text, ',') from {t} t) from r where n < 3)
         select x from r",
        "select (select string_agg(t::text, '|') from {t} t)",
        "select 1 where exists (select from {t} t where t::text like '%canary%')
           and (select count(*) from {t} where false) = 1",
        "select a::text, b::text from {t} a full join {t} b on true",
        "select a::text, b::text from {t} a cross join lateral (select * from {t} x
           where x is distinct from a) b",
        "table {t}",
        "select row_to_json(t) from {t} t",
        "select json_agg(t), array_agg(t)::text, max(t::text), min(t::text) from {t} t",
        "select t::text, tableoid, ctid, xmin from {t} t",
        "select t::text from {t} t where ctid = any (array['(0,1)', '(0,2)', '(0,3)', '(0,4)',
           '(0,5)', '(0,6)', '(0,7)', '(0,8)', '(0,9)']::tid[])",
        "select t::text from {t} t tablesample bernoulli (100)",
        "select t::text from only {t} t for update",
        "select t::text from {t} t for key share",
        "values ((select string_agg(t::text, '|') from {t} t))",
        "select string_agg(t::text, '|') over (), lag(t::text) over () from {t} t",
        "select percentile_disc(0.5) within group (order by t::text), mode() within group
           (order by t::text) from {t} t",
    ])
    .await;
    assert!(answered > 300, "{answered}");
}

/// Cursors (also held beyond the transaction), prepared statements, COPY, DO.
#[tokio::test]
async fn cursors_prepared_statements_copy_and_do_see_what_the_statement_sees() {
    let answered = each_on_every_table(&[
        "declare c cursor for select t::text from {t} t ;; fetch all from c",
        "declare c scroll cursor with hold for select t::text from {t} t ;; commit ;; \
         fetch all from c",
        "prepare p as select t::text from {t} t ;; execute p ;; commit ;; execute p",
        "prepare p (text) as select t::text from {t} t where t::text like $1 ;; \
         execute p ('%canary%') ;; explain (analyze, verbose) execute p ('%can%')",
        "copy {t} to stdout",
        "copy (select * from {t}) to stdout with (format csv, header)",
        "copy (select * from {t}) to stdout with (format binary)",
        "copy {t} from stdin",
        "do $$ declare r text; begin for r in select t::text from {t} t loop
           raise notice '%', r; end loop; end $$",
        "do $$ declare r text; begin select string_agg(t::text, '|') into r from {t} t;
           raise exception '%', r; end $$",
        "do $$ declare c refcursor := 'x'; begin open c for select t::text from {t} t; end $$ \
         ;; fetch all from x",
        "explain (analyze, verbose, costs off) select t::text from {t} t",
        "explain (verbose, format json) select t::text from {t} t where t::text = 'a'",
        "explain (analyze, buffers, settings) select * from {t} order by 1",
        "create table mine as select * from {t}",
        "create temp table mine as select * from {t}",
        "select * into temp mine from {t}",
        "create materialized view mine as select * from {t}",
        "create temp view mine as select * from {t}",
    ])
    .await;
    assert!(answered > 300, "{answered}");
}

/// RLS-26: an error, a notice or a cheap function sees own rows alone.
#[tokio::test]
async fn errors_and_notices_quote_own_rows_alone() {
    let answered = each_on_every_table(&[
        "select t::text::int from {t} t",
        "select cast(t::text as uuid) from {t} t where t::text not like '%dog%'",
        "select 1 / (case when t::text like '%canary%' then 0 else 1 end) from {t} t",
        "select t::text::xml from {t} t where t::text not like '%dog%'",
        "select ('[' || t::text)::json from {t} t where t::text not like '%dog%'",
        "select to_regclass(t::text), t::text::regclass from {t} t where t::text not like '%dog%'",
        "select date_trunc(t::text, now()) from {t} t where t::text not like '%dog%'",
        "select * from {t} t where t::text::int > 0 or true",
        "select * from {t} t order by t::text::uuid",
        "do $$ begin perform t::text::int from {t} t where t::text not like '%dog%'; end $$",
        "create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001 as
           $$ begin raise notice '%', $1; return true; end $$ ;; \
         select * from {t} t where pg_temp.tell(t::text)",
        "create function public.tell(text) returns boolean language plpgsql leakproof as
           $$ begin raise notice '%', $1; return true; end $$",
    ])
    .await;
    assert!(answered > 50, "{answered}");
    // Division by zero is asked of every row in sight: of none, so nothing is divided.
    let mut nurse = Attacker::new("lanyard_tenant", Some(Said::member("care_team"))).await;
    let oracle = "select 1 / (case when t::text like '%canary%' then 0 else 1 end)
                  from visits.visit t";
    let answer = nurse.harmless(&[oracle]);
    assert_eq!((answer.state(), answer.rows.len()), ("00000", 3));
}

/// RLS-15, RLS-16, and every function of the catalog's that runs a statement for its caller.
#[tokio::test]
async fn views_and_functions_give_the_callers_tenant_alone() {
    let b = Owner::B.tenant();
    let b_id = |column| Owner::B.id(column, 1);
    let account = b_id("account_id");
    let statements = [
        "select * from identity.clinic".to_owned(),
        format!("select * from identity.clinic where tenant_id = '{b}'"),
        "select * from tenancy.member".to_owned(),
        format!("select * from tenancy.member where tenant_id = '{b}'"),
        format!("select seal.job_for('{b}')"),
        "select seal.context(), seal.tenant(), seal.account(), seal.subject(), seal.class(),
           seal.claimed(), seal.person(), seal.job(), seal.platform_tenant()"
            .to_owned(),
        format!(
            "select audit.append('{}', 'visit.listed', now(), '{{}}', sha256('x'))",
            b_id("event_id")
        ),
        format!("select identity.throttle_hit(sha256('{account}'), now(), '1 hour')"),
        format!("select identity.throttle_clear(sha256('{account}'))"),
        "select query_to_xml('select * from visits.visit', true, true, '')".to_owned(),
        "select table_to_xml('visits.visit', true, true, '')".to_owned(),
        "select schema_to_xml('visits', true, true, ''), schema_to_xml('identity', true, true, '')"
            .to_owned(),
        "select database_to_xml(true, true, '')".to_owned(),
        "declare c cursor for select * from visits.visit; select cursor_to_xml('c', 10, true, true,
           '')"
        .to_owned(),
        "select ts_stat('select to_tsvector(t::text) from visits.visit t')".to_owned(),
        "select * from ts_stat('select to_tsvector(t::text) from identity.membership t')"
            .to_owned(),
        "select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, to_tsquery(name)
           from tenancy.tenant')"
            .to_owned(),
        "select * from pg_catalog.pg_get_publication_tables('x')".to_owned(),
        "select pg_catalog.pg_relation_filenode('visits.visit')".to_owned(),
        "select currtid2('visits.visit', '(0,1)'::tid)".to_owned(),
        "select heap_page_items(get_raw_page('visits.visit', 0))".to_owned(),
        "select pg_read_file('base/1/1259')".to_owned(),
        "select pg_read_binary_file('PG_VERSION'), pg_ls_dir('.'), pg_ls_waldir()".to_owned(),
        "select lo_import('/etc/hostname')".to_owned(),
        "select * from dblink('', 'select 1') as t(a int)".to_owned(),
        "create extension dblink".to_owned(),
        "create extension postgres_fdw".to_owned(),
        "create extension pgcrypto".to_owned(),
        "create extension pageinspect".to_owned(),
        "create server s foreign data wrapper postgres_fdw".to_owned(),
        "create language plpython3u".to_owned(),
        "load 'pageinspect'".to_owned(),
        "load '/tmp/mine.so'".to_owned(),
    ];
    for mut attacker in Attacker::all().await {
        for statement in &statements {
            attacker.harmless(&[statement]);
        }
    }
}

/// RLS-28: one prepared statement, over changing tenants, with each kind of plan.
#[tokio::test]
async fn a_reused_plan_gives_each_tenant_its_own_rows() {
    let mut a = Attacker::new("lanyard_tenant", Some(Said::member("care_team"))).await;
    let b = Said {
        tenant: Owner::B.tenant(),
        ..Said::member("care_team")
    };
    let mut wire = Wire::login(planted().await, "lanyard_tenant");
    for mode in ["force_generic_plan", "force_custom_plan", "auto"] {
        wire.ask(&format!("deallocate all; set plan_cache_mode = {mode}"));
        wire.ask("prepare plain as select tenant_id::text from visits.visit");
        wire.ask(
            "prepare bound (uuid) as select tenant_id::text from visits.visit where tenant_id = $1",
        );
        wire.ask(
            "prepare cte as with v as materialized (table visits.visit)
         select tenant_id::text from v",
        );
        wire.ask("prepare view as select tenant_id::text from tenancy.member");
        wire.ask(
            "prepare exists as select tenant_id::text from tenancy.tenant t
           where exists (select from visits.visit v where v.tenant_id = t.tenant_id)",
        );
        for round in 0..20 {
            let said = if round % 3 == 2 {
                b.clone()
            } else {
                Said::member("care_team")
            };
            let tenant = said.tenant.clone();
            a.said = Some(said);
            let begin = a.begin();
            for execute in ["plain", "cte", "view", "exists"] {
                let answer = wire.ask_all(&[&begin, &format!("execute {execute}"), "rollback"]);
                assert!(!answer.rows.is_empty(), "{mode} {execute}");
                are_all_of(&answer, &tenant);
            }
            let bound = format!("execute bound ('{}')", Owner::B.tenant());
            let answer = wire.ask_all(&[&begin, &bound, "rollback"]);
            assert_eq!(answer.rows.is_empty(), tenant != Owner::B.tenant());
            are_all_of(&answer, &tenant);
            // Without any context the same plans give an error, not an empty answer.
            assert_eq!(wire.ask("execute plain").state(), "42501");
        }
    }
}

fn are_all_of(answer: &Answer, tenant: &str) {
    assert_eq!(answer.errors, Vec::new());
    for row in &answer.rows {
        assert_eq!(row[0].as_deref(), Some(tenant));
    }
}
