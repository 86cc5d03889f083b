//! Calls of `clerk.rotation_facts` and `clerk.rotate`.

use time::OffsetDateTime;

use super::{Claim, Refresh};
use crate::db::{Desk, SealedBundle, StoreError, each, in_places};
use crate::identity::membership::Member;
use crate::identity::membership::store::MemberStanding;
use crate::oidc::family::refresh_token::PresentedRefreshToken;
use crate::oidc::family::store::{FamilyRow, Found};
use crate::sessions::Limits;
use crate::sessions::read::{Holder, MemberRead, SessionRead};
use crate::sessions::service::Inspected;

#[derive(sqlx::FromRow)]
struct FactsRow {
    n: i64,
    #[sqlx(flatten)]
    family: FamilyRow,
    client_version: String,
    client_secrets: Vec<Vec<u8>>,
    #[sqlx(flatten)]
    session: SessionRead,
    #[sqlx(flatten)]
    member: MemberRead,
    requires_factor: bool,
}

/// What one rotation is judged by, as one snapshot showed it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) found: Found,
    pub(super) client_version: String,
    pub(super) client_secrets: Vec<Vec<u8>>,
    pub(super) session: Inspected,
    pub(super) standing: MemberStanding,
    pub(super) member: Member,
}

/// Reads what all of `asked` are judged by; the n-th answer is the n-th one's.
///
/// - `platform`: the longest that any session goes on.
pub(super) async fn read(
    desk: &mut Desk,
    bundle: &SealedBundle,
    asked: &[&Refresh],
    platform: Limits,
    now: OffsetDateTime,
) -> Result<Vec<Option<Read>>, StoreError> {
    let rows: Vec<FactsRow> = sqlx::query_as(
        "select n, client_id, account_id, subject_id, session_id, scopes, audience,
                key_thumbprint, absolute_end_at, current_generation, current_is_used, redeemed_at,
                redeemed_network_digest, redeemed_agent_digest, access_ends_at, lockstep_earlier,
                lockstep_current, sealed_successor, seal_key_id, ended_at, end_reason,
                token_digest, client_version, client_secrets, sid, auth_time, opened_at,
                tenant_amr, device_label, session_epoch, amr, authenticated_at, proved_at,
                factor_proved_at, graced_at, active_at, silences, session_is_ended,
                account_is_active, account_epoch,
                membership_is_active, tenant_is_active, display_name, login, roles, role_scopes,
                requires_factor, idle_seconds, absolute_seconds
         from clerk.rotation_facts($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(each(asked, |r| r.asked.presented.family().as_uuid()))
    .bind(each(asked, |r| i64::from(r.asked.presented.generation().0)))
    .bind(each(asked, |r| r.client_tenant.as_uuid()))
    .bind(each(asked, |r| r.by.id.as_str()))
    .bind(now)
    .fetch_all(desk.conn())
    .await?;
    in_places(
        asked.len(),
        rows,
        |row| row.n,
        |at, row| row.into_read(&asked[at].asked.presented, platform),
    )
}

impl FactsRow {
    fn into_read(
        self,
        presented: &PresentedRefreshToken,
        platform: Limits,
    ) -> Result<Read, StoreError> {
        let found = self
            .family
            .into_found(presented.tenant(), presented.family())?;
        let holder = Holder {
            session: found.grant.session,
            account: found.family.account,
            subject: found.grant.subject,
        };
        let session = self.session.of(holder, platform);
        Ok(Read {
            found,
            client_version: self.client_version,
            client_secrets: self.client_secrets,
            standing: MemberStanding {
                membership_is_active: self.member.membership_is_active,
                tenant_is_active: self.member.tenant_is_active,
                requires_factor: self.requires_factor,
            },
            member: self.member.of(&session),
            session,
        })
    }
}

/// Writes all of `claims` that can still be; the n-th answer says whether the n-th one was.
pub(super) async fn write(
    desk: &mut Desk,
    bundle: &SealedBundle,
    claims: &[Claim],
) -> Result<Vec<bool>, StoreError> {
    let written: Vec<i64> = sqlx::query_scalar(
        "select clerk.rotate($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                             $16, $17, $18, $19)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(bundle.accounts())
    .bind(bundle.subjects())
    .bind(each(claims, |c| c.family.as_uuid()))
    .bind(each(claims, |c| c.session.as_uuid()))
    .bind(each(claims, |c| i64::from(c.successor.0)))
    .bind(each(claims, |c| c.redemption.redeemed_at))
    .bind(each(claims, |c| {
        c.redemption.place.network_digest.as_slice()
    }))
    .bind(each(claims, |c| {
        c.redemption.place.user_agent_digest.as_slice()
    }))
    .bind(each(claims, |c| c.redemption.access_ends_at))
    .bind(each(claims, |c| i16::from(c.lockstep_earlier)))
    .bind(each(claims, |c| c.sealed.bytes.as_slice()))
    .bind(each(claims, |c| c.sealed.key_id.0))
    .bind(each(claims, |c| c.sealed_until))
    .bind(each(claims, |c| c.digest.as_bytes()))
    .bind(each(claims, |c| c.event.id))
    .bind(each(claims, |c| c.event.detail.clone()))
    .bind(each(claims, |c| c.event.mac.as_slice()))
    .fetch_one(desk.conn())
    .await?;
    let numbers = 1..=i64::try_from(claims.len()).unwrap_or(i64::MAX);
    Ok(numbers.map(|n| written.contains(&n)).collect())
}
