//! The record of requests under impersonation, over HTTP(S).

use serde::Serialize;

use super::HttpClient;
use super::as_client::{AsClient, Failure, JSON};
use crate::error::BuildError;
use crate::record::{ActedRequest, RecordError, Recorder, Recording};

/// Posts each request under impersonation to the issuer's `/activity/acted`, as the client that
/// this API is registered as, and waits for its answer.
#[derive(Debug)]
pub struct HttpRecorder(AsClient);

#[derive(Serialize)]
struct Report<'a> {
    events: [&'a ActedRequest; 1],
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
        let report = Report { events: [request] };
        let report = serde_json::to_string(&report).expect("strings and numbers");
        match self.0.post("/activity/acted", JSON, report).await {
            Ok(_) => Ok(()),
            Err(Failure::Lost(why)) => Err(RecordError::Lost(why)),
            Err(Failure::Refused(status)) => Err(RecordError::Refused(status)),
        }
    }
}

impl Recorder for HttpRecorder {
    fn record<'a>(&'a self, request: &'a ActedRequest) -> Recording<'a> {
        Box::pin(self.post(request))
    }
}
