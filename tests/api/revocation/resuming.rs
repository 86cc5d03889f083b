//! Nothing is lost and nothing doubled between two connections, two servers, or a snapshot and the
//! stream.

use std::collections::BTreeSet;

use super::{Ear, Stage, head, kind, snapshot};
use crate::lab::world::Clinic;

fn toggle(clinic: &Clinic) -> String {
    format!(
        "update tenancy.tenant set status =
           case status when 'active' then 'suspended' else 'active' end
         where tenant_id = '{}'",
        clinic.id
    )
}

/// A server that is gone between a commit and its push: what it committed is told by the next one,
/// after what the subscriber heard last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_at_another_server_where_the_first_one_left_it() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let api = stage.platforms().await;
    let mut ear = Ear::now(lab, &api).await;
    stage.sql(&toggle(&stage.other)).await;
    let (heard, _) = ear.set(lab).await;
    lab.app.feed.end();
    while ear.message().await.is_some() {}
    // Committed, and nobody is there to push it or to give it a position.
    for _ in 0..3 {
        stage.sql(&toggle(&stage.other)).await;
    }
    let next = lab.second_node().await;
    let mut ear = Ear::at(&next, &api, Some(heard)).await;
    let mut positions = Vec::new();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let (position, set) = ear.set(&next).await;
        positions.push(position);
        kinds.push(kind(&set));
    }
    assert_eq!(positions, [heard + 1, heard + 2, heard + 3]);
    assert_eq!(
        kinds,
        ["tenant-resumed", "tenant-revoked", "tenant-resumed"]
    );
    assert_eq!(ear.sets_until(&next, heard + 3).await.len(), 0, "no more");
}

/// What ends while a verifier takes its snapshot is in it or on the stream after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_a_snapshot_and_the_stream_is_no_gap() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let api = stage.platforms().await;
    let before = head(lab).await;
    let ending = async {
        for _ in 0..40 {
            stage.sql(&toggle(&stage.other)).await;
        }
    };
    let listening = async {
        let (position, sets) = snapshot(lab, &api).await;
        let mut ear = Ear::at(lab, &api, Some(position)).await;
        let mut told: Vec<_> = sets.iter().map(|set| set["jti"].to_string()).collect();
        let after = ear.sets_until(lab, before + 40).await;
        told.extend(after.iter().map(|(_, set)| set["jti"].to_string()));
        told
    };
    let ((), told) = tokio::join!(ending, listening);
    let distinct: BTreeSet<_> = told.iter().collect();
    assert_eq!(distinct.len(), told.len(), "none twice");
    let (_, all) = snapshot(lab, &api).await;
    let all: BTreeSet<_> = all.iter().map(|set| set["jti"].to_string()).collect();
    assert_eq!(all.len(), told.len(), "none is missing");
    assert!(distinct.into_iter().all(|jti| all.contains(jti)));
}

/// Who was away for too long, or comes from a time before a restore, is sent for a snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_t_go_on_is_sent_for_a_snapshot() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let api = stage.platforms().await;
    let start = head(lab).await;
    for _ in 0..3 {
        stage.sql(&toggle(&stage.other)).await;
    }
    let last = head(lab).await;
    assert_eq!(last, start + 3);
    let is_sent_away = async |after| {
        let mut ear = Ear::at(lab, &api, Some(after)).await;
        let first = ear.message().await.unwrap();
        let is_sent = first.name == "snapshot-required";
        assert!(!is_sent || ear.message().await.is_none(), "and it ends");
        is_sent
    };
    assert!(!is_sent_away(start).await && !is_sent_away(last).await);
    assert!(is_sent_away(last + 1).await, "from the future");
    let at = |position, age| {
        format!(
            "update revocation.published
             set published_at = '2026-03-02 14:00Z'::timestamptz - interval '{age}'
             where position = {position}"
        )
    };
    stage.sql(&at(start + 1, "10 minutes")).await;
    assert!(is_sent_away(start).await, "too old");
    assert!(!is_sent_away(start + 1).await);
    stage
        .sql(&format!(
            "delete from revocation.published where position <= {}",
            start + 2
        ))
        .await;
    assert!(is_sent_away(start + 1).await, "forgotten");
    assert!(!is_sent_away(start + 2).await);
    stage
        .sql("insert into identity.epoch (epoch, checkpoint, began_at) values (2, 0, now())")
        .await;
    assert!(is_sent_away(last).await, "restored");
    let (position, _) = snapshot(lab, &api).await;
    assert!(position > last + 1_000_000, "{position}");
    assert!(!is_sent_away(position).await);
}

/// A snapshot holds what can still be used, and nothing that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_holds_what_is_in_force() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let (own, others) = (
        stage.resource(stage.world.clinic.id, None).await,
        stage.resource(stage.other.id, None).await,
    );
    stage.sql(&toggle(&stage.world.clinic)).await;
    let told = async |client| {
        let (_, sets) = snapshot(lab, client).await;
        sets.iter()
            .filter(|set| kind(set) == "tenant-revoked")
            .count()
    };
    assert_eq!((told(&own).await, told(&others).await), (1, 0));
    // Five minutes is the longest token's life, and two are for clocks.
    let age = |interval| {
        format!(
            "update revocation.published set published_at =
               '2026-03-02 14:00Z'::timestamptz - interval '{interval}'"
        )
    };
    stage.sql(&age("6 minutes 59 seconds")).await;
    assert_eq!(told(&own).await, 1);
    stage.sql(&age("7 minutes 1 second")).await;
    assert_eq!(told(&own).await, 0);
}
