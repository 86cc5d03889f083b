//! The one statement of the log.

use super::Written;
use crate::db::{Plane, StoreError, Tx};

pub(super) async fn append<P: Plane>(
    tx: &mut Tx<P>,
    name: &'static str,
    event: &Written,
) -> Result<(), StoreError> {
    sqlx::query("select audit.append($1, $2, $3, $4, $5)")
        .bind(event.id)
        .bind(name)
        .bind(event.at)
        .bind(&event.detail)
        .bind(event.mac.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(())
}
