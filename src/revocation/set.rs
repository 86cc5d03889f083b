//! Security event tokens (RFC 8417) about what ended: CAEP 1.0 where it has a word for it, ours
//! otherwise.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::model::{Event, Kind, Subscriber};
use super::receiver::model::Verification;
use crate::app::App;
use crate::signing::{Alg, TokenType, sign};

/// CAEP 1.0 §3.1.
pub(super) const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// CAEP 1.0 §3.3.
pub(super) const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";

/// SSF 1.0 §8.1.4.1.
pub(super) const VERIFICATION: &str =
    "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// The event types that can be sent, as URIs.
pub(super) fn types(issuer: &str) -> Vec<String> {
    let caep = [SESSION_REVOKED, CREDENTIAL_CHANGE].map(str::to_owned);
    let ours = Kind::OURS.into_iter().map(|kind| type_of(issuer, kind));
    caep.into_iter().chain(ours).collect()
}

/// The URI of an event's type.
pub(super) fn type_of(issuer: &str, kind: Kind) -> String {
    let word = match kind {
        Kind::Session => return SESSION_REVOKED.to_owned(),
        Kind::Credential => return CREDENTIAL_CHANGE.to_owned(),
        Kind::Family => "family-revoked",
        Kind::Account => "account-revoked",
        Kind::Membership => "membership-revoked",
        Kind::Roles => "membership-changed",
        Kind::Tenant => "tenant-revoked",
        Kind::TenantResumed => "tenant-resumed",
        Kind::Role => "role-changed",
        Kind::Key => "key-revoked",
        Kind::Impersonation => "impersonation-ended",
    };
    format!("{issuer}/events/{word}")
}

/// The signed SET about `event` for `subscriber`, who [`super::policy::concerns`].
pub(super) fn of(app: &App, event: &Event, subscriber: &Subscriber) -> Arc<str> {
    let ring = app.ring();
    let key = ring.current(Alg::Es256);
    // A key that is withdrawn takes what it signed with it.
    let name = format!("{} {}", key.kid(), subscriber.audiences.join(" "));
    event.signed.under(&name, || {
        let claims = claims(app, event, subscriber);
        sign(key, TokenType::SecurityEvent, &claims)
    })
}

/// The SET by which a receiver finds out that its stream works (SSF 1.0 §8.1.4).
pub(super) fn verifying(app: &App, asked: &Verification, subscriber: &Subscriber) -> Arc<str> {
    let mut body = json!({});
    if let Some(state) = &asked.state {
        body["state"] = json!(state);
    }
    let subject = json!({ "format": "opaque", "id": asked.stream });
    let claims = wrap(
        app,
        asked.id,
        &subscriber.audiences,
        &subject,
        VERIFICATION,
        &body,
    );
    let ring = app.ring();
    sign(ring.current(Alg::Es256), TokenType::SecurityEvent, &claims).into()
}

fn claims(app: &App, event: &Event, subscriber: &Subscriber) -> Value {
    let issuer = app.issuer();
    let (kind, subject) = (type_of(issuer, event.kind), subject(issuer, event));
    wrap(
        app,
        event.id,
        &subscriber.audiences,
        &subject,
        &kind,
        &body(event),
    )
}

fn wrap(
    app: &App,
    jti: Uuid,
    audiences: &[String],
    subject: &Value,
    kind: &str,
    body: &Value,
) -> Value {
    json!({
        "iss": app.issuer(),
        "jti": jti,
        "iat": app.env.now().unix_timestamp(),
        "aud": audience(audiences),
        "sub_id": subject,
        "events": { kind: body },
    })
}

/// RFC 7519 §4.1.3: one alone needs no list.
pub(super) fn audience(audiences: &[String]) -> Value {
    match audiences {
        [one] => json!(one),
        several => json!(several),
    }
}

/// RFC 9493 §3.2.6 is of accounts; a complex subject is SSF 1.0's (§3.3): the members that apply.
fn subject(issuer: &str, event: &Event) -> Value {
    let opaque = |id: &dyn ToString| json!({ "format": "opaque", "id": id.to_string() });
    if event.kind.is_of_all() {
        return opaque(&issuer);
    }
    let mut complex = Map::new();
    complex.insert("format".to_owned(), json!("complex"));
    complex.insert("tenant".to_owned(), opaque(&event.tenant));
    if let Some(subject) = event.subject {
        let user = json!({ "format": "iss_sub", "iss": issuer, "sub": subject });
        complex.insert("user".to_owned(), user);
    }
    if let Some(sid) = event.sid {
        complex.insert("session".to_owned(), opaque(&sid));
    }
    Value::Object(complex)
}

fn body(event: &Event) -> Value {
    let mut body = json!({
        "event_timestamp": event.occurred_at.unix_timestamp(),
        "issued_until": event.issued_until.unix_timestamp(),
        "reason_admin": { "en": event.reason },
    });
    let mut add = |member: &str, value: Value| body[member] = value;
    match event.kind {
        Kind::Family => {
            add("client_id", json!(event.client));
            add("audience", json!(event.audience));
        }
        Kind::Key => add("kid", json!(event.named.first())),
        Kind::Role => add("roles", json!(event.named)),
        Kind::Credential => {
            let (credential, change) = match event.reason.as_str() {
                "device_added" => ("app", "create"),
                "device_removed" => ("app", "delete"),
                _ => ("password", "update"),
            };
            add("credential_type", json!(credential));
            add("change_type", json!(change));
        }
        Kind::Session
        | Kind::Account
        | Kind::Membership
        | Kind::Roles
        | Kind::Tenant
        | Kind::TenantResumed
        | Kind::Impersonation => {}
    }
    body
}
