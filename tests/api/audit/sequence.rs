//! How events become entries.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lanyard::audit::format::{Frontier, TreeHash};
use lanyard::audit::log::Logs;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PLATFORM, append, as_job, begun, job, lab, lines, member, sequence};
use crate::lab::cluster::tell;
use crate::lab::some_id;
use crate::lab::world::PASSWORD;

/// The root over lines, by the format alone.
fn root(lines: &[String]) -> TreeHash {
    let mut tree = Frontier::new();
    for line in lines {
        tree.append(TreeHash::leaf(line.as_bytes()));
    }
    tree.root()
}

/// The root that the database has of a log.
async fn root_there(boss: &mut PgConnection, tenant: Uuid) -> Vec<u8> {
    sqlx::query_scalar(
        "select audit.subtree(tenant_id, 0, size) from audit.log where tenant_id = $1",
    )
    .bind(tenant)
    .fetch_one(boss)
    .await
    .unwrap()
}

/// Rows of the intake that scans of this session's transaction went over.
async fn gone_over(login: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select seq_tup_read from pg_stat_xact_all_tables where relid = 'audit.event'::regclass",
    )
    .fetch_one(login)
    .await
    .unwrap()
}

/// A batch goes once over what waits: a plan that was made while next to nothing did is as good for
/// many.
#[tokio::test]
async fn a_batch_goes_once_over_what_waits() {
    const WAITING: i64 = 1000;
    let lab = lab().await;
    sequence(&lab).await;
    let mut sequencer = begun(&lab.database, "lanyard_sequencer", &job("sequence_log")).await;
    for waiting in [1, WAITING] {
        let mut writer = begun(
            &lab.database,
            "lanyard_identity",
            &member(Uuid::from_u128(0xa)),
        )
        .await;
        let many = format!(
            "select audit.append(gen_random_uuid(), 'token.issued', now(), '{{}}', sha256('mac'))
             from generate_series(1, {waiting}); commit"
        );
        tell(&mut writer, &many).await;
        let before = gone_over(&mut sequencer).await;
        let placed: i32 = sqlx::query_scalar("select audit.sequence(400)")
            .fetch_one(&mut sequencer)
            .await
            .unwrap();
        assert_eq!(i64::from(placed), waiting.min(400));
        assert_eq!(gone_over(&mut sequencer).await - before, waiting);
    }
}

/// AUD-11: many write at once, two servers sequence at once and one of them is killed again and
/// again: every event is one entry, each log is one line without a gap or a fork, and what one
/// writer did stands in the order in which he did it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_and_two_sequencers_of_which_one_dies_make_one_line() {
    const WRITERS: usize = 12;
    const EACH: usize = 60;
    let lab = lab().await;
    let second = lab.second_node().await;
    let tenants = [PLATFORM, Uuid::from_u128(0xa), Uuid::from_u128(0xb)];
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let database = lab.database.clone();
        writers.spawn(async move {
            let tenant = tenants[writer % tenants.len()];
            let mut login = database.login("lanyard_identity").await;
            for number in 0..EACH {
                let context = crate::queries::seal(&member(tenant));
                let open = format!("begin; set local lanyard.context = '{context}'");
                tell(&mut login, &open).await;
                let detail = format!("{{\"writer\": {writer}, \"number\": {number}}}");
                append(&mut login, some_id(), &detail).await;
                tell(&mut login, "commit").await;
            }
        });
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut sequencers = tokio::task::JoinSet::new();
    for app in [lab.app.clone(), second.app.clone()] {
        let is_over = Arc::clone(&is_over);
        sequencers.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                // A killed one is an error; the next time is a new connection.
                let _ = Logs::of(&app).sequence().await;
                tokio::task::yield_now().await;
            }
        });
    }
    let mut boss = lab.database.superuser().await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where usename = 'lanyard_sequencer' and datname = current_database()
        order by random() limit 1";
    let mut killed = 0;
    while !writers.is_empty() {
        killed += sqlx::query(kill).fetch_all(&mut boss).await.unwrap().len();
        let pause = std::time::Duration::from_millis(20);
        if let Ok(Some(done)) = tokio::time::timeout(pause, writers.join_next()).await {
            done.unwrap();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(done) = sequencers.join_next().await {
        done.unwrap();
    }
    assert!(killed > 3, "{killed}");
    sequence(&lab).await;

    let mut ids = HashSet::new();
    let mut next = [0; WRITERS];
    for tenant in tenants {
        let lines = lines(&lab.database, tenant).await;
        for (index, line) in lines.iter().enumerate() {
            let entry: Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["index"], index);
            assert_eq!(entry["log"], tenant.to_string());
            if entry["type"] != "token.issued" {
                continue;
            }
            assert!(ids.insert(entry["id"].to_string()), "twice: {line}");
            let field = |name: &str| usize::try_from(entry["detail"][name].as_u64().unwrap());
            let (writer, number) = (field("writer").unwrap(), field("number").unwrap());
            assert_eq!(number, next[writer], "writer {writer}");
            next[writer] += 1;
        }
        let there = root_there(&mut boss, tenant).await;
        assert_eq!(there, root(&lines).as_bytes(), "{tenant}");
    }
    assert_eq!(next, [EACH; WRITERS]);
    let left: i64 = sqlx::query_scalar("select count(*) from audit.event")
        .fetch_one(&mut boss)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// A transaction that stays open across later ones is lost by nobody: it comes when it commits.
#[tokio::test]
async fn a_transaction_held_open_comes_later_and_is_not_lost() {
    let lab = lab().await;
    let tenant = Uuid::from_u128(0xa);
    let mut held = begun(&lab.database, "lanyard_identity", &member(tenant)).await;
    append(&mut held, some_id(), "{\"which\": \"held\"}").await;
    let mut later = begun(&lab.database, "lanyard_identity", &member(tenant)).await;
    append(&mut later, some_id(), "{\"which\": \"later\"}").await;
    tell(&mut later, "commit").await;
    sequence(&lab).await;
    let seen = lines(&lab.database, tenant).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains("later"));
    tell(&mut held, "commit").await;
    assert_eq!(sequence(&lab).await, 1);
    let seen = lines(&lab.database, tenant).await;
    assert_eq!(seen.len(), 2);
    assert!(seen[1].contains("held"), "{}", seen[1]);
    // Rolled back, it never was.
    let mut undone = begun(&lab.database, "lanyard_identity", &member(tenant)).await;
    append(&mut undone, some_id(), "{}").await;
    tell(&mut undone, "rollback").await;
    assert_eq!(sequence(&lab).await, 0);
}

/// AUD-04: where nothing can be written, nothing happens: a database that takes no writes, as one
/// whose disk is full or a standby that was the primary, is 503 and no sign-in.
#[tokio::test]
async fn a_database_that_takes_no_event_is_503() {
    let lab = lab().await;
    let ada = lab.person("Ada Quill").await;
    let mut boss = lab.database.superuser().await;
    let name = &lab.database.name;
    let setting = "default_transaction_read_only";
    let alter = format!("alter role lanyard_identity in database {name}");
    tell(&mut boss, &format!("{alter} set {setting} = on")).await;
    let second = lab.second_node().await;
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    let browser = browser.through(second.address);
    let login = [("login", ada.login.as_str())];
    let refused = browser.submit(&page, "identifier-form", &login).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    let sessions: i64 = sqlx::query_scalar("select count(*) from identity.session")
        .fetch_one(&mut boss)
        .await
        .unwrap();
    assert_eq!(sessions, 0);
    tell(&mut boss, &format!("{alter} reset {setting}")).await;
}

/// The line is as docs/AUDIT-FORMAT.md says, and what may have to be erased is a salted digest in
/// it: erased, the log still hashes to the same root.
#[tokio::test]
async fn an_entry_says_what_happened_and_a_person_can_be_erased_from_it() {
    let lab = lab().await;
    let ada = lab.person("Ada Quill").await;
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    let refused = browser
        .sign_in_at(page, "nobody@example.test", PASSWORD)
        .await;
    assert_eq!(refused.status, 403);
    lab.signed_in(&ada).await;
    sequence(&lab).await;
    let before = lines(&lab.database, PLATFORM).await;
    let entries: Vec<Value> = before
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| entries.iter().find(|entry| entry["type"] == kind).unwrap();
    let members = [
        "v",
        "log",
        "index",
        "id",
        "type",
        "class",
        "account",
        "subject",
        "actor",
        "occurred_at",
        "recorded_at",
        "trace",
        "mac",
        "detail",
    ];
    for line in &before {
        let places = members.map(|name| line.find(&format!("\"{name}\":")).expect(name));
        assert!(places.is_sorted(), "{line}");
        assert!(!line.contains('\n'));
    }
    let signed_in = of("session.signed_in");
    assert_eq!(signed_in["account"], ada.account.to_string());
    let digest = of("sign_in.refused")["detail"]["login_digest"]["salted"]
        .as_str()
        .unwrap();
    let mut boss = lab.database.superuser().await;
    let of_value: String = sqlx::query_scalar(
        "select encode(sha256(salt || convert_to(value, 'UTF8')), 'base64')
         from audit.disclosure where name = 'login_digest'",
    )
    .fetch_one(&mut boss)
    .await
    .unwrap();
    assert_eq!(digest, of_value);

    let whose = format!("update audit.disclosure set account_id = '{}'", ada.account);
    tell(&mut boss, &whose).await;
    let erase = format!(
        "select disclosures::text
         from identity.erase_account('{}', gen_random_uuid(), 'no digest', now())",
        ada.account
    );
    let erasing = async |job| as_job(&lab.database, "lanyard_identity", job, &erase).await;
    for job in ["keep_log", "purge", "deliver_mail"] {
        assert_eq!(erasing(job).await, Err("42501".to_owned()), "{job}");
    }
    let erased = erasing("administer_accounts").await;
    assert_eq!(erased, Ok(vec!["1".to_owned()]));
    assert_eq!(erasing("administer_accounts").await, Ok(vec![]), "once");
    let left: i64 = sqlx::query_scalar("select count(*) from audit.disclosure")
        .fetch_one(&mut boss)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(lines(&lab.database, PLATFORM).await, before);
    let there = root_there(&mut boss, PLATFORM).await;
    assert_eq!(there, root(&before).as_bytes());
}

/// Whatever a detail says, the log goes on: an id that is none is read as none, and what is no
/// object is not taken.
#[tokio::test]
async fn no_detail_stops_the_log() {
    let lab = lab().await;
    let tenant = Uuid::from_u128(0xa);
    let (patient, nurse) = (some_id(), some_id());
    let dashes = "-".repeat(36);
    let plant = format!(
        r#"insert into audit.event (tenant_id, event_id, type, class, subject_id, occurred_at,
             recorded_at, detail, mac)
           select '{tenant}', gen_random_uuid(), e.type, 'grant', '{nurse}', now(),
             clock_timestamp(), e.detail::jsonb, sha256('mac')
           from (values
             ('visit.listed', '{{"patients": ["x", null, 7, "{dashes}", "{patient}"]}}'),
             ('visit.listed', '{{"patients": {{"of": "{patient}"}}}}'),
             ('sign_in.refused', '{{"login_digest": "d", "account": "{dashes}"}}')
           ) e (type, detail)"#
    );
    let mut boss = lab.database.superuser().await;
    tell(&mut boss, &plant).await;
    sequence(&lab).await;
    assert_eq!(lines(&lab.database, tenant).await.len(), 3);
    let seen: Vec<Uuid> =
        sqlx::query_scalar("select subject_id from audit.concern where tenant_id = $1")
            .bind(tenant)
            .fetch_all(&mut boss)
            .await
            .unwrap();
    assert_eq!(seen, [patient]);
    let whose: Vec<Option<Uuid>> =
        sqlx::query_scalar("select account_id from audit.disclosure where tenant_id = $1")
            .bind(tenant)
            .fetch_all(&mut boss)
            .await
            .unwrap();
    assert_eq!(whose, [None]);
    for detail in ["\"text\"", "7", "null", "[]"] {
        let append = format!(
            "select audit.append(
               gen_random_uuid(), 'token.issued', now(), '{detail}', sha256('mac'))"
        );
        let answer = as_job(&lab.database, "lanyard_identity", "purge", &append).await;
        assert_eq!(answer, Err("23514".to_owned()), "{detail}");
    }
}

/// AUD-01: whoever may have events moved can't say anything in a log, and nobody else may.
#[tokio::test]
async fn nobody_but_the_sequencer_moves_events_and_it_only_moves_them() {
    let lab = lab().await;
    let refused = Err("42501".to_owned());
    let database = &lab.database;
    let mut writer = begun(database, "lanyard_identity", &member(PLATFORM)).await;
    append(&mut writer, some_id(), "{}").await;
    tell(&mut writer, "commit").await;
    sequence(&lab).await;
    for role in [
        "lanyard_identity",
        "lanyard_tenant",
        "lanyard_platform",
        "lanyard_apps",
    ] {
        let moved = as_job(
            database,
            role,
            "sequence_log",
            "select audit.sequence(9)::text",
        )
        .await;
        assert_eq!(moved, refused, "{role}");
    }
    for (job, statement) in [
        ("purge", "select audit.sequence(9)::text"),
        ("keep_log", "select audit.make_partitions()::text"),
        ("sequence_log", "delete from audit.disclosure returning ''"),
        (
            "sequence_log",
            "select audit.expire_before('2001-01-01')::text",
        ),
        (
            "sequence_log",
            "select audit.grow(gen_random_uuid(), 0, 256)::text",
        ),
        (
            "sequence_log",
            "insert into audit.leaf values (gen_random_uuid(), 0, '') returning ''",
        ),
        ("sequence_log", "update audit.log set size = 0 returning ''"),
        ("sequence_log", "delete from audit.checkpoint returning ''"),
        ("sequence_log", "select line from audit.entry"),
        (
            "sequence_log",
            "select audit.keep_checkpoint(seal.platform_tenant(), 1, sha256('x'), 'x', 'x',
               now())::text",
        ),
    ] {
        let answer = as_job(database, "lanyard_sequencer", job, statement).await;
        assert_eq!(answer, refused, "{job}: {statement}");
    }
    // What makes the policies' setting true is no key to anything.
    let mut login = begun(database, "lanyard_identity", &super::job("sequence_log")).await;
    tell(&mut login, "set local lanyard.at_the_log = 'on'").await;
    let read = sqlx::query("select from audit.log")
        .fetch_all(&mut login)
        .await;
    let code = read
        .unwrap_err()
        .into_database_error()
        .unwrap()
        .code()
        .unwrap()
        .into_owned();
    assert_eq!(code, "42501");
}
