//! The platform's API as an app sees it: JSON over HTTP, with an access token.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use url::Url;

use super::calls::{CallError, Caller, Download};
use super::model::ClinicFacts;
use crate::pages::Refusal;

/// The API's name as an audience: its address (RFC 8707).
pub fn audience(issuer: &str) -> String {
    format!("{issuer}/api/v1")
}

/// `GET /api/v1/me`.
#[derive(Debug, Deserialize)]
pub struct Me {
    /// The caller, as her clinic knows her.
    pub me: Member,
    /// What the clinic tells its people.
    pub announcement: Option<Announcement>,
}

/// What a clinic tells its people.
#[derive(Debug, Deserialize)]
pub struct Announcement {
    /// As it was written.
    pub text: String,
}

/// `GET /api/v1/visits`.
#[derive(Debug, Default, Deserialize)]
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
    /// Her `sub` in this clinic.
    pub id: String,
    /// Display name.
    pub name: String,
    /// By their words.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `active`, `suspended`, `ended`.
    pub status: String,
}

impl Member {
    /// Whether she holds that role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
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
    /// It wants her to prove more, or again (RFC 9470).
    StepUp(Challenge),
    /// It said nothing that can be read.
    Failed(String),
}

/// What to ask of the issuer before asking once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Contexts of authentication, any of which would do.
    pub acr_values: Option<String>,
    /// Seconds since she proved who she is, at most.
    pub max_age: Option<u32>,
}

/// What the API told, or nothing with why not: for a page that is shown all the same.
pub fn told_or_refused<T: Default>(answer: Result<T, ApiError>) -> (T, Option<Refusal>) {
    match answer {
        Ok(told) => (told, None),
        Err(refused) => (T::default(), Some(refused.shown())),
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self::Failed(crate::http::chain(&error))
    }
}

impl ApiError {
    /// As a page shows it.
    pub fn shown(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::StepUp(_) => Refusal {
                status: 401,
                code: STEP_UP.to_owned(),
            },
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
        let headers = headers(access_token, by_person)?;
        let answer = self.ask(address, headers).await?;
        read(path, &accepted(path, answer)?)
    }

    /// `POST {issuer}/api/v1/{path}` of what a person typed; an answer of any kind is a yes.
    pub async fn post(
        &self,
        path: &str,
        access_token: &str,
        body: &serde_json::Value,
    ) -> Result<(), ApiError> {
        self.send(path, access_token, body).await.map(drop)
    }

    /// The same where the answer is what a person asked for.
    pub async fn ask_by_post<T: DeserializeOwned>(
        &self,
        path: &str,
        access_token: &str,
        body: &serde_json::Value,
    ) -> Result<T, ApiError> {
        read(path, &self.send(path, access_token, body).await?)
    }

    async fn send(
        &self,
        path: &str,
        access_token: &str,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, ApiError> {
        let address = self.address(&format!("/api/v1/{path}"))?;
        let mut headers = headers(access_token, true)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = self.caller.post(address, headers, body.to_string()).await;
        accepted(path, sent?)
    }

    /// `GET {issuer}/api/v1/{path}` of what a person takes along.
    pub async fn download(&self, path: &str, access_token: &str) -> Result<Download, ApiError> {
        let address = self.address(&format!("/api/v1/{path}"))?;
        let asked = self.caller.download(address, headers(access_token, true)?);
        let download = asked.await?;
        if download.is_a_yes() {
            return Ok(download);
        }
        let answer = download.refusal().await?;
        Err(accepted(path, answer)
            .err()
            .unwrap_or_else(|| ApiError::Failed(format!("{path}: nothing to take"))))
    }

    /// `GET {issuer}{path}` of what anybody may have.
    pub async fn published<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let answer = self.ask(self.address(path)?, HeaderMap::new()).await?;
        read(path, &accepted(path, answer)?)
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
        Ok(self.caller.get(address, headers).await?)
    }
}

fn headers(access_token: &str, by_person: bool) -> Result<HeaderMap, ApiError> {
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
    Ok(headers)
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::Failed(format!("{path}: {error}")))
}

/// The body of a yes, or the no.
fn accepted(path: &str, answer: (u16, HeaderMap, Vec<u8>)) -> Result<Vec<u8>, ApiError> {
    let (status, headers, body) = answer;
    match status {
        200 => Ok(body),
        401 if code(status, &headers) == STEP_UP => Err(ApiError::StepUp(Challenge {
            acr_values: parameter(&headers, "acr_values").filter(|values| {
                values.len() <= 200 && values.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            }),
            max_age: parameter(&headers, "max_age").and_then(|seconds| seconds.parse().ok()),
        })),
        400..=499 => Err(ApiError::Refused(Refusal {
            status,
            code: code(status, &headers),
        })),
        status => Err(ApiError::Failed(format!("{path}: status {status}"))),
    }
}

/// The `error` of a challenge that asks for more (RFC 9470 §3).
const STEP_UP: &str = "insufficient_user_authentication";

/// A quoted parameter of a challenge.
fn parameter(headers: &HeaderMap, name: &str) -> Option<String> {
    let challenge = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let value = challenge.split(&format!("{name}=\"")).nth(1)?;
    value.split('"').next().map(str::to_owned)
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
