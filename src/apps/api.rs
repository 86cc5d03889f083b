//! The platform's API as an app sees it: JSON over HTTP, with an access token.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use url::Url;

use super::calls::{CallError, Caller};
use super::model::ClinicFacts;
use crate::pages::Refusal;

/// What the apps ask for; each person gets what her roles allow of it.
pub const SCOPES: [&str; 4] = ["profile", "profile:read", "tenancy:read", "visits:read"];

/// The API's name as an audience: its address (RFC 8707).
pub fn audience(issuer: &str) -> String {
    format!("{issuer}/api/v1")
}

/// `GET /api/v1/me`.
#[derive(Debug, Deserialize)]
pub struct Me {
    /// The caller, as her clinic knows her.
    pub me: Member,
}

/// `GET /api/v1/visits`.
#[derive(Debug, Deserialize)]
pub struct Visits {
    /// In any order.
    pub visits: Vec<Visit>,
}

/// One visit.
#[derive(Debug, Deserialize)]
pub struct Visit {
    /// When it starts.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// `video`, `phone`, `in_person`.
    pub kind: String,
    /// `scheduled`, `running`, `completed`, `canceled`.
    pub state: String,
    /// Why the patient comes.
    pub reason: Option<String>,
    /// Whom it is for.
    pub patient: Party,
    /// Who treats.
    pub practitioner: Party,
}

/// One side of a visit.
#[derive(Debug, Deserialize)]
pub struct Party {
    /// Display name.
    pub name: String,
}

/// `GET /api/v1/members`.
#[derive(Debug, Deserialize)]
pub struct Members {
    /// By name.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// Display name.
    pub name: String,
    /// By their words.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `active`, `suspended`, `ended`.
    pub status: String,
}

/// `GET /api/v1/clinic`.
#[derive(Debug, Deserialize)]
pub struct ClinicDetails {
    /// Host label.
    pub slug: String,
    /// For people.
    pub name: String,
    /// `active`, `suspended`.
    pub status: String,
}

/// Why there is nothing to show.
#[derive(Debug)]
pub enum ApiError {
    /// It said no.
    Refused(Refusal),
    /// It said nothing that can be read.
    Failed(String),
}

impl ApiError {
    /// As a page shows it.
    pub fn shown(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Failed(detail) => {
                tracing::warn!(detail, "the API failed");
                Refusal {
                    status: 502,
                    code: "unavailable".to_owned(),
                }
            }
        }
    }

    /// Whether the token itself was refused.
    pub const fn is_dead_token(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 401)
    }
}

/// A way to the API of one issuer.
#[derive(Clone, Debug)]
pub struct Api {
    issuer: Url,
    caller: Caller,
}

impl Api {
    /// At that issuer.
    pub const fn new(issuer: Url, caller: Caller) -> Self {
        Self { issuer, caller }
    }

    /// `GET {issuer}/api/v1/{path}`.
    ///
    /// - `by_person`: whether a person did what makes us ask; only that keeps her session alive.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        access_token: &str,
        by_person: bool,
    ) -> Result<T, ApiError> {
        let address = self.address(&format!("/api/v1/{path}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut bearer = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| ApiError::Failed("a token that is no header value".to_owned()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        if by_person {
            headers.insert(
                lanyard_verifier::ACTIVITY_HEADER,
                HeaderValue::from_static("person"),
            );
        }
        let (status, answer, body) = self.ask(address, headers).await?;
        match status {
            200 => serde_json::from_slice(&body)
                .map_err(|error| ApiError::Failed(format!("{path}: {error}"))),
            status @ 400..=499 => Err(ApiError::Refused(Refusal {
                status,
                code: code(status, &answer),
            })),
            status => Err(ApiError::Failed(format!("{path}: status {status}"))),
        }
    }

    /// The clinic of a slug or id; `None` if there is none.
    pub async fn clinic(&self, name: &str) -> Result<Option<ClinicFacts>, ApiError> {
        let address = self.address(&format!("/clinics/{name}"))?;
        let (status, _, body) = self.ask(address, HeaderMap::new()).await?;
        match status {
            200 => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| ApiError::Failed(error.to_string())),
            404 => Ok(None),
            status => Err(ApiError::Failed(format!("clinics: status {status}"))),
        }
    }

    fn address(&self, path: &str) -> Result<Url, ApiError> {
        self.issuer
            .join(path)
            .map_err(|error| ApiError::Failed(error.to_string()))
    }

    async fn ask(
        &self,
        address: Url,
        headers: HeaderMap,
    ) -> Result<(u16, HeaderMap, Vec<u8>), ApiError> {
        let asked = self.caller.get(address, headers).await;
        asked.map_err(|error: CallError| ApiError::Failed(crate::http::chain(&error)))
    }
}

/// The `error` of a challenge (RFC 6750 §3): letters and underscores, or nothing known.
fn code(status: u16, headers: &HeaderMap) -> String {
    let challenge = headers
        .get(WWW_AUTHENTICATE)
        .and_then(|value| value.to_str().ok());
    let word = challenge.and_then(|text| text.split("error=\"").nth(1)?.split('"').next());
    let is_word =
        |w: &&str| w.len() <= 40 && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let known = match status {
        401 => "invalid_token",
        403 => "forbidden",
        404 => "not_found",
        429 => "slow_down",
        _ => "refused",
    };
    word.filter(is_word).unwrap_or(known).to_owned()
}
