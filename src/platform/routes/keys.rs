//! `/api/v1/signing-keys`: the keys that are published, and withdrawing one at once.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, Schema, Type};

use crate::app::App;
use crate::audit::EventType;
use crate::db::StoreError;
use crate::http::problem::Problem;
use crate::platform::{overseer, record};
use crate::signing::policy::KeyLife;
use crate::signing::ring;
use crate::signing::service::{self as signing, Keeper};

/// A key that is published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
struct KeyBody {
    kid: String,
    /// RFC 7518, RFC 9864.
    #[schema(value_type = String, examples("ES256"))]
    alg: &'static str,
    /// `next`, `current`, `previous`.
    #[schema(value_type = String, examples("current"))]
    standing: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

/// All that are published, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub struct KeysBody {
    keys: Vec<KeyBody>,
}

/// That a key is withdrawn: what the database said when it was asked again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKeyWithdrawal)]
pub struct WithdrawalBody {
    kid: String,
    #[serde(with = "time::serde::rfc3339")]
    withdrawn_at: OffsetDateTime,
    /// Whether it is published still, asked after it was withdrawn.
    #[schema(examples(false))]
    is_published: bool,
}

/// The key of a path.
#[derive(Debug, Deserialize)]
pub struct Which {
    kid: String,
}

/// What the description of the API says of the path.
pub fn parameters() -> Vec<Parameter> {
    let kid = Object::builder().schema_type(Type::String).build();
    let kid = Parameter::builder()
        .name("kid")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(
            "The key's name, as its tokens have it in their header.",
        ))
        .schema(Some(Schema::from(kid)));
    vec![kid.build()]
}

/// `GET /api/v1/signing-keys`.
pub async fn list(State(app): State<App>, caller: Verified) -> Result<Json<KeysBody>, Problem> {
    overseer(&caller)?;
    let body = |key: KeyLife| KeyBody {
        kid: key.kid,
        alg: key.alg.name(),
        standing: key.standing.name(),
        since: key.since,
    };
    let lives = ring::lives(&app.db).await?;
    Ok(Json(KeysBody {
        keys: lives.into_iter().map(body).collect(),
    }))
}

/// `POST /api/v1/signing-keys/{kid}/withdraw`: as `lanyard keys rotate --emergency`, of one key.
pub async fn withdraw(
    State(app): State<App>,
    caller: Verified,
    path: Result<Path<Which>, PathRejection>,
) -> Result<Json<WithdrawalBody>, Problem> {
    let Path(Which { kid }) = path.map_err(|_| Problem::NotFound)?;
    let by = overseer(&caller)?;
    if !is_published(&app, &kid).await? {
        return Err(Problem::NotFound);
    }
    let ordered = json!({ "kid": kid });
    record(&app, by, EventType::KeysRevocationOrdered, ordered).await?;
    let keeper = Keeper {
        db: &app.db,
        env: &app.env,
        keys: &app.keys,
        rules: signing::rules(&app.config),
    };
    keeper.revoke(&kid).await.map_err(StoreError::from)?;
    // This process signs by the next key before it answers; the others follow by themselves.
    app.reload_ring().await.map_err(StoreError::from)?;
    Ok(Json(WithdrawalBody {
        withdrawn_at: app.env.now(),
        is_published: is_published(&app, &kid).await?,
        kid,
    }))
}

async fn is_published(app: &App, kid: &str) -> Result<bool, StoreError> {
    let lives = ring::lives(&app.db).await?;
    Ok(lives.iter().any(|key| key.kid == kid))
}
