//! Use cases of an app's sessions and sign-ins. Each takes a transaction of the row's own claim
//! and opens none.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::{AppSession, Found, Kind, PendingLogin, Ticket, Tokens, Told};
use super::oidc::Outset;
use super::store::{self, NewSession, SessionRow};
use crate::app::App;
use crate::db::{Apps, Authority, StoreError, Tx};
use crate::pages::EndReason;
use crate::secret::KeyedDigest;

/// How long a sign-in may take; the issuer's own limit is shorter.
const LOGIN_LIFETIME: Duration = Duration::minutes(15);
/// How long one refresh may hold the others off: more than the call's timeout.
const LEASE: Duration = Duration::seconds(8);

/// The right to one row of this plane.
pub(super) fn authority(id: Uuid) -> Authority<Apps> {
    Authority::claim(id)
}

/// A fresh id and secret.
pub(super) fn fresh_ticket(app: &App) -> Ticket {
    Ticket::new(app.env.random_uuid(), app.env.random_bytes())
}

/// Keeps a sign-in under way. `state` and the browser's cookie together find it again.
pub(super) async fn keep_login(
    tx: &mut Tx<Apps>,
    app: &App,
    kind: Kind,
    state: &Ticket,
    browser: &str,
    outset: &Outset,
) -> Result<(), StoreError> {
    let now = app.env.now();
    let plain = serde_json::to_vec(&outset.pending).expect("strings serialize");
    let sealed = app.keys.wrap(&app.env, &login_place(state.id), &plain);
    let digest = state_digest(app, kind, state, browser);
    store::insert_login(
        tx,
        state.id,
        digest.as_bytes(),
        &sealed,
        now,
        now + LOGIN_LIFETIME,
    )
    .await
}

/// Spends a sign-in under way; `None` if it is not this browser's, not this app's, spent, or too
/// old. A stranger who knows its id spends nothing.
pub(super) async fn spend_login(
    tx: &mut Tx<Apps>,
    app: &App,
    kind: Kind,
    state: &Ticket,
    browser: &str,
) -> Result<Option<PendingLogin>, StoreError> {
    let now = app.env.now();
    let Some((digest, sealed)) = store::find_login(tx, state.id, now).await? else {
        return Ok(None);
    };
    if !state_digest(app, kind, state, browser).matches(&digest) {
        return Ok(None);
    }
    if !store::mark_login_spent(tx, state.id, now).await? {
        return Ok(None);
    }
    let plain = app.keys.unwrap(&login_place(state.id), &sealed);
    Ok(plain.and_then(|plain| serde_json::from_slice(&plain).ok()))
}

/// Begins a session with what the issuer gave.
pub(super) async fn begin(
    tx: &mut Tx<Apps>,
    app: &App,
    kind: Kind,
    ticket: &Ticket,
    tokens: &Tokens,
    told: &Told,
) -> Result<(), StoreError> {
    let digest = session_digest(app, kind, ticket);
    let new = NewSession {
        id: ticket.id,
        app: kind.word(),
        secret_digest: digest.as_bytes(),
        sealed: &seal(app, ticket.id, tokens),
        told,
    };
    store::insert_session(tx, &new).await
}

/// Whose cookie this is; `None` if it is nobody's.
pub(super) async fn find(
    tx: &mut Tx<Apps>,
    app: &App,
    kind: Kind,
    ticket: &Ticket,
) -> Result<Option<Found>, StoreError> {
    let Some(row) = store::find_session(tx, ticket.id).await? else {
        return Ok(None);
    };
    let is_hers =
        row.app == kind.word() && session_digest(app, kind, ticket).matches(&row.secret_digest);
    if is_hers {
        read(app, ticket.id, &row).map(Some)
    } else {
        Ok(None)
    }
}

/// The same session as it is now, in the way of someone who found it before.
pub(super) async fn find_again(
    tx: &mut Tx<Apps>,
    app: &App,
    id: Uuid,
) -> Result<Option<(Found, Option<OffsetDateTime>)>, StoreError> {
    let Some(row) = store::find_session(tx, id).await? else {
        return Ok(None);
    };
    Ok(Some((read(app, id, &row)?, row.leased_until)))
}

/// Notes that a person did something here.
pub(super) async fn note_act(tx: &mut Tx<Apps>, app: &App, id: Uuid) -> Result<(), StoreError> {
    store::mark_active(tx, id, app.env.now()).await
}

/// Takes the right to refresh; false if someone else is at it or has done it.
pub(super) async fn lease(
    tx: &mut Tx<Apps>,
    app: &App,
    session: &AppSession,
) -> Result<bool, StoreError> {
    let now = app.env.now();
    store::take_lease(tx, session.id, session.version, now, now + LEASE).await
}

/// Gives it back without news: the same refresh token is used again next time.
pub(super) async fn release(tx: &mut Tx<Apps>, session: &AppSession) -> Result<(), StoreError> {
    store::release_lease(tx, session.id, session.version).await
}

/// Keeps what a refresh gave.
pub(super) async fn keep_refreshed(
    tx: &mut Tx<Apps>,
    app: &App,
    session: &AppSession,
) -> Result<bool, StoreError> {
    let sealed = seal(app, session.id, &session.tokens);
    store::keep_refreshed(tx, session.id, session.version, &sealed, &session.told).await
}

/// Keeps what was typed and could not be sent yet, as ciphertext; or forgets it.
pub(super) async fn keep_draft(
    tx: &mut Tx<Apps>,
    app: &App,
    id: Uuid,
    draft: Option<&str>,
) -> Result<(), StoreError> {
    let sealed = draft.map(|text| app.keys.wrap(&app.env, &draft_place(id), text.as_bytes()));
    store::put_draft(tx, id, sealed.as_deref()).await
}

/// Ends a session; its tokens are forgotten.
pub(super) async fn end(
    tx: &mut Tx<Apps>,
    app: &App,
    id: Uuid,
    reason: EndReason,
) -> Result<bool, StoreError> {
    store::mark_ended(tx, id, reason, app.env.now()).await
}

fn read(app: &App, id: Uuid, row: &SessionRow) -> Result<Found, StoreError> {
    if let Some(reason) = &row.end_reason {
        return Ok(Found::Ended(EndReason::from_word(Some(reason))));
    }
    let plain = app.keys.unwrap(&session_place(id), &row.sealed);
    let tokens = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
    let tokens = tokens.ok_or(StoreError::Corrupt {
        table: "apps.session",
        what: "tokens that can't be read",
    })?;
    Ok(Found::Live(Box::new(AppSession {
        id,
        version: row.version,
        tokens,
        told: row.told(),
        active_at: row.active_at,
        draft: row.draft.as_deref().and_then(|sealed| {
            let plain = app.keys.unwrap(&draft_place(id), sealed)?;
            String::from_utf8(plain.to_vec()).ok()
        }),
    })))
}

fn seal(app: &App, id: Uuid, tokens: &Tokens) -> Vec<u8> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(tokens).expect("strings serialize"));
    app.keys.wrap(&app.env, &session_place(id), &plain)
}

fn session_place(id: Uuid) -> String {
    format!("apps.session/{id}/sealed")
}

fn draft_place(id: Uuid) -> String {
    format!("apps.session/{id}/draft")
}

fn login_place(id: Uuid) -> String {
    format!("apps.login/{id}/sealed")
}

fn session_digest(app: &App, kind: Kind, ticket: &Ticket) -> KeyedDigest {
    let bound: [&[u8]; 2] = [ticket.id.as_bytes(), kind.word().as_bytes()];
    app.keys.digest("app session", ticket.secret(), &bound)
}

fn state_digest(app: &App, kind: Kind, state: &Ticket, browser: &str) -> KeyedDigest {
    let bound: [&[u8]; 3] = [
        state.id.as_bytes(),
        kind.word().as_bytes(),
        browser.as_bytes(),
    ];
    app.keys.digest("app login", state.secret(), &bound)
}
