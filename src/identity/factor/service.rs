//! What an account has, its grace, and what a clinic asks of its members.

use serde_json::json;

use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Identity, StoreError, Tx};
use crate::env::Env;
use crate::identity::{recovery_code, totp};
use crate::ids::{AccountId, TenantId};
use crate::secret::Keys;

/// What an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    /// Whether it has a device that counts.
    pub has_device: bool,
    /// Whether its one sign-in of grace is still to be had.
    pub grace_is_left: bool,
}

/// What the transaction's account has.
pub(crate) async fn standing(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Standing, StoreError> {
    store::find_standing(tx, account).await
}

/// Spends the account's one sign-in of grace; false if it was spent before.
pub(crate) async fn spend_grace(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
) -> Result<bool, StoreError> {
    let is_spent = store::mark_grace_spent(tx, account, app.env.now()).await?;
    if is_spent {
        let event = EventType::FactorGraceUsed;
        audit::append(tx, &app.env, &app.keys, event, json!({})).await?;
    }
    Ok(is_spent)
}

/// Lets a clinic ask a second factor of everybody, or of its staff alone; false if it is so
/// already. In a transaction of that clinic.
pub(crate) async fn save_policy(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    tenant: TenantId,
    of_everybody: bool,
) -> Result<bool, StoreError> {
    let is_changed = if of_everybody {
        store::require(tx, tenant, env.now()).await?
    } else {
        store::require_no_longer(tx, tenant).await?
    };
    if is_changed {
        let detail = json!({ "of_everybody": of_everybody });
        audit::append(tx, env, keys, EventType::FactorPolicyChanged, detail).await?;
    }
    Ok(is_changed)
}

/// What an operator sees of an account's factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Inventory {
    /// Devices that count.
    pub devices: i64,
    /// Recovery codes that are still good.
    pub recovery_codes: i64,
    /// Whether its one sign-in of grace is still to be had.
    pub grace_is_left: bool,
}

/// What an account has, for an operator.
pub(crate) async fn inventory(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Inventory, StoreError> {
    store::find_inventory(tx, account).await
}

/// Takes all factors of an account away: its sessions and grants end (RT-13), and a new sign-in of
/// grace begins. The person is told. Gives what was taken.
pub(crate) async fn reset(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    account: AccountId,
) -> Result<Inventory, StoreError> {
    let taken = take_all(tx, account).await?;
    store::mark_reset(tx, account).await?;
    let detail = json!({
        "account_id": account,
        "devices": taken.devices,
        "recovery_codes": taken.recovery_codes,
    });
    audit::append(tx, env, keys, EventType::FactorReset, detail).await?;
    outbox::post(tx, env, account, &MailKind::FactorsReset {}).await?;
    Ok(taken)
}

/// Takes all factors of an account away, and gives what was taken.
pub(crate) async fn take_all(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Inventory, StoreError> {
    let taken = store::find_inventory(tx, account).await?;
    totp::service::remove_all(tx, account).await?;
    recovery_code::service::end_all(tx, account).await?;
    Ok(taken)
}
