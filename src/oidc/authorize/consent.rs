//! Asking a member what another party's client may see, and taking her answer.
//!
//! What she answers to is read from the waiting request, never from the form. The form carries a
//! digest over session, clinic and scopes, so that an answer meant for one of them is none for
//! another (AUTHZ-12).

use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Deserialize;
use time::Duration;

use super::decline::{decline, find};
use super::policy::{self, Facts, Step};
use super::service::Waiting;
use super::settle::look;
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to};
use crate::http::visit::Visit;
use crate::identity::membership::{Clinic, store as memberships};
use crate::ids::{SessionId, TenantId};
use crate::oidc::consent::{service as consents, words};
use crate::pages::{self, ConsentPage, Hidden};
use crate::secret::KeyedDigest;
use crate::sessions::service as sessions;

/// What a member is asked, if she is to be asked.
struct Question {
    session: SessionId,
    tenant: TenantId,
    clinic: Option<Clinic>,
    login: String,
}

impl Question {
    /// Over all that an answer is for.
    fn digest(&self, app: &App, waiting: &Waiting) -> KeyedDigest {
        let scopes = waiting.request.scopes.join(" ");
        let bound: [&[u8]; 4] = [
            &self.session.as_uuid().into_bytes(),
            &self.tenant.as_uuid().into_bytes(),
            waiting.client.id.as_str().as_bytes(),
            scopes.as_bytes(),
        ];
        let flow = waiting.interaction.id.as_uuid();
        app.keys.digest("consent", flow.as_bytes(), &bound)
    }
}

/// What she answered.
struct Given<'a> {
    asked: &'a str,
    is_allowed: bool,
}

/// What an answer came to.
enum Taken {
    /// She is to be asked nothing (any more): on with the request.
    Settled,
    /// The form was not for this question.
    Forged,
    /// Recorded.
    Recorded,
}

/// `GET /consent?flow=`.
pub(crate) async fn show(visit: Visit) -> Response {
    let result = ask(&visit);
    visit.answer(result.await)
}

/// Back to the request, which decides anew where to go.
fn onward(waiting: &Waiting) -> Response {
    let flow = waiting.interaction.id;
    Redirect::to(&format!("/authorize/resume?flow={flow}")).into_response()
}

async fn ask(visit: &Visit) -> Result<Response, PageError> {
    let waiting = find(visit, visit.parameter("flow").as_deref()).await?;
    let Some(question) = question(visit, &waiting).await? else {
        return Ok(onward(&waiting));
    };
    let asked = URL_SAFE_NO_PAD.encode(question.digest(&visit.app, &waiting).as_bytes());
    let mut frame = visit.frame();
    frame.clinic = question.clinic.map(|clinic| pages::Clinic {
        name: clinic.name,
        accent: clinic.accent.parse().unwrap_or_default(),
    });
    let shown = ConsentPage {
        frame,
        csrf: Hidden::from(visit.browser.csrf()),
        flow: Hidden::from(waiting.interaction.id.to_string()),
        asked: Hidden::from(asked),
        client_name: waiting.client.name.clone(),
        wishes: words::in_words(&waiting.request.scopes),
        is_for_reading: words::are_for_reading(&waiting.request.scopes),
        most_hours: most_hours(&visit.app, waiting.client.kind.is_public()),
        login: question.login,
    };
    let leads_to = waiting.request.leads_to();
    Ok(page_leading_to(StatusCode::OK, &shown, leads_to.as_deref()))
}

/// How long the client may look at most before it has to send her here again.
fn most_hours(app: &App, is_public: bool) -> i64 {
    let lifetimes = &app.config.lifetimes;
    let refreshing = if is_public {
        lifetimes.refresh_public
    } else {
        lifetimes.refresh_confidential
    };
    let longest = refreshing.min(app.config.session.absolute);
    (longest + Duration::HOUR - Duration::SECOND)
        .whole_hours()
        .max(1)
}

/// The question that the request comes to for who is signed in here.
async fn question(visit: &Visit, waiting: &Waiting) -> Result<Option<Question>, StoreError> {
    let Some(presented) = &visit.browser.session else {
        return Ok(None);
    };
    let (app, asked) = (&visit.app, waiting.asked());
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    let asking = app.db.run(authority, async |tx| {
        let Some((session, proof)) = sessions::recognize(tx, app, presented).await? else {
            return Ok(None);
        };
        let facts = Facts {
            session: Some(look(tx, app, &session, proof, &asked).await?),
            asked_at: asked.began_at,
        };
        let Step::AskConsent { tenant } = policy::decide(asked.request, &facts, app.env.now())
        else {
            return Ok(None);
        };
        let clinic = memberships::find_clinic_by_id(tx, tenant).await?;
        tx.proceed(Authority::account(proof.0)).await?;
        let login = memberships::find_login(tx, proof.account()).await?;
        Ok(Some(Question {
            session: session.id,
            tenant,
            clinic,
            login: login.unwrap_or_default(),
        }))
    });
    asking.await
}

/// The form.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    flow: String,
    #[serde(default)]
    asked: String,
    #[serde(default)]
    decision: String,
}

/// `POST /consent`.
pub(crate) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take_answer(&visit, &fields);
    visit.answer(result.await)
}

async fn take_answer(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let waiting = find(visit, Some(&fields.flow)).await?;
    let is_allowed = match fields.decision.as_str() {
        "allow" => true,
        "deny" => false,
        _ => {
            return Err(PageError::BadRequest {
                detail: "neither allowed nor denied",
                field: Some("decision"),
            });
        }
    };
    let given = Given {
        asked: &fields.asked,
        is_allowed,
    };
    match answer(visit, &waiting, &given).await? {
        Taken::Forged => Err(PageError::Forged),
        Taken::Settled => Ok(onward(&waiting)),
        Taken::Recorded if is_allowed => Ok(onward(&waiting)),
        Taken::Recorded => decline(&visit.app, &waiting).await,
    }
}

/// Looks and decides once more, and records the answer in the same transaction.
async fn answer(visit: &Visit, waiting: &Waiting, given: &Given<'_>) -> Result<Taken, StoreError> {
    let Some(presented) = &visit.browser.session else {
        return Ok(Taken::Settled);
    };
    let (app, asked) = (&visit.app, waiting.asked());
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    let answering = app.db.run(authority, async |tx| {
        let Some((session, proof)) = sessions::recognize(tx, app, presented).await? else {
            return Ok(Taken::Settled);
        };
        // Ends as the member, if she is one.
        let facts = Facts {
            session: Some(look(tx, app, &session, proof, &asked).await?),
            asked_at: asked.began_at,
        };
        let Step::AskConsent { tenant } = policy::decide(asked.request, &facts, app.env.now())
        else {
            return Ok(Taken::Settled);
        };
        let question = Question {
            session: session.id,
            tenant,
            clinic: None,
            login: String::new(),
        };
        let shown = URL_SAFE_NO_PAD.decode(given.asked).unwrap_or_default();
        if !question.digest(app, waiting).matches(&shown) {
            return Ok(Taken::Forged);
        }
        consents::answer(tx, app, asked.client, asked.request, given.is_allowed).await?;
        Ok(Taken::Recorded)
    });
    answering.await
}
