//! `/proxies`: for whom she acts, and who acts for her; `/delegations`: the clinic's.

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::browser::Browser;
use super::deed::{self, Deed};
use super::outcome::AppError;
use super::surroundings::{Opened, open};
use crate::apps::api::{ApiError, Me, Members, Visits, told_or_refused};
use crate::apps::care::{Delegation, Delegations, OwnDelegations};
use crate::apps::model::Kind;
use crate::apps::sites::Site;
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{DeedNotice, DelegationsPage, ProxiesPage, RecordPage, Refusal, paths};

/// What the API lends to a proxy, all of it: the console's form names no less.
const LENT: [&str; 2] = ["audit.access.read", "visits.visit.read"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoneQuery {
    done: Option<String>,
}

/// `GET /proxies`.
pub(super) async fn show(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<DoneQuery>, QueryRejection>,
) -> Response {
    let (Kind::Patient, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let own = rp
        .api()
        .get::<OwnDelegations>("me/delegations", &token, true);
    let me = rp.api().get::<Me>("me", &token, false);
    let (own, me) = tokio::join!(own, me);
    let (own, refusal) = told_or_refused(own);
    let now = rp.app().env.now();
    let row = |one: Delegation, of_patient| {
        let is_over = one.is_over(now);
        (!is_over).then(|| words::proxy(one, of_patient, now))
    };
    let shown = ProxiesPage {
        around: *around,
        notice: query.done.as_deref().and_then(DeedNotice::parse),
        number: me.map(|me| me.me.id).unwrap_or_default(),
        you_act_for: own
            .you_act_for
            .into_iter()
            .filter_map(|one| row(one, true))
            .collect(),
        act_for_you: own
            .act_for_you
            .into_iter()
            .filter_map(|one| row(one, false))
            .collect(),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Deserialize)]
pub(super) struct Ending {
    csrf: String,
    id: Uuid,
}

/// `POST /proxies`: ends one of her own.
pub(super) async fn end(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<Ending>,
) -> Response {
    if rp.kind() != Kind::Patient {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let deed = Deed {
        path: format!("me/delegations/{}/end", fields.id),
        body: json!({}),
        back: paths::APP_PROXIES.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    id: Uuid,
}

/// `GET /proxies/visits`: the visits of somebody for whom she acts, by a token for this one look.
pub(super) async fn visits(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<RecordQuery>, QueryRejection>,
) -> Response {
    let (Kind::Patient, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let own = rp
        .api()
        .get::<OwnDelegations>("me/delegations", &token, true);
    let is_asked = |one: &Delegation| one.id == query.id;
    let one = match own.await {
        Ok(own) => own.you_act_for.into_iter().find(is_asked),
        Err(refused) => return around.refusal(&rp, refused.shown()),
    };
    let Some(one) = one else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let closed = |status, code: &str| Refusal {
        status,
        code: code.to_owned(),
    };
    let acting = rp.oidc().exchange(&one.id.to_string(), &token).await;
    let seen = match acting {
        Ok(Some(acting)) => {
            let acting = acting.expose_secret();
            let seen = rp.api().get::<Visits>("visits?as=patient", acting, false);
            seen.await.map_err(ApiError::shown)
        }
        // It is over, or not begun.
        Ok(None) => Err(closed(403, "invalid_grant")),
        Err(error) => {
            tracing::warn!(%error, "a delegation was not exchanged");
            Err(closed(502, "unavailable"))
        }
    };
    let (seen, refusal) = match seen {
        Ok(visits) => (words::visits(visits, Kind::Patient), None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let shown = RecordPage {
        around: *around,
        banner: format!(
            "You are looking at {}'s record as her {}. She sees that you did.",
            one.patient.name,
            words::basis(&one.basis)
        ),
        back_href: paths::APP_PROXIES,
        back: "Back to the people you act for",
        visits: seen,
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

/// `GET /delegations`: the clinic's.
pub(super) async fn list(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<DoneQuery>, QueryRejection>,
) -> Response {
    let (Kind::Console, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let listed = rp.api().get::<Delegations>("delegations", &token, true);
    let members = rp.api().get::<Members>("members", &token, false);
    let me = rp.api().get::<Me>("me", &token, false);
    let (listed, members, me) = tokio::join!(listed, members, me);
    let (listed, refusal) = told_or_refused(listed);
    let me = me.ok().map(|me| me.me);
    let may_write = me.as_ref().is_some_and(|me| me.has_role("clinic_admin"));
    let active: Vec<_> = members
        .map(|members| members.members)
        .unwrap_or_default()
        .into_iter()
        .filter(|member| member.status == "active")
        // Nobody writes down herself.
        .filter(|member| me.as_ref().is_none_or(|me| me.id != member.id))
        .collect();
    let named = |member: &crate::apps::api::Member| (member.id.clone(), member.name.clone());
    let patients = active.iter().filter(|member| member.has_role("patient"));
    let shown = DelegationsPage {
        around: *around,
        notice: query.done.as_deref().and_then(DeedNotice::parse),
        delegations: listed
            .delegations
            .into_iter()
            .map(words::delegation)
            .collect(),
        patients: patients.map(named).collect(),
        people: active.iter().map(named).collect(),
        may_write,
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Deserialize)]
pub(super) struct NewDelegation {
    csrf: String,
    patient: String,
    proxy: String,
    basis: String,
    document: String,
    #[serde(default)]
    ages_out_on: String,
    #[serde(default)]
    valid_until: String,
}

/// `POST /delegations`: writes one down.
pub(super) async fn create(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<NewDelegation>,
) -> Response {
    if rp.kind() != Kind::Console {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let mut body = json!({
        "patient": fields.patient, "proxy": fields.proxy, "basis": fields.basis,
        "document": fields.document, "scope": LENT,
    });
    if !fields.ages_out_on.is_empty() {
        body["ages_out_on"] = json!(fields.ages_out_on);
    }
    if !fields.valid_until.is_empty() {
        body["valid_until"] = json!(format!("{}T00:00:00Z", fields.valid_until));
    }
    let deed = Deed {
        path: "delegations".to_owned(),
        body,
        back: paths::APP_DELEGATIONS.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}

/// `POST /delegations/end`.
pub(super) async fn end_by_clinic(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<Ending>,
) -> Response {
    if rp.kind() != Kind::Console {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let deed = Deed {
        path: format!("delegations/{}/end", fields.id),
        body: json!({}),
        back: paths::APP_DELEGATIONS.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}
