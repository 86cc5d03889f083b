//! Which class of access a caller may ask for. Pure.

use crate::db::AccessClass;

/// The class that each role opens, the narrowest first: what a caller gets who asks for none.
const CLASSES: [(&str, &str, AccessClass); 4] = [
    ("patient", "patient", AccessClass::Patient),
    ("clinician", "clinician", AccessClass::Clinician),
    ("nurse", "care_team", AccessClass::CareTeam),
    ("clinic_admin", "care_team", AccessClass::CareTeam),
];

/// The caller's: she may not see visits that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInThatRole;

/// Chooses exactly one class: the one asked for if a role opens it, else the narrowest.
///
/// - `asked`: `patient`, `clinician` or `care_team`, from the route
pub fn may_list(roles: &[String], asked: Option<&str>) -> Result<AccessClass, NotInThatRole> {
    CLASSES
        .into_iter()
        .find(|(role, name, _)| {
            roles.iter().any(|held| held == role) && asked.is_none_or(|asked| asked == *name)
        })
        .map(|(_, _, class)| class)
        .ok_or(NotInThatRole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_never_the_union_of_several_roles() {
        let both = ["clinic_admin".to_owned(), "patient".to_owned()];
        assert_eq!(may_list(&both, None), Ok(AccessClass::Patient));
        assert_eq!(
            may_list(&both, Some("care_team")),
            Ok(AccessClass::CareTeam)
        );
        assert_eq!(may_list(&both, Some("clinician")), Err(NotInThatRole));
        assert_eq!(
            may_list(&["executive".to_owned()], None),
            Err(NotInThatRole)
        );
    }
}
