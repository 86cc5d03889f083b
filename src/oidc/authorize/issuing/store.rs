//! Calls of `clerk.authorization_facts` and `clerk.give_codes`.

use super::{Authorization, Grant};
use crate::db::{Desk, SealedBundle, SealedClaims, StoreError, each, in_places};
use crate::identity::factor;
use crate::ids::{AccountId, SubjectId, TenantId};
use crate::oidc::authorize::settle::Wanted;
use crate::sessions::Limits;
use crate::sessions::read::{Holder, SessionRead};
use crate::sessions::service::Inspected;

#[derive(sqlx::FromRow)]
struct FactsRow {
    n: i64,
    tenant_id: TenantId,
    account_id: AccountId,
    subject_id: SubjectId,
    secret_digest: Vec<u8>,
    client_version: String,
    #[sqlx(flatten)]
    session: SessionRead,
    #[sqlx(flatten)]
    factors: factor::service::Standing,
    requires_factor: bool,
}

/// What one request is judged by, as one snapshot showed it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tenant: TenantId,
    pub(super) secret_digest: Vec<u8>,
    pub(super) client_version: String,
    pub(super) session: Inspected,
    pub(super) factors: factor::service::Standing,
    pub(super) requires_factor: bool,
}

/// Reads what all of `asked` are judged by; the n-th answer is the n-th one's.
///
/// - `platform`: the longest that any session goes on.
pub(super) async fn read(
    desk: &mut Desk,
    claims: &SealedClaims,
    asked: &[&Authorization],
    platform: Limits,
) -> Result<Vec<Option<Read>>, StoreError> {
    let rows: Vec<FactsRow> = sqlx::query_as(
        "select n, tenant_id, account_id, subject_id, secret_digest, client_version, sid,
                auth_time, opened_at, tenant_amr, device_label, session_epoch, amr,
                authenticated_at, proved_at, factor_proved_at, graced_at, active_at, silences,
                session_is_ended, account_is_active, account_epoch, has_device, grace_is_left,
                requires_factor, idle_seconds, absolute_seconds
         from clerk.authorization_facts($1, $2, $3, $4, $5, $6)",
    )
    .bind(claims.context())
    .bind(claims.sessions())
    .bind(each(asked, |a| a.client.tenant.as_uuid()))
    .bind(each(asked, |a| a.client.id.as_str()))
    .bind(each(asked, |a| match a.wanted {
        Wanted::Id(id) => Some(id.as_uuid()),
        Wanted::Any | Wanted::Slug(_) => None,
    }))
    .bind(each(asked, |a| match &a.wanted {
        Wanted::Slug(slug) => Some(slug.as_str()),
        Wanted::Any | Wanted::Id(_) => None,
    }))
    .fetch_all(desk.conn())
    .await?;
    let of = |at: usize, row: FactsRow| {
        let holder = Holder {
            session: asked[at].session.id,
            account: row.account_id,
            subject: row.subject_id,
        };
        Ok(Read {
            tenant: row.tenant_id,
            secret_digest: row.secret_digest,
            client_version: row.client_version,
            session: row.session.of(holder, platform),
            factors: row.factors,
            requires_factor: row.requires_factor,
        })
    };
    in_places(asked.len(), rows, |row| row.n, of)
}

/// Writes all of `grants`.
pub(super) async fn write(
    desk: &mut Desk,
    bundle: &SealedBundle,
    grants: &[Grant],
) -> Result<(), StoreError> {
    sqlx::query(
        "select clerk.give_codes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                                 $15, $16, $17, $18)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(bundle.accounts())
    .bind(bundle.subjects())
    .bind(each(grants, |g| g.code.session.as_uuid()))
    .bind(each(grants, |g| g.code.id.as_uuid()))
    .bind(each(grants, |g| g.digest.as_bytes()))
    .bind(each(grants, |g| g.code.client.as_str()))
    .bind(each(grants, |g| g.code.redirect_uri.as_str()))
    .bind(each(grants, |g| g.code.code_challenge.as_deref()))
    .bind(each(grants, |g| g.code.nonce.as_deref()))
    .bind(each(grants, |g| g.code.scopes.join(" ")))
    .bind(each(grants, |g| g.code.audience.as_str()))
    .bind(each(grants, |g| g.event.at))
    .bind(each(grants, |g| g.code.expires_at))
    .bind(each(grants, |g| g.event.id))
    .bind(each(grants, |g| g.event.detail.clone()))
    .bind(each(grants, |g| g.event.mac.as_slice()))
    .execute(desk.conn())
    .await?;
    Ok(())
}
