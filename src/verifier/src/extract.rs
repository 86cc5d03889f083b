//! The axum extractor.

use std::ops::Deref;
use std::sync::Arc;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::challenge::Refusal;
use crate::{MissingScope, Principal};

/// The verified caller, as an argument of an axum handler behind [`Verifier::layer`].
///
/// A handler that takes it and stands outside of the layer answers 401 to everyone: forgetting the
/// layer can't let anyone in.
///
/// [`Verifier::layer`]: crate::Verifier::layer
#[derive(Clone, Debug)]
pub struct Verified(pub Arc<Principal>);

impl Deref for Verified {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

/// Nobody was verified.
#[derive(Debug)]
pub struct NotVerified(Response<Body>);

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response {
        self.0
    }
}

impl IntoResponse for MissingScope {
    fn into_response(self) -> Response {
        Refusal::Scope(self.0).answer(None)
    }
}

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        if let Some(principal) = parts.extensions.get::<Arc<Principal>>() {
            return Ok(Self(Arc::clone(principal)));
        }
        tracing::error!("a handler asks for the caller, but no verifying layer is around it");
        Err(NotVerified(Refusal::NoToken.answer(None)))
    }
}
