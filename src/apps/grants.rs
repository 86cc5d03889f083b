//! Support's grants in words, as the API gives them.

use time::OffsetDateTime;

use super::staff::Impersonation;
use crate::pages::{ActingRow, ActingStanding, SupportOpened};

/// One grant, as everybody sees it who may; what depends on who looks is left empty.
pub fn row(grant: Impersonation, now: OffsetDateTime) -> ActingRow {
    ActingRow {
        standing: standing(&grant, now),
        opened: None,
        enter_href: None,
        is_own: false,
        id: grant.id.to_string(),
        clinic: String::new(),
        subject: grant.subject.to_string(),
        actor: grant.actor_name,
        reason: grant.reason,
        ticket: grant.ticket,
        may: match grant.preset.as_str() {
            "read-only" => "To look, and change nothing.",
            "assist" => "To look, and change what support may change.",
            _ => "To find a fault, and see no records.",
        },
        minutes: grant.minutes,
        requested_at: grant.requested_at,
    }
}

/// What was opened under it.
pub fn opened(grant: &Impersonation) -> Vec<SupportOpened> {
    let opened = grant.opened.iter();
    opened
        .map(|one| SupportOpened {
            what: format!("{} {}", one.method, one.route),
            times: one.times,
            last_at: one.last_at,
        })
        .collect()
}

/// How far it is at this moment: what ran out is over, whether it was written down yet or not.
fn standing(grant: &Impersonation, now: OffsetDateTime) -> ActingStanding {
    let over = |at, cause: Option<&str>| ActingStanding::Over {
        at,
        was_active: grant.started_at.is_some(),
        why: why(&grant.state, cause),
    };
    match (grant.ended_at, grant.ends_at) {
        (Some(at), _) => over(at, grant.end_cause.as_deref()),
        (None, Some(ends_at)) if ends_at <= now => over(ends_at, Some("time")),
        (None, Some(ends_at)) => ActingStanding::Active { ends_at },
        (None, None) if grant.start_by <= now => over(grant.start_by, Some("unanswered")),
        (None, None) if grant.state == "approved" => ActingStanding::Allowed { by: grant.start_by },
        (None, None) => ActingStanding::Asked { by: grant.start_by },
    }
}

fn why(state: &str, cause: Option<&str>) -> &'static str {
    match (state, cause.unwrap_or_default()) {
        ("refused", "by_subject") => "the person said no",
        ("refused", _) => "the clinic said no",
        (_, "by_subject") => "the person ended it",
        (_, "by_clinic") => "the clinic ended it",
        (_, "by_actor") => "support ended it",
        (_, "by_operator") => "the platform ended it",
        (_, "time") => "its time was up",
        (_, "unanswered") => "nobody began it in time",
        (_, "actor_signed_out") => "support signed out",
        (_, "clinic_suspended") => "the clinic was closed",
        (_, "policy_changed") => "the clinic no longer allows it",
        _ => "somebody\u{2019}s access changed",
    }
}
