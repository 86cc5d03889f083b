//! How long entries are kept, and what goes before them.

use lanyard::audit::format::{TreeHash, proof};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{as_job, begun, job, lab, lines, sequence};
use crate::lab::cluster::{Database, tell};

const TENANT: Uuid = Uuid::from_u128(0xa);

/// Events of a clinic's in January 2019, and one of today, in its log.
async fn plant(boss: &mut PgConnection, old: u32) {
    tell(
        boss,
        &format!(
            "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
               detail, mac)
             select '{TENANT}'::uuid, gen_random_uuid(), 'token.issued', 'grant', at, at,
               '{{}}'::jsonb, sha256('mac')
             from generate_series(1, {old}) n,
               lateral (select '2019-01-05T00:00:00Z'::timestamptz + n * interval '1 minute') t (at)
             union all
             select '{TENANT}'::uuid, gen_random_uuid(), 'token.issued', 'grant', now(), now(),
               '{{}}'::jsonb, sha256('mac')"
        ),
    )
    .await;
}

async fn expire(database: &Database, month: &str) -> Result<Vec<String>, String> {
    let statement = format!("select audit.expire_before('{month}')::text");
    as_job(database, "lanyard_platform", "keep_log", &statement).await
}

/// AUD-12: not before six years, not under a hold, not without an archive; whatever a role may try.
/// What is dropped can still be proved.
#[tokio::test]
async fn entries_are_dropped_late_by_the_month_and_only_from_a_verified_archive() {
    let lab = lab().await;
    let database = &lab.database;
    let mut boss = database.superuser().await;
    plant(&mut boss, 300).await;
    let months = as_job(
        database,
        "lanyard_sequencer",
        "sequence_log",
        "select audit.make_partitions()::text",
    );
    assert_ne!(months.await, Ok(vec!["0".to_owned()]));
    sequence(&lab).await;
    let before = lines(database, TENANT).await;
    assert_eq!(before.len(), 301);
    let refused = Err("42501".to_owned());

    for soon in [
        "now()::date",
        "(now() - interval '5 years 11 months')::date",
    ] {
        let statement = format!("select audit.expire_before({soon})::text");
        let answer = as_job(database, "lanyard_platform", "keep_log", &statement).await;
        assert_eq!(answer, refused, "{soon}");
    }
    assert_eq!(expire(database, "2019-02-01").await, refused, "no archive");

    let leaves: Vec<TreeHash> = before
        .iter()
        .map(|line| TreeHash::leaf(line.as_bytes()))
        .collect();
    let all: Vec<u8> = leaves[..300]
        .iter()
        .flat_map(|leaf| *leaf.as_bytes())
        .collect();
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &all));
    let record = |digest: &str| {
        format!(
            "select audit.record_archive('{TENANT}', 0, 300, '\\x{digest}', sha256('file'))::text"
        )
    };
    let keep =
        async |statement: &str| as_job(database, "lanyard_platform", "keep_log", statement).await;
    let other = "00".repeat(32);
    assert_eq!(
        keep(&record(&other)).await,
        Ok(vec!["false".to_owned()]),
        "another archive"
    );
    assert_eq!(expire(database, "2019-02-01").await, refused);
    assert_eq!(keep(&record(&digest)).await, Ok(vec!["true".to_owned()]));

    let hold = format!(
        "insert into audit.hold (tenant_id, hold_id, placed_at) values ('{TENANT}', '{TENANT}',
           now()) returning ''"
    );
    keep(&hold).await.unwrap();
    assert_eq!(expire(database, "2019-02-01").await, refused, "a hold");
    keep("update audit.hold set lifted_at = now() returning ''")
        .await
        .unwrap();
    assert_eq!(
        expire(database, "2019-02-01").await,
        Ok(vec!["{entry_2019_01}".to_owned()])
    );

    let left: Vec<String> = sqlx::query_scalar("select line from audit.entry where tenant_id = $1")
        .bind(TENANT)
        .fetch_all(&mut boss)
        .await
        .unwrap();
    assert_eq!(left, before[300..]);
    // An entry of the archive is still proved by what remains.
    for index in [0, 5, 255, 256, 299, 300] {
        let (root, path): (Vec<u8>, Vec<Vec<u8>>) =
            sqlx::query_as("select audit.subtree($1, 0, 301), audit.inclusion_proof($1, $2, 301)")
                .bind(TENANT)
                .bind(index)
                .fetch_one(&mut boss)
                .await
                .unwrap();
        let path: Vec<TreeHash> = path
            .iter()
            .map(|hash| TreeHash::try_from(hash.as_slice()).unwrap())
            .collect();
        let place = usize::try_from(index).unwrap();
        let index = u64::try_from(index).unwrap();
        let reached = proof::root_by_inclusion(leaves[place], index, 301, &path);
        assert_eq!(reached.unwrap().as_bytes().as_slice(), root, "{index}");
    }
}

/// AUD-12: a hold that is being placed as a month goes is waited for, and keeps it: whoever is told
/// that it holds is told the truth.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_being_placed_keeps_the_month() {
    let lab = lab().await;
    let database = &lab.database;
    let mut boss = database.superuser().await;
    plant(&mut boss, 3).await;
    let made = "select audit.make_partitions()::text";
    as_job(database, "lanyard_sequencer", "sequence_log", made)
        .await
        .unwrap();
    sequence(&lab).await;
    let digest: String = sqlx::query_scalar(
        "select encode(sha256(string_agg(leaf_hash, ''::bytea order by leaf_index)), 'hex')
         from audit.leaf where tenant_id = $1 and leaf_index < 3",
    )
    .bind(TENANT)
    .fetch_one(&mut boss)
    .await
    .unwrap();
    let record = format!(
        "select audit.record_archive('{TENANT}', 0, 3, '\\x{digest}', sha256('file'))::text"
    );
    let recorded = as_job(database, "lanyard_platform", "keep_log", &record).await;
    assert_eq!(recorded, Ok(vec!["true".to_owned()]));

    let mut placing = begun(database, "lanyard_platform", &job("keep_log")).await;
    let hold = format!(
        "insert into audit.hold (tenant_id, hold_id, placed_at)
         values ('{TENANT}', '{TENANT}', now())"
    );
    tell(&mut placing, &hold).await;
    let there = database.clone();
    let expiring = tokio::spawn(async move { expire(&there, "2019-02-01").await });
    let waits = "select exists (select from pg_locks where not granted
        and relation = 'audit.hold'::regclass)";
    while !expiring.is_finished()
        && !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut boss)
            .await
            .unwrap()
    {
        tokio::task::yield_now().await;
    }
    tell(&mut placing, "commit").await;
    assert_eq!(expiring.await.unwrap(), Err("42501".to_owned()));
    assert_eq!(lines(database, TENANT).await.len(), 4);
}

/// AUD-12: a clinic that is deleted takes nothing of its log along.
#[tokio::test]
async fn nothing_of_a_log_hangs_on_a_row_that_can_be_deleted() {
    let lab = lab().await;
    let hanging: Vec<String> = sqlx::query_scalar(
        "select conname::text from pg_constraint
         where contype = 'f' and connamespace = 'audit'::regnamespace",
    )
    .fetch_all(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(hanging, [""; 0]);
}
