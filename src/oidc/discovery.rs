//! Who we are and what we can: OpenID Connect Discovery 1.0 §3, RFC 8414 §2, and the JWK Set.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::app::App;
use crate::oidc::authorize::request::{ACR_MFA, ACR_PASSWORD};
use crate::signing::Alg;

/// How long verifiers may keep the keys: the bound of an emergency rotation until revocation is
/// pushed.
const JWKS_MAX_AGE: &str = "public, max-age=300";

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
pub async fn metadata(State(app): State<App>) -> Response {
    let mut response = Json(document(&app)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    response
}

/// `GET /jwks`: public halves only (JWT-19).
pub async fn jwks(State(app): State<App>) -> Response {
    let mut response = Json(app.ring().jwks().clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(JWKS_MAX_AGE));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/jwk-set+json"),
    );
    response
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
        "scopes_supported": [
            "openid", "profile", "email",
            "profile:read", "tenancy:read", "visits:read"
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "tid",
            "name", "email"
        ],
        "acr_values_supported": [ACR_PASSWORD, ACR_MFA],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}
