//! The published metadata as a service (RFC 9728 §3).

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum_core::body::Body;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::Verifier;

impl Verifier {
    /// Serves it: `router.route_service(verifier.metadata_path(), verifier.metadata_service())`,
    /// outside of [`Verifier::layer`], for it is public. 404 if there is none.
    pub fn metadata_service(&self) -> MetadataService {
        MetadataService(self.clone())
    }
}

/// See [`Verifier::metadata_service`].
#[derive(Clone, Debug)]
pub struct MetadataService(Verifier);

impl MetadataService {
    fn answer(&self, method: &Method) -> Response<Body> {
        let Some(metadata) = self.0.protected_resource_metadata() else {
            return status(StatusCode::NOT_FOUND);
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let document = serde_json::to_string(metadata).expect("strings and lists are JSON");
        let mut response = Response::new(Body::from(document));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        );
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(String::new()));
    *response.status_mut() = status;
    response
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method())))
    }
}
