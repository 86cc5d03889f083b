//! As what a caller may look, and what for. Pure.

use crate::db::{AccessClass, Purpose};
use crate::ids::SubjectId;

/// As what the caller's transaction looks, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// One class of access.
    pub class: AccessClass,
    /// The purpose of use.
    pub purpose: Purpose,
    /// The one patient whose record is meant, in an emergency.
    pub patient: Option<SubjectId>,
}

/// What each role opens, the narrowest first: what a caller gets who asks for none.
const LOOKS: [(&str, &str, AccessClass, Purpose); 5] = [
    (
        "patient",
        "patient",
        AccessClass::Patient,
        Purpose::Treatment,
    ),
    (
        "clinician",
        "clinician",
        AccessClass::Clinician,
        Purpose::Treatment,
    ),
    (
        "nurse",
        "care_team",
        AccessClass::CareTeam,
        Purpose::Treatment,
    ),
    (
        "clinic_admin",
        "care_team",
        AccessClass::CareTeam,
        Purpose::Operations,
    ),
    // Never without asking: it shows another's patients.
    (
        "clinician",
        "emergency",
        AccessClass::Clinician,
        Purpose::Emergency,
    ),
];

/// What a caller may ask for.
pub const LOOK_NAMES: [&str; 4] = ["patient", "clinician", "care_team", "emergency"];

/// The caller's: why she may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayNot {
    /// Nobody looks at visits under that name.
    NoSuchLook,
    /// None of her roles opens it.
    NotInThatRole,
    /// An emergency names one patient, and nothing else does.
    OfNoPatient,
    /// Nobody has an emergency in another's name.
    Acted,
}

/// Chooses exactly one look: the one asked for if a role opens it, else the narrowest.
///
/// - `asked`: one of [`LOOK_NAMES`], from the route
/// - `is_acted`: whether support acts as the caller
pub fn may_list(
    roles: &[String],
    asked: Option<&str>,
    patient: Option<SubjectId>,
    is_acted: bool,
) -> Result<Look, MayNot> {
    if asked.is_some_and(|asked| !LOOK_NAMES.contains(&asked)) {
        return Err(MayNot::NoSuchLook);
    }
    let (class, purpose) = LOOKS
        .into_iter()
        .find(|(role, name, ..)| {
            roles.iter().any(|held| held == role) && asked.is_none_or(|asked| asked == *name)
        })
        .map(|(.., class, purpose)| (class, purpose))
        .ok_or(MayNot::NotInThatRole)?;
    let is_emergency = purpose == Purpose::Emergency;
    if is_emergency && is_acted {
        return Err(MayNot::Acted);
    }
    if is_emergency != patient.is_some() {
        return Err(MayNot::OfNoPatient);
    }
    Ok(Look {
        class,
        purpose,
        patient,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn may(roles: &[&str], asked: Option<&str>) -> Result<(AccessClass, Purpose), MayNot> {
        let roles: Vec<_> = roles.iter().map(|&role| role.to_owned()).collect();
        let look = may_list(&roles, asked, None, false)?;
        Ok((look.class, look.purpose))
    }

    #[test]
    fn rights_are_never_the_union_of_several_roles() {
        let both = ["clinic_admin", "patient"];
        let own = (AccessClass::Patient, Purpose::Treatment);
        assert_eq!(may(&both, None), Ok(own));
        let all = (AccessClass::CareTeam, Purpose::Operations);
        assert_eq!(may(&both, Some("care_team")), Ok(all));
        assert_eq!(may(&both, Some("clinician")), Err(MayNot::NotInThatRole));
        assert_eq!(may(&["executive"], None), Err(MayNot::NotInThatRole));
        assert_eq!(may(&both, Some("executive")), Err(MayNot::NoSuchLook));
        let nurse = (AccessClass::CareTeam, Purpose::Treatment);
        assert_eq!(may(&["nurse", "clinic_admin"], None), Ok(nurse));
    }

    #[test]
    fn an_emergency_is_asked_for_by_a_clinician_himself_and_names_a_patient() {
        let patient = Some(SubjectId::from_uuid(Uuid::from_u128(7)));
        let ask = |role: &str, asked, patient, is_acted| {
            may_list(&[role.to_owned()], asked, patient, is_acted)
        };
        let look = ask("clinician", Some("emergency"), patient, false).expect("he may");
        assert_eq!((look.purpose, look.patient), (Purpose::Emergency, patient));
        let usual = ask("clinician", None, None, true).expect("support may see it as he does");
        assert_eq!(usual.purpose, Purpose::Treatment);
        for (role, asked, patient, is_acted, why) in [
            (
                "nurse",
                Some("emergency"),
                patient,
                false,
                MayNot::NotInThatRole,
            ),
            (
                "clinic_admin",
                Some("emergency"),
                patient,
                false,
                MayNot::NotInThatRole,
            ),
            (
                "clinician",
                Some("emergency"),
                None,
                false,
                MayNot::OfNoPatient,
            ),
            ("clinician", None, patient, false, MayNot::OfNoPatient),
            ("clinician", Some("emergency"), patient, true, MayNot::Acted),
        ] {
            assert_eq!(
                ask(role, asked, patient, is_acted),
                Err(why),
                "{role} {asked:?}"
            );
        }
    }

    #[test]
    fn every_look_that_a_role_opens_can_be_asked_for() {
        let opened = LOOKS.map(|(_, name, ..)| name);
        assert!(opened.iter().all(|name| LOOK_NAMES.contains(name)));
        assert!(LOOK_NAMES.iter().all(|name| opened.contains(name)));
    }
}
