//! `identity.authorization_code`.

use time::OffsetDateTime;

use super::model::IssuedCode;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, ClientId, CodeId, FamilyId, SessionId, SubjectId, TenantId};

/// What a code stands for; the keys of a row may be known already.
#[derive(sqlx::FromRow)]
pub(super) struct CodeRow {
    pub(super) code_digest: Vec<u8>,
    client_id: ClientId,
    session_id: SessionId,
    subject_id: SubjectId,
    account_id: AccountId,
    redirect_uri: String,
    code_challenge: Option<String>,
    nonce: Option<String>,
    scopes: Vec<String>,
    audience: String,
    expires_at: OffsetDateTime,
    // Of a code that is known to be unspent neither is read.
    #[sqlx(default)]
    spent_at: Option<OffsetDateTime>,
    #[sqlx(default)]
    family_id: Option<FamilyId>,
}

impl CodeRow {
    pub(super) fn of(self, id: CodeId) -> (IssuedCode, Vec<u8>) {
        let code = IssuedCode {
            id,
            client: self.client_id,
            session: self.session_id,
            subject: self.subject_id,
            account: self.account_id,
            redirect_uri: self.redirect_uri,
            code_challenge: self.code_challenge,
            nonce: self.nonce,
            scopes: self.scopes,
            audience: self.audience,
            expires_at: self.expires_at,
            family: self.family_id,
            spent_at: self.spent_at,
        };
        (code, self.code_digest)
    }
}

pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    code: &IssuedCode,
    digest: &[u8],
    created_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.authorization_code
           (tenant_id, code_id, code_digest, client_id, session_id, subject_id, account_id,
            redirect_uri, code_challenge, nonce, scopes, audience, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(tenant)
    .bind(code.id)
    .bind(digest)
    .bind(&code.client)
    .bind(code.session)
    .bind(code.subject)
    .bind(code.account)
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

/// The row and its digest, locked until the transaction ends, so that what a replay revokes is
/// there to be revoked.
pub(super) async fn find_locked(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: CodeId,
) -> Result<Option<(IssuedCode, Vec<u8>)>, StoreError> {
    let row: Option<CodeRow> = sqlx::query_as(
        "select code_digest, client_id, session_id, subject_id, account_id, redirect_uri,
                code_challenge, nonce, scopes, audience, expires_at, spent_at, family_id
         from identity.authorization_code
         where tenant_id = $1 and code_id = $2
         for update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.of(id)))
}

/// Spends it, once; false if it was spent before.
pub(super) async fn spend(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: CodeId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.authorization_code set spent_at = $3
         where tenant_id = $1 and code_id = $2 and spent_at is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes what its use gave.
pub(super) async fn mark_given(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: CodeId,
    family: FamilyId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.authorization_code set family_id = $3
         where tenant_id = $1 and code_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(family)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many codes of these sessions nobody has redeemed that could be.
pub(super) async fn count_unspent(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    sessions: &[SessionId],
    now: OffsetDateTime,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "select count(*)
         from identity.authorization_code
         where tenant_id = $1 and session_id = any ($2) and spent_at is null and expires_at > $3",
    )
    .bind(tenant)
    .bind(sessions)
    .bind(now)
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}
