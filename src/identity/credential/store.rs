//! `identity.password` with its account, and `identity.known_place`.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::db::{Identity, StoreError, Tx};
use crate::identity::throttle::{Known, Spot};
use crate::ids::AccountId;

/// A place that she was not seen at for so long is new again.
const REMEMBERED: Duration = Duration::days(400);

/// What a typed password is checked against.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Credential {
    pub(crate) account_id: AccountId,
    pub(crate) login: String,
    pub(crate) is_active: bool,
    pub(crate) password_epoch: i32,
    pub(crate) phc: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

/// The credential of the claimed login.
pub(crate) async fn find_claimed(
    tx: &mut Tx<Identity>,
    login_locator: Uuid,
) -> Result<Option<Credential>, StoreError> {
    let row = sqlx::query_as(
        "select a.account_id, a.login, a.status = 'active' as is_active, a.password_epoch, p.phc
         from identity.account a
         join identity.password p on p.account_id = a.account_id
         where a.login_locator = $1",
    )
    .bind(login_locator)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

#[derive(sqlx::FromRow)]
struct AttemptedRow {
    #[sqlx(flatten)]
    credential: Credential,
    knows_browser: bool,
    knows_network: bool,
}

/// The same, and whether the person was at this place before.
pub(crate) async fn find_attempted(
    tx: &mut Tx<Identity>,
    login_locator: Uuid,
    spot: Spot<'_>,
    now: OffsetDateTime,
) -> Result<(Option<Credential>, Known), StoreError> {
    let row: Option<AttemptedRow> = sqlx::query_as(
        "select a.account_id, a.login, a.status = 'active' as is_active, a.password_epoch, p.phc,
                exists (select from identity.known_place k
                        where k.account_id = a.account_id and k.kind = 'browser'
                          and k.digest = $2 and k.last_seen_at > $4) as knows_browser,
                exists (select from identity.known_place k
                        where k.account_id = a.account_id and k.kind = 'network'
                          and k.digest = $3 and k.last_seen_at > $4) as knows_network
         from identity.account a
         join identity.password p on p.account_id = a.account_id
         where a.login_locator = $1",
    )
    .bind(login_locator)
    .bind(spot.browser.as_bytes())
    .bind(spot.network.as_bytes())
    .bind(now - REMEMBERED)
    .fetch_optional(tx.conn())
    .await?;
    let known = Known {
        browser: row.as_ref().is_some_and(|row| row.knows_browser),
        network: row.as_ref().is_some_and(|row| row.knows_network),
    };
    Ok((row.map(|row| row.credential), known))
}

/// The credential of the transaction's own account.
pub(crate) async fn find_own(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Option<Credential>, StoreError> {
    let row = sqlx::query_as(
        "select a.account_id, a.login, a.status = 'active' as is_active, a.password_epoch, p.phc
         from identity.account a
         join identity.password p on p.account_id = a.account_id
         where a.account_id = $1",
    )
    .bind(account)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Puts a new hash in the place of the one that was read and raises the epoch; gives the new
/// epoch, or nothing if the password was changed meanwhile.
pub(crate) async fn replace(
    tx: &mut Tx<Identity>,
    read: &Credential,
    phc: &str,
    at: OffsetDateTime,
) -> Result<Option<i32>, StoreError> {
    let done = sqlx::query(
        "update identity.password set phc = $3, changed_at = $4
         where account_id = $1 and phc = $2",
    )
    .bind(read.account_id)
    .bind(&read.phc)
    .bind(phc)
    .bind(at)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let epoch: i32 = sqlx::query_scalar(
        "update identity.account set password_epoch = password_epoch + 1
         where account_id = $1
         returning password_epoch",
    )
    .bind(read.account_id)
    .fetch_one(tx.conn())
    .await?;
    Ok(Some(epoch))
}

/// Remembers that she was at this place.
pub(crate) async fn remember(
    tx: &mut Tx<Identity>,
    account: AccountId,
    spot: Spot<'_>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.known_place (account_id, kind, digest, first_seen_at, last_seen_at)
         values ($1, 'browser', $2, $4, $4), ($1, 'network', $3, $4, $4)
         on conflict (account_id, kind, digest) do update set last_seen_at = excluded.last_seen_at",
    )
    .bind(account)
    .bind(spot.browser.as_bytes())
    .bind(spot.network.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
