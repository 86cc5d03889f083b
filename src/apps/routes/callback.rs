//! `GET /callback`: back from the issuer.

use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::Query;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::HOME;
use super::announcement;
use super::browser::{Browser, SetCookies};
use super::deed::Deed;
use super::door::Door;
use super::outcome::AppError;
use super::platform;
use super::session::ended_page;
use crate::apps::RelyingParty;
use crate::apps::model::{ClinicFacts, Found, Kind, PendingLogin, Ticket, Tokens};
use crate::apps::oidc::Granted;
use crate::apps::service;
use crate::apps::sites::Site;
use crate::db::StoreError;
use crate::ids::TenantId;
use crate::pages::{DeedNotice, EndReason};

/// Where the front page is shown without asking the issuer again.
pub(super) const FRONT: &str = "/?front";

/// What the issuer sent along, each at most once.
#[derive(Default)]
struct Sent {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

impl Sent {
    /// `None`: something is there twice, and it can't be told which is meant.
    fn read(pairs: Vec<(String, String)>) -> Option<Self> {
        let mut sent = Self::default();
        for (name, value) in pairs {
            let place = match name.as_str() {
                "state" => &mut sent.state,
                "code" => &mut sent.code,
                "error" => &mut sent.error,
                "iss" => &mut sent.issuer,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(sent)
    }
}

/// `GET /callback` (RFC 6749 §4.1.2, RFC 9207).
pub(super) async fn callback(door: Door, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    match land(&door, pairs).await {
        Ok(response) => response,
        Err(error) => door.refuse(error),
    }
}

async fn land(door: &Door, pairs: Vec<(String, String)>) -> Result<Response, AppError> {
    let Door {
        rp, site, browser, ..
    } = door;
    let sent = Sent::read(pairs).ok_or(AppError::StrangeCallback("a parameter twice"))?;
    if sent.issuer.as_deref() != Some(rp.app().issuer()) {
        return Err(AppError::StrangeCallback("not from our issuer (RFC 9207)"));
    }
    let pending = spend(rp, browser, sent.state.as_deref())
        .await?
        .ok_or(AppError::StrangeCallback("no sign-in of this browser's"))?;
    if pending.redirect_uri != format!("{}{}", site.origin, super::CALLBACK) {
        return Err(AppError::StrangeCallback("begun at another host"));
    }
    match (sent.code, sent.error) {
        (Some(code), None) => admit(rp, site, browser, &code, pending).await,
        (None, Some(_)) if pending.renews.is_some() => give_up(rp, browser).await,
        (None, Some(error)) => refuse(rp, browser, &error, &pending).await,
        _ => Err(AppError::StrangeCallback("neither code nor error")),
    }
}

async fn spend(
    rp: &RelyingParty,
    browser: &Browser,
    state: Option<&str>,
) -> Result<Option<PendingLogin>, AppError> {
    let (app, kind) = (rp.app(), rp.kind());
    let (Some(state), Some(binding)) = (state.and_then(Ticket::parse), browser.login()) else {
        return Ok(None);
    };
    let spending = app.db.run(service::authority(state.id), async |tx| {
        service::spend_login(tx, app, kind, &state, binding).await
    });
    Ok(spending.await?)
}

async fn refuse(
    rp: &RelyingParty,
    browser: &Browser,
    error: &str,
    pending: &PendingLogin,
) -> Result<Response, AppError> {
    // OIDC Core §3.1.2.6: what only a page could settle.
    let needs_a_page = matches!(
        error,
        "login_required"
            | "interaction_required"
            | "account_selection_required"
            | "consent_required"
            | "unmet_authentication_requirements"
    );
    if pending.sends.is_some() {
        // She did not confirm: what she typed is still with her session. An order of the platform's
        // staff is a decision, which nobody finds there later.
        if let Some((session, deed)) = kept_deed(rp, browser).await? {
            if rp.kind() == Kind::Platform {
                announcement::keep(rp, session, None).await?;
            }
            return Ok(deed.came_to(DeedNotice::NotConfirmed));
        }
        return Ok(Redirect::to(&format!("{HOME}?done={}", announcement::KEPT)).into_response());
    }
    if rp.kind() == Kind::Platform && !pending.is_silent && error == "access_denied" {
        return Err(AppError::NotStaff);
    }
    // Whoever sent the browser must not end in a session of somebody else's.
    let has_a_front = error == "access_denied" && !pending.is_initiated;
    if (pending.is_silent && needs_a_page) || has_a_front {
        return Ok(Redirect::to(FRONT).into_response());
    }
    Err(AppError::Sent(error.chars().take(64).collect()))
}

/// What this browser's session keeps to be done.
async fn kept_deed(rp: &RelyingParty, browser: &Browser) -> Result<Option<(Uuid, Deed)>, AppError> {
    let (app, kind) = (rp.app(), rp.kind());
    let Some(ticket) = &browser.session else {
        return Ok(None);
    };
    let finding = app.db.run(service::authority(ticket.id), async |tx| {
        service::find(tx, app, kind, ticket).await
    });
    Ok(match finding.await? {
        Some(Found::Live(session)) => {
            let deed = session.draft.as_deref().and_then(Deed::parse);
            deed.map(|deed| (session.id, deed))
        }
        _ => None,
    })
}

/// The issuer gives a session under `act` no other token: the grant is over.
async fn give_up(rp: &RelyingParty, browser: &Browser) -> Result<Response, AppError> {
    let (app, kind) = (rp.app(), rp.kind());
    let reason = EndReason::ImpersonationOver;
    if let Some(before) = &browser.session {
        let ending = app.db.run(service::authority(before.id), async |tx| {
            match service::find(tx, app, kind, before).await? {
                // Not a session of her own, if she signed in meanwhile.
                Some(Found::Live(found)) if found.tokens.acting.is_some() => {
                    service::end(tx, app, before.id, reason).await
                }
                _ => Ok(false),
            }
        });
        let _is_ended: bool = ending.await?;
    }
    Ok(ended_page(rp, reason))
}

/// Whether what the issuer gave is of the kind that was asked for: a session under `act` comes of a
/// browser that was sent, or renews the one of the same grant; and a renewal gives nothing else.
fn is_as_asked(granted: &Granted, pending: &PendingLogin) -> bool {
    let identity = granted.id_token.as_ref();
    let acting = identity.and_then(|identity| identity.acting.as_ref());
    match (&pending.renews, acting) {
        (None, None) => true,
        (None, Some(_)) => pending.is_initiated,
        (Some(_), None) => false,
        (Some(renews), Some(acting)) => {
            acting.grant == renews.grant
                && identity.is_some_and(|identity| identity.subject == renews.subject)
        }
    }
}

async fn admit(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    code: &str,
    pending: PendingLogin,
) -> Result<Response, AppError> {
    let (app, kind) = (rp.app(), rp.kind());
    let asked = pending.clone();
    let granted = rp.oidc().redeem(code, pending).await?;
    if !is_as_asked(&granted, &asked) {
        let detail = "a session of another kind than was asked for";
        return Err(AppError::BadIssuer(detail.to_owned()));
    }
    let told = granted.told;
    let tokens = tokens(rp, site, granted).await?;
    platform::admit(rp, &tokens).await?;
    let mut draft = None;
    if let Some(before) = &browser.session {
        // What this browser had here is replaced; a stranger's cookie ends nothing.
        let ending = app.db.run(service::authority(before.id), async |tx| {
            let found = service::find(tx, app, kind, before).await?;
            if found.is_some() {
                service::end(tx, app, before.id, EndReason::SignedOut).await?;
            }
            Ok::<_, StoreError>(found)
        });
        // What she typed is hers, whoever signs in after her.
        if let Some(Found::Live(before)) = ending.await?
            && before.tokens.acting == tokens.acting
            && before.tokens.subject == tokens.subject
            && before.tokens.clinic.id == tokens.clinic.id
        {
            draft = before.draft;
        }
    }
    let ticket = service::fresh_ticket(app);
    let beginning = app.db.run(service::authority(ticket.id), async |tx| {
        service::begin(tx, app, kind, &ticket, &tokens, &told).await
    });
    beginning.await?;
    let cookies = SetCookies::of(kind).session(&ticket.value());
    let onward = match draft {
        Some(text) if asked.is_for(&text) => match Deed::parse(&text) {
            Some(deed) => deed.send(rp, &tokens.access_token).await,
            None => announcement::send_kept(rp, ticket.id, &tokens.access_token, &text).await?,
        },
        // What she did not confirm is not done at another sign-in.
        Some(text) if Deed::parse(&text).is_some() => Redirect::to(HOME).into_response(),
        Some(text) => {
            announcement::keep(rp, ticket.id, Some(&text)).await?;
            Redirect::to(HOME).into_response()
        }
        None => Redirect::to(asked.back()).into_response(),
    };
    Ok((cookies, onward).into_response())
}

/// At a clinic's host only that clinic's tokens are taken (TEN-01).
async fn tokens(rp: &RelyingParty, site: &Site, granted: Granted) -> Result<Tokens, AppError> {
    let identity = granted
        .id_token
        .ok_or_else(|| AppError::BadIssuer("no ID token".to_owned()))?;
    let clinic = match &site.clinic {
        Some(clinic) if clinic.id == identity.tenant => clinic.clone(),
        Some(_) => return Err(AppError::BadIssuer("a token for another clinic".to_owned())),
        None if identity.tenant == TenantId::PLATFORM.as_uuid() => ClinicFacts::platform(),
        None => rp
            .api()
            .clinic(&identity.tenant.to_string())
            .await
            .map_err(|error| AppError::Issuer(format!("{error:?}")))?
            .ok_or_else(|| AppError::BadIssuer("a token for no clinic".to_owned()))?,
    };
    Ok(Tokens {
        access_token: granted.access_token.expose_secret().to_owned(),
        access_ends_at: granted.access_ends_at.unix_timestamp(),
        refresh_token: granted.refresh_token.map(|t| t.expose_secret().to_owned()),
        id_token: identity.raw,
        subject: identity.subject,
        clinic,
        name: identity.name,
        acting: identity.acting,
    })
}
