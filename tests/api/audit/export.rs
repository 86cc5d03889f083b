//! Exports as a server makes them, and what an auditor finds in them.

use std::io::Cursor;

use lanyard::audit::format::Vkey;
use lanyard::audit::format::export::{Kind, Verdict, verify};
use lanyard::audit::log::{self, ExportError, Logs, Wanted};
use lanyard::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{append, begun, lab, lines, member, sequence};
use crate::lab::cluster::tell;
use crate::lab::{Lab, some_id};

const TENANT: Uuid = Uuid::from_u128(0xa);

async fn written(lab: &Lab, from: u64, to: Option<u64>) -> Result<Vec<u8>, ExportError> {
    let wanted = Wanted {
        tenant: TenantId::from_uuid(TENANT),
        from,
        to,
        disclose: true,
    };
    let mut bytes = Vec::new();
    let lifetime = lab.app.config.audit.key_lifetime;
    Logs::of(&lab.app)
        .export(wanted, lifetime, &mut bytes)
        .await?;
    Ok(bytes)
}

async fn keys(lab: &Lab) -> Vec<Vkey> {
    let known = lab.browser().get("/.well-known/lanyard-audit").await.json();
    let keys = known["keys"].as_array().unwrap();
    let text = |key: &serde_json::Value| key["verifier_key"].as_str().unwrap().to_owned();
    keys.iter()
        .map(|key| Vkey::parse(&text(key)).unwrap())
        .collect()
}

fn judged(bytes: &[u8], keys: &[Vkey]) -> Verdict {
    verify(Cursor::new(bytes), keys, None::<Cursor<Vec<u8>>>, |_| ()).unwrap()
}

async fn filled(count: usize) -> (Lab, PgConnection) {
    let lab = lab().await;
    let mut login = begun(&lab.database, "lanyard_identity", &member(TENANT)).await;
    for number in 0..count {
        let detail = format!("{{\"number\": {number}, \"login_digest\": \"digest {number}\"}}");
        append(&mut login, some_id(), &detail).await;
    }
    tell(&mut login, "commit").await;
    sequence(&lab).await;
    let boss = lab.database.superuser().await;
    (lab, boss)
}

/// AUD-10: an export of all or of a part is whole to whoever has the keys, and making it is on the
/// record.
#[tokio::test]
async fn an_export_is_whole_and_on_the_record() {
    let (lab, _) = filled(600).await;
    let whole = written(&lab, 0, None).await.unwrap();
    let keys = keys(&lab).await;
    let Verdict::Whole(report) = judged(&whole, &keys) else {
        panic!("{:?}", judged(&whole, &keys));
    };
    assert_eq!(report.entries, 600);
    for (from, to) in [
        (0, Some(1)),
        (255, Some(257)),
        (300, Some(600)),
        (599, None),
        (7, Some(7)),
    ] {
        let part = written(&lab, from, to).await.unwrap();
        let verdict = judged(&part, &keys);
        assert!(
            matches!(verdict, Verdict::Whole(_)),
            "{from} {to:?}: {verdict:?}"
        );
    }
    for (from, to) in [(9, Some(8)), (0, Some(10_000)), (10_000, None)] {
        let refused = written(&lab, from, to).await.unwrap_err();
        assert!(
            matches!(refused, ExportError::NoSuchEntries { .. }),
            "{refused}"
        );
    }
    sequence(&lab).await;
    let after = lines(&lab.database, TENANT).await;
    let recorded = after[600..]
        .iter()
        .filter(|line| line.contains("\"audit.exported\""));
    assert_eq!(recorded.count(), 6, "what was refused was not made");
}

/// AUD-02: whoever is the database's superuser changes, swaps, deletes or plants a row is found by
/// who exports and checks: the entry is named, or the block whose hashes he mended.
#[tokio::test]
async fn what_a_superuser_does_to_a_row_is_named() {
    let (lab, mut boss) = filled(600).await;
    written(&lab, 0, None).await.unwrap();
    let keys = keys(&lab).await;
    let keep = "create temp table entries as select * from audit.entry;
        create temp table leaves as select * from audit.leaf";
    tell(&mut boss, keep).await;
    let change = "update audit.entry set line = replace(line, ': 42,', ': 43,')
        where leaf_index = 42";
    let mend =
        "update audit.entry set leaf_hash = sha256('\\x00'::bytea || convert_to(line, 'UTF8'))
          where leaf_index < 256;
        update audit.leaf l set leaf_hash = e.leaf_hash from audit.entry e
          where l.tenant_id = e.tenant_id and l.leaf_index = e.leaf_index and l.leaf_index < 256";
    let swap = "update audit.entry a set line = b.line from entries b
        where a.tenant_id = b.tenant_id and a.leaf_index in (42, 43)
          and b.leaf_index = 85 - a.leaf_index";
    let plant = "update audit.entry a set line = b.line from entries b
        where a.tenant_id = b.tenant_id and a.leaf_index between 43 and 255
          and b.leaf_index = a.leaf_index - 1";
    let back = "delete from audit.entry where leaf_index < 600;
        insert into audit.entry (tenant_id, leaf_index, event_id, recorded_at, type, account_id,
            subject_id, actor_id, trace, line, leaf_hash)
          select tenant_id, leaf_index, event_id, recorded_at, type, account_id,
            subject_id, actor_id, trace, line, leaf_hash from entries where leaf_index < 600;
        update audit.leaf l set leaf_hash = k.leaf_hash from leaves k
          where l.tenant_id = k.tenant_id and l.leaf_index = k.leaf_index";
    for (deeds, kinds, entry) in [
        (change.to_owned(), vec![Kind::Altered], Some(42)),
        (
            swap.to_owned(),
            vec![Kind::Altered, Kind::Mislabeled, Kind::Reordered],
            Some(42),
        ),
        (
            plant.to_owned(),
            vec![Kind::Inserted, Kind::Mislabeled, Kind::Altered],
            Some(43),
        ),
        (format!("{change}; {mend}"), vec![Kind::Block], None),
        (format!("{plant}; {mend}"), vec![Kind::Block], None),
    ] {
        tell(&mut boss, &format!("begin; {deeds}; commit")).await;
        let bytes = written(&lab, 0, None).await.unwrap();
        let Verdict::Broken(finding) = judged(&bytes, &keys) else {
            panic!("not found: {deeds}");
        };
        assert!(kinds.contains(&finding.kind), "{finding:?} {deeds}");
        if let Some(entry) = entry {
            assert_eq!(finding.index, Some(entry), "{finding:?}");
        }
        tell(&mut boss, &format!("begin; {back}; commit")).await;
    }
    tell(&mut boss, "delete from audit.entry where leaf_index = 42").await;
    let unmade = written(&lab, 0, None).await.unwrap_err();
    assert!(
        matches!(unmade, ExportError::Gone { index: 42 }),
        "{unmade}"
    );
    tell(&mut boss, &format!("begin; {back}; commit")).await;
    let mended = written(&lab, 0, None).await.unwrap();
    assert!(matches!(judged(&mended, &keys), Verdict::Whole(_)));
}

/// AUD-02: he changes everything there is in the database, so that the server itself signs the new
/// version: what is kept outside tells of the old one.
#[tokio::test]
async fn a_log_that_was_rewritten_as_a_whole_is_found_by_its_anchor() {
    let (lab, mut boss) = filled(300).await;
    log::keep(&lab.app).await.unwrap();
    let folder = lab.app.config.anchor();
    let anchored = std::fs::read(folder.join(format!("{TENANT}.ndjson"))).unwrap();
    tell(
        &mut boss,
        "update audit.entry set line = replace(line, ': 42,', ': 43,') where leaf_index = 42;
         update audit.entry set leaf_hash = sha256('\\x00'::bytea || convert_to(line, 'UTF8'));
         update audit.leaf l set leaf_hash = e.leaf_hash from audit.entry e
           where l.tenant_id = e.tenant_id and l.leaf_index = e.leaf_index;
         update audit.node set hash = audit.fold(audit.hashes(tenant_id, 0, node_index * 256, 256))
           where level = 1",
    )
    .await;
    let bytes = written(&lab, 0, None).await.unwrap();
    let keys = keys(&lab).await;
    let verdict = judged(&bytes, &keys);
    // The checkpoint that stands in the database is the old one: it signed another root.
    assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
    let mut login = begun(&lab.database, "lanyard_identity", &member(TENANT)).await;
    append(&mut login, some_id(), "{}").await;
    tell(&mut login, "commit").await;
    let bytes = written(&lab, 0, None).await.unwrap();
    assert!(
        matches!(judged(&bytes, &keys), Verdict::Whole(_)),
        "by itself it is whole"
    );
    let kept = Some(Cursor::new(anchored));
    let verdict = verify(Cursor::new(&bytes), &keys, kept, |_| ()).unwrap();
    let Verdict::Broken(finding) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(finding.kind, Kind::Forked, "{finding:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// What was committed before is in an export, also where another server gives events their place
/// just then: it is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_for_who_sequences() {
    let (lab, mut boss) = filled(3).await;
    let mut login = begun(&lab.database, "lanyard_identity", &member(TENANT)).await;
    append(&mut login, some_id(), "{\"number\": \"the last\"}").await;
    tell(&mut login, "commit").await;
    let at_it = "begin; select from audit.log where tenant_id = seal.platform_tenant() for update";
    tell(&mut boss, at_it).await;
    let lab = std::sync::Arc::new(lab);
    let exporting = tokio::spawn({
        let lab = std::sync::Arc::clone(&lab);
        async move { written(&lab, 0, None).await.unwrap() }
    });
    let mut watching = lab.database.superuser().await;
    let waits = "select exists (
        select from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where not l.granted and a.datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut watching)
        .await
        .unwrap()
    {
        assert!(!exporting.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    tell(&mut boss, "commit").await;
    let text = String::from_utf8(exporting.await.unwrap()).unwrap();
    assert!(text.contains("the last"), "{text}");
}
