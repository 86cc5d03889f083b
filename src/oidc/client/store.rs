//! `identity.client` and `identity.client_secret`.

use time::OffsetDateTime;

use super::model::{AuthMethod, Client, ClientKind, ClientStatus, IdTokenAlg, NewClient, Profile};
use super::policy::RegistrationPermit;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, TenantId};
use crate::secret::KeyedDigest;

#[derive(sqlx::FromRow)]
struct ClientRow {
    tenant_id: TenantId,
    client_id: ClientId,
    name: String,
    kind: String,
    profile: String,
    auth_method: String,
    id_token_alg: String,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    origins: Vec<String>,
    scopes: Vec<String>,
    audiences: Vec<String>,
    app: String,
    is_first_party: bool,
    status: String,
    created_at: OffsetDateTime,
    version: String,
}

impl TryFrom<ClientRow> for Client {
    type Error = StoreError;

    fn try_from(row: ClientRow) -> Result<Self, StoreError> {
        let corrupt = |what| StoreError::Corrupt {
            table: "identity.client",
            what,
        };
        Ok(Self {
            tenant: row.tenant_id,
            id: row.client_id,
            name: row.name,
            kind: ClientKind::parse(&row.kind).ok_or(corrupt("kind"))?,
            profile: Profile::parse(&row.profile).ok_or(corrupt("profile"))?,
            auth_method: AuthMethod::parse(&row.auth_method).ok_or(corrupt("auth_method"))?,
            id_token_alg: IdTokenAlg::parse(&row.id_token_alg).ok_or(corrupt("id_token_alg"))?,
            redirect_uris: row.redirect_uris,
            post_logout_redirect_uris: row.post_logout_redirect_uris,
            initiate_login_uri: row.initiate_login_uri,
            origins: row.origins,
            scopes: row.scopes,
            audiences: row.audiences,
            app: Some(row.app).filter(|app| !app.is_empty()),
            is_first_party: row.is_first_party,
            status: ClientStatus::parse(&row.status).ok_or(corrupt("status"))?,
            created_at: row.created_at,
            version: row.version,
        })
    }
}

/// The one client that a request names, whatever its tenant: the locator is what class claim may
/// see.
pub(super) async fn find_claimed(
    tx: &mut Tx<Identity>,
    id: &ClientId,
    locator: uuid::Uuid,
) -> Result<Option<Client>, StoreError> {
    let row: Option<ClientRow> = sqlx::query_as(
        "select tenant_id, client_id, name, kind, profile, auth_method, id_token_alg,
                redirect_uris, post_logout_redirect_uris, initiate_login_uri, origins, scopes,
                audiences, app, is_first_party, status, created_at, xmin::text as version
         from identity.client
         where client_locator = $1 and client_id = $2",
    )
    .bind(locator)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Client::try_from).transpose()
}

/// The clients of one tenant by name, at most `most`, after `after`.
pub(super) async fn list(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    after: &str,
    most: i64,
) -> Result<Vec<Client>, StoreError> {
    let rows: Vec<ClientRow> = sqlx::query_as(
        "select tenant_id, client_id, name, kind, profile, auth_method, id_token_alg,
                redirect_uris, post_logout_redirect_uris, initiate_login_uri, origins, scopes,
                audiences, app, is_first_party, status, created_at, xmin::text as version
         from identity.client
         where tenant_id = $1 and client_id > $2
         order by client_id
         limit $3",
    )
    .bind(tenant)
    .bind(after)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Client::try_from).collect()
}

/// Inserts a client; `false` if its id is taken, here or in another tenant.
pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    _permit: RegistrationPermit,
    new: &NewClient,
    locator: uuid::Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let texts = |list: &[super::model::RedirectUri]| -> Vec<String> {
        list.iter().map(|a| a.as_str().to_owned()).collect()
    };
    let origins: Vec<String> = new.origins.iter().map(|o| o.as_str().to_owned()).collect();
    let done = sqlx::query(
        "insert into identity.client
           (tenant_id, client_id, client_locator, name, kind, profile, auth_method, id_token_alg,
            redirect_uris, post_logout_redirect_uris, origins, scopes, audiences, app,
            is_first_party, status, created_at, initiate_login_uri)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'active', $16,
                 $17)
         on conflict do nothing",
    )
    .bind(new.tenant)
    .bind(&new.id)
    .bind(locator)
    .bind(new.name.as_str())
    .bind(new.kind.as_str())
    .bind(new.profile.as_str())
    .bind(new.auth_method.as_str())
    .bind(new.id_token_alg.as_str())
    .bind(texts(&new.redirect_uris))
    .bind(texts(&new.post_logout_redirect_uris))
    .bind(origins)
    .bind(&new.scopes)
    .bind(&new.audiences)
    .bind(new.app.as_deref().unwrap_or_default())
    .bind(new.is_first_party)
    .bind(at)
    .bind(
        new.initiate_login_uri
            .as_ref()
            .map(super::model::RedirectUri::as_str),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes an origin of the client known to CORS.
pub(super) async fn insert_origin(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
    locator: uuid::Uuid,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.client_origin (tenant_id, client_id, origin_locator)
         values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(id)
    .bind(locator)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether any client's pages live there: the locator is what class claim may see.
pub(super) async fn is_origin_known(
    tx: &mut Tx<Identity>,
    locator: uuid::Uuid,
) -> Result<bool, StoreError> {
    let known = sqlx::query_scalar(
        "select exists (select from identity.client_origin where origin_locator = $1)",
    )
    .bind(locator)
    .fetch_one(tx.conn())
    .await?;
    Ok(known)
}

/// Adds a secret's digest, good until it is rotated.
pub(super) async fn insert_secret(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
    digest: &KeyedDigest,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.client_secret (tenant_id, client_id, secret_digest, created_at)
         values ($1, $2, $3, $4)",
    )
    .bind(tenant)
    .bind(id)
    .bind(digest.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The digests of the secrets that are good at `at`: two at most.
pub(super) async fn live_secrets(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
    at: OffsetDateTime,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let digests = sqlx::query_scalar(
        "select secret_digest
         from identity.client_secret
         where tenant_id = $1 and client_id = $2 and (expires_at is null or expires_at > $3)
         order by created_at desc",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    Ok(digests)
}

/// Locks the client's row, so that two rotations go one after the other.
pub(super) async fn lock(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
) -> Result<Option<AuthMethod>, StoreError> {
    let method: Option<String> = sqlx::query_scalar(
        "select auth_method
         from identity.client
         where tenant_id = $1 and client_id = $2
         for update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    let corrupt = StoreError::Corrupt {
        table: "identity.client",
        what: "auth_method",
    };
    method
        .map(|m| AuthMethod::parse(&m).ok_or(corrupt))
        .transpose()
}

/// Forgets every secret that is already on its way out, and gives the present one its end.
pub(super) async fn retire_secrets(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
    until: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "delete from identity.client_secret
         where tenant_id = $1 and client_id = $2 and expires_at is not null",
    )
    .bind(tenant)
    .bind(id)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update identity.client_secret
         set expires_at = $3
         where tenant_id = $1 and client_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(until)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The addresses of a client as they are stored.
pub(super) struct Addresses<'a> {
    pub(super) redirect_uris: &'a [String],
    pub(super) post_logout_redirect_uris: &'a [String],
    pub(super) initiate_login_uri: Option<&'a str>,
}

/// Registers these addresses and no others; `false` if there is no such client, or it has them.
pub(super) async fn replace_addresses(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, &ClientId),
    addresses: &Addresses<'_>,
    scopes: &[String],
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.client
         set redirect_uris = $3, post_logout_redirect_uris = $4, scopes = $5,
             initiate_login_uri = $6
         where tenant_id = $1 and client_id = $2
           and (redirect_uris <> $3 or post_logout_redirect_uris <> $4 or scopes <> $5
             or initiate_login_uri is distinct from $6)",
    )
    .bind(tenant)
    .bind(id)
    .bind(addresses.redirect_uris)
    .bind(addresses.post_logout_redirect_uris)
    .bind(scopes)
    .bind(addresses.initiate_login_uri)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a client and its secrets; `false` if there is none.
pub(super) async fn delete(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: &ClientId,
) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from identity.client where tenant_id = $1 and client_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
