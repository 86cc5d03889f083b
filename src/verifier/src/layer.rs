//! The tower layer: no request passes without a good token.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::activity;
use crate::bearer;
use crate::challenge::Refusal;
use crate::guard::Guard;
use crate::impersonation::may_ask;
use crate::{Principal, Verifier};

/// Headers by which proxies of other make tell an API who calls. Taken off every request, so that
/// no handler believes one by mistake.
const IDENTITY_HEADERS: [&str; 9] = [
    "x-user",
    "x-user-id",
    "x-roles",
    "x-tenant",
    "x-tenant-id",
    "x-scope-orgid",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-remote-user",
];

impl Verifier {
    /// A layer that lets only requests with a good token pass, and puts their
    /// `Arc<`[`Principal`]`>` in the request's extensions.
    ///
    /// It answers refusals itself, with the challenges of RFC 6750. When somebody acts as the
    /// subject (`act`) only GET, HEAD, OPTIONS and TRACE pass, and none unrecorded
    /// ([`Builder::recorder`](crate::Builder::recorder)); a route that allows more says so with
    /// [`Guard::allow_impersonation`] or [`Guard::allow_proxies`] in [`VerifyLayer::guard`].
    pub fn layer(&self) -> VerifyLayer {
        VerifyLayer {
            verifier: self.clone(),
            guard: Arc::new(Guard::default()),
        }
    }
}

/// See [`Verifier::layer`].
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    verifier: Verifier,
    guard: Arc<Guard>,
}

impl VerifyLayer {
    /// Asks for more than a good token, in the same layer.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Arc::new(guard);
        self
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = VerifyService<S>;

    fn layer(&self, inner: S) -> VerifyService<S> {
        VerifyService {
            inner,
            layer: self.clone(),
        }
    }
}

/// What [`VerifyLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct VerifyService<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S, B, R> Service<Request<B>> for VerifyService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone takes the next request; the one that said it is ready takes this one.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.admit(&mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => Ok(refusal.answer(Some(&layer.verifier))),
            }
        })
    }
}

/// The verifier of the layer that let a request in, for the guards further in.
#[derive(Clone)]
pub(crate) struct LetInBy(pub(crate) Verifier);

impl VerifyLayer {
    async fn admit(&self, parts: &mut Parts) -> Result<(), Refusal> {
        let token = bearer::token(&parts.headers, &parts.uri)?;
        let verdict = self
            .verifier
            .verify_for(token, self.guard.policy_when_stale());
        let principal = verdict.await.map_err(|error| {
            tracing::debug!(%error, "access token refused");
            Refusal::from(error)
        })?;
        let decision = self.decide(parts, &principal).await;
        self.verifier
            .record(parts, &principal, decision.as_ref().err())
            .await?;
        decision?;
        if activity::is_a_persons(&parts.headers) {
            self.verifier.note_activity(&principal);
        }
        keep_private(&mut parts.headers);
        parts.extensions.insert::<Arc<Principal>>(principal);
        parts.extensions.insert(LetInBy(self.verifier.clone()));
        Ok(())
    }

    /// What is decided of a request whose token is good.
    async fn decide(&self, parts: &Parts, principal: &Principal) -> Result<(), Refusal> {
        self.guard.check(parts, principal, &self.verifier).await?;
        let allowed = self.guard.allowed();
        match principal.actor() {
            Some(actor) if !may_ask(&parts.method, actor, allowed) => Err(Refusal::Impersonation),
            _ => Ok(()),
        }
    }
}

/// Leaves no identity but the principal's, and no token in a debug line.
fn keep_private(headers: &mut HeaderMap) {
    for name in IDENTITY_HEADERS {
        headers.remove(name);
    }
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
}
