//! `GET /.well-known/lanyard-audit`: by which keys the logs are signed.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use serde_json::{Value, json};

use crate::app::App;
use crate::audit::log::{Logs, PublishedKey, instant};
use crate::http::document::Document;
use crate::http::problem::Problem;

/// A new key signs nothing that anybody has asked for before; an old one stays.
const MAX_AGE: &str = "public, max-age=300";

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/.well-known/lanyard-audit", get(keys))
}

async fn keys(State(app): State<App>, asked: Request) -> Response {
    match Logs::of(&app).published_keys().await {
        Ok(keys) => {
            let keys: Vec<Value> = keys.iter().map(described).collect();
            let document = Document::new(&json!({ "keys": keys }), "application/json", MAX_AGE);
            let mut response = document.answer(asked.headers());
            let everybody = HeaderValue::from_static("*");
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
            response
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

fn described(key: &PublishedKey) -> Value {
    json!({
        "name": key.vkey.name(),
        "id": key.id(),
        "verifier_key": key.vkey.to_text(),
        "from": instant(key.from),
        "until": key.until.map(instant),
    })
}
