//! How a page of an app is asked for: where and by which browser; and the way in, for whoever is
//! signed in there.
//!
//! Invariants
//! 1. A handler has a form's fields only if the form was on a page that we gave to this session:
//!    [`Sent`] gives them, and nothing else does.
//! 2. A page has an access token to ask the API with only from [`Door::enter`].

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::Duration;

use super::HOME;
use super::browser::Browser;
use super::outcome::AppError;
use super::session::{PATIENCE_OF_A_PAGE, ended_page};
use super::sign_in;
use super::surroundings::{Inside, Known, known};
use crate::apps::model::AppSession;
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, StandingError, standing};
use crate::apps::{RelyingParty, policy};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{EndReason, Page, Surroundings};

/// What a handler answers: either is shown.
pub(super) type Answer = Result<Response, Response>;

/// Who asks is not known yet.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) rp: RelyingParty,
    pub(super) site: Site,
    pub(super) browser: Browser,
    pub(super) id: RequestId,
    pub(super) headers: HeaderMap,
    method: Method,
}

impl FromRequestParts<RelyingParty> for Door {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        rp: &RelyingParty,
    ) -> Result<Self, Self::Rejection> {
        let site = Site::from_request_parts(parts, rp).await?;
        let Ok(browser) = Browser::from_request_parts(parts, rp).await;
        let Ok(id) = RequestId::from_request_parts(parts, rp).await;
        Ok(Self {
            rp: rp.clone(),
            site,
            browser,
            id,
            headers: parts.headers.clone(),
            method: parts.method.clone(),
        })
    }
}

impl Door {
    /// The short name of the clinic whose host it is.
    pub(super) fn clinic(&self) -> Option<&str> {
        self.site.clinic.as_ref().map(|clinic| clinic.slug.as_str())
    }

    /// The page of an error.
    pub(super) fn refuse(&self, error: impl Into<AppError>) -> Response {
        error.into().respond(&self.rp, &self.site, &self.id)
    }

    /// What this browser's session is worth.
    ///
    /// - `patience`: how old the issuer's word on it may be
    pub(super) async fn standing(&self, patience: Duration) -> Result<Standing, StandingError> {
        standing(
            &self.rp,
            self.browser.session.as_ref(),
            self.clinic(),
            patience,
        )
        .await
    }

    /// The session of whoever is signed in; an error leads to the first page, or says why it is
    /// over.
    pub(super) async fn session(&self) -> Result<AppSession, Response> {
        match self.standing(PATIENCE_OF_A_PAGE).await {
            Ok(Standing::Live(session)) => Ok(*session),
            Ok(Standing::Ended(reason)) => Err(ended_page(&self.rp, reason)),
            Ok(Standing::Nobody) if self.method == Method::GET => {
                Err(Redirect::to(HOME).into_response())
            }
            // What was typed went nowhere, and she is told why.
            Ok(Standing::Nobody) => Err(ended_page(&self.rp, EndReason::Elsewhere)),
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Lets in whoever is signed in, and asks the API who she is.
    pub(super) async fn enter(&self) -> Result<Box<Inside>, Response> {
        let session = self.session().await?;
        let by_person = policy::is_persons_navigation(&self.headers);
        match known(&self.rp, session, by_person).await {
            Ok(Known::Here(session, me)) => {
                let around = Surroundings::of(self, &session);
                match me {
                    Ok(me) => Ok(Box::new(Inside {
                        around: around.with(&me),
                        session: *session,
                        me,
                    })),
                    Err(refused) => Err(around.refusal(&self.rp, refused.shown())),
                }
            }
            Ok(Known::Over(reason)) => Err(ended_page(&self.rp, reason)),
            Ok(Known::Renew(session)) => Err(sign_in::renew(self, &session).await),
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// A page whose forms may lead to the issuer.
    pub(super) fn show(&self, shown: &impl Page) -> Response {
        page::page_leading_to(StatusCode::OK, shown, Some(self.rp.app().issuer()))
    }
}

/// The query of a page. One that it does not know is no address of ours.
#[derive(Debug)]
pub(super) struct Asked<Q>(pub(super) Q);

impl<Q: DeserializeOwned + Send> FromRequestParts<RelyingParty> for Asked<Q> {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        rp: &RelyingParty,
    ) -> Result<Self, Self::Rejection> {
        let read = Query::try_from_uri(&parts.uri).ok();
        if let Some(Query(query)) = read {
            return Ok(Self(query));
        }
        let door = Door::from_request_parts(parts, rp).await;
        let door = door.map_err(IntoResponse::into_response)?;
        Err(door.refuse(AppError::NotFound))
    }
}

/// The fields of a form that was on a page of this session's.
#[derive(Debug)]
pub(super) struct Sent<F>(pub(super) F);

/// The fields of a form whose button says all.
#[derive(Debug, Deserialize)]
pub(super) struct NoFields {}

/// What each of our forms has.
#[derive(Deserialize)]
struct Token {
    csrf: SecretString,
}

impl<F: DeserializeOwned> FromRequest<RelyingParty> for Sent<F> {
    type Rejection = Response;

    async fn from_request(request: Request, rp: &RelyingParty) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let door = Door::from_request_parts(&mut parts, rp).await;
        let door = door.map_err(IntoResponse::into_response)?;
        let request = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(request, rp).await;
        let body = body.map_err(IntoResponse::into_response)?;
        let request = || Request::from_parts(parts.clone(), Body::from(body.clone()));
        let token = Form::<Token>::from_request(request(), rp).await;
        if !token.is_ok_and(|Form(Token { csrf })| door.browser.owns(rp, csrf.expose_secret())) {
            return Err(door.refuse(AppError::Forged));
        }
        match Form::from_request(request(), rp).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(_) => Err(door.refuse(AppError::Unreadable)),
        }
    }
}
