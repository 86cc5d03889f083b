//! What sessions could tell each other: text, locks, large objects, notifications, temporary
//! objects, remains on a pooled connection.

use super::attacker::{Attacker, Said, leaks};
use super::planted::{Owner, planted};
use super::wire::Wire;

/// A session of B's, in the middle of a transaction that names its own canaries everywhere it can.
async fn busy_victim(role: &'static str) -> Attacker {
    let b = Said {
        tenant: Owner::B.tenant(),
        account: Owner::B.id("account_id", 1),
        subject: Owner::B.id("subject_id", 1),
        ..Said::member("care_team")
    };
    let mut victim = Attacker::new(role, Some(b)).await;
    let begin = victim.begin();
    let id = Owner::B.id("subject_id", 1);
    victim.wire.ask_all(&[
        "set application_name = 'lanyard'; set idle_in_transaction_session_timeout = 0",
        &begin,
        &format!("prepare canarybee as select '{id}'::uuid"),
        &format!("declare canarybee cursor for select '{id}'::uuid, 'canarybee'"),
        &format!("select 'canarybee', '{id}'::uuid"),
    ]);
    if role == "lanyard_tenant" {
        victim
            .wire
            .ask("lock table only visits.visit in access share mode");
    }
    victim
}

/// Other sessions' text: every view and function of the catalog's that lists sessions, and then
/// every view there is.
#[tokio::test]
async fn no_catalog_view_or_function_shows_what_another_session_does() {
    let mut victims = Vec::new();
    for role in [
        "lanyard_identity",
        "lanyard_tenant",
        "lanyard_platform",
        "lanyard_apps",
    ] {
        victims.push(busy_victim(role).await);
    }
    let mut boss = Wire::login(planted().await, "lanyard_bootstrap");
    let views = boss.ask(
        "select c.oid::regclass from pg_class c
         where c.relkind in ('v', 'r', 'm') and c.relnamespace in
           ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) order by 1",
    );
    // Every function that can be called with nothing and might say something.
    let functions = boss.ask(
        "select p.oid::regproc from pg_proc p
         where p.pronamespace = 'pg_catalog'::regnamespace and p.pronargs = 0
           and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
           and p.prorettype <> 'event_trigger'::regtype
           and p.proname !~ 'handler|_in$|_out$|_recv$|_send$' order by 1",
    );
    let columns = |answer: super::wire::Answer| -> Vec<String> {
        answer
            .rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten())
            .collect()
    };
    // The server looks for the canaries, in words that are none themselves.
    let look = "'canary[b]ee|b0b0[c]afe|63616e6172[7]9626565'";
    let mut statements: Vec<String> = columns(views)
        .iter()
        .map(|view| format!("select v::text from {view} v where v::text ~* {look}"))
        .collect();
    statements.extend(
        columns(functions)
            .iter()
            .map(|name| format!("select {name}()")),
    );
    for pid in victims.iter_mut().map(pid) {
        for function in [
            "pg_stat_get_activity",
            "pg_stat_get_backend_activity",
            "pg_blocking_pids",
            "pg_safe_snapshot_blocking_pids",
            "pg_log_backend_memory_contexts",
            "pg_stat_get_progress_info",
            "pg_stat_get_backend_wait_event",
            "pg_cancel_backend",
            "pg_terminate_backend",
        ] {
            statements.push(format!("select x::text from {function}({pid}) x"));
        }
    }
    assert!(statements.len() > 250, "{}", statements.len());
    for role in lanyard::db::migrate::LOGINS {
        let mut attacker = Attacker::new(role, Some(Said::member("grant"))).await;
        for statement in &statements {
            attacker.harmless(&[statement]);
        }
    }
    for victim in &mut victims {
        assert_eq!(
            victim.wire.ask("fetch all from canarybee").rows.len(),
            1,
            "still there"
        );
    }
}

fn pid(victim: &mut Attacker) -> String {
    victim
        .wire
        .ask("select pg_backend_pid()")
        .first()
        .unwrap()
        .to_owned()
}

/// The text of a statement under way, asked by who could see it if it were there.
#[tokio::test]
async fn the_text_of_a_serving_roles_statements_is_nowhere_to_be_read() {
    let mut victim = busy_victim("lanyard_tenant").await;
    let pid = pid(&mut victim);
    let mut boss = Wire::login(planted().await, "lanyard_bootstrap");
    let shown = boss.ask(&format!("select * from pg_stat_activity where pid = {pid}"));
    assert_eq!(shown.rows.len(), 1);
    assert_eq!(leaks(&shown.raw, &[]), Vec::<&str>::new(), "{shown:?}");
    let turned = victim.wire.ask("set track_activities = on");
    assert_eq!(turned.state(), "42501");
}

/// Large objects have no policies; there is no way to one.
#[tokio::test]
async fn no_role_makes_or_reads_a_large_object() {
    let mut boss = Wire::login(planted().await, "lanyard_bootstrap");
    boss.ask("select lo_from_bytea(770077, 'canarybee')");
    for mut attacker in Attacker::all().await {
        for statement in [
            "select lo_create(0)",
            "select lo_creat(-1)",
            "select lo_from_bytea(0, 'x')",
            "select lo_get(770077)",
            "select lo_get(770077, 0, 100)",
            "select lo_put(770077, 0, 'x')",
            "select loread(lo_open(770077, 262144), 100)",
            "select lo_export(770077, '/tmp/lanyard-exported')",
            "select lo_import('/etc/hostname')",
            "select lo_unlink(770077)",
            "select data from pg_largeobject",
        ] {
            let answer = attacker.harmless(&[statement]);
            assert_eq!(answer.state(), "42501", "{} {statement}", attacker.role);
        }
    }
}

/// NOTIFY carries no ids: who listens to everything hears nothing of another's work.
#[tokio::test]
async fn a_listener_hears_nothing_of_other_tenants() {
    let mut listener = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    for channel in ["lanyard", "outbox", "sessions", "revocations", "config"] {
        listener.wire.ask(&format!("listen {channel}"));
    }
    let mut victim = busy_victim("lanyard_identity").await;
    victim.wire.ask("commit");
    let heard = listener.wire.pending();
    assert_eq!(leaks(&heard, &[]), Vec::<&str>::new());
    let answer = listener.run(&["select pg_notify('lanyard', 'x')"]);
    assert_eq!(answer.state(), "42501");
}

/// RLS-17: nothing can stand in a table's place.
#[tokio::test]
async fn no_role_creates_anything_anywhere() {
    for mut attacker in Attacker::all().await {
        for statement in [
            "create temp table visit (a int)",
            "create table public.visit (a int)",
            "create table visit (a int)",
            "create table visits.other (a int)",
            "create schema mine",
            "create view public.mine as select 1",
            "create temp view mine as select 1",
            "create sequence public.mine",
            "create temp sequence mine",
            "create type public.mine as (a int)",
            "create function public.mine() returns int language sql return 1",
            "create function pg_temp.mine() returns int language sql return 1",
            "create operator public.= (function = uuid_eq, leftarg = uuid, rightarg = uuid)",
            "create cast (text as int) without function",
            "create aggregate public.mine (int) (sfunc = int4pl, stype = int)",
            "create domain public.mine as int",
            "create publication mine for all tables",
            "create subscription mine connection '' publication mine",
            "create event trigger mine on ddl_command_end execute function pg_catalog.now()",
            "create statistics public.mine on tenant_id, state from visits.visit",
            "create database mine",
            "create tablespace mine location '/tmp'",
            "prepare transaction 'mine'",
            "select pg_create_physical_replication_slot('mine')",
            "select pg_create_logical_replication_slot('mine', 'pgoutput')",
            "do $$ begin create temp table t (a int); end $$",
        ] {
            let answer = attacker.harmless(&[statement]);
            assert_ne!(answer.state(), "00000", "{} {statement}", attacker.role);
        }
        let rights = attacker.wire.ask(
            "select has_database_privilege(current_database(), 'temp'),
               has_database_privilege(current_database(), 'create'),
               bool_or(has_schema_privilege(oid, 'create')) from pg_namespace",
        );
        let none = [Some("f"), Some("f"), Some("f")].map(|f| f.map(str::to_owned));
        assert_eq!(rights.rows, vec![none.to_vec()], "{}", attacker.role);
    }
}

/// RLS-01, as each login says it of itself.
#[tokio::test]
async fn each_serving_role_is_weak_and_owns_nothing() {
    for role in lanyard::db::migrate::LOGINS {
        let mut wire = Wire::login(planted().await, role);
        let answer = wire.ask(
            "select r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb
                 or r.rolreplication or r.rolinherit,
               (select count(*) from pg_auth_members m where m.member = r.oid),
               (select count(*) from pg_class c where c.relowner = r.oid),
               session_user = current_user
             from pg_roles r where r.rolname = current_user",
        );
        let weak = ["f", "0", "0", "t"].map(|value| Some(value.to_owned()));
        assert_eq!(answer.rows, vec![weak.to_vec()], "{role}");
    }
}
