//! Which class of access a caller may ask for. Pure.

use crate::db::AccessClass;

/// The class that each role opens, the narrowest first: what a caller gets who asks for none.
const CLASSES: [(&str, &str, AccessClass); 4] = [
    ("patient", "patient", AccessClass::Patient),
    ("clinician", "clinician", AccessClass::Clinician),
    ("nurse", "care_team", AccessClass::CareTeam),
    ("clinic_admin", "care_team", AccessClass::CareTeam),
];

/// What a caller may ask for.
pub const CLASS_NAMES: [&str; 3] = ["patient", "clinician", "care_team"];

/// The caller's: why she may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayNot {
    /// Nobody sees visits in a class of that name.
    NoSuchClass,
    /// None of her roles opens it.
    NotInThatRole,
}

/// Chooses exactly one class: the one asked for if a role opens it, else the narrowest.
///
/// - `asked`: one of [`CLASS_NAMES`], from the route
pub fn may_list(roles: &[String], asked: Option<&str>) -> Result<AccessClass, MayNot> {
    if asked.is_some_and(|asked| !CLASS_NAMES.contains(&asked)) {
        return Err(MayNot::NoSuchClass);
    }
    CLASSES
        .into_iter()
        .find(|(role, name, _)| {
            roles.iter().any(|held| held == role) && asked.is_none_or(|asked| asked == *name)
        })
        .map(|(_, _, class)| class)
        .ok_or(MayNot::NotInThatRole)
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
        assert_eq!(
            may_list(&both, Some("clinician")),
            Err(MayNot::NotInThatRole)
        );
        assert_eq!(
            may_list(&["executive".to_owned()], None),
            Err(MayNot::NotInThatRole)
        );
        let unknown = may_list(&both, Some("executive"));
        assert_eq!(unknown, Err(MayNot::NoSuchClass));
    }

    #[test]
    fn every_class_that_a_role_opens_can_be_asked_for() {
        let opened = CLASSES.map(|(_, name, _)| name);
        assert!(opened.iter().all(|name| CLASS_NAMES.contains(name)));
        assert!(CLASS_NAMES.iter().all(|name| opened.contains(name)));
    }
}
