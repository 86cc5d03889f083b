//! The API's words as a page says them.

use super::api::{ClinicDetails, Members, Visits};
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

/// The rows of a list of visits, in UTC; the other side of each as this app's people see it.
pub fn visits(visits: Visits, kind: Kind) -> Vec<VisitRow> {
    let row = |visit: super::api::Visit| VisitRow {
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
    };
    visits.visits.into_iter().map(row).collect()
}

/// What the console says of its clinic.
pub fn facts(details: ClinicDetails, host: String) -> Vec<Fact> {
    let mut facts = vec![
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
    ];
    if let Some(seconds) = details.idle_seconds {
        facts.push(Fact {
            label: "Sign-out when away",
            value: after(seconds),
        });
    }
    if let Some(seconds) = details.absolute_seconds {
        facts.push(Fact {
            label: "Sign-out in any case",
            value: after(seconds),
        });
    }
    facts
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

fn after(seconds: u64) -> String {
    match seconds {
        s if s % 3600 == 0 => format!("after {} hours", s / 3600),
        s if s % 60 == 0 => format!("after {} minutes", s / 60),
        s => format!("after {s} seconds"),
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
