//! Support's access: who, why, what was opened; yes, no, and the end.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{frame, signed_in};
use crate::account::support::{self, Act};
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::identity::membership;
use crate::impersonation::model::Opened;
use crate::impersonation::service::Answer;
use crate::impersonation::{EndCause, Grant, Preset, Rule, State};
use crate::pages::{
    Clinic, Hidden, SupportNotice, SupportOpened, SupportPage, SupportRow, SupportStanding, paths,
};

/// Values of `?done=`.
const ALLOWED: &str = "allowed";
const REFUSED: &str = "refused";
const ENDED: &str = "ended";
const CHANGED: &str = "changed";

/// `GET /account/access`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = look(&visit);
    visit.answer(result.await)
}

async fn look(visit: &Visit) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let seen = support::look(&visit.app, &present).await?;
    let now = visit.app.env.now();
    let rows = seen.grants.into_iter();
    let rows = rows.map(|(clinic, grant, opened)| row(clinic, grant, opened, now));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| {
        let is_over = matches!(row.standing, SupportStanding::Over { .. });
        (is_over, std::cmp::Reverse(row.requested_at))
    });
    let shown = SupportPage {
        frame: frame(visit, &present, seen.clocks),
        csrf: Hidden::from(visit.browser.csrf()),
        now,
        rows,
        notice: match visit.parameter("done").as_deref() {
            Some(ALLOWED) => Some(SupportNotice::Allowed),
            Some(REFUSED) => Some(SupportNotice::Refused),
            Some(ENDED) => Some(SupportNotice::Ended),
            Some(CHANGED) => Some(SupportNotice::Changed),
            _ => None,
        },
    };
    Ok(page(StatusCode::OK, &shown))
}

fn row(
    clinic: membership::Clinic,
    grant: Grant,
    opened: Vec<Opened>,
    now: OffsetDateTime,
) -> SupportRow {
    let opened = opened.into_iter().map(|opened| SupportOpened {
        what: what(&opened),
        times: opened.times,
        last_at: opened.last_at,
    });
    SupportRow {
        standing: standing(&grant, now),
        opened: opened.collect(),
        id: grant.id.to_string(),
        slug: clinic.slug,
        clinic: Clinic {
            accent: clinic.accent.parse().unwrap_or_default(),
            name: clinic.name,
        },
        actor: grant.actor_name,
        reason: grant.reason,
        ticket: grant.ticket,
        may: match grant.preset {
            Preset::ReadOnly => "It may look, and change nothing.",
            Preset::Assist => "It may look, and change what support may change.",
            Preset::Technical => "It may look for a fault, and sees nothing of your visits.",
        },
        minutes: grant.minutes,
        requested_at: grant.requested_at,
    }
}

/// A route that was asked, in words before it where support is lent one of our own.
fn what(opened: &Opened) -> String {
    let asked = format!("{} {}", opened.method, opened.route);
    let below = ["/api/v1/clinics/{clinic}", "/api/v1"];
    let path = below.iter().find_map(|own| opened.route.strip_prefix(own));
    let words = match (opened.method.as_str(), path) {
        ("GET", Some("/me")) => "Your name and roles",
        ("GET", Some("/visits")) => "Your visits",
        _ => return asked,
    };
    format!("{words} ({asked})")
}

/// How far it is at this moment: what ran out is over, whether it was written down yet or not.
fn standing(grant: &Grant, now: OffsetDateTime) -> SupportStanding {
    let over = |at, cause| SupportStanding::Over {
        at,
        was_active: grant.started_at.is_some(),
        why: why(grant.state, cause),
    };
    match (grant.ended_at, grant.ends_at) {
        (Some(at), _) => over(at, grant.end_cause.unwrap_or(EndCause::Time)),
        (None, Some(ends_at)) if ends_at <= now => over(ends_at, EndCause::Time),
        (None, Some(ends_at)) => SupportStanding::Active { ends_at },
        (None, None) if grant.start_by <= now => over(grant.start_by, EndCause::Unanswered),
        (None, None) if grant.state == State::Approved => SupportStanding::Allowed,
        (None, None) if grant.rule == Rule::ConsentOfUser => SupportStanding::AsksHer,
        (None, None) => SupportStanding::AsksClinic,
    }
}

const fn why(state: State, cause: EndCause) -> &'static str {
    match (state, cause) {
        (State::Refused, EndCause::Subject) => "you said no",
        (State::Refused, _) => "your clinic said no",
        (_, EndCause::Subject) => "you ended it",
        (_, EndCause::Clinic) => "your clinic ended it",
        (_, EndCause::Actor) => "support ended it",
        (_, EndCause::Operator) => "the platform ended it",
        (_, EndCause::Time) => "its time was up",
        (_, EndCause::Unanswered) => "nobody began it in time",
        (_, EndCause::ActorSignedOut) => "support signed out",
        (_, EndCause::MembershipChanged | EndCause::RolesChanged | EndCause::AccountChanged) => {
            "somebody\u{2019}s access changed"
        }
        (_, EndCause::ClinicSuspended) => "your clinic was closed",
        (_, EndCause::PolicyChanged) => "your clinic no longer allows it",
        (_, EndCause::CodeReplayed) => "it was shut for safety",
    }
}

/// The form about one grant.
#[derive(Debug, Deserialize)]
pub(super) struct OfGrant {
    clinic: String,
    grant: String,
    #[serde(default)]
    decision: String,
}

/// `POST /account/access/answer`.
pub(super) async fn answer(OwnForm { visit, fields }: OwnForm<OfGrant>) -> Response {
    let result = async {
        let act = match fields.decision.as_str() {
            "allow" => Act::Allow,
            "refuse" => Act::Refuse,
            _ => {
                return Err(PageError::BadRequest {
                    detail: "neither yes nor no",
                    field: Some("decision"),
                });
            }
        };
        take(&visit, &fields, act).await
    };
    visit.answer(result.await)
}

/// `POST /account/access/end`.
pub(super) async fn end(OwnForm { visit, fields }: OwnForm<OfGrant>) -> Response {
    let result = take(&visit, &fields, Act::End);
    visit.answer(result.await)
}

async fn take(visit: &Visit, fields: &OfGrant, act: Act) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let id = fields.grant.parse().map_err(|_| PageError::NotFound)?;
    let of = (fields.clinic.as_str(), id);
    let done = match (support::act(&visit.app, &present, of, act).await?, act) {
        (Answer::Unknown, _) => return Err(PageError::NotFound),
        (Answer::Denied(_), _) => CHANGED,
        (Answer::Done(_), Act::Allow) => ALLOWED,
        (Answer::Done(_), Act::Refuse) => REFUSED,
        (Answer::Done(_), Act::End) => ENDED,
    };
    let to = format!("{}?done={done}", paths::ACCOUNT_SUPPORT);
    Ok(Redirect::to(&to).into_response())
}
