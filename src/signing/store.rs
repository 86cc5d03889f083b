//! `identity.signing_key`.

use serde_json::Value;
use time::OffsetDateTime;

use super::key::Alg;
use crate::db::{Identity, StoreError, Tx};

#[derive(sqlx::FromRow)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) alg: String,
    pub(crate) standing: String,
    pub(crate) public_jwk: Value,
    pub(crate) private_sealed: Vec<u8>,
}

/// All keys that are not gone, newest first.
pub(crate) async fn list(tx: &mut Tx<Identity>) -> Result<Vec<KeyRow>, StoreError> {
    let rows = sqlx::query_as(
        "select kid, alg, standing, public_jwk, private_sealed
         from identity.signing_key
         where standing <> 'gone'
         order by created_at desc",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Inserts a first current key of its algorithm; does nothing if another replica was faster.
pub(crate) async fn insert_current(
    tx: &mut Tx<Identity>,
    kid: &str,
    alg: Alg,
    public_jwk: &Value,
    private_sealed: &[u8],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.signing_key
           (kid, alg, standing, public_jwk, private_sealed, created_at)
         values ($1, $2, 'current', $3, $4, $5)
         on conflict do nothing",
    )
    .bind(kid)
    .bind(alg.name())
    .bind(public_jwk)
    .bind(private_sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
