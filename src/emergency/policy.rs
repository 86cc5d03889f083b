//! Who may open, close and review an access, and in what state. Pure.

use time::OffsetDateTime;

use super::model::{EmergencyAccess, Finding};
use crate::db::{AccessClass, Purpose};
use crate::ids::SubjectId;

/// What a caller may ask for.
pub const VIEW_NAMES: [&str; 2] = ["clinician", "reviewer"];

/// Whose accesses are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The caller's own that are still open.
    Own,
    /// The clinic's that wait for their review.
    Queue,
}

impl View {
    /// As what, and what for, the caller's transaction looks.
    pub const fn look(self) -> (AccessClass, Purpose) {
        match self {
            Self::Own => (AccessClass::Clinician, Purpose::Emergency),
            Self::Queue => (AccessClass::Auditor, Purpose::Operations),
        }
    }
}

/// The caller's: why she may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayNot {
    /// There is no view of that name.
    NoSuchView,
    /// None of her roles opens it.
    NotInThatRole,
}

/// The view that each role opens, the narrowest first: what a caller gets who asks for none.
const VIEWS: [(&str, &str, View); 3] = [
    ("clinician", "clinician", View::Own),
    ("compliance_lead", "reviewer", View::Queue),
    ("clinic_admin", "reviewer", View::Queue),
];

/// Chooses exactly one view: the one asked for if a role opens it, else the narrowest.
///
/// - `asked`: one of [`VIEW_NAMES`], from the route
pub fn may_list(roles: &[String], asked: Option<&str>) -> Result<View, MayNot> {
    if asked.is_some_and(|asked| !VIEW_NAMES.contains(&asked)) {
        return Err(MayNot::NoSuchView);
    }
    VIEWS
        .into_iter()
        .find(|(role, name, _)| {
            roles.iter().any(|held| held == role) && asked.is_none_or(|asked| asked == *name)
        })
        .map(|(_, _, view)| view)
        .ok_or(MayNot::NotInThatRole)
}

/// The reviewer's: why an access is not signed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewRefusal {
    /// She opened it herself.
    HerOwn,
    /// It was signed off before.
    Reviewed,
    /// It is still open: more may be read under it.
    StillOpen,
    /// A finding other than `appropriate` is explained in words.
    Unexplained,
}

/// Whether a reviewer may sign an access off now.
///
/// # Errors
/// [`ReviewRefusal`].
pub fn may_review(
    access: &EmergencyAccess,
    reviewer: SubjectId,
    finding: Finding,
    has_note: bool,
    now: OffsetDateTime,
) -> Result<(), ReviewRefusal> {
    if access.clinician == reviewer {
        Err(ReviewRefusal::HerOwn)
    } else if access.review.is_some() {
        Err(ReviewRefusal::Reviewed)
    } else if access.ends_at() > now {
        Err(ReviewRefusal::StillOpen)
    } else if finding != Finding::Appropriate && !has_note {
        Err(ReviewRefusal::Unexplained)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::super::model::{Reason, Review};
    use super::*;
    use crate::ids::EmergencyId;

    const OPENED: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);
    const OVER: OffsetDateTime = datetime!(2026-03-02 15:00 UTC);

    fn subject(n: u128) -> SubjectId {
        SubjectId::from_uuid(Uuid::from_u128(n))
    }

    fn access() -> EmergencyAccess {
        EmergencyAccess {
            id: EmergencyId::from_uuid(Uuid::nil()),
            clinician: subject(1),
            patient: subject(2),
            reason: Reason::Other,
            opened_at: OPENED,
            expires_at: OVER,
            closed_at: None,
            review: None,
        }
    }

    #[test]
    fn each_role_has_one_view_and_the_narrowest_without_asking() {
        let roles = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let both = roles(&["clinic_admin", "clinician"]);
        assert_eq!(may_list(&both, None), Ok(View::Own));
        assert_eq!(may_list(&both, Some("reviewer")), Ok(View::Queue));
        let lead = roles(&["compliance_lead"]);
        assert_eq!(may_list(&lead, None), Ok(View::Queue));
        let refused = may_list(&lead, Some("clinician"));
        assert_eq!(refused, Err(MayNot::NotInThatRole));
        assert_eq!(
            may_list(&roles(&["nurse"]), None),
            Err(MayNot::NotInThatRole)
        );
        assert_eq!(may_list(&both, Some("all")), Err(MayNot::NoSuchView));
    }

    #[test]
    fn it_is_reviewed_once_when_it_is_over_and_by_another() {
        let ok = Finding::Appropriate;
        let may = |access: &EmergencyAccess, by, finding, note, now| {
            may_review(access, subject(by), finding, note, now)
        };
        let open = access();
        let second = Duration::SECOND;
        assert_eq!(may(&open, 3, ok, false, OVER), Ok(()));
        let early = may(&open, 3, ok, false, OVER - second);
        assert_eq!(early, Err(ReviewRefusal::StillOpen));
        let own = may(&open, 1, ok, false, OVER);
        assert_eq!(own, Err(ReviewRefusal::HerOwn));
        for finding in [Finding::Inappropriate, Finding::NeedsFollowUp] {
            let bare = may(&open, 3, finding, false, OVER);
            assert_eq!(bare, Err(ReviewRefusal::Unexplained));
            assert_eq!(may(&open, 3, finding, true, OVER), Ok(()));
        }
        let closed = EmergencyAccess {
            closed_at: Some(OPENED + second),
            ..access()
        };
        assert_eq!(may(&closed, 3, ok, false, OPENED + second), Ok(()));
        let reviewed = EmergencyAccess {
            review: Some(Review {
                at: OVER,
                by: subject(3),
                finding: ok,
            }),
            ..access()
        };
        let again = may(&reviewed, 4, ok, false, OVER);
        assert_eq!(again, Err(ReviewRefusal::Reviewed));
    }
}
