//! The common case of an authorization: a person who is signed in, at a clinic that has seen her
//! session, by a client that needs no consent of hers. Two statements of one transaction, shared by
//! those that come together, as a rotation is ([`crate::oidc::family::rotation`];
//! docs/decisions/0020).
//!
//! Invariants
//! 1. Only a code is given here. Whatever else the rules say is for the slower way, which reads the
//!    request anew and looks again.
//! 2. The same `policy::decide` is asked, of the same facts.

mod store;

use std::sync::Arc;

use secrecy::SecretString;

use super::policy::{self, ClinicChoice, Facts, SessionFacts, Step};
use super::request;
use super::settle::{Wanted, code_of, facts_of, standing_at, told};
use crate::app::App;
use crate::audit::{self, EventType, Trace, Written};
use crate::db::{Foretold, Gathered, Pieces, Proved, StoreError};
use crate::http::browser::Browser;
use crate::http::form::Parameters;
use crate::ids::{ClientId, TenantId};
use crate::oidc::client::{Client, ClientStatus, policy as client_policy};
use crate::oidc::code::{IssuedCode, service as codes};
use crate::oidc::handover::model::Transfer;
use crate::oidc::interaction::{AuthorizeRequest, Prompt};
use crate::secret::KeyedDigest;
use crate::sessions::{PresentedSession, service as sessions};

/// One request of a browser that shows a session.
#[derive(Debug)]
pub(crate) struct Authorization {
    session: PresentedSession,
    /// As it was last read: good only if its row is still the same.
    client: Arc<Client>,
    request: Box<AuthorizeRequest>,
    wanted: Wanted,
    trace: Option<Trace>,
}

/// The code that answers it when it is committed.
#[derive(Debug)]
pub(crate) struct Issued {
    request: Box<AuthorizeRequest>,
    text: SecretString,
}

/// One code as the rules allowed it.
#[derive(Debug)]
struct Grant {
    proved: Proved,
    tenant: TenantId,
    code: IssuedCode,
    digest: KeyedDigest,
    event: Written,
}

/// The authorizations of this process that wait for each other.
pub(crate) type Issues = Arc<Gathered<Authorization, Issued>>;

/// Gives a code, if that is what the rules say, with the request that it answers. `None`: nothing
/// is known to be given, and the slower way must say.
pub(super) async fn issue(
    app: &App,
    browser: &Browser,
    given: &Parameters,
) -> Option<(Box<AuthorizeRequest>, SecretString)> {
    let authorization = read(app, browser, given)?;
    let of = app.clone();
    let turn = move |authorizations| take_turn(of.clone(), authorizations);
    let of_it = |issued: Issued| (issued.request, issued.text);
    app.issues.done(authorization, turn, of_it).await
}

fn read(app: &App, browser: &Browser, given: &Parameters) -> Option<Authorization> {
    let session = browser.session.as_ref()?;
    let id = given.one("client_id").ok().flatten();
    let client = app.clients.last_read(&ClientId::parse(id?)?)?;
    let redirect_uri = given.one("redirect_uri").ok().flatten()?;
    let is_plain = client.status == ClientStatus::Active
        && !client.is_third_party()
        && client_policy::may_redirect(&client, redirect_uri)
        && given.all("id_token_hint").next().is_none()
        // A browser that is handed over has another session than this one.
        && !given.all("login_hint").any(Transfer::is_meant);
    if !is_plain {
        return None;
    }
    let request = request::read(given, &client, redirect_uri).ok()?;
    let organization = request::organization(given).ok()?;
    // Which of hers she wants to choose among is not for one statement.
    if request.prompt.contains(&Prompt::SelectAccount) {
        return None;
    }
    Some(Authorization {
        session: PresentedSession {
            id: session.id,
            secret: session.secret.again(),
        },
        wanted: Wanted::of(&client, organization.as_deref()),
        client,
        request: Box::new(request),
        trace: Trace::current(),
    })
}

/// Reads what it can of `authorizations`, judges each, writes what the rules allow. What is left to
/// do is the commit.
async fn take_turn(
    app: App,
    authorizations: Pieces<Authorization, Issued>,
) -> Result<impl Future<Output = Result<(), StoreError>> + Send, StoreError> {
    let mut desk = app.db.desk().await?;
    desk.begin().await?;
    let shown = authorizations.iter().map(|(a, _)| a.session.id);
    let claims = app.db.seal_claims(shown);
    let platform = sessions::platform_limits(&app);
    let asked: Vec<&Authorization> = authorizations.iter().map(|(a, _)| a).collect();
    let read = store::read(&mut desk, &claims, &asked, platform).await?;
    let (mut grants, mut foretold, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for ((authorization, tell), read) in authorizations.into_iter().zip(read) {
        match read.and_then(|read| judge(&app, &authorization, read)) {
            Some((grant, text)) => {
                grants.push(grant);
                let request = authorization.request;
                foretold.push(tell.foretell(Issued { request, text }));
            }
            None => others.push(tell),
        }
    }
    if !grants.is_empty() {
        let members = grants.iter().map(|g| (g.proved, g.tenant, g.code.subject));
        let bundle = app.db.seal_members(members);
        store::write(&mut desk, &bundle, &grants).await?;
    }
    Ok(async move {
        desk.commit(app.issues.is_waited_for()).await?;
        app.db.rest(desk);
        foretold.into_iter().for_each(Foretold::settle);
        drop(others);
        Ok(())
    })
}

/// Whether the cookie is the session's, the client what it was, and the rules say that she is given
/// a code.
fn judge(
    app: &App,
    authorization: &Authorization,
    read: store::Read,
) -> Option<(Grant, SecretString)> {
    let Authorization {
        session: presented,
        client,
        request,
        trace,
        ..
    } = authorization;
    let account = read.session.standing.session.account;
    if read.client_version != client.version {
        return None;
    }
    let proved = sessions::prove(app, presented, account, &read.secret_digest)?;
    let standing = read.session.stands()?;
    let (session, seen, now) = (&standing.session, &standing.in_tenant, app.env.now());
    let member = ClinicChoice::Member {
        tenant: read.tenant,
        subject: seen.subject,
        requires_factor: read.requires_factor,
    };
    let (clinic, auth_time) = standing_at(session, Some(seen), standing.limits, member, now);
    let facts = Facts {
        session: Some(SessionFacts {
            has_consented: true,
            ..facts_of(session, read.factors, clinic, auth_time)
        }),
        asked_at: None,
    };
    let Step::Issue {
        tenant, subject, ..
    } = policy::decide(request, &facts, now)
    else {
        return None;
    };
    let code = code_of(app, client, request, session, subject);
    let (text, digest) = codes::draw(app, tenant, &code);
    let (event, of) = (EventType::AuthorizeGranted, (*trace, now));
    let grant = Grant {
        proved,
        tenant,
        digest,
        event: audit::write(&app.env, &app.keys, event, of, told(&code)),
        code,
    };
    Some((grant, text))
}
