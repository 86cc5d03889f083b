//! The API's words as a page says them.

use super::api::{ClinicDetails, Members, Visit, Visits};
use super::model::Kind;
use crate::pages::{Fact, MemberRow, VisitRow};

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
            Kind::Clinician | Kind::Console => visit.patient.name,
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
        Kind::Clinician | Kind::Console if roles.iter().any(|role| role == "clinician") => {
            "visits?as=clinician"
        }
        Kind::Clinician | Kind::Console => "visits?as=care_team",
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
