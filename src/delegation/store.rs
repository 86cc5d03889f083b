//! `identity.delegation`.

use lanyard_verifier::Basis;
use time::{Date, OffsetDateTime};

use super::model::{Delegation, DelegationId, EndCause, Lent, Named, Party, Terms, TokensEnd};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SubjectId, TenantId};

/// What a word of the table can't be.
fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: "identity.delegation",
        what,
    }
}

#[derive(sqlx::FromRow)]
struct PartyRow {
    account_id: AccountId,
    is_patient: bool,
}

/// An active member of an active clinic, with an account that is active.
pub(super) async fn find_party(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Option<Party>, StoreError> {
    let row: Option<PartyRow> = sqlx::query_as(
        "select m.account_id,
                exists (select from identity.membership_role r
                        where r.tenant_id = $1 and r.subject_id = $2 and r.role = 'patient')
                  as is_patient
         from identity.membership m
         join identity.account a on a.account_id = m.account_id
         join identity.clinic c on c.tenant_id = m.tenant_id
         where m.tenant_id = $1 and m.subject_id = $2
           and m.status = 'active' and a.status = 'active' and c.status = 'active'",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Party {
        subject,
        account: row.account_id,
        is_patient: row.is_patient,
    }))
}

/// Writes one down; false if one of the same two on the same basis stands.
pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, DelegationId),
    terms: &Terms,
    (patient, proxy): (&Party, &Party),
    (by, at): (SubjectId, OffsetDateTime),
) -> Result<bool, StoreError> {
    let scope: Vec<_> = terms.scope.iter().map(|key| key.as_str()).collect();
    let done = sqlx::query(
        "insert into identity.delegation
           (tenant_id, delegation_id, patient_id, patient_account_id, proxy_id, proxy_account_id,
            basis, document, scope, granted_by, granted_at, valid_from, valid_until, ages_out_on)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(id)
    .bind(patient.subject)
    .bind(patient.account)
    .bind(proxy.subject)
    .bind(proxy.account)
    .bind(terms.basis.name())
    .bind(terms.document.as_ref().map(super::model::Document::as_str))
    .bind(scope)
    .bind(by)
    .bind(at)
    .bind(terms.valid_from.unwrap_or(at))
    .bind(terms.valid_until)
    .bind(terms.ages_out_on)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct DelegationRow {
    tenant_id: TenantId,
    delegation_id: DelegationId,
    patient_id: SubjectId,
    proxy_id: SubjectId,
    basis: String,
    document: Option<String>,
    scope: Vec<String>,
    granted_by: SubjectId,
    granted_at: OffsetDateTime,
    valid_from: OffsetDateTime,
    ages_out_on: Option<Date>,
    ends_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    end_reason: Option<String>,
    tokens_ended_at: Option<OffsetDateTime>,
}

impl TryFrom<DelegationRow> for Delegation {
    type Error = StoreError;

    fn try_from(row: DelegationRow) -> Result<Self, StoreError> {
        let basis: Result<Basis, _> = row.basis.parse();
        let scope: Option<Vec<_>> = row.scope.iter().map(|key| Lent::parse(key)).collect();
        let cause = row.end_reason.map(|word| EndCause::parse(&word));
        Ok(Self {
            id: row.delegation_id,
            tenant: row.tenant_id,
            patient: row.patient_id,
            proxy: row.proxy_id,
            basis: basis.map_err(|_| corrupt("an unknown basis"))?,
            document: row.document,
            scope: scope.ok_or_else(|| corrupt("an unknown key"))?,
            granted_by: row.granted_by,
            granted_at: row.granted_at,
            valid_from: row.valid_from,
            ages_out_on: row.ages_out_on,
            ends_at: row.ends_at,
            ended_at: row.ended_at,
            end_cause: match cause {
                Some(None) => return Err(corrupt("an unknown cause")),
                Some(known) => known,
                None => None,
            },
            tokens_ended_at: row.tokens_ended_at,
        })
    }
}

/// One of the transaction's clinic, held until it ends: what would end the delegation waits.
pub(super) async fn find_held(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: DelegationId,
) -> Result<Option<Delegation>, StoreError> {
    let row: Option<DelegationRow> = sqlx::query_as(
        "select tenant_id, delegation_id, patient_id, proxy_id, basis, document, scope, granted_by,
                granted_at, valid_from, ages_out_on, ends_at, ended_at, end_reason, tokens_ended_at
         from identity.delegation
         where tenant_id = $1 and delegation_id = $2
         for no key update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Delegation::try_from).transpose()
}

#[derive(sqlx::FromRow)]
struct NamedRow {
    #[sqlx(flatten)]
    row: DelegationRow,
    patient_name: String,
    proxy_name: String,
}

/// One with its names.
pub(super) async fn find_named(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: DelegationId,
) -> Result<Option<Named>, StoreError> {
    Ok(list_named(tx, tenant, (Some(id), None)).await?.pop())
}

/// The newest hundred of a clinic, newest first; of one member alone: whose patient or proxy she
/// is.
pub(super) async fn list(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    of: Option<SubjectId>,
) -> Result<Vec<Named>, StoreError> {
    list_named(tx, tenant, (None, of)).await
}

/// By an index each: of the clinic, of either side of a member, or one.
async fn list_named(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    (id, of): (Option<DelegationId>, Option<SubjectId>),
) -> Result<Vec<Named>, StoreError> {
    let rows: Vec<NamedRow> = sqlx::query_as(
        "select d.tenant_id, d.delegation_id, d.patient_id, d.proxy_id, d.basis, d.document,
                d.scope, d.granted_by, d.granted_at, d.valid_from, d.ages_out_on, d.ends_at,
                d.ended_at, d.end_reason, d.tokens_ended_at, p.display_name as patient_name,
                x.display_name as proxy_name
         from (
           (select delegation_id from identity.delegation
            where tenant_id = $1 and $2::uuid is null and $3::uuid is null
            order by granted_at desc, delegation_id
            limit 100)
           union all
           select delegation_id from identity.delegation where tenant_id = $1 and patient_id = $2
           union all
           select delegation_id from identity.delegation where tenant_id = $1 and proxy_id = $2
           union all
           select $3 where $3 is not null
         ) k
         join identity.delegation d on d.tenant_id = $1 and d.delegation_id = k.delegation_id
         join identity.membership p on p.tenant_id = d.tenant_id and p.subject_id = d.patient_id
         join identity.membership x on x.tenant_id = d.tenant_id and x.subject_id = d.proxy_id
         order by d.granted_at desc, d.delegation_id
         limit 100",
    )
    .bind(tenant)
    .bind(of)
    .bind(id)
    // Planned for its clinic each time: a plan for the usual clinic sorts all that a large one has.
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let named = |row: NamedRow| {
        Ok(Named {
            delegation: row.row.try_into()?,
            patient_name: row.patient_name,
            proxy_name: row.proxy_name,
        })
    };
    rows.into_iter().map(named).collect()
}

/// What of a patient's rights keys are.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Rights {
    /// Whether membership, account and clinic are active.
    pub(super) is_active: bool,
    /// Her role as a patient, if she has it and it carries one of the keys; none of her others.
    pub(super) roles: Vec<String>,
    /// The scopes of those keys.
    pub(super) scopes: Vec<String>,
}

/// In a transaction of the patient's clinic; `None`: no such member there.
pub(super) async fn find_rights(
    tx: &mut Tx<Identity>,
    delegation: &Delegation,
) -> Result<Option<Rights>, StoreError> {
    let keys: Vec<_> = delegation.scope.iter().map(|key| key.as_str()).collect();
    let rights = sqlx::query_as(
        "select m.status = 'active' and a.status = 'active' and c.status = 'active' as is_active,
                array(select distinct r.role
                  from identity.membership_role r
                  join identity.role_permission rp on rp.role = r.role
                  where r.tenant_id = $1 and r.subject_id = $2 and r.role = 'patient'
                    and rp.permission = any ($3)) as roles,
                array(select distinct p.scope
                  from identity.membership_role r
                  join identity.role_permission rp on rp.role = r.role
                  join identity.permission p on p.permission = rp.permission
                  where r.tenant_id = $1 and r.subject_id = $2 and r.role = 'patient'
                    and rp.permission = any ($3)
                  order by 1) as scopes
         from identity.membership m
         join identity.account a on a.account_id = m.account_id
         join identity.clinic c on c.tenant_id = m.tenant_id
         where m.tenant_id = $1 and m.subject_id = $2",
    )
    .bind(delegation.tenant)
    .bind(delegation.patient)
    .bind(keys)
    .fetch_optional(tx.conn())
    .await?;
    Ok(rights)
}

/// Ends it, in the log too by the caller; false if it was over.
pub(super) async fn mark_ended(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, DelegationId),
    cause: EndCause,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.delegation
         set ended_at = $4, end_reason = $3, end_recorded_at = $4
         where tenant_id = $1 and delegation_id = $2 and ended_at is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(cause.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends what was given until then; false if it was ended, or the delegation is over.
pub(super) async fn mark_tokens_ended(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, DelegationId),
    cause: TokensEnd,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.delegation
         set tokens_ended_at = $4, tokens_end_reason = $3
         where tenant_id = $1 and delegation_id = $2 and ended_at is null
           and (tokens_ended_at < $4 or tokens_ended_at is null)",
    )
    .bind(tenant)
    .bind(id)
    .bind(cause.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// To whose accounts letters about one go, and whether it is the patient's: no account that is not
/// active.
pub(super) async fn list_addressees(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: DelegationId,
) -> Result<Vec<(AccountId, bool)>, StoreError> {
    let accounts = sqlx::query_as(
        "select a.account_id, a.account_id = d.patient_account_id
         from identity.delegation d
         join identity.account a on a.account_id in (d.patient_account_id, d.proxy_account_id)
         where d.tenant_id = $1 and d.delegation_id = $2 and a.status = 'active'",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    Ok(accounts)
}

/// One that is over, or should be, and whose end is not in the log.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Unsettled {
    #[sqlx(rename = "tenant_id")]
    pub(super) tenant: TenantId,
    #[sqlx(rename = "delegation_id")]
    pub(super) id: DelegationId,
    #[sqlx(rename = "patient_id")]
    pub(super) patient: SubjectId,
    #[sqlx(rename = "proxy_id")]
    pub(super) proxy: SubjectId,
}

/// Of all clinics, under the job: a hundred at most that ended, and as many that ran out.
pub(super) async fn list_unsettled(
    tx: &mut Tx<Identity>,
    now: OffsetDateTime,
) -> Result<Vec<Unsettled>, StoreError> {
    let rows = sqlx::query_as(
        "(select tenant_id, delegation_id, patient_id, proxy_id
          from identity.delegation
          where ended_at is not null and end_recorded_at is null
          order by ended_at
          limit 100)
         union all
         (select tenant_id, delegation_id, patient_id, proxy_id
          from identity.delegation
          where ended_at is null and ends_at <= $1
          order by ends_at
          limit 100)",
    )
    .bind(now)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Of one patient and proxy of a clinic.
pub(super) async fn list_unsettled_of(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    (patient, proxy): (SubjectId, SubjectId),
    now: OffsetDateTime,
) -> Result<Vec<Unsettled>, StoreError> {
    let rows = sqlx::query_as(
        "select tenant_id, delegation_id, patient_id, proxy_id
         from identity.delegation
         where tenant_id = $1 and patient_id = $2 and proxy_id = $3
           and end_recorded_at is null and (ended_at is not null or ends_at <= $4)",
    )
    .bind(tenant)
    .bind(patient)
    .bind(proxy)
    .bind(now)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Settles one: what ran out is over from then on. Gives why it ended; `None` if there was nothing
/// to settle.
pub(super) async fn settle(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, DelegationId),
    now: OffsetDateTime,
) -> Result<Option<EndCause>, StoreError> {
    let word: Option<String> = sqlx::query_scalar(
        "update identity.delegation
         set end_reason = coalesce(end_reason, case when ends_at = valid_until then 'time'
               else 'aged_out' end),
             ended_at = coalesce(ended_at, ends_at),
             end_recorded_at = $3
         where tenant_id = $1 and delegation_id = $2 and end_recorded_at is null
           and (ended_at is not null or ends_at <= $3)
         returning end_reason",
    )
    .bind(tenant)
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    word.map(|word| EndCause::parse(&word).ok_or_else(|| corrupt("an unknown cause")))
        .transpose()
}
