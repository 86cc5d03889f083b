//! The statements of the log.

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

pub(super) async fn append_all<P: Plane>(
    tx: &mut Tx<P>,
    events: Vec<(&'static str, Written)>,
) -> Result<(), StoreError> {
    let (mut names, mut ids, mut instants) = (Vec::new(), Vec::new(), Vec::new());
    let (mut details, mut macs) = (Vec::new(), Vec::new());
    for (name, event) in events {
        names.push(name);
        ids.push(event.id);
        instants.push(event.at);
        details.push(event.detail);
        macs.push(event.mac.to_vec());
    }
    sqlx::query(
        "select audit.append(e.id, e.type, e.at, e.detail, e.mac)
         from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::jsonb[], $5::bytea[])
           as e (id, type, at, detail, mac)",
    )
    .bind(ids)
    .bind(names)
    .bind(instants)
    .bind(details)
    .bind(macs)
    .execute(tx.conn())
    .await?;
    Ok(())
}
