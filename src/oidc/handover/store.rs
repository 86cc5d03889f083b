//! `identity.handover` and `identity.handover_code`.

use time::OffsetDateTime;

use super::model::{Handover, HandoverCode};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{
    ClientId, CodeId, HandoverId, ImpersonationId, SubjectId, TenantId, TenantSessionId,
};

pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    new: &Handover,
    transfer_digest: &[u8],
    created_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.handover
           (tenant_id, handover_id, impersonation_id, client_id, actor_sid, transfer_digest,
            created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.tenant)
    .bind(new.id)
    .bind(new.grant)
    .bind(&new.client)
    .bind(new.actor_sid)
    .bind(transfer_digest)
    .bind(created_at)
    .bind(new.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct HandoverRow {
    tenant_id: TenantId,
    handover_id: HandoverId,
    impersonation_id: ImpersonationId,
    of_client: ClientId,
    actor_id: SubjectId,
    actor_sid: TenantSessionId,
    transfer_digest: Vec<u8>,
    transfer_ends_at: OffsetDateTime,
    transfer_spent_at: Option<OffsetDateTime>,
    session_digest: Option<Vec<u8>>,
}

/// A handover with what is kept of its secrets.
pub(super) struct Kept {
    pub(super) handover: Handover,
    pub(super) transfer_digest: Vec<u8>,
    /// `None`: nobody came in yet.
    pub(super) session_digest: Option<Vec<u8>>,
}

impl From<HandoverRow> for Kept {
    fn from(row: HandoverRow) -> Self {
        Self {
            handover: Handover {
                tenant: row.tenant_id,
                id: row.handover_id,
                grant: row.impersonation_id,
                client: row.of_client,
                actor: row.actor_id,
                actor_sid: row.actor_sid,
                expires_at: row.transfer_ends_at,
                spent_at: row.transfer_spent_at,
            },
            transfer_digest: row.transfer_digest,
            session_digest: row.session_digest,
        }
    }
}

pub(super) async fn find(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: HandoverId,
) -> Result<Option<Kept>, StoreError> {
    let row: Option<HandoverRow> = sqlx::query_as(
        "select h.tenant_id, h.handover_id, h.impersonation_id, h.client_id as of_client,
                i.actor_id, h.actor_sid, h.transfer_digest, h.expires_at as transfer_ends_at,
                h.spent_at as transfer_spent_at, h.session_digest
         from identity.handover h
         join identity.impersonation i
           on i.tenant_id = h.tenant_id and i.impersonation_id = h.impersonation_id
         where h.tenant_id = $1 and h.handover_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Kept::from))
}

/// Spends a transfer, once and in time, and opens the browser's session; false if it was not to be
/// spent any more.
pub(super) async fn spend(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, HandoverId),
    session_digest: &[u8],
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.handover set spent_at = $4, session_digest = $3
         where tenant_id = $1 and handover_id = $2 and spent_at is null and expires_at > $4",
    )
    .bind(tenant)
    .bind(id)
    .bind(session_digest)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn insert_code(
    tx: &mut Tx<Identity>,
    (tenant, of): (TenantId, HandoverId),
    code: &HandoverCode,
    digest: &[u8],
    created_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.handover_code
           (tenant_id, code_id, handover_id, code_digest, client_id, redirect_uri, code_challenge,
            nonce, scopes, audience, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tenant)
    .bind(code.id)
    .bind(of)
    .bind(digest)
    .bind(&code.client)
    .bind(&code.redirect_uri)
    .bind(&code.code_challenge)
    .bind(&code.nonce)
    .bind(&code.scopes)
    .bind(&code.audience)
    .bind(created_at)
    .bind(code.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CodeRow {
    #[sqlx(flatten)]
    handover: HandoverRow,
    code_digest: Vec<u8>,
    client_id: ClientId,
    redirect_uri: String,
    code_challenge: Option<String>,
    nonce: Option<String>,
    scopes: Vec<String>,
    audience: String,
    expires_at: OffsetDateTime,
    spent_at: Option<OffsetDateTime>,
}

/// A code, its digest, and the handover that it is of.
pub(super) async fn find_code(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: CodeId,
) -> Result<Option<(HandoverCode, Vec<u8>, Handover)>, StoreError> {
    let row: Option<CodeRow> = sqlx::query_as(
        "select h.tenant_id, h.handover_id, h.impersonation_id, h.client_id as of_client,
                i.actor_id, h.actor_sid, h.transfer_digest, h.expires_at as transfer_ends_at,
                h.spent_at as transfer_spent_at, h.session_digest, c.code_digest, c.client_id,
                c.redirect_uri, c.code_challenge, c.nonce, c.scopes, c.audience, c.expires_at,
                c.spent_at
         from identity.handover_code c
         join identity.handover h
           on h.tenant_id = c.tenant_id and h.handover_id = c.handover_id
         join identity.impersonation i
           on i.tenant_id = h.tenant_id and i.impersonation_id = h.impersonation_id
         where c.tenant_id = $1 and c.code_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    let read = |row: CodeRow| {
        let code = HandoverCode {
            id,
            client: row.client_id,
            redirect_uri: row.redirect_uri,
            code_challenge: row.code_challenge,
            nonce: row.nonce,
            scopes: row.scopes,
            audience: row.audience,
            expires_at: row.expires_at,
            spent_at: row.spent_at,
        };
        (code, row.code_digest, Kept::from(row.handover).handover)
    };
    Ok(row.map(read))
}

/// Spends a code, once; false if it was spent before.
pub(super) async fn spend_code(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: CodeId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.handover_code set spent_at = $3
         where tenant_id = $1 and code_id = $2 and spent_at is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
