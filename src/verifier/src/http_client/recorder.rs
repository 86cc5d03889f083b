//! The record of requests under impersonation, over HTTP(S).

use serde::Serialize;

use super::HttpClient;
use super::as_client::{AsClient, Failure, JSON};
use crate::TenantId;
use crate::error::BuildError;
use crate::record::{ActedRequest, Decision, RecordError, Recorder, Recording};

/// Posts each request under impersonation to the issuer's `/activity/acted`, as the client that
/// this API is registered as, and waits for its answer.
#[derive(Debug)]
pub struct HttpRecorder(AsClient);

/// What is let in has no status yet: it is recorded before its handler runs. This one says that a
/// request was not refused so far (RFC 9110 §15.2.1).
const ADMITTED: u16 = 100;
/// By which the issuer says that the grant is over (RFC 9110 §15.5.10).
const OVER: u16 = 409;

#[derive(Serialize)]
struct Report<'a> {
    events: [Event<'a>; 1],
}

/// The issuer minted the token, so it knows who acts as whom by `sid`, and checks `jti` against the
/// rest.
#[derive(Serialize)]
struct Event<'a> {
    jti: &'a str,
    tid: TenantId,
    sid: &'a str,
    iat: i64,
    exp: i64,
    at: i64,
    method: &'a str,
    route: &'a str,
    status: u16,
}

impl<'a> Event<'a> {
    fn of(request: &'a ActedRequest) -> Self {
        Self {
            jti: &request.jti,
            tid: request.tid,
            sid: &request.sid,
            iat: request.iat.unix_timestamp(),
            exp: request.exp.unix_timestamp(),
            at: request.at.unix_timestamp(),
            method: &request.method,
            route: &request.route,
            status: match request.decision {
                Decision::Admitted => ADMITTED,
                Decision::Refused { status, .. } => status,
            },
        }
    }
}

impl HttpRecorder {
    /// Records with that issuer.
    ///
    /// - `client_id`, `client_secret`: the API's own, registered at the issuer for its audience.
    ///
    /// # Errors
    /// [`BuildError::Issuer`].
    pub fn new(issuer: &str, client_id: &str, client_secret: &str) -> Result<Self, BuildError> {
        AsClient::new(issuer, client_id, client_secret).map(Self)
    }

    /// Calls by another client, such as one that trusts a private certificate authority.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.0.client = client;
        self
    }

    async fn post(&self, request: &ActedRequest) -> Result<(), RecordError> {
        let report = Report {
            events: [Event::of(request)],
        };
        let report = serde_json::to_string(&report).expect("strings and numbers");
        match self.0.post("/activity/acted", JSON, report).await {
            Ok(_) => Ok(()),
            Err(Failure::Lost(why)) => Err(RecordError::Lost(why)),
            Err(Failure::Refused(OVER)) => Err(RecordError::Over),
            Err(Failure::Refused(status)) => Err(RecordError::Refused(status)),
        }
    }
}

impl Recorder for HttpRecorder {
    fn record<'a>(&'a self, request: &'a ActedRequest) -> Recording<'a> {
        Box::pin(self.post(request))
    }
}
