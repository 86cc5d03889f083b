//! `identity.signing_key`.

use serde_json::Value;
use time::OffsetDateTime;

use super::key::Alg;
use super::policy::Standing;
use crate::db::{Identity, StoreError, Tx};

#[derive(sqlx::FromRow)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) alg: String,
    pub(crate) standing: String,
    pub(crate) public_jwk: Value,
    pub(crate) private_sealed: Vec<u8>,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) signs_from: Option<OffsetDateTime>,
    pub(crate) current_since: Option<OffsetDateTime>,
    pub(crate) previous_since: Option<OffsetDateTime>,
}

/// A key to be stored.
pub(crate) struct NewKey<'a> {
    pub(crate) kid: &'a str,
    pub(crate) alg: Alg,
    pub(crate) public_jwk: &'a Value,
    pub(crate) private_sealed: &'a [u8],
}

/// All keys that are not gone, newest first.
pub(crate) async fn list(tx: &mut Tx<Identity>) -> Result<Vec<KeyRow>, StoreError> {
    let rows = sqlx::query_as(
        "select kid, alg, standing, public_jwk, private_sealed, created_at, signs_from,
           current_since, previous_since
         from identity.signing_key
         where standing <> 'gone'
         order by created_at desc",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Inserts a key; `false` if its algorithm has one of that standing: another replica was faster.
///
/// - `signs_from`: of a next one
pub(crate) async fn insert(
    tx: &mut Tx<Identity>,
    key: &NewKey<'_>,
    standing: Standing,
    signs_from: Option<OffsetDateTime>,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.signing_key
           (kid, alg, standing, public_jwk, private_sealed, created_at, signs_from, current_since)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict do nothing",
    )
    .bind(key.kid)
    .bind(key.alg.name())
    .bind(standing.name())
    .bind(key.public_jwk)
    .bind(key.private_sealed)
    .bind(at)
    .bind(signs_from)
    .bind((standing == Standing::Current).then_some(at))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets the next key take its turn earlier; never later.
pub(crate) async fn hasten(
    tx: &mut Tx<Identity>,
    alg: Alg,
    signs_from: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.signing_key
         set signs_from = $2
         where alg = $1 and standing = 'next' and signs_from > $2",
    )
    .bind(alg.name())
    .bind(signs_from)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The current key signs no more; `false` if it is not current: another replica was faster.
pub(crate) async fn mark_previous(
    tx: &mut Tx<Identity>,
    kid: &str,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.signing_key
         set standing = 'previous', previous_since = $2
         where kid = $1 and standing = 'current'",
    )
    .bind(kid)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The next key of an algorithm signs from now on; its name, or `None` if there is none.
pub(crate) async fn mark_current(
    tx: &mut Tx<Identity>,
    alg: Alg,
    at: OffsetDateTime,
) -> Result<Option<String>, StoreError> {
    let kid = sqlx::query_scalar(
        "update identity.signing_key
         set standing = 'current', current_since = $2, signs_from = null
         where alg = $1 and standing = 'next'
         returning kid",
    )
    .bind(alg.name())
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    Ok(kid)
}

/// Erases the private half of a key of that standing; `false` if it has another one.
pub(crate) async fn mark_gone(
    tx: &mut Tx<Identity>,
    kid: &str,
    standing: Standing,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.signing_key
         set standing = 'gone', private_sealed = null, signs_from = null, gone_at = $3
         where kid = $1 and standing = $2",
    )
    .bind(kid)
    .bind(standing.name())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
