//! How a verifier follows its issuer: breaks, losses, restarts, and what it tells of itself.

use std::time::Duration;

use lanyard_verifier::VerifyError;
use lanyard_verifier::test_issuer::Ended;

use crate::followed::{Followed, another, until};
use crate::lab::{AUDIENCE, BOREALIS, JUNIPER, Lab};

/// A broken stream goes on from where it was: nothing is missed, and no snapshot is needed.
#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_resumed() {
    let followed = Followed::new();
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    followed.issuer.cut_streams();
    let session = Ended::Session(JUNIPER, "test-session".to_owned());
    let position = followed.issuer.revoke(AUDIENCE, &session);
    tokio::time::sleep(Duration::from_secs(1)).await;
    followed
        .until(|status| status.position >= Some(position))
        .await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
    let status = followed.status();
    assert_eq!((status.snapshots, status.connections), (1, 2));
}

/// A message that was lost shows by the next one, or by the heartbeat, and the snapshot has it.
#[tokio::test(start_paused = true)]
async fn a_lost_message_shows() {
    for shows_by_heartbeat in [false, true] {
        let followed = Followed::new();
        let token = followed.token().mint();
        assert_eq!(followed.verdict(&token).await, Ok(()));
        let session = Ended::Session(JUNIPER, "test-session".to_owned());
        let lost = followed.issuer.security_event(AUDIENCE, &session).mint();
        followed.issuer.publish_lost(lost);
        if shows_by_heartbeat {
            followed.issuer.heartbeat();
        } else {
            followed.issuer.revoke(AUDIENCE, &Ended::Tenant(BOREALIS));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        followed.until(|status| status.snapshots == 2).await;
        assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
    }
}

/// Away for longer than the issuer keeps: a snapshot again.
#[tokio::test(start_paused = true)]
async fn who_was_away_too_long_takes_a_snapshot() {
    let followed = Followed::new();
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    followed.issuer.set_partitioned(true);
    let session = Ended::Session(JUNIPER, "test-session".to_owned());
    followed.issuer.revoke(AUDIENCE, &session);
    followed.issuer.forget_past();
    followed.issuer.set_partitioned(false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    followed.until(|status| status.snapshots == 2).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}

/// A restarted verifier knows what the one before knew, before it lets anybody in.
#[tokio::test(start_paused = true)]
async fn a_restart_loses_no_revocation() {
    let followed = Followed::new();
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    followed
        .revoke(&Ended::Session(JUNIPER, "test-session".to_owned()))
        .await;
    let restarted = another(&followed.issuer, followed.clock, |builder| builder);
    restarted.revocations_known().await;
    until(&restarted, |status| status.held == 1).await;
    let verdict = restarted.verify(&token).await.map(drop);
    assert_eq!(verdict, Err(VerifyError::Revoked));
    let unprepared = another(&followed.issuer, followed.clock, |builder| builder);
    let verdict = unprepared.verify(&token).await.map(drop);
    assert_eq!(
        verdict,
        Err(VerifyError::Revoked),
        "the first request waits for it"
    );
}

/// Every 30 seconds; and who is dropped follows no more.
#[tokio::test(start_paused = true)]
async fn the_issuer_hears_how_a_verifier_stands() {
    let followed = Followed::new();
    followed.verifier.revocations_known().await;
    followed.revoke(&Ended::Tenant(BOREALIS)).await;
    followed.pass(65).await;
    let standings = followed.issuer.standings();
    assert_eq!(standings.len(), 3, "at once, and twice in 65 seconds");
    let last = &standings[2];
    assert_eq!(last.version, env!("CARGO_PKG_VERSION"));
    assert_eq!((last.position, last.lag_milliseconds), (Some(1), Some(0)));
    assert!((55..=65).contains(&last.keys_age_seconds), "{last:?}");
    assert_eq!(last.instance.len(), 16);
    assert_eq!(last.instance, standings[0].instance);
    assert_eq!(followed.issuer.followers(), 1);
    let issuer = followed.issuer.clone();
    drop(followed);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(issuer.followers(), 0);
}

/// A verifier that was built without a source goes on as it did: a token is good until it ends.
#[tokio::test]
async fn without_a_source_nothing_changes() {
    let lab = Lab::new();
    let token = lab.token().mint();
    lab.verifier.verify(&token).await.expect("good");
    lab.issuer.revoke(AUDIENCE, &Ended::Tenant(JUNIPER));
    lab.verifier.revocations_known().await;
    lab.verifier.verify(&token).await.expect("good still");
    assert_eq!(lab.verifier.feed_status(), None);
    assert_eq!(lab.issuer.followers(), 0);
}
