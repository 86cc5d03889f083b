//! Whether a browser's session goes on: our row, our clocks, and if need be the issuer's word.

use std::time::Duration as Real;

use time::Duration;

use super::RelyingParty;
use super::model::{AppSession, Found, Ticket};
use super::oidc::{Granted, OidcError};
use super::policy::{self, Step};
use super::service;
use crate::db::StoreError;
use crate::pages::EndReason;

/// How often another's refresh is looked for, and how many times.
const LOOK_AGAIN: Real = Real::from_millis(50);
const LOOKS: u32 = 200;

/// What a browser's cookie is worth now.
#[derive(Debug)]
pub enum Standing {
    /// Nobody is signed in.
    Nobody,
    /// She is.
    Live(Box<AppSession>),
    /// She was.
    Ended(EndReason),
}

/// Why it can't be said.
#[derive(Debug)]
pub enum StandingError {
    /// Our rows can't be reached.
    Store(StoreError),
    /// The issuer can't be asked, and must be.
    Issuer(OidcError),
}

impl From<StoreError> for StandingError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What `ticket` is worth at `clinic`'s host.
///
/// - `patience`: how old may be what the issuer said last. Asking it again is no activity.
pub async fn standing(
    rp: &RelyingParty,
    ticket: Option<&Ticket>,
    clinic: Option<&str>,
    patience: Duration,
) -> Result<Standing, StandingError> {
    let session = match look(rp, ticket, clinic).await? {
        Standing::Live(session) => session,
        other => return Ok(other),
    };
    match policy::step(&session, rp.app().env.now(), patience) {
        Step::Use => Ok(Standing::Live(session)),
        Step::End(reason) => end(rp, &session, reason).await,
        Step::Refresh => refresh(rp, *session).await,
    }
}

/// What our own row says, whatever the clocks and the issuer do.
pub async fn look(
    rp: &RelyingParty,
    ticket: Option<&Ticket>,
    clinic: Option<&str>,
) -> Result<Standing, StoreError> {
    let Some(ticket) = ticket else {
        return Ok(Standing::Nobody);
    };
    let (app, kind) = (rp.app(), rp.kind());
    let finding = app
        .db
        .run(service::authority(ticket.id).read_only(), async |tx| {
            service::find(tx, app, kind, ticket).await
        });
    Ok(match finding.await? {
        None => Standing::Nobody,
        Some(Found::Ended(reason)) => Standing::Ended(reason),
        // A cookie brought over from another clinic's host shows nothing.
        Some(Found::Live(session))
            if clinic.is_some_and(|slug| slug != session.tokens.clinic.slug) =>
        {
            Standing::Nobody
        }
        Some(Found::Live(session)) => Standing::Live(session),
    })
}

/// Renews a session's tokens: one refresh at a time, whichever tabs and replicas ask.
pub async fn refresh(rp: &RelyingParty, seen: AppSession) -> Result<Standing, StandingError> {
    let app = rp.app();
    for _ in 0..LOOKS {
        let leased = app.db.run(service::authority(seen.id), async |tx| {
            service::lease(tx, app, &seen).await
        });
        if leased.await? {
            return ask(rp, seen).await;
        }
        let now_there = app
            .db
            .run(service::authority(seen.id).read_only(), async |tx| {
                service::find_again(tx, app, seen.id).await
            });
        match now_there.await? {
            None => return Ok(Standing::Nobody),
            Some((Found::Ended(reason), _)) => return Ok(Standing::Ended(reason)),
            Some((Found::Live(session), _)) if session.version != seen.version => {
                return Ok(Standing::Live(session));
            }
            // Given back without news: the holder found the issuer silent, and so would we.
            Some((Found::Live(session), None)) => {
                let silence = OidcError::Unreachable("another request found it silent".to_owned());
                return in_silence(rp, session, silence);
            }
            Some((Found::Live(_), Some(_))) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
    let silence = OidcError::Unreachable("another request is still asking".to_owned());
    in_silence(rp, Box::new(seen), silence)
}

async fn ask(rp: &RelyingParty, mut session: AppSession) -> Result<Standing, StandingError> {
    let app = rp.app();
    let Some(refresh_token) = session.tokens.refresh_token.clone() else {
        let reason = policy::reason_of_refusal(&session, app.env.now());
        return end(rp, &session, reason).await;
    };
    let error = match rp.oidc().refresh(&refresh_token).await {
        Ok(granted) if is_hers(&session, &granted) => {
            take_over(&mut session, granted);
            return keep(rp, session).await;
        }
        Ok(_) => OidcError::BadAnswer("a refresh changed the subject or clinic".to_owned()),
        Err(OidcError::Refused(why)) => {
            tracing::info!(app = rp.kind().word(), why, "refresh refused");
            let reason = policy::reason_of_refusal(&session, app.env.now());
            return end(rp, &session, reason).await;
        }
        Err(error) => error,
    };
    app.db
        .run(service::authority(session.id), async |tx| {
            service::release(tx, &session).await
        })
        .await?;
    in_silence(rp, Box::new(session), error)
}

fn in_silence(
    rp: &RelyingParty,
    session: Box<AppSession>,
    error: OidcError,
) -> Result<Standing, StandingError> {
    if policy::outlasts_silence(&session, rp.app().env.now()) {
        tracing::warn!(detail = %error, "going on without the issuer");
        Ok(Standing::Live(session))
    } else {
        Err(StandingError::Issuer(error))
    }
}

/// OIDC Core §12.2: the same `sub`; ours: the same clinic.
fn is_hers(session: &AppSession, granted: &Granted) -> bool {
    granted.id_token.as_ref().is_none_or(|identity| {
        identity.subject == session.tokens.subject && identity.tenant == session.tokens.clinic.id
    })
}

fn take_over(session: &mut AppSession, granted: Granted) {
    use secrecy::ExposeSecret as _;
    let tokens = &mut session.tokens;
    granted
        .access_token
        .expose_secret()
        .clone_into(&mut tokens.access_token);
    tokens.access_ends_at = granted.access_ends_at.unix_timestamp();
    if let Some(next) = granted.refresh_token {
        tokens.refresh_token = Some(next.expose_secret().to_owned());
    }
    if let Some(identity) = granted.id_token {
        tokens.id_token = identity.raw;
        tokens.name = identity.name.or_else(|| tokens.name.take());
    }
    let known = session.told.idle_limit;
    session.told = granted.told;
    if !granted.limit_is_told {
        session.told.idle_limit = session.told.idle_limit.max(known);
    }
}

async fn keep(rp: &RelyingParty, mut session: AppSession) -> Result<Standing, StandingError> {
    let app = rp.app();
    let kept = app.db.run(service::authority(session.id), async |tx| {
        service::keep_refreshed(tx, app, &session).await
    });
    if kept.await? {
        session.version += 1;
        return Ok(Standing::Live(Box::new(session)));
    }
    // It ended meanwhile, or a lease that had run out was taken over.
    let now_there = app
        .db
        .run(service::authority(session.id).read_only(), async |tx| {
            service::find_again(tx, app, session.id).await
        });
    Ok(match now_there.await? {
        None => Standing::Nobody,
        Some((Found::Ended(reason), _)) => Standing::Ended(reason),
        Some((Found::Live(other), _)) => Standing::Live(other),
    })
}

/// Ends it here: the cookie is worth nothing more, the tokens are forgotten.
pub async fn end(
    rp: &RelyingParty,
    session: &AppSession,
    reason: EndReason,
) -> Result<Standing, StandingError> {
    let app = rp.app();
    let ending = app.db.run(service::authority(session.id), async |tx| {
        service::end(tx, app, session.id, reason).await
    });
    ending.await?;
    Ok(Standing::Ended(reason))
}

/// A person did something in this app: noted here; her API call tells the issuer.
pub async fn note_act(rp: &RelyingParty, session: &mut AppSession) -> Result<(), StoreError> {
    let app = rp.app();
    app.db
        .run(service::authority(session.id), async |tx| {
            service::note_act(tx, app, session.id).await
        })
        .await?;
    session.active_at = session.active_at.max(app.env.now());
    Ok(())
}
