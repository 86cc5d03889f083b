//! Every request of somebody who acts as somebody else is on the record before its handler runs
//! (design §7).
//!
//! - R1: safe or not, admitted or refused, whoever refuses: the layer or a guard further in.
//! - R2: it is awaited. What can't be recorded is answered 503 and reaches no handler; what the
//!   issuer does not record because the grant is over is answered 401, whatever else is known here.
//! - R3: a verifier without a recorder records nothing, so it lets no actor in.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::request::Parts;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::challenge::Refusal;
use crate::{Actor, Principal, SubjectId, TenantId};

const TIMEOUT: Duration = Duration::from_secs(5);
const MOST_CHARACTERS: usize = 200;

/// A request that somebody made as somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActedRequest {
    /// The token that was used.
    pub jti: String,
    /// Its clinic.
    pub tid: TenantId,
    /// Its session: the grant's or the delegation's own.
    pub sid: String,
    /// Whom the actor acts as.
    pub sub: SubjectId,
    /// Who really acts, and by what.
    pub actor: Actor,
    /// Through which client.
    pub client_id: String,
    /// When the token was minted, UTC.
    pub iat: OffsetDateTime,
    /// When it ends, UTC.
    pub exp: OffsetDateTime,
    /// When the request came, UTC.
    pub at: OffsetDateTime,
    /// How it asked.
    pub method: String,
    /// What it asked for: the route's template where the API tells it
    /// ([`Builder::route_template`](crate::Builder::route_template)), else the path. Never a query;
    /// 200 characters at most, the rest is cut.
    pub route: String,
    /// Whether it was let in.
    pub decision: Decision,
}

/// Whether a request under impersonation was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its handler runs, unless a guard further in refuses: that is then a record of its own.
    Admitted,
    /// Refused.
    Refused {
        /// The status of the answer.
        status: u16,
        /// Its code: `insufficient_scope`, `impersonation_forbidden`, …
        code: &'static str,
    },
}

/// Puts requests under impersonation on the record.
///
/// [`HttpRecorder`](crate::HttpRecorder) (feature `http-source`) posts them to the issuer; a
/// process that is the issuer writes them itself.
pub trait Recorder: Send + Sync {
    /// Records one. `Ok` only when it is durable: the handler runs then. Given up after 5 seconds.
    fn record<'a>(&'a self, request: &'a ActedRequest) -> Recording<'a>;
}

/// What [`Recorder::record`] returns.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<(), RecordError>> + Send + 'a>>;

/// Why a request is not on the record, and so reaches no handler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Nobody took it. Transient.
    #[error("the record did not take it: {0}")]
    Lost(String),
    /// The grant that it was made under is over: the request is answered as one with a token that
    /// is.
    #[error("the grant is over")]
    Over,
    /// The issuer refused it; it would again. The operator's fault: the API's client credentials.
    #[error("the issuer refused the record: status {0}")]
    Refused(u16),
}

/// Tells the template of the route that a request matched.
pub(crate) type RouteTemplate = Box<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

/// What the builder was given.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) recorder: Option<Box<dyn Recorder>>,
    pub(crate) route_template: Option<RouteTemplate>,
}

impl Record {
    /// Records what was decided about a request, if it was made under impersonation.
    pub(crate) async fn note(
        &self,
        parts: &Parts,
        principal: &Principal,
        at: OffsetDateTime,
        refusal: Option<&Refusal>,
    ) -> Result<(), Refusal> {
        let (Some(actor), Some(sid)) = (principal.actor(), principal.sid()) else {
            return Ok(());
        };
        let Some(recorder) = &self.recorder else {
            tracing::error!("a request under impersonation came, and there is no recorder");
            return Err(Refusal::Unavailable);
        };
        let decision = refusal.map_or(Decision::Admitted, |refusal| Decision::Refused {
            status: refusal.status().as_u16(),
            code: refusal.code(),
        });
        let request = ActedRequest {
            jti: principal.jti().to_owned(),
            tid: principal.tenant(),
            sid: sid.to_owned(),
            sub: principal.subject(),
            actor: *actor,
            client_id: principal.client_id().to_owned(),
            iat: principal.issued_at(),
            exp: principal.expires_at(),
            at,
            method: parts.method.as_str().to_owned(),
            route: self.route(parts),
            decision,
        };
        let outcome = match timeout(TIMEOUT, recorder.record(&request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RecordError::Lost("no answer in 5 s".to_owned())),
        };
        outcome.map_err(|error| match error {
            RecordError::Over => {
                tracing::debug!("a request came under a grant that is over");
                Refusal::InvalidToken
            }
            RecordError::Lost(_) | RecordError::Refused(_) => {
                tracing::error!(%error, "a request under impersonation was not recorded");
                Refusal::Unavailable
            }
        })
    }

    /// Without anything that could cut a line of the record.
    fn route(&self, parts: &Parts) -> String {
        let template = self.route_template.as_ref().and_then(|of| of(parts));
        let route = template.unwrap_or_else(|| parts.uri.path().to_owned());
        let cuts = |c: char| c.is_control() || c.is_whitespace() || c == '?' || c == '#';
        let slash = (!route.starts_with('/')).then_some('/');
        let letters = slash.into_iter().chain(route.chars()).take(MOST_CHARACTERS);
        letters.map(|c| if cuts(c) { '_' } else { c }).collect()
    }
}
