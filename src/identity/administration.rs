//! Accounts and memberships as an operator makes and mends them. Each under
//! `Job::AdministerAccounts`; passwords arrive hashed, since nothing is hashed in a transaction.

use serde_json::json;

use super::model::{
    Account, AccountOutcome, EnrollOutcome, Login, MembershipOutcome, NewAccount, NewMembership,
    check_roles,
};
use super::store;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::env::Env;
use crate::ids::{AccountId, SubjectId, TenantId};
use crate::secret::Keys;

/// The role of whoever may do everything on the platform.
pub(crate) const SUPER_ADMIN: &str = "super_admin";

/// Makes an account with a password of that hash (PHC string of Argon2id).
pub(crate) async fn create_account(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    new: &NewAccount,
    phc: &str,
) -> Result<AccountOutcome, StoreError> {
    let id = AccountId::from_uuid(env.random_uuid());
    let now = env.now();
    if !store::insert_account(tx, id, new, locator(keys, &new.login), now).await? {
        return Ok(AccountOutcome::LoginTaken);
    }
    store::put_password(tx, id, phc, now).await?;
    let detail = json!({ "account_id": id });
    audit::append(tx, env, keys, EventType::AccountCreated, detail).await?;
    Ok(AccountOutcome::Created(id))
}

/// Makes an account that joins a tenant at once: both or neither.
pub(crate) async fn enroll(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    (new, phc): (&NewAccount, &str),
    (tenant, roles): (TenantId, Vec<String>),
) -> Result<EnrollOutcome, StoreError> {
    // Asked before anything is written: a refusal commits.
    if let Err(refused) = check_roles(tenant, &roles, &store::list_roles(tx).await?) {
        return Ok(EnrollOutcome::NotAMember(refused));
    }
    let AccountOutcome::Created(account) = create_account(tx, env, keys, new, phc).await? else {
        return Ok(EnrollOutcome::LoginTaken);
    };
    let membership = NewMembership {
        tenant,
        account,
        name: new.name.clone(),
        roles,
    };
    match create_membership(tx, env, keys, &membership).await? {
        MembershipOutcome::Created(subject) => Ok(EnrollOutcome::Enrolled(account, subject)),
        MembershipOutcome::AlreadyMember
        | MembershipOutcome::NoSuchRole { .. }
        | MembershipOutcome::NoRole => Err(StoreError::Corrupt {
            table: "identity.membership",
            what: "a fresh account's membership was refused after its roles were checked",
        }),
    }
}

/// Joins an account to a tenant. The transaction is for that tenant from then on.
pub(crate) async fn create_membership(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    new: &NewMembership,
) -> Result<MembershipOutcome, StoreError> {
    if let Err(refused) = check_roles(new.tenant, &new.roles, &store::list_roles(tx).await?) {
        return Ok(refused);
    }
    tx.proceed(Authority::job_in(Job::AdministerAccounts, new.tenant))
        .await?;
    let subject = SubjectId::from_uuid(env.random_uuid());
    if !store::insert_membership(tx, subject, new, env.now()).await? {
        return Ok(MembershipOutcome::AlreadyMember);
    }
    let detail = json!({ "subject_id": subject, "roles": new.roles });
    audit::append(tx, env, keys, EventType::MembershipCreated, detail).await?;
    Ok(MembershipOutcome::Created(subject))
}

/// Gives an account a new password from outside: every session and grant of it ends, and a
/// disabled one may sign in again. `None`: nobody has that login.
pub(crate) async fn recover_account(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    login: &Login,
    phc: &str,
) -> Result<Option<AccountId>, StoreError> {
    let Some(account) = store::find_account(tx, locator(keys, login)).await? else {
        return Ok(None);
    };
    store::put_password(tx, account.id, phc, env.now()).await?;
    store::mark_recovered(tx, account.id).await?;
    let detail = json!({ "account_id": account.id });
    audit::append(tx, env, keys, EventType::AccountRecovered, detail).await?;
    outbox::post(tx, env, account.id, &MailKind::PasswordChanged {}).await?;
    Ok(Some(account.id))
}

/// The account of that login.
pub(crate) async fn find_account(
    tx: &mut Tx<Identity>,
    keys: &Keys,
    login: &Login,
) -> Result<Option<Account>, StoreError> {
    store::find_account(tx, locator(keys, login)).await
}

/// Whether anybody can administer the platform.
pub(crate) async fn has_administrator(tx: &mut Tx<Identity>) -> Result<bool, StoreError> {
    Ok(store::count_role_holders(tx, TenantId::PLATFORM, SUPER_ADMIN).await? > 0)
}

/// Where the account of that login is found: what a claim is made for.
pub(crate) fn locator(keys: &Keys, login: &Login) -> uuid::Uuid {
    keys.locator("login", login.as_str())
}
