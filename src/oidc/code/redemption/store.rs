//! Calls of `clerk.redemption_facts` and `clerk.redeem`.

use time::OffsetDateTime;

use super::{Claim, Redemption};
use crate::db::{Desk, SealedBundle, StoreError, each, in_places};
use crate::identity::membership::Member;
use crate::oidc::code::model::IssuedCode;
use crate::oidc::code::store::CodeRow;
use crate::sessions::Limits;
use crate::sessions::read::{Holder, MemberRead, SessionRead};
use crate::sessions::service::Inspected;

#[derive(sqlx::FromRow)]
struct FactsRow {
    n: i64,
    #[sqlx(flatten)]
    code: CodeRow,
    client_version: String,
    client_secrets: Vec<Vec<u8>>,
    #[sqlx(flatten)]
    session: SessionRead,
    #[sqlx(flatten)]
    member: MemberRead,
}

/// What one redemption is judged by, as one snapshot showed it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) code: IssuedCode,
    pub(super) code_digest: Vec<u8>,
    pub(super) client_version: String,
    pub(super) client_secrets: Vec<Vec<u8>>,
    pub(super) session: Inspected,
    pub(super) member: Member,
}

/// Holds what can be of `asked` and reads what it is judged by; the n-th answer is the n-th one's.
///
/// - `platform`: the longest that any session goes on.
pub(super) async fn read(
    desk: &mut Desk,
    bundle: &SealedBundle,
    asked: &[&Redemption],
    platform: Limits,
    now: OffsetDateTime,
) -> Result<Vec<Option<Read>>, StoreError> {
    let rows: Vec<FactsRow> = sqlx::query_as(
        "select n, code_digest, client_id, session_id, subject_id, account_id, redirect_uri,
                code_challenge, nonce, scopes, audience, expires_at, client_version,
                client_secrets, sid, auth_time, opened_at, tenant_amr, device_label,
                session_epoch, amr, authenticated_at, proved_at, factor_proved_at, graced_at,
                active_at, silences, session_is_ended, account_is_active, account_epoch,
                membership_is_active, tenant_is_active, display_name, login, roles, role_scopes,
                idle_seconds, absolute_seconds
         from clerk.redemption_facts($1, $2, $3, $4, $5, $6)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(each(asked, |r| r.asked.presented.id.as_uuid()))
    .bind(each(asked, |r| r.client_tenant.as_uuid()))
    .bind(each(asked, |r| r.by.id.as_str()))
    .bind(now)
    .fetch_all(desk.conn())
    .await?;
    let of = |at: usize, row: FactsRow| {
        let (code, code_digest) = row.code.of(asked[at].asked.presented.id);
        let holder = Holder {
            session: code.session,
            account: code.account,
            subject: code.subject,
        };
        let session = row.session.of(holder, platform);
        Ok(Read {
            code,
            code_digest,
            client_version: row.client_version,
            client_secrets: row.client_secrets,
            member: row.member.of(&session),
            session,
        })
    };
    in_places(asked.len(), rows, |row| row.n, of)
}

/// Writes all of `claims` that can still be; the n-th answer says whether the n-th one was.
pub(super) async fn write(
    desk: &mut Desk,
    bundle: &SealedBundle,
    claims: &[Claim],
) -> Result<Vec<bool>, StoreError> {
    let written: Vec<i64> = sqlx::query_scalar(
        "select clerk.redeem($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(bundle.accounts())
    .bind(bundle.subjects())
    .bind(each(claims, |c| c.code.as_uuid()))
    .bind(each(claims, |c| c.session.as_uuid()))
    .bind(each(claims, |c| c.family.as_uuid()))
    .bind(each(claims, |c| c.absolute_end_at))
    .bind(each(claims, |c| c.event.at))
    .bind(each(claims, |c| c.digest.as_bytes()))
    .bind(each(claims, |c| c.event.id))
    .bind(each(claims, |c| c.event.detail.clone()))
    .bind(each(claims, |c| c.event.mac.as_slice()))
    .fetch_one(desk.conn())
    .await?;
    let numbers = 1..=i64::try_from(claims.len()).unwrap_or(i64::MAX);
    Ok(numbers.map(|n| written.contains(&n)).collect())
}
