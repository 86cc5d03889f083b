//! Contexts missing, forged, replayed, expired.

use super::attacker::{Attacker, Forge, Said};
use super::planted::{CANARIES, Owner, planted, tables};
use super::wire::Wire;

/// Every table and view of ours.
async fn relations() -> Vec<String> {
    let mut boss = planted().await.superuser().await;
    let mut all = tables(&mut boss).await;
    let views: Vec<String> = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut boss)
    .await
    .unwrap();
    all.extend(views);
    all
}

/// Without it the other tests would prove nothing.
#[tokio::test]
async fn every_table_holds_canaries_in_every_column_that_can() {
    let mut boss = Wire::login(planted().await, "lanyard_bootstrap");
    for relation in relations().await {
        let all = boss.ask(&format!("select * from {relation}"));
        let views = ["identity.clinic", "identity.live_session", "tenancy.member"];
        let is_view = views.contains(&relation.as_str());
        if is_view {
            continue; // under the seal even for the superuser: they ask it
        }
        let others = all.rows.iter().filter(|row| {
            let row = row.iter().flatten().map(|value| value.to_lowercase());
            row.clone()
                .any(|value| CANARIES.iter().any(|canary| value.contains(canary)))
        });
        let mut count = 0;
        for row in others {
            count += 1;
            assert!(row.iter().all(Option::is_some), "{relation}: {row:?}");
        }
        assert!(count > 0, "{relation} holds no canary");
    }
}

/// RLS-03, and the base of all others: what each role sees of each table is A's.
#[tokio::test]
async fn every_role_sees_of_every_table_its_own_tenants_rows_or_an_error() {
    let relations = relations().await;
    let mut seen = 0;
    for mut attacker in Attacker::all().await {
        for relation in &relations {
            let answer = attacker.harmless(&[&format!("select t, t::text, * from {relation} t")]);
            match &attacker.said {
                Some(_) if answer.errors.is_empty() => seen += answer.rows.len(),
                Some(_) => assert_eq!(answer.state(), "42501", "{relation} {:?}", answer.errors),
                None => {
                    // Reference data has no tenant and is not among these.
                    assert_eq!(answer.state(), "42501", "{} {relation}", attacker.role);
                    assert_eq!(answer.rows.len(), 0);
                }
            }
        }
    }
    assert!(seen > 50, "the attackers see what is their own: {seen}");
}

/// RLS-03: the setting's three ways of being absent.
#[tokio::test]
async fn no_context_an_empty_one_and_an_earlier_ones_remains_are_all_an_error() {
    for mut attacker in Attacker::all().await {
        let own = attacker.begin();
        for statement in [
            "select seal.tenant()".to_owned(),
            "set local lanyard.context = ''; select seal.tenant()".to_owned(),
            "set lanyard.context = 'x'; select seal.tenant()".to_owned(),
            "reset lanyard.context; select seal.tenant()".to_owned(),
            format!("{own}; commit; begin; select seal.tenant()"),
            format!("{own}; rollback; begin; select seal.tenant()"),
            format!("{own}; savepoint a; rollback to a; commit; select seal.tenant()"),
            "discard all".to_owned(),
        ] {
            attacker.said = None;
            let answer = attacker.run(&["rollback", &statement, "select seal.tenant()"]);
            assert_eq!(answer.rows.len(), 0, "{statement}: {answer:?}");
            assert!(answer.state() == "42501", "{statement}: {answer:?}");
        }
    }
}

/// RLS-04: the context has one shape, one MAC and one end; each byte of it counts.
#[tokio::test]
async fn a_context_changed_in_any_byte_is_refused() {
    let forge = Forge::registered(planted().await, 2, "1 hour");
    let good = forge.seal(&Said::member("care_team"), 50);
    let mut wire = Wire::login(planted().await, "lanyard_tenant");
    let mut refused = |context: &str| {
        let sql = format!("begin; set local lanyard.context = '{context}'; select seal.tenant()");
        let answer = wire.ask_all(&[&sql, "rollback"]);
        answer.state() == "42501" && answer.rows.is_empty()
    };
    assert!(!refused(&good), "the unchanged one is good");
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(changed == good || refused(&changed), "{changed}");
    }
    let other = good.replace(&Owner::A.tenant(), &Owner::B.tenant());
    let (body, mac) = good.rsplit_once('|').unwrap();
    for forged in [
        other,
        body.to_owned(),
        format!("{body}|"),
        format!("{body}|{mac}|"),
        format!("{body}||{mac}"),
        format!("{body}|{}", mac.to_uppercase()),
        format!("{body}|{mac}{mac}"),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{}|{mac}", body.replace("|rw|", "|RW|")),
        "1|||||||||||".to_owned(),
        "|".repeat(11),
        "1".repeat(1001),
    ] {
        assert!(refused(&forged), "{forged}");
    }
}

/// A context is as good as its key, and ends: also in the middle of its transaction.
#[tokio::test]
async fn expired_early_and_keyless_contexts_are_refused() {
    let database = planted().await;
    let forge = Forge::registered(database, 3, "1 hour");
    let gone = Forge::registered(database, 4, "-1 second");
    let care = Said::member("care_team");
    let mut wire = Wire::login(database, "lanyard_tenant");
    let mut ask = |context: &str, statements: &str| {
        let sql = format!("begin; set local lanyard.context = '{context}'; {statements}");
        wire.ask_all(&[&sql, "rollback"])
    };
    let counted = "select count(*) from visits.visit";
    assert_eq!(ask(&forge.seal(&care, 50), counted).state(), "00000");
    for refused in [
        forge.seal(&care, 0),
        forge.seal(&care, -1),
        forge.seal(&care, -86_400),
        // Sixty seconds are the most (design §3): a server whose clock runs ahead gets no more.
        forge.seal(&care, 75),
        forge.seal(&care, 315_360_000),
        gone.seal(&care, 50),
    ] {
        assert_eq!(ask(&refused, counted).state(), "42501", "{refused}");
    }
    let short = forge.seal(&care, 2);
    let in_between = format!("{counted}; select pg_sleep(2.5); {counted}");
    let answer = ask(&short, &in_between);
    assert_eq!(
        (answer.state(), answer.rows.len()),
        ("42501", 2),
        "{answer:?}"
    );
}

/// A context of A's own, used where it was not made for: it stays A's.
#[tokio::test]
async fn a_replayed_context_gives_what_it_gave_and_nothing_of_others() {
    for mut attacker in Attacker::all().await {
        let keep = [
            "select current_setting('lanyard.context', true)",
            "commit",
            "begin",
            "select count(*) from visits.visit",
        ];
        attacker.harmless(&keep);
    }
    // Read only stays read only, although BEGIN READ ONLY can be taken back by a statement.
    let said = Said {
        is_read_only: true,
        ..Said::job("seed_visits")
    };
    let mut reader = Attacker::new("lanyard_tenant", Some(said)).await;
    let replay = reader.begin().replace("begin read only", "begin");
    for opening in [
        replay,
        format!("{}; set transaction read write", reader.begin()),
    ] {
        let answer = reader.run(&["rollback", &opening, "select * from visits.visit"]);
        assert_ne!(answer.state(), "00000", "{answer:?}");
        assert_eq!(answer.rows.len(), 0, "{answer:?}");
    }
}

/// RLS-13 and RLS-04: nothing but the sealed text decides, whatever a statement sets.
#[tokio::test]
async fn no_setting_function_or_role_change_makes_another_context() {
    let b = Owner::B.tenant();
    for mut attacker in Attacker::all().await {
        let attempts = attempts(&b);
        for attempt in &attempts {
            attacker.harmless(&[attempt, "select * from visits.visit"]);
            attacker.harmless(&[attempt, "select * from identity.membership"]);
            attacker.harmless(&[attempt, "select * from tenancy.tenant"]);
        }
    }
}

fn attempts(b: &str) -> Vec<String> {
    let mut attempts: Vec<String> = [
        "select set_config('lanyard.context', '{b}', true)",
        "select set_config('lanyard.context', current_setting('lanyard.context'), false)",
        "select count(*) from visits.visit where set_config('app.tenant', '{b}', true) is not null",
        "select pg_catalog.set_config('role', 'lanyard_owner', true)",
        "select seal.open('1|{b}')",
        "select seal.register('aaaaaaaaaaaaaaaa', '', '', '1 hour')",
        "set lanyard.context = '{b}'",
        "set session lanyard.context to '{b}'",
        "set local lanyard.tenant = '{b}'; set local app.tenant = '{b}';
         set local app.support = 'on'",
        "alter role current_user set lanyard.context = '{b}'",
        "alter role all set lanyard.context = '{b}'",
        "alter database current set lanyard.context = '{b}'",
        "alter system set lanyard.context = '{b}'",
        "update pg_catalog.pg_settings set setting = '{b}' where name = 'lanyard.context'",
        "set row_security = off",
        "set session_replication_role = replica",
        "set local search_path = pg_temp, public, identity, visits, tenancy",
        "set local check_function_bodies = off",
        "do $$ begin perform set_config('lanyard.context', '{b}', true); end $$",
        "do $$ begin execute 'set local lanyard.context = ''{b}'''; end $$",
        "create function pg_temp.tenant() returns uuid language sql return '{b}'::uuid",
        "create or replace function seal.tenant() returns uuid language sql return '{b}'::uuid",
        "alter function seal.context() set lanyard.context = '{b}'",
        "set role lanyard_owner",
        "set role lanyard_report",
        "set role lanyard_directory",
        "set role lanyard_clerk",
        "set role lanyard_retention",
        "set role lanyard_bootstrap",
        "set session authorization lanyard_owner",
        "set local session authorization lanyard_bootstrap",
        "reset role; reset session authorization",
        "set role none",
        "select * from seal.mac_key",
        "delete from seal.mac_key",
        "copy seal.mac_key to stdout",
        "create policy mine on visits.visit using (true)",
        "begin isolation level serializable; set transaction read write",
    ]
    .map(|attempt| attempt.replace("{b}", b))
    .to_vec();
    for role in [
        "lanyard_identity",
        "lanyard_tenant",
        "lanyard_platform",
        "lanyard_keeper",
    ] {
        attempts.push(format!("set role {role}"));
    }
    attempts
}

/// RLS-07: no role of another plane, and none above, by any statement.
#[tokio::test]
async fn no_role_can_become_another() {
    for mut attacker in Attacker::all().await {
        let role = attacker.role;
        for become_another in [
            "set role lanyard_owner",
            "set role lanyard_bootstrap",
            "set session authorization lanyard_bootstrap",
            "select set_config('role', 'lanyard_owner', true)",
            "select set_config('role', 'none', false)",
            "select set_config('session_authorization', 'lanyard_bootstrap', true)",
            "alter role lanyard_tenant superuser",
            "create role mine superuser login",
            "grant lanyard_owner to current_user",
            "reset role",
            "reset session authorization",
        ] {
            let answer = attacker.run(&[
                become_another,
                "rollback",
                "select current_user, session_user",
            ]);
            let last = answer.rows.last().unwrap();
            assert_eq!(last[0].as_deref(), Some(role), "{become_another}");
            assert_eq!(last[1].as_deref(), Some(role), "{become_another}");
            let is_reset = become_another.starts_with("reset");
            assert!(
                is_reset || !answer.errors.is_empty(),
                "{become_another}: {answer:?}"
            );
        }
    }
}
