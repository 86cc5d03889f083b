//! `identity.token_family` and `identity.refresh_token`. Every write but the first takes a permit
//! of `policy` and writes what it says.

use time::OffsetDateTime;

use super::model::{
    EndReason, Ended, Family, Generation, KeyThumbprint, LockStep, Place, Redemption,
};
use super::policy::{ReissuePermit, RetryPermit, ReusePermit, RotatePermit};
use super::successor::{SealKeyId, SealedSuccessor};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, ClientId, FamilyId, SessionId, SubjectId, TenantId};

const TABLE: &str = "identity.token_family";

/// What a family was given for; nothing here ever changes.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) subject: SubjectId,
    pub(crate) session: SessionId,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: String,
}

/// A family as found, with what is kept of the presented generation.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) family: Family,
    pub(crate) grant: Grant,
    pub(crate) sealed: Option<SealedSuccessor>,
    /// `None`: that generation was never issued.
    pub(crate) token_digest: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
pub(super) struct FamilyRow {
    client_id: String,
    account_id: AccountId,
    subject_id: SubjectId,
    session_id: SessionId,
    scopes: Vec<String>,
    audience: String,
    key_thumbprint: Option<Vec<u8>>,
    absolute_end_at: OffsetDateTime,
    current_generation: i64,
    current_is_used: bool,
    redeemed_at: Option<OffsetDateTime>,
    redeemed_network_digest: Option<Vec<u8>>,
    redeemed_agent_digest: Option<Vec<u8>>,
    access_ends_at: Option<OffsetDateTime>,
    lockstep_earlier: i16,
    lockstep_current: bool,
    sealed_successor: Option<Vec<u8>>,
    seal_key_id: Option<i32>,
    ended_at: Option<OffsetDateTime>,
    end_reason: Option<String>,
    token_digest: Option<Vec<u8>>,
}

/// The family, locked until the transaction ends: of any number of presentations one is decided
/// after the other, each on what the one before it wrote.
pub(crate) async fn find_locked(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    family: FamilyId,
    presented: Generation,
) -> Result<Option<Found>, StoreError> {
    let row: Option<FamilyRow> = sqlx::query_as(
        "select f.client_id, f.account_id, f.subject_id, f.session_id, f.scopes, f.audience,
                f.key_thumbprint, f.absolute_end_at, f.current_generation, f.current_is_used,
                f.redeemed_at, f.redeemed_network_digest, f.redeemed_agent_digest,
                f.access_ends_at, f.lockstep_earlier, f.lockstep_current, f.sealed_successor,
                f.seal_key_id, f.ended_at, f.end_reason, t.token_digest
         from identity.token_family f
         left join identity.refresh_token t
           on t.tenant_id = $1 and t.family_id = $2 and t.generation = $3
         where f.tenant_id = $1 and f.family_id = $2
         for update of f",
    )
    .bind(tenant)
    .bind(family)
    .bind(i64::from(presented.0))
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| row.into_found(tenant, family)).transpose()
}

impl FamilyRow {
    pub(super) fn into_found(self, tenant: TenantId, id: FamilyId) -> Result<Found, StoreError> {
        let family = Family {
            tenant,
            id,
            account: self.account_id,
            client: ClientId::parse(&self.client_id).ok_or_else(|| corrupt("client_id"))?,
            key_binding: digest(self.key_thumbprint.as_deref(), "key_thumbprint")?
                .map(KeyThumbprint),
            absolute_end_at: self.absolute_end_at,
            current: u32::try_from(self.current_generation)
                .map(Generation)
                .map_err(|_| corrupt("current_generation"))?,
            current_is_used: self.current_is_used,
            last_redemption: self.redemption()?,
            lockstep: LockStep {
                earlier_in_a_row: u8::try_from(self.lockstep_earlier)
                    .map_err(|_| corrupt("lockstep_earlier"))?,
                current_is_apart: self.lockstep_current,
            },
            ended: self.ended()?,
        };
        let sealed = self.sealed_successor.zip(self.seal_key_id);
        let sealed = sealed.map(|(bytes, key_id)| SealedSuccessor {
            key_id: SealKeyId(key_id),
            bytes,
        });
        let grant = Grant {
            subject: self.subject_id,
            session: self.session_id,
            scopes: self.scopes,
            audience: self.audience,
        };
        Ok(Found {
            family,
            grant,
            sealed,
            token_digest: self.token_digest,
        })
    }

    fn redemption(&self) -> Result<Option<Redemption>, StoreError> {
        let network = digest(
            self.redeemed_network_digest.as_deref(),
            "redeemed_network_digest",
        )?;
        let agent = digest(
            self.redeemed_agent_digest.as_deref(),
            "redeemed_agent_digest",
        )?;
        match (self.redeemed_at, self.access_ends_at, network, agent) {
            (None, None, None, None) => Ok(None),
            (Some(redeemed_at), Some(access_ends_at), Some(network), Some(agent)) => {
                Ok(Some(Redemption {
                    redeemed_at,
                    access_ends_at,
                    place: Place {
                        network_digest: network,
                        user_agent_digest: agent,
                    },
                }))
            }
            _ => Err(corrupt("half a redemption")),
        }
    }

    fn ended(&self) -> Result<Option<Ended>, StoreError> {
        let Some(ended_at) = self.ended_at else {
            return Ok(None);
        };
        let reason = self.end_reason.as_deref().and_then(EndReason::parse);
        let reason = reason.ok_or_else(|| corrupt("end_reason"))?;
        Ok(Some(Ended { ended_at, reason }))
    }
}

fn digest(bytes: Option<&[u8]>, what: &'static str) -> Result<Option<[u8; 32]>, StoreError> {
    bytes
        .map(|bytes| bytes.try_into().map_err(|_| corrupt(what)))
        .transpose()
}

const fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt { table: TABLE, what }
}

pub(crate) async fn insert_family(
    tx: &mut Tx<Identity>,
    family: &Family,
    grant: &Grant,
    started_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.token_family (tenant_id, family_id, client_id, account_id,
           subject_id, session_id, scopes, audience, key_thumbprint, started_at, absolute_end_at,
           current_generation)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(family.tenant)
    .bind(family.id)
    .bind(family.client.as_str())
    .bind(family.account)
    .bind(grant.subject)
    .bind(grant.session)
    .bind(&grant.scopes)
    .bind(&grant.audience)
    .bind(family.key_binding.as_ref().map(|key| key.0.as_slice()))
    .bind(started_at)
    .bind(family.absolute_end_at)
    .bind(i64::from(family.current.0))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(crate) async fn insert_token(
    tx: &mut Tx<Identity>,
    family: &Family,
    generation: Generation,
    token_digest: &[u8],
    issued_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.refresh_token
           (tenant_id, family_id, generation, token_digest, issued_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(family.tenant)
    .bind(family.id)
    .bind(i64::from(generation.0))
    .bind(token_digest)
    .bind(issued_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Claims the presented generation for its successor: one conditional statement, so that even
/// without the lock of [`find_locked`] a generation is claimed once.
pub(crate) async fn mark_rotated(
    tx: &mut Tx<Identity>,
    permit: &RotatePermit,
    sealed: &SealedSuccessor,
) -> Result<(), StoreError> {
    let after = permit.after();
    let redemption = after.last_redemption.as_ref();
    let done = sqlx::query(
        "update identity.token_family
         set current_generation = $3, current_is_used = $4, redeemed_at = $5,
             redeemed_network_digest = $6, redeemed_agent_digest = $7, access_ends_at = $8,
             lockstep_earlier = $9, lockstep_current = $10, sealed_successor = $11,
             seal_key_id = $12, sealed_until = $13
         where tenant_id = $1 and family_id = $2 and current_generation = $3 - 1
           and ended_at is null",
    )
    .bind(after.tenant)
    .bind(after.id)
    .bind(i64::from(after.current.0))
    .bind(after.current_is_used)
    .bind(redemption.map(|r| r.redeemed_at))
    .bind(redemption.map(|r| r.place.network_digest.as_slice()))
    .bind(redemption.map(|r| r.place.user_agent_digest.as_slice()))
    .bind(redemption.map(|r| r.access_ends_at))
    .bind(i16::from(after.lockstep.earlier_in_a_row))
    .bind(after.lockstep.current_is_apart)
    .bind(&sealed.bytes)
    .bind(sealed.key_id.0)
    .bind(permit.sealed_until())
    .execute(tx.conn())
    .await?;
    one_row(done.rows_affected())
}

/// Notes where the current generation went once more; no clock moves.
pub(crate) async fn mark_retried(
    tx: &mut Tx<Identity>,
    permit: &RetryPermit,
) -> Result<(), StoreError> {
    let after = permit.after();
    let done = sqlx::query(
        "update identity.token_family
         set lockstep_earlier = $4, lockstep_current = $5
         where tenant_id = $1 and family_id = $2 and current_generation = $3
           and ended_at is null",
    )
    .bind(after.tenant)
    .bind(after.id)
    .bind(i64::from(after.current.0))
    .bind(i16::from(after.lockstep.earlier_in_a_row))
    .bind(after.lockstep.current_is_apart)
    .execute(tx.conn())
    .await?;
    one_row(done.rows_affected())
}

/// Notes that the current generation was used without rotating: the one before it is spent.
pub(crate) async fn mark_reissued(
    tx: &mut Tx<Identity>,
    permit: &ReissuePermit,
) -> Result<(), StoreError> {
    let after = permit.after();
    let done = sqlx::query(
        "update identity.token_family
         set current_is_used = $4, sealed_successor = null, seal_key_id = null,
             sealed_until = null
         where tenant_id = $1 and family_id = $2 and current_generation = $3
           and ended_at is null",
    )
    .bind(after.tenant)
    .bind(after.id)
    .bind(i64::from(after.current.0))
    .bind(after.current_is_used)
    .execute(tx.conn())
    .await?;
    one_row(done.rows_affected())
}

/// Ends the family that a replay was seen in.
pub(crate) async fn mark_reused(
    tx: &mut Tx<Identity>,
    permit: &ReusePermit,
) -> Result<(), StoreError> {
    let after = permit.after();
    let ended = after
        .ended
        .ok_or_else(|| corrupt("a replay without an end"))?;
    let ended = mark_ended(tx, after.tenant, after.id, ended).await?;
    one_row(u64::from(ended))
}

/// Ends a family and erases its sealed successor; false if it had ended before.
pub(crate) async fn mark_ended(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    family: FamilyId,
    ended: Ended,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.token_family
         set ended_at = $3, end_reason = $4, sealed_successor = null, seal_key_id = null,
             sealed_until = null
         where tenant_id = $1 and family_id = $2 and ended_at is null",
    )
    .bind(tenant)
    .bind(family)
    .bind(ended.ended_at)
    .bind(ended.reason.name())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A family that was ended just now, and whose it was.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct EndedFamily {
    pub(crate) family_id: FamilyId,
    pub(crate) account_id: AccountId,
}

/// Ends what a client has of a member in these sessions; says which.
pub(crate) async fn mark_client_ended(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    (subject, client): (SubjectId, &ClientId),
    sessions: &[SessionId],
    ended: Ended,
) -> Result<Vec<EndedFamily>, StoreError> {
    let ended = sqlx::query_as(
        "update identity.token_family
         set ended_at = $5, end_reason = $6, sealed_successor = null, seal_key_id = null,
             sealed_until = null
         where tenant_id = $1 and session_id = any ($2) and subject_id = $3 and client_id = $4
           and ended_at is null
         returning family_id, account_id",
    )
    .bind(tenant)
    .bind(sessions)
    .bind(subject)
    .bind(client)
    .bind(ended.ended_at)
    .bind(ended.reason.name())
    .fetch_all(tx.conn())
    .await?;
    Ok(ended)
}

/// Ends all families of these sessions in one tenant; says how many.
pub(crate) async fn mark_sessions_ended(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    sessions: &[SessionId],
    ended: Ended,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update identity.token_family
         set ended_at = $3, end_reason = $4, sealed_successor = null, seal_key_id = null,
             sealed_until = null
         where tenant_id = $1 and session_id = any ($2) and ended_at is null",
    )
    .bind(tenant)
    .bind(sessions)
    .bind(ended.ended_at)
    .bind(ended.reason.name())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Erases sealed successors that may no longer be given, in all tenants; says how many.
pub(crate) async fn purge_sealed(
    tx: &mut Tx<Identity>,
    now: OffsetDateTime,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update identity.token_family
         set sealed_successor = null, seal_key_id = null, sealed_until = null
         where sealed_successor is not null and sealed_until <= $1",
    )
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

fn one_row(affected: u64) -> Result<(), StoreError> {
    if affected == 1 {
        Ok(())
    } else {
        Err(corrupt("a family that moved under its lock"))
    }
}
