//! `identity.membership` with its roles, and the view `identity.clinic`.

use lanyard_verifier::Preset;

use super::model::{Clinic, Member, Membership};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SubjectId, TenantId};

#[derive(sqlx::FromRow)]
struct MembershipRow {
    #[sqlx(flatten)]
    clinic: Clinic,
    subject_id: SubjectId,
    roles: Vec<String>,
    requires_factor: bool,
}

/// The active memberships of the transaction's account in active clinics, by clinic name.
pub(crate) async fn list_active(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Vec<Membership>, StoreError> {
    let rows: Vec<MembershipRow> = sqlx::query_as(
        "select c.tenant_id, c.slug, c.name, c.accent, true as is_active, m.subject_id,
                array(select r.role from identity.membership_role r
                      where r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
                      order by r.role) as roles,
                exists (select from identity.membership_role r
                        join identity.role on role.role = r.role
                        where r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
                          and role.requires_factor)
                  or exists (select from identity.factor_policy f
                             where f.tenant_id = m.tenant_id) as requires_factor
         from identity.membership m
         join identity.clinic c on c.tenant_id = m.tenant_id
         where m.account_id = $1 and m.status = 'active' and c.status = 'active'
         order by c.name
         limit 100",
    )
    .bind(account)
    .fetch_all(tx.conn())
    .await?;
    let membership = |row: MembershipRow| Membership {
        clinic: row.clinic,
        subject: row.subject_id,
        roles: row.roles,
        requires_factor: row.requires_factor,
    };
    Ok(rows.into_iter().map(membership).collect())
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    display_name: String,
    login: String,
    roles: Vec<String>,
    scopes: Vec<String>,
    is_active: bool,
}

/// A member of the transaction's tenant, with what its tokens say.
pub(crate) async fn find(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Option<Member>, StoreError> {
    let row: Option<MemberRow> = sqlx::query_as(
        "select m.display_name, a.login,
                array(select r.role from identity.membership_role r
                      where r.tenant_id = $1 and r.subject_id = $2
                      order by r.role) as roles,
                array(select distinct p.scope
                      from identity.membership_role r
                      join identity.role_permission rp on rp.role = r.role
                      join identity.permission p on p.permission = rp.permission
                      where r.tenant_id = $1 and r.subject_id = $2
                      order by p.scope) as scopes,
                m.status = 'active' and a.status = 'active' and c.status = 'active' as is_active
         from identity.membership m
         join identity.account a on a.account_id = m.account_id
         join identity.clinic c on c.tenant_id = m.tenant_id
         where m.tenant_id = $1 and m.subject_id = $2",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Member {
        subject,
        display_name: row.display_name,
        login: row.login,
        roles: row.roles,
        scopes: row.scopes,
        is_active: row.is_active,
    }))
}

/// Whose a membership of the transaction's tenant is.
pub(crate) async fn find_account(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Option<AccountId>, StoreError> {
    let account = sqlx::query_scalar(
        "select account_id from identity.membership where tenant_id = $1 and subject_id = $2",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?;
    Ok(account)
}

/// Role and permission key, all pairs: the same for every clinic.
pub(crate) async fn list_role_permissions(
    tx: &mut Tx<Identity>,
) -> Result<Vec<(String, String)>, StoreError> {
    let pairs = sqlx::query_as("select role, permission from identity.role_permission")
        .fetch_all(tx.conn())
        .await?;
    Ok(pairs)
}

/// Which preset of a grant lends which keys: rows of presets and keys.
pub(crate) async fn list_lent_permissions(
    tx: &mut Tx<Identity>,
) -> Result<Vec<(Preset, String)>, StoreError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select distinct preset, permission from identity.lent_permission")
            .fetch_all(tx.conn())
            .await?;
    rows.into_iter()
        .map(|(preset, key)| match preset.parse() {
            Ok(preset) => Ok((preset, key)),
            Err(_) => Err(StoreError::Corrupt {
                table: "identity.lent_permission",
                what: "a preset of another version",
            }),
        })
        .collect()
}

/// The address that the transaction's account signs in with.
pub(crate) async fn find_login(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    let login = sqlx::query_scalar("select login from identity.account where account_id = $1")
        .bind(account)
        .fetch_optional(tx.conn())
        .await?;
    Ok(login)
}

/// The clinic that a claimed slug names, or the transaction's own.
pub(crate) async fn find_clinic(
    tx: &mut Tx<Identity>,
    slug: &str,
) -> Result<Option<Clinic>, StoreError> {
    let clinic = sqlx::query_as(
        "select tenant_id, slug, name, accent, status = 'active' as is_active
         from identity.clinic
         where slug = $1",
    )
    .bind(slug)
    .fetch_optional(tx.conn())
    .await?;
    Ok(clinic)
}

/// The clinic of a tenant's own transaction, or of one of the account's memberships.
pub(crate) async fn find_clinic_by_id(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<Option<Clinic>, StoreError> {
    let clinic = sqlx::query_as(
        "select tenant_id, slug, name, accent, status = 'active' as is_active
         from identity.clinic
         where tenant_id = $1",
    )
    .bind(tenant)
    .fetch_optional(tx.conn())
    .await?;
    Ok(clinic)
}

/// How a member stands to the tenant of a grant. The account is the session's to know.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct MemberStanding {
    pub(crate) membership_is_active: bool,
    pub(crate) tenant_is_active: bool,
    /// By a role or the tenant's own rule.
    pub(crate) requires_factor: bool,
}

/// In a transaction of the tenant.
pub(crate) async fn find_standing(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Option<MemberStanding>, StoreError> {
    let row = sqlx::query_as(
        "select m.status = 'active' as membership_is_active,
                c.status = 'active' as tenant_is_active,
                exists (select from identity.membership_role r
                        join identity.role on role.role = r.role
                        where r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
                          and role.requires_factor)
                  or exists (select from identity.factor_policy f
                             where f.tenant_id = m.tenant_id) as requires_factor
         from identity.membership m
         join identity.clinic c on c.tenant_id = m.tenant_id
         where m.tenant_id = $1 and m.subject_id = $2",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}
