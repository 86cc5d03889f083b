//! A verifier that follows an issuer's revocations, in a time that the test makes.

use std::time::Duration;

use lanyard_verifier::test_issuer::{Ended, TestIssuer, TestToken};
use lanyard_verifier::{Builder, FeedStatus, Verifier, VerifyError};

use crate::clock::TokioClock;
use crate::lab::{AUDIENCE, ISSUER, JUNIPER};

/// For tests with `start_paused`: time passes only by [`Followed::pass`], or while everybody waits.
pub(crate) struct Followed {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: TokioClock,
    pub(crate) verifier: Verifier,
}

impl Followed {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(more: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = TokioClock::new();
        let issuer = TestIssuer::new(ISSUER).clock(clock);
        let verifier = another(&issuer, clock, more);
        Self {
            issuer,
            clock,
            verifier,
        }
    }

    /// A good token for this API, of a person of juniper.
    pub(crate) fn token(&self) -> TestToken {
        self.issuer.token(AUDIENCE).tenant(JUNIPER)
    }

    pub(crate) fn status(&self) -> FeedStatus {
        self.verifier.feed_status().expect("it follows")
    }

    pub(crate) async fn verdict(&self, token: &str) -> Result<(), VerifyError> {
        self.verifier.verify(token).await.map(drop)
    }

    /// Ends something and waits until the verifier was told.
    pub(crate) async fn revoke(&self, ended: &Ended) {
        let position = self.issuer.revoke(AUDIENCE, ended);
        self.until(|status| status.position >= Some(position)).await;
    }

    pub(crate) async fn until(&self, holds: impl Fn(&FeedStatus) -> bool) {
        until(&self.verifier, holds).await;
    }

    /// Lets so many seconds pass, with a heartbeat each.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.pass_in_silence(1).await;
            self.issuer.heartbeat();
            self.until(|status| status.lag.is_some_and(|lag| lag.is_zero()))
                .await;
        }
    }

    /// Lets so many seconds pass and says nothing.
    pub(crate) async fn pass_in_silence(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

/// Another verifier of the same issuer: or the same after a restart.
pub(crate) fn another(
    issuer: &TestIssuer,
    clock: TokioClock,
    more: impl FnOnce(Builder) -> Builder,
) -> Verifier {
    let builder = Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .revocations(issuer.revocations())
        .clock(clock);
    more(builder).build().expect("all is given")
}

/// Lets the others run until something holds of how the verifier stands.
pub(crate) async fn until(verifier: &Verifier, holds: impl Fn(&FeedStatus) -> bool) {
    let mut status = None;
    for _ in 0..300_000 {
        status = verifier.feed_status();
        if status.as_ref().is_some_and(&holds) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never held: {status:?}");
}
