//! Work around the routes of a router, at the cost of one box.
//!
//! `axum::middleware::from_fn` clones and boxes all that is below it, twice for each request: a
//! stack of such layers costs by the square of its height. A face has one of these instead.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::routing::Route;
use tower::{Layer, Service};

/// What is done before and after a route, or in place of it.
pub trait Around: Send + Sync + 'static {
    /// Answers, by the route or without it.
    fn answer(&self, request: Request, route: Route) -> impl Future<Output = Response> + Send;
}

/// The layer that does it around each route.
#[derive(Debug)]
pub struct Surround<A>(Arc<A>);

impl<A> Surround<A> {
    /// With this around every route.
    pub fn with(around: A) -> Self {
        Self(Arc::new(around))
    }
}

impl<A> Clone for Surround<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> Layer<Route> for Surround<A> {
    type Service = Surrounded<A>;

    fn layer(&self, route: Route) -> Surrounded<A> {
        let around = Arc::clone(&self.0);
        Surrounded { around, route }
    }
}

/// A route with something around it.
#[derive(Debug)]
pub struct Surrounded<A> {
    around: Arc<A>,
    route: Route,
}

impl<A> Clone for Surrounded<A> {
    fn clone(&self) -> Self {
        Self {
            around: Arc::clone(&self.around),
            route: self.route.clone(),
        }
    }
}

impl<A: Around> Service<Request> for Surrounded<A> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A route is ready whenever it is called.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (around, route) = (Arc::clone(&self.around), self.route.clone());
        Box::pin(async move { Ok(around.answer(request, route).await) })
    }
}
