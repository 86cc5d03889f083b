//! The login that registers seal keys and can do nothing else.

use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use super::connect::Connect;
use super::context::SealKey;
use super::error::StoreError;
use crate::env::{DatabaseClock, Env};

/// Its name.
pub(super) const ROLE: &str = "lanyard_keeper";

/// How long a key is registered for: it is renewed daily.
const SEAL_KEY_HOURS: i32 = 25;

/// How a transaction says whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// By `SET LOCAL`, in one message with `BEGIN`: nobody else can read a statement's text.
    Setting,
    /// By `seal.open` with a bound parameter, one round trip more: on hosts that keep
    /// `set_config` for everybody (docs/decisions/0002).
    Function,
}

/// A session of the keeper's.
pub(super) async fn log_in(connect: &Connect) -> Result<PgConnection, StoreError> {
    Ok(PgConnection::connect_with(&connect.options(ROLE)).await?)
}

/// Registers a fresh key and sets it by the database's real time.
pub(super) async fn register(
    keeper: &mut PgConnection,
    env: &Env,
) -> Result<(SealKey, OffsetDateTime), StoreError> {
    let key = SealKey::random(env.entropy.as_ref());
    let (inner_pad, outer_pad) = key.pads();
    sqlx::query("select seal.register($1, $2, $3, make_interval(hours => $4))")
        .bind(key.key_id())
        .bind(inner_pad)
        .bind(outer_pad)
        .bind(SEAL_KEY_HOURS)
        .execute(&mut *keeper)
        .await?;
    let now = clock(keeper).await?;
    Ok((key.in_time_of(now), now))
}

/// Lets a key end with the last context that may be under it.
pub(super) async fn retire(connect: &Connect, key: &SealKey) -> Result<(), StoreError> {
    let mut keeper = log_in(connect).await?;
    sqlx::query("select seal.retire($1)")
        .bind(key.key_id())
        .execute(&mut keeper)
        .await?;
    keeper.close().await?;
    Ok(())
}

/// How transactions open here: `lanyard migrate` grants `seal.open` only where they need it.
pub(super) async fn opening(keeper: &mut PgConnection) -> Result<Opening, StoreError> {
    let granted: bool = sqlx::query_scalar(
        "select has_function_privilege('lanyard_identity', 'seal.open(text)', 'execute')",
    )
    .fetch_one(keeper)
    .await?;
    Ok(if granted {
        Opening::Function
    } else {
        Opening::Setting
    })
}

/// The database's real time, as of the answer's arrival.
pub(super) async fn clock(keeper: &mut PgConnection) -> Result<OffsetDateTime, StoreError> {
    let asked_at = DatabaseClock::machine_now();
    let read: OffsetDateTime = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(keeper)
        .await?;
    // It was read half-way between question and answer.
    Ok(read + (DatabaseClock::machine_now() - asked_at) / 2)
}
