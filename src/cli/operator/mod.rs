//! What an operator may do with a database at hand. The one public door to administration: each
//! call is one transaction under the job it needs, with its audit event.

mod clinic;

use std::path::Path;

use time::{Duration, OffsetDateTime};

use crate::audit::log::Logs;
use crate::audit::sinks::Sinks;
use crate::config::Issuer;
use crate::db::{Authority, Db, Job, StoreError};
use crate::env::Env;
use crate::identity::administration;
use crate::identity::bootstrap::{
    BootstrapSecret, IssuedBootstrap, RedeemOutcome, service as bootstrap,
};
use crate::identity::erasure::{EraseOutcome, service as erasure};
use crate::identity::factor::{Inventory, service as factors};
use crate::identity::model::{
    Account, AccountOutcome, EnrollOutcome, Login, MembershipOutcome, NewAccount, NewMembership,
};
use crate::identity::totp::{TotpSecret, service as totp};
use crate::ids::{AccountId, ClientId, TenantId};
use crate::keys::epoch::{self, EpochError, Mark};
use crate::keys::{self, KeysError};
use crate::oidc::client::service::{self as clients, RegisterOutcome, RotateOutcome};
use crate::oidc::client::{Client, NewClient};
use crate::revocation::model::Verifier;
use crate::revocation::service as revocation;
use crate::secret::Keys;
use crate::signing::policy::Rules;
use crate::signing::ring::KeyRingError;
use crate::signing::service::Keeper;
use crate::tenancy::data_key::service as data_key;
use crate::tenancy::service::{self as tenants, CreateOutcome, DestroyOutcome, StatusOutcome};
use crate::tenancy::{NewTenant, Tenant, TenantStatus};

/// What a restored database brought back can't be voided.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The signing keys.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
    /// The epoch.
    #[error(transparent)]
    Epoch(#[from] EpochError),
}

/// The operator of this deployment, who has its keys.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a> {
    db: &'a Db,
    env: &'a Env,
    keys: &'a Keys,
}

impl<'a> Operator<'a> {
    /// Whoever holds the keys may.
    pub const fn new(db: &'a Db, env: &'a Env, keys: &'a Keys) -> Self {
        Self { db, env, keys }
    }

    /// The logs of this deployment.
    pub const fn logs(&self, issuer: &'a Issuer) -> Logs<'a> {
        Logs {
            db: self.db,
            env: self.env,
            keys: self.keys,
            issuer,
        }
    }

    /// Where the logs of this deployment go as they grow.
    pub const fn sinks(&self, issuer: &'a Issuer) -> Sinks<'a> {
        Sinks {
            db: self.db,
            env: self.env,
            keys: self.keys,
            issuer,
        }
    }

    /// Makes the reserved tenant of the platform if it is not there. Repeatable; `migrate` does it.
    pub async fn ensure_platform(&self) -> Result<(), StoreError> {
        let authority = Authority::job(Job::AdministerTenants);
        let work = async |tx: &mut _| tenants::ensure_platform(tx, self.env, self.keys).await;
        self.db.run(authority, work).await
    }

    /// Makes a clinic.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<CreateOutcome, KeysError> {
        let authority = Authority::job(Job::AdministerTenants);
        let work = async |tx: &mut _| tenants::create(tx, self.env, self.keys, new).await;
        let outcome = self.db.run(authority, work).await?;
        if let CreateOutcome::Created(id) = outcome {
            data_key::ensure(self.db, self.env, self.keys, id).await?;
        }
        Ok(outcome)
    }

    /// Gives every clinic a data key that has none yet. Repeatable; `migrate` does it.
    pub async fn ensure_data_keys(&self) -> Result<(), KeysError> {
        data_key::ensure_all(self.db, self.env, self.keys).await
    }

    /// Puts every data key under the newest master key; says how many. Repeatable.
    pub async fn rewrap_data_keys(&self) -> Result<u64, KeysError> {
        let identitys = keys::rewrap(self.db, self.env, self.keys).await?;
        let clinics = data_key::rewrap(self.db, self.env, self.keys).await?;
        Ok(clinics + u64::from(identitys))
    }

    /// Voids what a restored database brought back: the signing keys, then every session, grant and
    /// one-time value. Repeatable.
    pub async fn recover_restored(
        &self,
        folder: &Path,
        rules: Rules,
    ) -> Result<Mark, RecoverError> {
        let (db, env, keys) = (self.db, self.env, self.keys);
        let keeper = Keeper {
            db,
            env,
            keys,
            rules,
        };
        keeper.revoke_all().await?;
        // Last: until then the database stays refused.
        Ok(epoch::begin(db, env, keys, folder).await?)
    }

    /// Destroys what is encrypted of a clinic, for good: its data key.
    pub async fn destroy_tenant_data(&self, slug: &str) -> Result<DestroyOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerTenants);
        let work = async |tx: &mut _| tenants::destroy_data(tx, self.env, self.keys, slug).await;
        self.db.run(authority, work).await
    }

    /// Suspends a clinic, or serves it again.
    pub async fn set_tenant_status(
        &self,
        slug: &str,
        status: TenantStatus,
    ) -> Result<StatusOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerTenants);
        let work =
            async |tx: &mut _| tenants::set_status(tx, self.env, self.keys, slug, status).await;
        self.db.run(authority, work).await
    }

    /// The clinic of that slug; `platform` is the reserved one.
    pub async fn find_tenant(&self, slug: &str) -> Result<Option<Tenant>, StoreError> {
        let authority = Authority::job(Job::AdministerTenants).read_only();
        self.db
            .run(authority, async |tx| tenants::find(tx, slug).await)
            .await
    }

    /// Clinics by slug, at most `most`, after `after`.
    pub async fn list_tenants(&self, after: &str, most: u32) -> Result<Vec<Tenant>, StoreError> {
        let authority = Authority::job(Job::AdministerTenants).read_only();
        self.db
            .run(authority, async |tx| tenants::list(tx, after, most).await)
            .await
    }

    /// Every verifier that said something of itself within the last day.
    pub async fn verifiers(&self) -> Result<Vec<Verifier>, StoreError> {
        let authority = Authority::job(Job::TellRevocations).read_only();
        self.db
            .run(authority, async |tx| revocation::verifiers(tx).await)
            .await
    }

    /// The instant by which what it is told is judged.
    pub fn now(&self) -> OffsetDateTime {
        self.env.now()
    }

    /// Makes an account whose password has that hash (PHC string of Argon2id).
    pub async fn create_account(
        &self,
        new: &NewAccount,
        phc: &str,
    ) -> Result<AccountOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| {
            administration::create_account(tx, self.env, self.keys, new, phc).await
        };
        self.db.run(authority, work).await
    }

    /// Makes an account that joins a tenant with roles at once: both or neither.
    pub async fn enroll(
        &self,
        new: &NewAccount,
        phc: &str,
        joins: (TenantId, Vec<String>),
    ) -> Result<EnrollOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| {
            administration::enroll(tx, self.env, self.keys, (new, phc), joins).await
        };
        self.db.run(authority, work).await
    }

    /// Joins an account to a tenant with roles.
    pub async fn create_membership(
        &self,
        new: &NewMembership,
    ) -> Result<MembershipOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| {
            administration::create_membership(tx, self.env, self.keys, new).await
        };
        self.db.run(authority, work).await
    }

    /// Gives an account a new password; all its sessions and grants end. `None`: no such login.
    pub async fn recover_account(
        &self,
        login: &Login,
        phc: &str,
    ) -> Result<Option<AccountId>, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| {
            administration::recover_account(tx, self.env, self.keys, login, phc).await
        };
        self.db.run(authority, work).await
    }

    /// What the account of that login has of second factors. `None`: no such login.
    pub async fn find_factors(
        &self,
        login: &Login,
    ) -> Result<Option<(AccountId, Inventory)>, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts).read_only();
        let work = async |tx: &mut _| {
            let Some(account) = administration::find_account(tx, self.keys, login).await? else {
                return Ok(None);
            };
            let inventory = factors::inventory(tx, account.id).await?;
            Ok(Some((account.id, inventory)))
        };
        self.db.run(authority, work).await
    }

    /// Takes all second factors of an account away; its sessions and grants end, and it gets a
    /// sign-in of grace again. Gives what was taken. `None`: no such login.
    pub async fn reset_factors(
        &self,
        login: &Login,
    ) -> Result<Option<(AccountId, Inventory)>, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| {
            let Some(account) = administration::find_account(tx, self.keys, login).await? else {
                return Ok(None);
            };
            let taken = factors::reset(tx, self.env, self.keys, account.id).await?;
            Ok(Some((account.id, taken)))
        };
        self.db.run(authority, work).await
    }

    /// Erases who has that login, for good; `even_the_last`: though a clinic that is served loses
    /// its last administrator.
    pub async fn erase_account(
        &self,
        login: &Login,
        even_the_last: bool,
    ) -> Result<EraseOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work =
            async |tx: &mut _| erasure::erase(tx, self.env, self.keys, login, even_the_last).await;
        self.db.run(authority, work).await
    }

    /// Lets a clinic ask a second factor of everybody, or of its staff alone; false if it does
    /// already.
    pub async fn require_factor(
        &self,
        tenant: TenantId,
        of_everybody: bool,
    ) -> Result<bool, StoreError> {
        let authority = Authority::job_in(Job::AdministerAccounts, tenant);
        let work = async |tx: &mut _| {
            factors::save_policy(tx, self.env, self.keys, tenant, of_everybody).await
        };
        self.db.run(authority, work).await
    }

    /// Gives a made-up person a device of that secret, if she has none.
    pub(crate) async fn plant_device(
        &self,
        account: AccountId,
        secret: &TotpSecret,
    ) -> Result<(), StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| totp::plant(tx, self.env, self.keys, account, secret).await;
        self.db.run(authority, work).await
    }

    /// The account of that login.
    pub async fn find_account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts).read_only();
        let work = async |tx: &mut _| administration::find_account(tx, self.keys, login).await;
        self.db.run(authority, work).await
    }

    /// Whether anybody can administer the platform.
    pub async fn has_administrator(&self) -> Result<bool, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts).read_only();
        self.db
            .run(authority, async |tx| {
                administration::has_administrator(tx).await
            })
            .await
    }

    /// Makes a one-time secret that the platform's administrator is made with; ends older ones.
    pub async fn issue_bootstrap(&self) -> Result<IssuedBootstrap, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work = async |tx: &mut _| bootstrap::issue(tx, self.env, self.keys).await;
        self.db.run(authority, work).await
    }

    /// Uses such a secret up for a new account that administers the platform.
    pub async fn redeem_bootstrap(
        &self,
        secret: &BootstrapSecret,
        new: &NewAccount,
        phc: &str,
    ) -> Result<RedeemOutcome, StoreError> {
        let authority = Authority::job(Job::AdministerAccounts);
        let work =
            async |tx: &mut _| bootstrap::redeem(tx, self.env, self.keys, secret, (new, phc)).await;
        self.db.run(authority, work).await
    }

    /// Registers a client.
    pub async fn register_client(&self, new: &NewClient) -> Result<RegisterOutcome, StoreError> {
        let authority = Authority::job_in(Job::AdministerClients, new.tenant);
        let work = async |tx: &mut _| clients::register(tx, self.env, self.keys, new).await;
        self.db.run(authority, work).await
    }

    /// Gives a client a new secret; the old one goes on for `overlap`, seven days at most.
    pub async fn rotate_client_secret(
        &self,
        tenant: TenantId,
        id: &ClientId,
        overlap: Duration,
    ) -> Result<RotateOutcome, StoreError> {
        let authority = Authority::job_in(Job::AdministerClients, tenant);
        let work = async |tx: &mut _| {
            clients::rotate_secret(tx, self.env, self.keys, (tenant, id), overlap).await
        };
        self.db.run(authority, work).await
    }

    /// Deletes a client; `false` if there is none.
    pub async fn delete_client(&self, tenant: TenantId, id: &ClientId) -> Result<bool, StoreError> {
        let authority = Authority::job_in(Job::AdministerClients, tenant);
        let work = async |tx: &mut _| clients::delete(tx, self.env, self.keys, tenant, id).await;
        self.db.run(authority, work).await
    }

    /// The clients of one tenant, by id.
    pub async fn list_clients(&self, tenant: TenantId) -> Result<Vec<Client>, StoreError> {
        let authority = Authority::job_in(Job::AdministerClients, tenant).read_only();
        self.db
            .run(authority, async |tx| clients::list(tx, tenant).await)
            .await
    }
}
