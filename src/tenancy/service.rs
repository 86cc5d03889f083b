//! Making and suspending clinics. Each under `Job::AdministerTenants` of the platform.

use serde_json::json;

use super::data_key::service as data_key;
use super::model::{NewTenant, Slug, Tenant, TenantName, TenantStatus};
use super::store;
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, Platform, StoreError, Tx};
use crate::env::Env;
use crate::ids::TenantId;
use crate::secret::Keys;

/// What making a clinic ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// Its id.
    Created(TenantId),
    /// Another clinic has that slug.
    SlugTaken,
}

/// What a change of status ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOutcome {
    /// It has that status now.
    Changed(TenantId),
    /// It had it before.
    Already(TenantId),
    /// There is no such clinic.
    Unknown,
    /// The platform's own tenant is always served.
    Reserved,
}

/// What destroying a clinic's data ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestroyOutcome {
    /// It can't be read any more, by anybody.
    Destroyed(TenantId),
    /// It was destroyed before.
    Already(TenantId),
    /// There is no such clinic.
    Unknown,
    /// It is served: suspend it first.
    Served,
}

/// Makes a clinic. Its log begins with its making.
pub(crate) async fn create(
    tx: &mut Tx<Platform>,
    env: &Env,
    keys: &Keys,
    new: &NewTenant,
) -> Result<CreateOutcome, StoreError> {
    let id = TenantId::from_uuid(env.random_uuid());
    insert(tx, env, keys, id, new).await
}

/// Makes the reserved tenant of the platform, if it is not there.
pub(crate) async fn ensure_platform(
    tx: &mut Tx<Platform>,
    env: &Env,
    keys: &Keys,
) -> Result<(), StoreError> {
    let new = NewTenant {
        slug: Slug::platform(),
        name: TenantName::parse("Platform").expect("a constant"),
        accent: "slate",
    };
    insert(tx, env, keys, TenantId::PLATFORM, &new).await?;
    Ok(())
}

async fn insert(
    tx: &mut Tx<Platform>,
    env: &Env,
    keys: &Keys,
    id: TenantId,
    new: &NewTenant,
) -> Result<CreateOutcome, StoreError> {
    let locator = keys.locator("slug", new.slug.as_str());
    if !store::insert(tx, id, new, locator, env.now()).await? {
        return Ok(CreateOutcome::SlugTaken);
    }
    tx.proceed(Authority::job_in(Job::AdministerTenants, id))
        .await?;
    let detail = json!({ "slug": new.slug.as_str() });
    audit::append(tx, env, keys, EventType::TenantCreated, detail).await?;
    Ok(CreateOutcome::Created(id))
}

/// Suspends a clinic, or serves it again.
pub(crate) async fn set_status(
    tx: &mut Tx<Platform>,
    env: &Env,
    keys: &Keys,
    slug: &str,
    status: TenantStatus,
) -> Result<StatusOutcome, StoreError> {
    let Some(tenant) = store::find_by_slug(tx, slug).await? else {
        return Ok(StatusOutcome::Unknown);
    };
    if tenant.id == TenantId::PLATFORM {
        return Ok(StatusOutcome::Reserved);
    }
    if !store::mark_status(tx, tenant.id, status).await? {
        return Ok(StatusOutcome::Already(tenant.id));
    }
    let event = match status {
        TenantStatus::Active => EventType::TenantResumed,
        TenantStatus::Suspended => EventType::TenantSuspended,
    };
    tx.proceed(Authority::job_in(Job::AdministerTenants, tenant.id))
        .await?;
    audit::append(tx, env, keys, event, json!({})).await?;
    Ok(StatusOutcome::Changed(tenant.id))
}

/// Erases the data key of a suspended clinic: nothing that is under it can be read any more.
pub(crate) async fn destroy_data(
    tx: &mut Tx<Platform>,
    env: &Env,
    keys: &Keys,
    slug: &str,
) -> Result<DestroyOutcome, StoreError> {
    let Some(tenant) = store::find_by_slug(tx, slug).await? else {
        return Ok(DestroyOutcome::Unknown);
    };
    if tenant.status != TenantStatus::Suspended {
        return Ok(DestroyOutcome::Served);
    }
    tx.proceed(Authority::job_in(Job::AdministerTenants, tenant.id))
        .await?;
    if !data_key::destroy(tx, env, tenant.id).await? {
        return Ok(DestroyOutcome::Already(tenant.id));
    }
    audit::append(tx, env, keys, EventType::TenantDataDestroyed, json!({})).await?;
    Ok(DestroyOutcome::Destroyed(tenant.id))
}

/// The clinic of that slug.
pub(crate) async fn find(tx: &mut Tx<Platform>, slug: &str) -> Result<Option<Tenant>, StoreError> {
    store::find_by_slug(tx, slug).await
}

/// Clinics by slug, at most `most`, after `after`.
pub(crate) async fn list(
    tx: &mut Tx<Platform>,
    after: &str,
    most: u32,
) -> Result<Vec<Tenant>, StoreError> {
    store::list(tx, after, i64::from(most)).await
}
