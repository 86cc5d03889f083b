//! The functions of `migrations/0017_retention.sql`. Each deletes `most` rows at most and says how
//! many.

use time::OffsetDateTime;

use super::model::{AppsDead, IdentityDead};
use crate::db::{Apps, Identity, StoreError, Tx};

pub(super) async fn purge(
    tx: &mut Tx<Identity>,
    what: IdentityDead,
    before: OffsetDateTime,
    most: i32,
) -> Result<i64, StoreError> {
    use IdentityDead as Dead;
    let call = match what {
        Dead::RefreshTokens => sqlx::query_scalar("select identity.purge_refresh_tokens($1, $2)"),
        Dead::Families => sqlx::query_scalar("select identity.purge_families($1, $2)"),
        Dead::Codes => sqlx::query_scalar("select identity.purge_codes($1, $2)"),
        Dead::TenantSessions => sqlx::query_scalar("select identity.purge_tenant_sessions($1, $2)"),
        Dead::Sessions => sqlx::query_scalar("select identity.purge_sessions($1, $2)"),
        Dead::HandoverCodes => sqlx::query_scalar("select identity.purge_handover_codes($1, $2)"),
        Dead::Handovers => sqlx::query_scalar("select identity.purge_handovers($1, $2)"),
        Dead::Interactions => sqlx::query_scalar("select identity.purge_interactions($1, $2)"),
        Dead::Throttle => sqlx::query_scalar("select identity.purge_throttle($1, $2)"),
        Dead::KnownPlaces => sqlx::query_scalar("select identity.purge_known_places($1, $2)"),
        Dead::Mail => sqlx::query_scalar("select outbox.purge_messages($1, $2)"),
        Dead::Revocations => sqlx::query_scalar("select revocation.purge_published($1, $2)"),
        Dead::Standings => sqlx::query_scalar("select revocation.purge_standings($1, $2)"),
    };
    Ok(call.bind(before).bind(most).fetch_one(tx.conn()).await?)
}

pub(super) async fn purge_of_apps(
    tx: &mut Tx<Apps>,
    what: AppsDead,
    before: OffsetDateTime,
    most: i32,
) -> Result<i64, StoreError> {
    let call = match what {
        AppsDead::Sessions => sqlx::query_scalar("select apps.purge_sessions($1, $2)"),
        AppsDead::Logins => sqlx::query_scalar("select apps.purge_logins($1, $2)"),
    };
    Ok(call.bind(before).bind(most).fetch_one(tx.conn()).await?)
}
