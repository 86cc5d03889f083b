//! Beginning, finding, moving on and finishing an interaction. Each is a short transaction of the
//! interaction's own claim ([`crate::db::Authority`]), opened by the caller with [`authority`].

use super::model::{Interaction, Pending};
use super::store;
use crate::app::App;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::ids::InteractionId;
use crate::secret::KeyedDigest;

/// The right to one interaction's row.
pub fn authority(id: InteractionId) -> Authority<Identity> {
    Authority::claim(id.as_uuid())
}

/// A fresh id, to open the transaction with.
pub fn fresh_id(app: &App) -> InteractionId {
    InteractionId::from_uuid(app.env.random_uuid())
}

/// Stores a request for one browser.
pub async fn begin(
    tx: &mut Tx<Identity>,
    app: &App,
    id: InteractionId,
    browser: &KeyedDigest,
    pending: &Pending,
) -> Result<(), StoreError> {
    let now = app.env.now();
    let expires_at = now + app.config.lifetimes.interaction;
    store::insert(
        tx,
        id,
        browser.as_bytes(),
        &to_json(pending),
        now,
        expires_at,
    )
    .await
}

/// The live interaction of this browser; another browser's is as none.
pub async fn find(
    tx: &mut Tx<Identity>,
    app: &App,
    id: InteractionId,
    browser: &KeyedDigest,
) -> Result<Option<Interaction>, StoreError> {
    let Some(row) = store::find(tx, id, app.env.now()).await? else {
        return Ok(None);
    };
    if !browser.matches(&row.browser_digest) {
        return Ok(None);
    }
    let pending = serde_json::from_value(row.request).map_err(|_| StoreError::Corrupt {
        table: "identity.interaction",
        what: "a request that can't be read",
    })?;
    Ok(Some(Interaction {
        id,
        pending,
        created_at: row.created_at,
    }))
}

/// Keeps what was learned.
pub async fn keep(tx: &mut Tx<Identity>, interaction: &Interaction) -> Result<(), StoreError> {
    store::update(tx, interaction.id, &to_json(&interaction.pending)).await
}

/// Finishes it, once; false if it was finished before.
pub async fn finish(
    tx: &mut Tx<Identity>,
    app: &App,
    id: InteractionId,
) -> Result<bool, StoreError> {
    store::mark_finished(tx, id, app.env.now()).await
}

fn to_json(pending: &Pending) -> serde_json::Value {
    serde_json::to_value(pending).expect("strings and numbers serialize")
}
