//! Cross-origin calls from the pages of registered clients (WHATWG Fetch §3.2), and from no others.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::Route;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tower::Service as _;

use super::client::service as clients;
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::around::{Around, Surround};

/// Answers preflights, and lets the pages of a registered origin read the answer. Cookies never
/// travel: no `Access-Control-Allow-Credentials`.
#[derive(Debug)]
pub struct RegisteredOrigins(App);

impl RegisteredOrigins {
    /// As registered with this issuer.
    pub fn of(app: &App) -> Surround<Self> {
        Surround::with(Self(app.clone()))
    }

    /// The origin, if it is another's and registered.
    async fn registered(&self, origin: HeaderValue) -> Option<HeaderValue> {
        if self.0.issuer().as_bytes() == origin.as_bytes() {
            return None;
        }
        match is_registered(&self.0, &origin).await {
            Ok(is_registered) => is_registered.then_some(origin),
            Err(error) => {
                tracing::error!(detail = %crate::http::chain(&error), "cors");
                None
            }
        }
    }
}

impl Around for RegisteredOrigins {
    async fn answer(&self, request: Request, mut route: Route) -> Response {
        let is_preflight = *request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let known = match request.headers().get(ORIGIN).cloned() {
            Some(origin) => self.registered(origin).await,
            None => None,
        };
        let mut response = if is_preflight {
            StatusCode::NO_CONTENT.into_response()
        } else {
            let Ok(response) = route.call(request).await;
            response
        };
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = known {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = HeaderValue::from_static("WWW-Authenticate");
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            if is_preflight {
                allow(headers);
            }
        }
        response
    }
}

/// What a preflight asked for.
fn allow(headers: &mut HeaderMap) {
    let methods = HeaderValue::from_static("GET, POST");
    let names = HeaderValue::from_static("Authorization, Content-Type");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

async fn is_registered(app: &App, origin: &HeaderValue) -> Result<bool, StoreError> {
    let Some(origin) = origin.to_str().ok().filter(|o| o.len() <= 300) else {
        return Ok(false);
    };
    let locator = clients::origin_locator(&app.keys, origin);
    let authority = Authority::<Identity>::claim(locator).read_only();
    app.db
        .run(authority, async |tx| {
            clients::is_origin_known(tx, locator).await
        })
        .await
}
