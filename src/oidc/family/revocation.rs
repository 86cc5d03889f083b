//! A client is done with what it was given (RFC 7009 §2.1): the family ends, and with it every
//! access token that came from it.

use serde_json::json;

use super::ending::end_all_of_client;
use super::model::EndReason;
use super::refresh_token::PresentedRefreshToken;
use super::{facts, service, store};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::ids::{ClientId, FamilyId, SessionId, SubjectId};

/// What the showing of a token came to. Committed either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// Nothing that it gave is good any more, from now on or already.
    Ended,
    /// Nobody's token.
    Unknown,
    /// Another client's: nothing changed.
    OtherClients,
}

/// Which token was shown.
#[derive(Clone, Copy, Debug)]
enum Shown {
    RefreshToken,
    AccessToken,
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

/// Ends the family of a refresh token of any generation, in a transaction of
/// [`Authority::presented_in`] the tenant that it names. Waits for whoever is refreshing it.
pub(crate) async fn by_refresh_token(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &ClientId,
    presented: &PresentedRefreshToken,
) -> Result<Revocation, StoreError> {
    let (tenant, generation) = (tx.tenant()?, presented.generation());
    let found = store::find_locked(tx, tenant, presented.family(), generation).await?;
    let proved = found.and_then(|found| facts::prove(app, found, presented));
    let Some((found, proved)) = proved else {
        return Ok(Revocation::Unknown);
    };
    if found.family.client != *client {
        return Ok(Revocation::OtherClients);
    }
    let family = found.family.id;
    tx.proceed(Authority::member(proved, tenant, found.grant.subject))
        .await?;
    if service::end_family(tx, app, family, EndReason::Revoked).await? {
        record(tx, app, client, Shown::RefreshToken, family).await?;
    }
    Ok(Revocation::Ended)
}

/// Ends what a client has of a member in one session, because it showed an access token of ours for
/// them; in a transaction of that tenant. The token does not say of which family it is.
pub(crate) async fn by_access_token(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &ClientId,
    (session, subject): (SessionId, SubjectId),
) -> Result<Revocation, StoreError> {
    let tenant = tx.tenant()?;
    for ended in end_all_of_client(tx, app, subject, client, &[session]).await? {
        let proved = Proved::by_check(ended.account_id);
        tx.proceed(Authority::member(proved, tenant, subject))
            .await?;
        record(tx, app, client, Shown::AccessToken, ended.family_id).await?;
    }
    Ok(Revocation::Ended)
}

async fn record(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &ClientId,
    shown: Shown,
    family: FamilyId,
) -> Result<(), StoreError> {
    let detail = json!({ "client_id": client, "family": family, "cause": shown.name() });
    audit::append(tx, &app.env, &app.keys, EventType::TokenRevoked, detail).await
}
