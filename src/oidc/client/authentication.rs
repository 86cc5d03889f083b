//! Which client speaks, and whether it proved it (RFC 6749 §2.3).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::model::{AuthMethod, Client, ClientKind, ClientStatus};
use super::service;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError};
use crate::http::form::Parameters;
use crate::http::line;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::ids::ClientId;
use crate::secret::Keys;

/// Why a client is refused; the log hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rejection {
    /// Nobody registered it.
    Unknown,
    Disabled,
    WrongWay,
    WrongSecret,
}

impl Rejection {
    const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "unknown client",
            Self::Disabled => "disabled client",
            Self::WrongWay => "not the registered way to authenticate",
            Self::WrongSecret => "wrong secret",
        }
    }
}

/// A client that proved who it is, or a public one that named itself.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient(pub Client);

/// What a request shows of its client: parsed, not trusted.
#[derive(Debug)]
pub(crate) struct PresentedClient {
    /// Which client it names.
    pub(crate) id: ClientId,
    secret: Option<SecretString>,
    method: AuthMethod,
}

impl PresentedClient {
    /// Whether this is `client`, active, speaking in its own way; its secret, if it has one, among
    /// the digests in `live`.
    pub(crate) fn is(&self, client: &Client, keys: &Keys, live: &[Vec<u8>]) -> bool {
        self.speaks_as(client).is_ok()
            && self
                .secret
                .as_ref()
                .is_none_or(|secret| service::is_among(keys, client, secret, live))
    }

    fn speaks_as(&self, client: &Client) -> Result<(), Rejection> {
        if client.status != ClientStatus::Active {
            Err(Rejection::Disabled)
        } else if client.auth_method != self.method {
            Err(Rejection::WrongWay)
        } else {
            Ok(())
        }
    }
}

/// Authenticates the client of a request to the token endpoint or its like.
///
/// # Errors
/// `invalid_request` for two ways at once (TOK-10); `invalid_client` for everything else: unknown,
/// disabled, wrong secret, the wrong way.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<AuthenticatedClient, OAuthError> {
    let presented = present(headers, form)?;
    let authority = Authority::<Identity>::claim(service::locator(&app.keys, &presented.id));
    let verdict: Result<Client, Rejection> = app
        .db
        .run(authority, async |tx| {
            let verdict = judge(tx, app, &presented).await?;
            if let Err(rejection) = verdict {
                let is_known = rejection != Rejection::Unknown;
                let mut detail = service::told(&app.keys, &presented.id, is_known);
                detail["reason"] = json!(rejection.reason());
                audit::append(tx, &app.env, &app.keys, EventType::ClientRejected, detail).await?;
            }
            Ok::<_, StoreError>(verdict)
        })
        .await?;
    // Not before it is proved: what was named may be anything.
    let client = verdict.map_err(|no| OAuthError::invalid_client(no.reason()))?;
    line::note(|facts| {
        facts.tenant = Some(client.tenant);
        facts.client = Some(client.id.clone());
    });
    app.clients.remember(&client);
    Ok(AuthenticatedClient(client))
}

/// Authenticates a resource server, by a header alone.
///
/// # Errors
/// `invalid_client` for every other kind of client too.
pub async fn authenticate_resource(app: &App, headers: &HeaderMap) -> Result<Client, OAuthError> {
    let AuthenticatedClient(client) = authenticate(app, headers, &Parameters::default()).await?;
    if client.kind == ClientKind::Resource {
        Ok(client)
    } else {
        Err(OAuthError::invalid_client("not a resource server"))
    }
}

async fn judge(
    tx: &mut crate::db::Tx<Identity>,
    app: &App,
    presented: &PresentedClient,
) -> Result<Result<Client, Rejection>, StoreError> {
    let Some(client) = service::find_claimed(tx, &app.keys, &presented.id).await? else {
        return Ok(Err(Rejection::Unknown));
    };
    if let Err(rejection) = presented.speaks_as(&client) {
        return Ok(Err(rejection));
    }
    match &presented.secret {
        None => Ok(Ok(client)),
        Some(secret) => {
            let right = service::secret_is_right(tx, &app.env, &app.keys, &client, secret).await?;
            Ok(right.then_some(client).ok_or(Rejection::WrongSecret))
        }
    }
}

/// Reads which client speaks and what it shows for it.
///
/// # Errors
/// As [`authenticate`].
pub(crate) fn present(
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<PresentedClient, OAuthError> {
    let one = |name| {
        form.one(name)
            .map_err(|_| OAuthError::field(name, "a parameter is given more than once"))
    };
    let (form_id, form_secret) = (one("client_id")?, one("client_secret")?);
    if form.all("client_assertion").next().is_some() {
        return Err(OAuthError::invalid_client(
            "client assertions are not served",
        ));
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (header, second) = (given.next(), given.next());
    if second.is_some() || (header.is_some() && form_secret.is_some()) {
        let detail = "two ways of client authentication";
        return Err(OAuthError::new(OAuthErrorCode::InvalidRequest, detail));
    }
    let Some(header) = header else {
        let id = form_id.and_then(ClientId::parse);
        let id = id.ok_or_else(|| OAuthError::invalid_client("no client named"))?;
        let method = if form_secret.is_some() {
            AuthMethod::ClientSecretPost
        } else {
            AuthMethod::None
        };
        return Ok(PresentedClient {
            id,
            secret: form_secret.map(SecretString::from),
            method,
        });
    };
    let (id, secret) = header
        .to_str()
        .ok()
        .and_then(basic)
        .ok_or_else(|| OAuthError::invalid_client("malformed basic credentials"))?;
    if form_id.is_some_and(|named| named != id.as_str()) {
        return Err(OAuthError::invalid_client("two different clients named"));
    }
    Ok(PresentedClient {
        id,
        secret: Some(secret),
        method: AuthMethod::ClientSecretBasic,
    })
}

/// The two halves of a `Basic` header: strict base64 of two form-encoded words (RFC 6749 §2.3.1).
pub fn basic(header: &str) -> Option<(ClientId, SecretString)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = zeroize::Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let pair = std::str::from_utf8(&pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |word: &str| {
        let form = zeroize::Zeroizing::new(format!("w={word}"));
        let is_one_word = !word.contains(['&', '=', ';', ':']);
        let parsed = Parameters::parse(form.as_bytes())
            .ok()
            .filter(|_| is_one_word)?;
        parsed.one("w").ok()?.map(str::to_owned)
    };
    let secret = SecretString::from(decode(secret)?);
    (!secret.expose_secret().is_empty()).then_some((ClientId::parse(&decode(id)?)?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read_strictly() {
        let header = |pair: &[u8]| format!("Basic {}", STANDARD.encode(pair));
        let (id, secret) = basic(&header(b"web-a:s%3Acret+1")).expect("well-formed");
        assert_eq!((id.as_str(), secret.expose_secret()), ("web-a", "s:cret 1"));
        for broken in [
            header(b"web-a"),
            header(b"web-a:a:b"),
            header(b"web-a:%zz"),
            header(b"web-a:\xff\xfe"),
            header(b"web-a:"),
            format!("{}!", header(b"web-a:secret")),
            format!("Bearer {}", STANDARD.encode("web-a:secret")),
        ] {
            assert!(basic(&broken).is_none(), "TOK-10: {broken}");
        }
    }
}
