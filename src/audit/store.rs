//! The one statement of the log.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{Plane, StoreError, Tx};

pub(super) struct Appended<'a> {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
    pub(super) at: OffsetDateTime,
    pub(super) detail: Value,
    pub(super) mac: &'a [u8],
}

pub(super) async fn append<P: Plane>(
    tx: &mut Tx<P>,
    event: Appended<'_>,
) -> Result<(), StoreError> {
    sqlx::query("select audit.append($1, $2, $3, $4, $5)")
        .bind(event.id)
        .bind(event.name)
        .bind(event.at)
        .bind(event.detail)
        .bind(event.mac)
        .execute(tx.conn())
        .await?;
    Ok(())
}
