//! The API's words as a page says them.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use super::api::{ClinicDetails, Members, Visit, Visits};
use super::care::{Delegation, EmergencyAccess};
use super::model::Kind;
use super::record::{Access, LogEvent, LogHeld, Review};
use crate::pages::{
    AccessRow, BASES, DelegationRow, EMERGENCY_REASONS, Fact, LogRow, LogStanding, MemberRow,
    OpenRow, ProxyRow, ReviewRow, VisitRow, WaitingRow, paths,
};

/// `Clinician and clinic admin`.
pub fn roles(roles: &[String]) -> String {
    let mut said: Vec<String> = roles.iter().map(|role| role.replace('_', " ")).collect();
    let last = said.pop().unwrap_or_default();
    let all = if said.is_empty() {
        last
    } else {
        format!("{} and {last}", said.join(", "))
    };
    capitalized(&all)
}

/// The rows of a list of visits, in UTC; the other side of each as this app's people see it. What
/// is to come stands first, the soonest on top; then what was, the latest on top.
pub fn visits(visits: Visits, kind: Kind) -> Vec<VisitRow> {
    let is_over = |visit: &Visit| matches!(visit.state.as_str(), "completed" | "canceled");
    let (mut over, mut open): (Vec<_>, Vec<_>) = visits.visits.into_iter().partition(is_over);
    open.sort_by_key(|visit| visit.starts_at);
    over.sort_by_key(|visit| std::cmp::Reverse(visit.starts_at));
    open.into_iter()
        .chain(over)
        .map(|visit| row(visit, kind))
        .collect()
}

fn row(visit: Visit, kind: Kind) -> VisitRow {
    VisitRow {
        starts_at: visit.starts_at,
        with: match kind {
            Kind::Patient => visit.practitioner.name,
            Kind::Clinician | Kind::Console | Kind::Platform => visit.patient.name,
        },
        modality: match visit.kind.as_str() {
            "in_person" => "In person".to_owned(),
            other => capitalized(other),
        },
        state: match visit.state.as_str() {
            "running" => "In progress".to_owned(),
            "completed" => "Done".to_owned(),
            other => capitalized(other),
        },
        reason: visit.reason.unwrap_or_default(),
    }
}

/// What the console says of its clinic.
pub fn facts(details: ClinicDetails, host: String) -> Vec<Fact> {
    vec![
        Fact {
            label: "Name",
            value: details.name,
        },
        Fact {
            label: "Short name",
            value: details.slug,
        },
        Fact {
            label: "Address",
            value: host,
        },
        Fact {
            label: "Status",
            value: capitalized(&details.status),
        },
    ]
}

/// How the visits are asked for: in the one role that this app is for. Of a clinic's staff, who
/// treats sees the patients assigned; the others the clinic's.
pub fn visits_path(kind: Kind, roles: &[String]) -> &'static str {
    match kind {
        Kind::Patient => "visits?as=patient",
        _ if roles.iter().any(|role| role == "clinician") => "visits?as=clinician",
        Kind::Clinician | Kind::Console | Kind::Platform => "visits?as=care_team",
    }
}

/// The rows of a list of members.
pub fn members(members: Members) -> Vec<MemberRow> {
    let row = |member: super::api::Member| MemberRow {
        name: member.name,
        roles: roles(&member.roles),
        status: capitalized(&member.status),
    };
    members.members.into_iter().map(row).collect()
}

/// The members' names by their `sub`.
pub fn names(members: Members) -> BTreeMap<String, String> {
    let named = |member: super::api::Member| (member.id, member.name);
    members.members.into_iter().map(named).collect()
}

/// How much a log holds, and how well it is kept.
pub fn standing(held: &LogHeld) -> LogStanding {
    LogStanding {
        size: held.size,
        oldest_at: held.oldest_recorded_at,
        retention_years: held.retention_years,
        signed: held.signed_at.map(|at| (held.signed, at)),
        is_anchored: held.anchored == held.signed,
    }
}

/// One entry of the log; who is a member is told by name. An account is told on the platform's
/// record alone: a clinic knows its members.
pub fn entry(event: LogEvent, names: &BTreeMap<String, String>, app: Kind) -> LogRow {
    let known = |id: String| names.get(&id).cloned().unwrap_or(id);
    let value = |value: Value| match value {
        Value::String(text) => known(text),
        other => other.to_string(),
    };
    let detail = event.detail.into_iter();
    let account = event.account.filter(|_| app == Kind::Platform);
    LogRow {
        index: event.index,
        recorded_at: event.recorded_at,
        event: event.event,
        who: event
            .subject
            .or(account)
            .map_or_else(|| "Nobody known".to_owned(), known),
        actor: event.actor.map(known),
        trace: event.trace,
        detail: detail.map(|(label, it)| (label, value(it))).collect(),
    }
}

/// One entry that waits to be looked at.
pub fn review(review: Review, names: &BTreeMap<String, String>) -> ReviewRow {
    let known = |id: String| names.get(&id).cloned().unwrap_or(id);
    ReviewRow {
        index: review.index,
        recorded_at: review.recorded_at,
        why: match review.why.as_str() {
            "access" => "A record was opened out of turn",
            "factor" => "Sign-in codes were changed",
            "privilege" => "Rights were changed",
            "session" => "A sign-in may have been stolen",
            "sign_in" => "Somebody guesses",
            _ => "Something unusual",
        },
        event: review.event,
        who: review
            .subject
            .map_or_else(|| "nobody known".to_owned(), known),
    }
}

/// One access of his own that is open.
pub fn open_access(access: EmergencyAccess) -> OpenRow {
    let until = access.ends_at();
    OpenRow {
        visits_href: format!("{}?id={}", paths::APP_EMERGENCY_VISITS, access.id),
        id: access.id.to_string(),
        patient: access.patient.name,
        reason: said(&EMERGENCY_REASONS, &access.reason),
        until,
    }
}

/// One access that waits for a review.
pub fn waiting_access(access: EmergencyAccess, now: OffsetDateTime) -> WaitingRow {
    let ended_at = access.ends_at();
    WaitingRow {
        id: access.id.to_string(),
        clinician: access.clinician.name,
        patient: access.patient.name,
        reason: said(&EMERGENCY_REASONS, &access.reason),
        why: access.why.unwrap_or_default(),
        opened_at: access.opened_at,
        ended_at,
        is_over: ended_at <= now,
    }
}

/// One delegation, as one of its two sees it.
///
/// - `shows_patient`: to the proxy; else to the patient
pub fn proxy(one: Delegation, shows_patient: bool, now: OffsetDateTime) -> ProxyRow {
    let other = if shows_patient {
        one.patient
    } else {
        one.proxy
    };
    ProxyRow {
        visits_href: format!("{}?id={}", paths::APP_PROXIES_VISITS, one.id),
        id: one.id.to_string(),
        name: other.name,
        basis: basis(&one.basis),
        begins_at: (now < one.valid_from).then_some(one.valid_from),
        ends_at: one.ends_at,
        may_end: one.you_may_end,
    }
}

/// One delegation, as its clinic sees it.
pub fn delegation(one: Delegation) -> DelegationRow {
    DelegationRow {
        id: one.id.to_string(),
        patient: one.patient.name,
        proxy: one.proxy.name,
        basis: basis(&one.basis),
        law: one.law,
        document: one.document.unwrap_or_default(),
        ends_at: one.ends_at,
        ended_at: one.ended_at,
    }
}

/// As what somebody acts.
pub fn basis(word: &str) -> &'static str {
    said(&BASES, word)
}

fn said(known: &[(&str, &'static str)], word: &str) -> &'static str {
    let known = known.iter().find(|(name, _)| *name == word);
    known.map_or("something else", |(_, words)| words)
}

/// One time that somebody saw a patient's record.
pub fn access(access: Access) -> AccessRow {
    let by = access.by;
    let name = by
        .name
        .unwrap_or_else(|| "Somebody who is no member any more".to_owned());
    let who = match (by.is_you, access.was_acted, access.proxy) {
        (true, false, _) => "You".to_owned(),
        (true, true, Some(proxy)) => format!("{proxy}, for you"),
        (true, true, None) => "Support, as you".to_owned(),
        (false, false, _) => name,
        (false, true, Some(proxy)) => format!("{proxy}, for {name}"),
        (false, true, None) => format!("Support, as {name}"),
    };
    let what = match access.event.as_str() {
        "visit.listed" => "Your visits, in a list".to_owned(),
        "emergency_access.read" => "Your visits, in an emergency".to_owned(),
        other => capitalized(&other.replace(['.', '_'], " ")),
    };
    AccessRow {
        at: access.recorded_at,
        who,
        what,
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::roles;

    #[test]
    fn roles_are_said_as_people_say_them() {
        let said = |names: &[&str]| roles(&names.iter().map(|&n| n.into()).collect::<Vec<_>>());
        assert_eq!(said(&["patient"]), "Patient");
        assert_eq!(
            said(&["clinic_admin", "clinician"]),
            "Clinic admin and clinician"
        );
        assert_eq!(said(&[]), "");
    }
}
