//! `lanyard client`.

use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::args::{Client as Asked, NewClient as AskedNew, Owner};
use super::operator::Operator;
use super::output::{Failure, Reply, instant, table};
use super::site::{self, Site};
use super::tenant;
use crate::config::duration;
use crate::ids::{ClientId, TenantId};
use crate::oidc::client::model::AddressRefusal;
use crate::oidc::client::service::{MAX_OVERLAP, RegisterOutcome, RotateOutcome};
use crate::oidc::client::{
    AuthMethod, Client, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
    WebOrigin,
};

/// A client as the command line tells of it; never a secret.
#[derive(Serialize)]
struct Shown<'a> {
    client_id: &'a str,
    tenant: &'a str,
    name: &'a str,
    kind: &'static str,
    profile: &'static str,
    auth_method: &'static str,
    id_token_alg: &'static str,
    redirect_uris: &'a [String],
    post_logout_redirect_uris: &'a [String],
    initiate_login_uri: Option<&'a str>,
    origins: &'a [String],
    scopes: &'a [String],
    audiences: &'a [String],
    app: Option<&'a str>,
    is_first_party: bool,
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl<'a> Shown<'a> {
    fn of(client: &'a Client, slug: &'a str) -> Self {
        Self {
            client_id: client.id.as_str(),
            tenant: slug,
            name: &client.name,
            kind: client.kind.as_str(),
            profile: client.profile.as_str(),
            auth_method: client.auth_method.as_str(),
            id_token_alg: client.id_token_alg.as_str(),
            redirect_uris: &client.redirect_uris,
            post_logout_redirect_uris: &client.post_logout_redirect_uris,
            initiate_login_uri: client.initiate_login_uri.as_deref(),
            origins: &client.origins,
            scopes: &client.scopes,
            audiences: &client.audiences,
            app: client.app.as_deref(),
            is_first_party: client.app.is_some() || client.is_first_party,
            status: client.status.as_str(),
            created_at: client.created_at,
        }
    }
}

pub(super) fn run(asked: Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Create(new) => {
            // Parsed before the database is looked for: a mistake is told at once.
            let new = parse(&new)?;
            site.operate(async |operator| create(operator, new).await)
        }
        Asked::List(owner) => site.operate(async |operator| list(operator, &owner).await),
        Asked::Rotate {
            client_id,
            owner,
            overlap,
        } => {
            let id = parse_id(&client_id)?;
            let overlap = parse_overlap(&overlap)?;
            site.operate(async |operator| rotate(operator, &id, &owner, overlap).await)
        }
        Asked::Delete { client_id, owner } => {
            let id = parse_id(&client_id)?;
            site.operate(async |operator| delete(operator, &id, &owner).await)
        }
    }
}

/// What was asked for, parsed; its tenant is still a slug.
struct Parsed {
    slug: String,
    new: NewClient,
}

fn parse_id(text: &str) -> Result<ClientId, Failure> {
    ClientId::parse(text).ok_or_else(|| {
        Failure::usage(
            format!("`{text}` is no client_id"),
            "Use 3 to 63 lower-case letters, digits, hyphens and underscores.",
        )
    })
}

fn parse_overlap(text: &str) -> Result<Duration, Failure> {
    let overlap = duration(text).map_err(|why| Failure::usage(why, "Write it as in 24h."))?;
    if overlap > MAX_OVERLAP {
        return Err(Failure::refused(
            format!("an old secret may not go on for {text}"),
            "Seven days at most; 0s ends it at once.",
        ));
    }
    Ok(overlap)
}

fn parse(asked: &AskedNew) -> Result<Parsed, Failure> {
    let name = ClientName::parse(&asked.name).ok_or_else(|| {
        Failure::usage(
            "a client's name has 1 to 80 characters",
            "Choose another name.",
        )
    })?;
    // clap has let through only the words that these know.
    let unknown = |what: &str| Failure::usage(format!("unknown {what}"), "See --help.");
    let kind = ClientKind::parse(&asked.kind).ok_or_else(|| unknown("kind"))?;
    let usual = if kind.is_public() {
        AuthMethod::None
    } else {
        AuthMethod::ClientSecretBasic
    };
    let auth_method = match &asked.auth_method {
        Some(word) => AuthMethod::parse(word).ok_or_else(|| unknown("auth method"))?,
        None => usual,
    };
    let scopes = if asked.scope.is_empty() && kind.redirects() {
        vec!["openid".to_owned()]
    } else {
        asked.scope.clone()
    };
    let new = NewClient {
        tenant: TenantId::PLATFORM,
        id: parse_id(&asked.client_id)?,
        name,
        kind,
        profile: Profile::parse(&asked.profile).ok_or_else(|| unknown("profile"))?,
        auth_method,
        id_token_alg: IdTokenAlg::parse(&asked.id_token_alg).ok_or_else(|| unknown("algorithm"))?,
        redirect_uris: addresses(&asked.redirect_uri, RedirectUri::parse)?,
        post_logout_redirect_uris: addresses(&asked.post_logout_redirect_uri, RedirectUri::parse)?,
        initiate_login_uri: addresses(asked.initiate_login_uri.as_slice(), RedirectUri::parse)?
            .pop(),
        origins: addresses(&asked.origin, WebOrigin::parse)?,
        scopes,
        audiences: asked.audience.clone(),
        app: asked.app.clone(),
        is_first_party: asked.first_party && !asked.third_party,
    };
    Ok(Parsed {
        slug: asked.owner.tenant.clone(),
        new,
    })
}

fn addresses<T>(
    texts: &[String],
    parse: fn(&str) -> Result<T, AddressRefusal>,
) -> Result<Vec<T>, Failure> {
    let one = |text: &String| {
        parse(text)
            .map_err(|why| Failure::refused(format!("`{text}` {why}"), "No client was registered."))
    };
    texts.iter().map(one).collect()
}

async fn create(operator: &Operator<'_>, parsed: Parsed) -> Result<Reply, Failure> {
    let Parsed { slug, mut new } = parsed;
    new.tenant = tenant::load(operator, &slug).await?.id;
    let outcome = operator
        .register_client(&new)
        .await
        .map_err(|e| site::store(&e))?;
    let secret = match outcome {
        RegisterOutcome::Registered(secret) => secret,
        RegisterOutcome::Refused(why) => {
            return Err(Failure::refused(
                why.to_string(),
                "No client was registered.",
            ));
        }
        RegisterOutcome::IdTaken => {
            return Err(Failure::refused(
                format!("there is a client `{}` already", new.id),
                "Choose another client_id: it is one on the whole platform.",
            ));
        }
    };
    let clients = operator
        .list_clients(new.tenant)
        .await
        .map_err(|e| site::store(&e))?;
    let client = clients
        .iter()
        .find(|c| c.id == new.id)
        .ok_or_else(|| unknown(&new.id, &slug))?;
    let mut facts = json!(Shown::of(client, &slug));
    let secret = secret.as_ref().map(|s| s.secret().expose_secret());
    facts["client_secret"] = json!(secret);
    let shown = secret
        .map(|s| format!("\nSecret, shown once: {s}"))
        .unwrap_or_default();
    Ok(Reply::new(
        &facts,
        format!("Registered client {}.{shown}", new.id),
    ))
}

fn unknown(id: &ClientId, slug: &str) -> Failure {
    Failure::refused(
        format!("`{slug}` has no client `{id}`"),
        format!("`lanyard client list --tenant {slug}` shows all."),
    )
}

async fn list(operator: &Operator<'_>, owner: &Owner) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, &owner.tenant).await?;
    let clients = operator
        .list_clients(tenant.id)
        .await
        .map_err(|e| site::store(&e))?;
    let shown: Vec<Shown<'_>> = clients
        .iter()
        .map(|c| Shown::of(c, &owner.tenant))
        .collect();
    let rows = shown.iter().map(|c| {
        [
            c.client_id,
            c.name,
            c.kind,
            c.profile,
            c.auth_method,
            c.status,
        ]
        .map(str::to_owned)
    });
    let text = table(
        [
            "client_id",
            "name",
            "kind",
            "profile",
            "auth method",
            "status",
        ],
        rows,
    );
    Ok(Reply::new(&shown, text))
}

async fn rotate(
    operator: &Operator<'_>,
    id: &ClientId,
    owner: &Owner,
    overlap: Duration,
) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, &owner.tenant).await?;
    let outcome = operator.rotate_client_secret(tenant.id, id, overlap).await;
    match outcome.map_err(|e| site::store(&e))? {
        RotateOutcome::Unknown => Err(unknown(id, &owner.tenant)),
        RotateOutcome::NoSecret => Err(Failure::refused(
            format!("client `{id}` is public and has no secret"),
            "There is nothing to rotate.",
        )),
        RotateOutcome::Rotated { secret, old_until } => {
            let secret = secret.secret().expose_secret();
            let until = instant(old_until);
            let facts = json!({
                "client_id": id, "client_secret": secret, "old_secret_until": until,
            });
            let text = format!("Secret, shown once: {secret}\nThe old one is good until {until}.");
            Ok(Reply::new(&facts, text))
        }
    }
}

async fn delete(operator: &Operator<'_>, id: &ClientId, owner: &Owner) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, &owner.tenant).await?;
    if !operator
        .delete_client(tenant.id, id)
        .await
        .map_err(|e| site::store(&e))?
    {
        return Err(unknown(id, &owner.tenant));
    }
    let facts = json!({ "client_id": id, "deleted": true });
    Ok(Reply::new(&facts, format!("Deleted client {id}.")))
}
