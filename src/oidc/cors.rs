//! Cross-origin calls from the pages of registered clients (WHATWG Fetch §3.2), and from no others.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderValue, Method, StatusCode};

use super::client::service as clients;
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};

/// Answers preflights, and lets the pages of a registered origin read the answer. Cookies never
/// travel: no `Access-Control-Allow-Credentials`.
pub async fn registered_origins(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let is_preflight = *request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let known = match origin.filter(|o| app.issuer().as_bytes() != o.as_bytes()) {
        Some(origin) => match is_registered(&app, &origin).await {
            Ok(true) => Some(origin),
            Ok(false) => None,
            Err(error) => {
                tracing::error!(detail = %crate::http::chain(&error), "cors");
                None
            }
        },
        None => None,
    };
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = known {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("WWW-Authenticate");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if is_preflight {
            let methods = HeaderValue::from_static("GET, POST");
            let names = HeaderValue::from_static("Authorization, Content-Type");
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
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
