//! Who we are and what we can: OpenID Connect Discovery 1.0 §3, RFC 8414 §2, and the JWK Set.

use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::document::Document;
use crate::oidc::authorize::request::{ACR_MFA, ACR_PASSWORD};
use crate::oidc::scope::Scope;
use crate::oidc::token::token_exchange;
use crate::signing::Alg;
use crate::signing::ring::KeyRing;

/// `signing::policy::JWKS_MAX_AGE`, as a header; `tests/api/refresh/signing.rs` compares the two.
const JWKS_MAX_AGE: &str = "public, max-age=300";
const METADATA_MAX_AGE: &str = "public, max-age=3600";

/// `GET /.well-known/openid-configuration`, `/.well-known/oauth-authorization-server`, `/jwks`.
pub(super) fn routes(app: &App) -> Router<App> {
    let metadata = metadata(app);
    Router::new()
        .route("/.well-known/openid-configuration", metadata.clone())
        .route("/.well-known/oauth-authorization-server", metadata)
        .route("/jwks", jwks(app))
}

/// The configuration never changes, so the document does not either.
fn metadata(app: &App) -> MethodRouter<App> {
    let document = Document::new(&document(app), "application/json", METADATA_MAX_AGE);
    let document = Arc::new(document);
    get(async move |asked: Request| document.answer(asked.headers()))
}

/// Public halves only (JWT-19).
fn jwks(app: &App) -> MethodRouter<App> {
    let published = Arc::new(Published::new(app.clone()));
    get(async move |asked: Request| published.answer(asked.headers()))
}

/// The document of the ring that it was made of.
struct Published {
    app: App,
    latest: RwLock<(Arc<KeyRing>, Document)>,
}

impl Published {
    fn new(app: App) -> Self {
        let ring = app.ring();
        let document = Self::document(&ring);
        Self {
            app,
            latest: RwLock::new((ring, document)),
        }
    }

    fn document(ring: &KeyRing) -> Document {
        Document::new(ring.jwks(), "application/jwk-set+json", JWKS_MAX_AGE)
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let ring = self.app.ring();
        {
            let latest = self
                .latest
                .read()
                .expect("no panic happens under this lock");
            if Arc::ptr_eq(&latest.0, &ring) {
                return latest.1.answer(asked);
            }
        }
        let document = Self::document(&ring);
        let answer = document.answer(asked);
        *self
            .latest
            .write()
            .expect("no panic happens under this lock") = (ring, document);
        answer
    }
}

fn document(app: &App) -> Value {
    let issuer = app.issuer();
    let at = |path: &str| format!("{issuer}{path}");
    let algorithms = Alg::ALL.map(Alg::name);
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "end_session_endpoint": at("/logout"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "scopes_supported": Scope::ALL.map(Scope::name),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials", token_exchange::GRANT_TYPE
        ],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported":
            ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "tid",
            "name", "email", "act", "actor_name"
        ],
        "acr_values_supported": [ACR_PASSWORD, ACR_MFA],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}
