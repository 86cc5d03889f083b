//! Introspection over HTTP(S) (RFC 7662).

use super::HttpClient;
use super::as_client::{AsClient, FORM, Failure, form_encoded};
use crate::error::BuildError;
use crate::introspection::{Introspection, IntrospectionError, Introspector, read_introspection};

/// Asks the issuer's `/introspect`, as the client that this API is registered as.
#[derive(Debug)]
pub struct HttpIntrospector(AsClient);

impl HttpIntrospector {
    /// Asks that issuer.
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

    async fn asked(&self, token: &str) -> Result<bool, IntrospectionError> {
        let token = form_encoded(token);
        let form = format!("token={token}&token_type_hint=access_token");
        let answer = match self.0.post("/introspect", FORM, form).await {
            Ok(answer) => answer,
            Err(Failure::Lost(why)) => return Err(IntrospectionError::Unreachable(why)),
            Err(Failure::Refused(status)) => return Err(IntrospectionError::Refused(status)),
        };
        read_introspection(&answer.body)
    }
}

impl Introspector for HttpIntrospector {
    fn is_active<'a>(&'a self, token: &'a str) -> Introspection<'a> {
        Box::pin(self.asked(token))
    }
}
