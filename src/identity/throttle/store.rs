//! `identity.throttle`, through its functions.

use time::{Duration, OffsetDateTime};

use crate::db::{Identity, StoreError, Tx};
use crate::secret::KeyedDigest;

/// Counts one attempt; gives the attempts in the present window and when it ends.
pub(super) async fn hit(
    tx: &mut Tx<Identity>,
    bucket: &KeyedDigest,
    at: OffsetDateTime,
    window: Duration,
) -> Result<(i64, OffsetDateTime), StoreError> {
    let (hits, ends_at): (i32, OffsetDateTime) = sqlx::query_as(
        "select hits, window_ends_at
         from identity.throttle_hit($1, $2, make_interval(secs => $3))",
    )
    .bind(bucket.as_bytes())
    .bind(at)
    .bind(window.as_seconds_f64())
    .fetch_one(tx.conn())
    .await?;
    Ok((hits.into(), ends_at))
}

/// Begins a counter anew.
pub(super) async fn clear(tx: &mut Tx<Identity>, bucket: &KeyedDigest) -> Result<(), StoreError> {
    sqlx::query("select identity.throttle_clear($1)")
        .bind(bucket.as_bytes())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes one attempt back.
pub(super) async fn forgive(tx: &mut Tx<Identity>, bucket: &KeyedDigest) -> Result<(), StoreError> {
    sqlx::query("select identity.throttle_forgive($1)")
        .bind(bucket.as_bytes())
        .execute(tx.conn())
        .await?;
    Ok(())
}
