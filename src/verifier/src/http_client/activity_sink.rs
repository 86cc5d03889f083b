//! Activity reports over HTTP(S).

use serde::Serialize;

use super::HttpClient;
use super::as_client::{AsClient, Failure, JSON};
use crate::activity::{ActivityDelivery, ActivityError, ActivityEvent, ActivitySink};
use crate::error::BuildError;

/// Posts activity to the issuer's `/activity`, as the client that this API is registered as.
#[derive(Debug)]
pub struct HttpActivitySink(AsClient);

#[derive(Serialize)]
struct Report<'a> {
    events: &'a [ActivityEvent],
}

impl HttpActivitySink {
    /// Reports to that issuer.
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

    async fn post(&self, events: &[ActivityEvent]) -> Result<(), ActivityError> {
        let report = serde_json::to_string(&Report { events }).expect("strings and numbers");
        match self.0.post("/activity", JSON, report).await {
            Ok(_) => Ok(()),
            Err(Failure::Lost(why)) => Err(ActivityError::Lost(why)),
            Err(Failure::Refused(status)) => Err(ActivityError::Refused(status)),
        }
    }
}

impl ActivitySink for HttpActivitySink {
    fn deliver<'a>(&'a self, events: &'a [ActivityEvent]) -> ActivityDelivery<'a> {
        Box::pin(self.post(events))
    }
}
