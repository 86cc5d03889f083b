//! Checkpoints, and what is outside of the database.

use std::path::{Path, PathBuf};

use lanyard::audit::format::{Checkpoint, Vkey, proof};
use lanyard::audit::log::{self, LogError, Logs};
use lanyard::server::Leaving;
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::{PLATFORM, append, begun, lab, lines, member, sequence};
use crate::lab::cluster::tell;
use crate::lab::world::PASSWORD;
use crate::lab::{Lab, some_id};
use crate::serving::operations;

const TENANT: Uuid = Uuid::from_u128(0xa);
const ELSEWHERE: Uuid = Uuid::from_u128(0xb);

fn folder(lab: &Lab) -> PathBuf {
    lab.app.config.anchor()
}

/// The notes of a log's file at the anchor.
fn anchored(folder: &Path, tenant: Uuid) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(format!("{tenant}.ndjson"))).unwrap();
    let note = |line: &str| -> String {
        let line: Value = serde_json::from_str(line).unwrap();
        line["note"].as_str().unwrap().to_owned()
    };
    text.lines().map(note).collect()
}

async fn published(lab: &Lab) -> (Vec<Vkey>, Value) {
    let answer = lab.browser().get("/.well-known/lanyard-audit").await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let keys = body["keys"].as_array().unwrap().iter();
    let vkey = |key: &Value| Vkey::parse(key["verifier_key"].as_str().unwrap()).unwrap();
    (keys.map(vkey).collect(), body)
}

async fn write(lab: &Lab, count: usize) {
    let mut login = begun(&lab.database, "lanyard_identity", &member(TENANT)).await;
    for _ in 0..count {
        append(&mut login, some_id(), "{}").await;
    }
    tell(&mut login, "commit").await;
    sequence(lab).await;
}

/// Issue 4: what a log holds is signed, kept outside of the database, and each checkpoint is how
/// the next one began; by published keys, of which the old ones stay.
#[tokio::test]
async fn checkpoints_are_signed_by_published_keys_and_kept_outside_of_the_database() {
    let lab = lab().await;
    let folder = folder(&lab);
    for count in [3, 260, 1] {
        write(&lab, count).await;
        log::keep(&lab.app).await.unwrap();
    }
    // Nothing grew: nothing is signed, nothing is written.
    log::keep(&lab.app).await.unwrap();
    let notes = anchored(&folder, TENANT);
    let (keys, _) = published(&lab).await;
    let (opened, signers): (Vec<_>, Vec<_>) = notes
        .iter()
        .map(|note| Checkpoint::open(note, &keys).unwrap())
        .unzip();
    let sizes: Vec<u64> = opened.iter().map(|checkpoint| checkpoint.size).collect();
    assert_eq!(sizes, [3, 263, 264]);
    let host = lab.issuer().strip_prefix("http://").unwrap();
    for checkpoint in &opened {
        assert_eq!(checkpoint.origin, format!("{host}/audit/{TENANT}"));
    }
    assert!(
        signers
            .iter()
            .all(|key| key.name() == format!("{host}/audit"))
    );
    let mut boss = lab.database.superuser().await;
    for pair in opened.windows(2) {
        let path: Vec<Vec<u8>> = sqlx::query_scalar("select audit.consistency_proof($1, $2, $3)")
            .bind(TENANT)
            .bind(i64::try_from(pair[0].size).unwrap())
            .bind(i64::try_from(pair[1].size).unwrap())
            .fetch_one(&mut boss)
            .await
            .unwrap();
        let path: Vec<_> = path
            .iter()
            .map(|hash| hash.as_slice().try_into().unwrap())
            .collect();
        let (old, new) = ((pair[0].size, pair[0].root), (pair[1].size, pair[1].root));
        assert!(proof::is_consistent(old, new, &path));
    }
    // The platform's log says that a key was made; it is signed by that key.
    let made = lines(&lab.database, PLATFORM).await;
    assert!(
        made.iter()
            .any(|line| line.contains("\"audit.key_rotated\"")),
        "{made:?}"
    );

    // The database keeps the last of a day.
    let sizes = async || -> Vec<i64> {
        let kept = "select size from audit.checkpoint where tenant_id = $1 order by size";
        let mut boss = lab.database.superuser().await;
        let kept = sqlx::query_scalar(kept).bind(TENANT);
        kept.fetch_all(&mut boss).await.unwrap()
    };
    assert_eq!(sizes().await, [264]);

    lab.clock.advance(lab.app.config.audit.key_lifetime);
    write(&lab, 1).await;
    log::keep(&lab.app).await.unwrap();
    let (keys, body) = published(&lab).await;
    assert_eq!(keys.len(), 2, "{body}");
    assert!(body["keys"][0]["until"].is_string());
    assert_eq!(body["keys"][1]["until"], Value::Null);
    let notes = anchored(&folder, TENANT);
    assert_eq!(sizes().await, [264, 265]);
    let (_, signer) = Checkpoint::open(notes.last().unwrap(), &keys).unwrap();
    assert_eq!(signer, &keys[1]);
    let (_, signer) = Checkpoint::open(&notes[0], &keys).unwrap();
    assert_eq!(
        signer, &keys[0],
        "the old one still counts for what it signed"
    );
    let left: i64 =
        sqlx::query_scalar("select count(*) from audit.log_key where private_sealed is not null")
            .fetch_one(&mut boss)
            .await
            .unwrap();
    assert_eq!(left, 1);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Issue 4: an anchor out of reach is said; after the patience nobody who works at a clinic signs
/// in, patients do; and as soon as it is back so is everybody, and nothing is missing at it.
#[tokio::test]
async fn without_an_anchor_staff_are_kept_out_after_the_patience() {
    let lab = lab().await;
    let folder = folder(&lab);
    let clinic = lab.clinic("Juniper Clinic").await;
    let (nurse, patient) = (
        lab.person("Nia Nurse").await,
        lab.person("Pat Patient").await,
    );
    lab.join(&nurse, clinic.id, &["nurse", "patient"]).await;
    lab.join(&patient, clinic.id, &["patient"]).await;
    let face = operations(&lab, &Leaving::default()).await;
    let degraded = async || -> Value {
        let body = reqwest::get(format!("{face}/readyz"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        body["degraded"].clone()
    };
    lab.app.anchoring.begin(lab.now());
    log::keep(&lab.app).await.unwrap();
    // A file where the folder should be.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    write(&lab, 2).await;
    let failed = log::keep(&lab.app).await.unwrap_err();
    assert!(matches!(failed, LogError::Anchor(_)), "{failed}");
    assert_eq!(degraded().await, json!([]));
    lab.clock.advance(Duration::seconds(61));
    lab.app.reload_ring().await.unwrap();
    assert_eq!(degraded().await, json!(["anchor"]));
    lab.signed_in(&nurse).await;

    lab.clock.advance(lab.app.config.audit.anchor_patience);
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    let refused = browser.sign_in_at(page, &nurse.login, PASSWORD).await;
    assert_eq!(refused.status, 503);
    assert!(
        refused.body.contains("be kept safe just now"),
        "{}",
        refused.body
    );
    browser.get("/account").await.goes_to("/sign-in");
    lab.signed_in(&patient).await;

    std::fs::remove_file(&folder).unwrap();
    log::keep(&lab.app).await.unwrap();
    assert_eq!(
        anchored(&folder, TENANT).len(),
        1,
        "what was signed meanwhile is there"
    );
    lab.signed_in(&nurse).await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// A database that was restored, or changed: what the anchor does not take is not called anchored,
/// and whoever works at a clinic is kept out in the end as if it were out of reach. Other logs are
/// taken there all the same.
#[tokio::test]
async fn what_the_anchor_knows_otherwise_is_not_called_anchored() {
    let lab = lab().await;
    let folder = folder(&lab);
    write(&lab, 3).await;
    lab.app.anchoring.begin(lab.now());
    log::keep(&lab.app).await.unwrap();
    let path = folder.join(format!("{TENANT}.ndjson"));
    let known = std::fs::read_to_string(&path).unwrap();
    let note = &anchored(&folder, TENANT)[0];
    let said: Vec<&str> = note.split('\n').collect();
    write(&lab, 1).await;
    let ours = "select size, anchored_size from audit.log where tenant_id = $1";
    let ours = async || -> (i64, i64) {
        let mut boss = lab.database.superuser().await;
        let ours = sqlx::query_as(ours).bind(TENANT);
        ours.fetch_one(&mut boss).await.unwrap()
    };
    // Longer than ours; and as long as ours is going to be, of another root.
    let other = [
        known.replace(&format!("\\n{}\\n", said[1]), "\\n9\\n"),
        known.replace(&format!("\\n{}\\n", said[1]), "\\n4\\n"),
    ];
    for (round, other) in other.iter().enumerate() {
        assert_ne!(other, &known);
        std::fs::write(&path, other).unwrap();
        let mut elsewhere = begun(&lab.database, "lanyard_identity", &member(ELSEWHERE)).await;
        append(&mut elsewhere, some_id(), "{}").await;
        tell(&mut elsewhere, "commit").await;
        sequence(&lab).await;
        let failed = log::keep(&lab.app).await.unwrap_err();
        assert!(matches!(failed, LogError::Anchor(_)), "{failed}");
        assert_eq!(ours().await, (4, 3));
        assert_eq!(&std::fs::read_to_string(&path).unwrap(), other);
        assert_eq!(anchored(&folder, ELSEWHERE).len(), round + 1);
    }
    lab.clock.advance(Duration::seconds(61));
    assert!(lab.app.anchoring.is_late(lab.now()));
    // The files of its own time.
    std::fs::write(&path, &known).unwrap();
    log::keep(&lab.app).await.unwrap();
    assert_eq!(ours().await, (4, 4));
    assert!(!lab.app.anchoring.is_late(lab.now()));
    std::fs::remove_dir_all(folder).unwrap();
}

/// A log that takes no event any more has nothing to sign, and is not whole for all that: whoever
/// keeps it fails, and so does who only sees that another server is at it.
#[tokio::test]
async fn a_log_that_does_not_grow_is_not_called_anchored() {
    let lab = lab().await;
    write(&lab, 2).await;
    lab.app.anchoring.begin(lab.now());
    log::keep(&lab.app).await.unwrap();
    let mut boss = lab.database.superuser().await;
    tell(
        &mut boss,
        "create function audit.full() returns trigger language plpgsql as $$
           begin raise exception 'disk full' using errcode = '53100'; end $$;
         create trigger full_disk before insert on audit.leaf
           for each row execute function audit.full()",
    )
    .await;
    let mut writer = begun(&lab.database, "lanyard_identity", &member(TENANT)).await;
    append(&mut writer, some_id(), "{}").await;
    tell(&mut writer, "commit").await;
    let failed = log::keep(&lab.app).await.unwrap_err();
    assert!(matches!(failed, LogError::Store(_)), "{failed}");
    lab.clock.advance(Duration::seconds(61));
    assert!(lab.app.anchoring.is_late(lab.now()));

    tell(&mut boss, "drop trigger full_disk on audit.leaf").await;
    log::keep(&lab.app).await.unwrap();
    assert!(!lab.app.anchoring.is_late(lab.now()));
    // Another server holds what says who sequences, and gets nowhere.
    let mut other = lab.database.superuser().await;
    let hold = format!("begin; select from audit.log where tenant_id = '{PLATFORM}' for update");
    tell(&mut other, &hold).await;
    let waiting = format!(
        "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
           detail, mac)
         values ('{TENANT}', gen_random_uuid(), 'token.issued', 'grant', now(),
           now() - interval '1 minute', '{{}}', sha256('mac'))"
    );
    tell(&mut boss, &waiting).await;
    let failed = log::keep(&lab.app).await.unwrap_err();
    assert!(matches!(failed, LogError::Behind), "{failed}");
    tell(&mut other, "rollback").await;
    log::keep(&lab.app).await.unwrap();
    std::fs::remove_dir_all(folder(&lab)).unwrap();
}

/// A row that was changed behind the log's back is signed by nobody: the database says another
/// root than the one that is to be kept.
#[tokio::test]
async fn only_the_current_key_signs_and_only_the_logs_own_root() {
    let lab = lab().await;
    write(&lab, 4).await;
    Logs::of(&lab.app).sign(Duration::days(1)).await.unwrap();
    let mut boss = lab.database.superuser().await;
    write(&lab, 1).await;
    // A key whose private half was exchanged opens nothing, and nothing is signed.
    tell(
        &mut boss,
        "update audit.log_key set private_sealed = set_byte(private_sealed, 20,
           get_byte(private_sealed, 20) # 1)",
    )
    .await;
    Logs::of(&lab.app)
        .sign(Duration::days(1))
        .await
        .unwrap_err();
    let sizes: Vec<i64> =
        sqlx::query_scalar("select size from audit.checkpoint where tenant_id = $1")
            .bind(TENANT)
            .fetch_all(&mut boss)
            .await
            .unwrap();
    assert_eq!(sizes, [4]);
}
