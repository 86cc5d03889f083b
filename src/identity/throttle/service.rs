//! Counting, and taking back.

use time::Duration;

use super::policy::{Pace, WhenFull};
use super::store;
use crate::app::App;
use crate::db::{Identity, StoreError, Tx};

/// What counting came to.
#[derive(Debug)]
pub(crate) enum Counted {
    /// The attempt may be judged; it is in these counters.
    Admitted(Vec<Pace>),
    /// It may not.
    Refused {
        /// Until it may: a second at least.
        wait: Duration,
        /// Which counter is full.
        pace: &'static str,
    },
}

/// Counts one attempt in each counter, in order, until one refuses it.
pub(crate) async fn count(
    tx: &mut Tx<Identity>,
    app: &App,
    paces: Vec<Pace>,
) -> Result<Counted, StoreError> {
    let now = app.env.now();
    let (mut counted, mut is_asked) = (Vec::new(), false);
    for pace in paces {
        if pace.when_full == WhenFull::OnlyIfAsked && !is_asked {
            continue;
        }
        let (hits, ends_at) = store::hit(tx, &pace.bucket, now, pace.window).await?;
        let is_full = hits > i64::from(pace.limit);
        if is_full && pace.when_full != WhenFull::AskNext {
            let wait = (ends_at - now).max(Duration::SECOND);
            return Ok(Counted::Refused {
                wait,
                pace: pace.name,
            });
        }
        is_asked = is_full;
        counted.push(pace);
    }
    Ok(Counted::Admitted(counted))
}

/// Takes back an attempt that was right. The account's own counters begin anew; of those that it
/// shares only this one attempt is taken, so that nobody empties them by signing in.
pub(crate) async fn forgive(tx: &mut Tx<Identity>, counted: &[Pace]) -> Result<(), StoreError> {
    for pace in counted {
        if pace.is_own {
            store::clear(tx, &pace.bucket).await?;
        } else {
            store::forgive(tx, &pace.bucket).await?;
        }
    }
    Ok(())
}

/// Takes back an attempt that was never judged.
pub(crate) async fn take_back(tx: &mut Tx<Identity>, counted: &[Pace]) -> Result<(), StoreError> {
    for pace in counted {
        store::forgive(tx, &pace.bucket).await?;
    }
    Ok(())
}
