//! OpenID Shared Signals Framework 1.0: what we can, and the management of a receiver's stream.
//!
//! A receiver is a client of kind `resource` and has one stream, which it polls or is told. Every
//! subject of its clinics is in it: subjects are neither added nor removed.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::receiver::{Denied, receiver};
use crate::app::App;
use crate::http::oauth_error::OAuthError;
use crate::oidc::scope::{SSF_MANAGE, SSF_READ};
use crate::revocation::model::Subscriber;
use crate::revocation::receiver::model::{self, Status, Stream};
use crate::revocation::receiver::push;
use crate::revocation::receiver::service::{self, StreamOutcome, Wishes};
use crate::revocation::set;

/// RFC 8936, as SSF 1.0 §6.1.2 names it.
const POLL: &str = "urn:ietf:rfc:8936";
/// RFC 8935, as SSF 1.0 §6.1.1 names it.
const PUSH: &str = "urn:ietf:rfc:8935";
/// Ways to authorize (§7.1.1): client credentials for a token, and Basic.
const AUTHORIZATION_SCHEMES: [&str; 2] = ["urn:ietf:rfc:6749", "urn:ietf:rfc:7617"];
/// Of a receiver's words.
const LONGEST_WORDS: usize = 200;
/// Of event types that are asked for.
const MOST_TYPES: usize = 50;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/ssf-configuration", get(configuration))
        .route(
            "/ssf/stream",
            post(create)
                .get(read)
                .patch(update)
                .put(replace)
                .delete(delete),
        )
        .route("/ssf/status", get(status).post(set_status))
        .route("/ssf/verify", post(verify))
}

/// SSF 1.0 §7.1.
async fn configuration(State(app): State<App>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", app.issuer());
    Json(json!({
        "spec_version": "1_0",
        "issuer": app.issuer(),
        "jwks_uri": at("/jwks"),
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": at("/ssf/stream"),
        "status_endpoint": at("/ssf/status"),
        "verification_endpoint": at("/ssf/verify"),
        "authorization_schemes": AUTHORIZATION_SCHEMES.map(|urn| json!({ "spec_urn": urn })),
        "default_subjects": "ALL",
    }))
}

/// What a receiver says of the stream that it wants, or has (§8.1.1).
#[derive(Deserialize)]
struct Wanted {
    stream_id: Option<Uuid>,
    delivery: Option<Delivery>,
    events_requested: Option<Vec<String>>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Delivery {
    method: String,
    endpoint_url: Option<String>,
    authorization_header: Option<SecretString>,
}

/// What a receiver wants, as far as it can be had.
struct Wish {
    named: Option<Uuid>,
    delivery: Option<model::Delivery>,
    requested: Option<Vec<String>>,
    description: Option<String>,
}

impl Wanted {
    fn read(
        app: &App,
        subscriber: &Subscriber,
        wanted: Result<Json<Self>, JsonRejection>,
    ) -> Result<Wish, OAuthError> {
        let refuse = |field| OAuthError::field(field, "not a stream that can be had");
        let Json(wanted) = wanted.map_err(|_| refuse("stream"))?;
        let is_short = |words: &String| words.chars().count() <= LONGEST_WORDS;
        let delivery = match &wanted.delivery {
            None => None,
            Some(delivery) => {
                let delivery = delivery.read(app, subscriber);
                Some(delivery.ok_or_else(|| refuse("delivery"))?)
            }
        };
        let types = wanted.events_requested.as_deref().unwrap_or_default();
        if types.len() > MOST_TYPES || !types.iter().all(is_short) {
            return Err(refuse("events_requested"));
        }
        if !wanted.description.as_ref().is_none_or(is_short) {
            return Err(refuse("description"));
        }
        Ok(Wish {
            named: wanted.stream_id,
            delivery,
            requested: wanted.events_requested,
            description: wanted.description,
        })
    }
}

impl Delivery {
    fn read(&self, app: &App, subscriber: &Subscriber) -> Option<model::Delivery> {
        match (self.method.as_str(), &self.endpoint_url) {
            // Where it polls is ours to say.
            (POLL, _) => Some(model::Delivery::Poll),
            (PUSH, Some(endpoint)) => {
                let header = self.authorization_header.as_ref();
                let header = header.map(ExposeSecret::expose_secret);
                push::delivery(app, subscriber, endpoint, header)
            }
            _ => None,
        }
    }
}

impl Wish {
    fn named(&self) -> Result<Uuid, OAuthError> {
        let missing = || OAuthError::field("stream_id", "no stream is named");
        self.named.ok_or_else(missing)
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    stream_id: Option<Uuid>,
}

/// What is answered: something with its status, or a refusal.
type Answer = Result<Response, Denied>;

fn said(answer: Answer) -> Response {
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// The stream as it is told (§8.1.1).
fn shown(app: &App, subscriber: &Subscriber, stream: &Stream) -> Value {
    let supported = set::types(app.issuer());
    let requested = stream.requested.as_ref();
    let is_delivered = |kind: &&String| requested.is_none_or(|types| types.contains(kind));
    let delivered: Vec<_> = supported.iter().filter(is_delivered).collect();
    let (method, endpoint) = match &stream.delivery {
        model::Delivery::Poll => (POLL, format!("{}/revocations/poll", app.issuer())),
        model::Delivery::Push { endpoint, .. } => (PUSH, endpoint.clone()),
    };
    let mut shown = json!({
        "stream_id": stream.id,
        "iss": app.issuer(),
        "aud": set::audience(&subscriber.audiences),
        "events_supported": supported,
        "events_requested": requested.unwrap_or(&supported),
        "events_delivered": delivered,
        "delivery": { "method": method, "endpoint_url": endpoint },
    });
    if let Some(description) = &stream.description {
        shown["description"] = json!(description);
    }
    shown
}

fn outcome(app: &App, subscriber: &Subscriber, outcome: &StreamOutcome) -> Response {
    match outcome {
        StreamOutcome::Is(stream) => Json(shown(app, subscriber, stream)).into_response(),
        StreamOutcome::Unknown => StatusCode::NOT_FOUND.into_response(),
        StreamOutcome::Exists => StatusCode::CONFLICT.into_response(),
    }
}

/// `POST /ssf/stream` (§8.1.1.1).
async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_MANAGE).await?;
        let wish = Wanted::read(&app, &subscriber, wanted)?;
        let wishes = Wishes {
            requested: wish.requested,
            description: wish.description,
            delivery: wish.delivery.unwrap_or(model::Delivery::Poll),
        };
        let made = service::create(&app, &subscriber, wishes).await?;
        let mut response = outcome(&app, &subscriber, &made);
        if matches!(made, StreamOutcome::Is(_)) {
            *response.status_mut() = StatusCode::CREATED;
        }
        Ok(response)
    };
    said(answer.await)
}

/// `GET /ssf/stream` (§8.1.1.2): the one that is named, or a list of all.
async fn read(State(app): State<App>, Query(named): Query<Named>, headers: HeaderMap) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_READ).await?;
        let found = service::find(&app, &subscriber).await?;
        let Some(id) = named.stream_id else {
            let all: Vec<_> = found
                .iter()
                .map(|one| shown(&app, &subscriber, one))
                .collect();
            return Ok(Json(all).into_response());
        };
        let found = found.filter(|stream| stream.id == id);
        let found = found.map_or(StreamOutcome::Unknown, StreamOutcome::Is);
        Ok(outcome(&app, &subscriber, &found))
    };
    said(answer.await)
}

/// `PATCH /ssf/stream` (§8.1.1.3): what is not named stays.
async fn update(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    change(&app, &headers, wanted, |stream, wanted| {
        stream.requested = wanted.requested.or(stream.requested.take());
        stream.description = wanted.description.or(stream.description.take());
        if let Some(delivery) = wanted.delivery {
            stream.delivery = delivery;
        }
    })
    .await
}

/// `PUT /ssf/stream` (§8.1.1.4): what is not named goes.
async fn replace(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    change(&app, &headers, wanted, |stream, wanted| {
        stream.requested = wanted.requested;
        stream.description = wanted.description;
        stream.delivery = wanted.delivery.unwrap_or(model::Delivery::Poll);
    })
    .await
}

async fn change(
    app: &App,
    headers: &HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
    alter: impl FnOnce(&mut Stream, Wish),
) -> Response {
    let answer = async {
        let subscriber = receiver(app, headers, SSF_MANAGE).await?;
        let wanted = Wanted::read(app, &subscriber, wanted)?;
        let id = wanted.named()?;
        let alter = |stream: &mut Stream| alter(stream, wanted);
        let altered = service::alter(app, &subscriber, id, alter).await?;
        Ok(outcome(app, &subscriber, &altered))
    };
    said(answer.await)
}

/// `DELETE /ssf/stream` (§8.1.1.5).
async fn delete(
    State(app): State<App>,
    Query(named): Query<Named>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_MANAGE).await?;
        let missing = || OAuthError::field("stream_id", "no stream is named");
        let id = named.stream_id.ok_or_else(missing)?;
        Ok(match service::delete(&app, &subscriber, id).await? {
            StreamOutcome::Is(_) => StatusCode::NO_CONTENT.into_response(),
            other => outcome(&app, &subscriber, &other),
        })
    };
    said(answer.await)
}

fn status_of(outcome: &StreamOutcome) -> Response {
    let StreamOutcome::Is(stream) = outcome else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut shown = json!({ "stream_id": stream.id, "status": stream.status.word() });
    if let Some(reason) = &stream.reason {
        shown["reason"] = json!(reason);
    }
    Json(shown).into_response()
}

/// `GET /ssf/status` (§8.1.2.1).
async fn status(
    State(app): State<App>,
    Query(named): Query<Named>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_READ).await?;
        let found = service::find(&app, &subscriber).await?;
        let found = found.filter(|stream| Some(stream.id) == named.stream_id);
        let found = found.map_or(StreamOutcome::Unknown, StreamOutcome::Is);
        Ok(status_of(&found))
    };
    said(answer.await)
}

/// What a receiver wants its stream to do (§8.1.2.2).
#[derive(Debug, Deserialize)]
struct WantedStatus {
    stream_id: Uuid,
    status: String,
    reason: Option<String>,
}

/// `POST /ssf/status` (§8.1.2.2).
async fn set_status(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Result<Json<WantedStatus>, JsonRejection>,
) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_MANAGE).await?;
        let refuse = |field| OAuthError::field(field, "not a status that can be had");
        let Json(wanted) = wanted.map_err(|_| refuse("status"))?;
        let status = Status::parse(&wanted.status).ok_or_else(|| refuse("status"))?;
        let reason = wanted.reason;
        let length = reason.as_ref().map_or(0, |reason| reason.chars().count());
        if length > LONGEST_WORDS {
            return Err(refuse("reason").into());
        }
        let alter = |stream: &mut Stream| {
            stream.status = status;
            stream.reason = reason;
        };
        let altered = service::alter(&app, &subscriber, wanted.stream_id, alter).await?;
        Ok(status_of(&altered))
    };
    said(answer.await)
}

/// §8.1.4.2.
#[derive(Debug, Deserialize)]
struct WantedProof {
    stream_id: Uuid,
    state: Option<String>,
}

/// `POST /ssf/verify` (§8.1.4.2): a verification event is given next.
async fn verify(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Result<Json<WantedProof>, JsonRejection>,
) -> Response {
    let answer = async {
        let subscriber = receiver(&app, &headers, SSF_MANAGE).await?;
        let refuse = |field| OAuthError::field(field, "not a verification that can be had");
        let Json(WantedProof { stream_id, state }) = wanted.map_err(|_| refuse("stream_id"))?;
        let length = state.as_ref().map_or(0, |state| state.chars().count());
        if length > 2 * LONGEST_WORDS {
            return Err(refuse("state").into());
        }
        let asked = service::verify(&app, &subscriber, stream_id, state).await?;
        Ok(match asked {
            StreamOutcome::Is(_) => StatusCode::NO_CONTENT.into_response(),
            StreamOutcome::Unknown | StreamOutcome::Exists => StatusCode::NOT_FOUND.into_response(),
        })
    };
    said(answer.await)
}
