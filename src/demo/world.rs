//! The demo's people and clinics. All made up.

use super::licenses::{DemoLicense, LICENSES};
use crate::apps::Kind;
use crate::impersonation::Rule;
use crate::visits::{VisitKind, VisitState};

/// A clinic of the demo.
#[derive(Debug)]
pub struct DemoClinic {
    /// First label of its hosts.
    pub slug: &'static str,
    /// What people read.
    pub name: &'static str,
    /// One of the palette.
    pub accent: &'static str,
    /// Its own idle limit in seconds, if it is not the roles'.
    pub idle_seconds: Option<i64>,
    /// What support may do there.
    pub support: Rule,
}

/// The clinics. At the last one nobody has time: it shows the sign-out of who is away.
pub const CLINICS: [DemoClinic; 3] = [
    DemoClinic {
        slug: "juniper",
        name: "Juniper Family Clinic",
        accent: "juniper",
        idle_seconds: None,
        support: Rule::ApprovalByAdmin,
    },
    DemoClinic {
        slug: "harbor",
        name: "Harbor Heart Center",
        accent: "harbor",
        idle_seconds: None,
        support: Rule::ConsentOfUser,
    },
    DemoClinic {
        slug: "willow",
        name: "Willow Walk-in",
        accent: "plum",
        idle_seconds: Some(WILLOW_IDLE_SECONDS),
        support: Rule::Forbidden,
    },
];

/// The tenant of the platform's own staff.
pub const PLATFORM: DemoClinic = DemoClinic {
    slug: "platform",
    name: "The platform's own staff",
    accent: "slate",
    idle_seconds: None,
    support: Rule::Forbidden,
};

/// Long enough to sign in, short enough to watch.
pub const WILLOW_IDLE_SECONDS: i64 = 6;

/// Someone at one clinic.
#[derive(Debug)]
pub struct DemoMember {
    /// What they sign in with; the same person at two clinics has one.
    pub login: &'static str,
    /// What they are called.
    pub name: &'static str,
    /// Where.
    pub clinic: &'static str,
    /// As what.
    pub roles: &'static [&'static str],
    /// Which app to open first.
    pub opens: Kind,
    /// What to try.
    pub to_try: &'static str,
}

/// Who uses all three apps: the physician who founded the clinic.
pub const RUTH: &str = "ruth.okafor@example.test";
/// Juniper's administrator.
pub const GRACE: &str = "grace.kim@example.test";
/// A patient of two clinics.
pub const ANA: &str = "ana.ortiz@example.test";
/// Of the platform's support.
pub const PIOTR: &str = "piotr.nowak@example.test";
/// Who works there and has no device for sign-in codes yet.
pub const NOAH: &str = "noah.brooks@example.test";
/// Whose clinic signs out quickly.
pub const IVY: &str = "ivy.stone@example.test";

/// Everybody.
pub const MEMBERS: [DemoMember; 14] = [
    DemoMember {
        login: ANA,
        name: "Ana Ortiz",
        clinic: "juniper",
        roles: &["patient"],
        opens: Kind::Patient,
        to_try: "See your visits, and on your account page who of support acted as you. You are \
                 Harbor's patient too: open the portal there, or without a clinic, and choose.",
    },
    DemoMember {
        login: RUTH,
        name: "Ruth Okafor",
        clinic: "juniper",
        roles: &["patient", "clinician", "clinic_admin"],
        opens: Kind::Clinician,
        to_try: "Open all three apps: you sign in once. Sign out of one: all are closed.",
    },
    DemoMember {
        login: "sam.lee@example.test",
        name: "Sam Lee",
        clinic: "juniper",
        roles: &["patient"],
        opens: Kind::Patient,
        to_try: "Open the clinician portal: the records stay closed to you.",
    },
    DemoMember {
        login: "maya.chen@example.test",
        name: "Maya Chen",
        clinic: "juniper",
        roles: &["clinician"],
        opens: Kind::Clinician,
        to_try: "You see the patients assigned to you, not Ruth's.",
    },
    DemoMember {
        login: NOAH,
        name: "Noah Brooks",
        clinic: "juniper",
        roles: &["nurse"],
        opens: Kind::Clinician,
        to_try: "A nurse sees all visits of the clinic. He has no sign-in codes yet: set them \
                 up with any authenticator app, or put it off once.",
    },
    DemoMember {
        login: GRACE,
        name: "Grace Kim",
        clinic: "juniper",
        roles: &["clinic_admin"],
        opens: Kind::Console,
        to_try: "See the members, and in the log what support did as Ana. Change your password \
                 and look at the caught mail.",
    },
    DemoMember {
        login: "lena.fischer@example.test",
        name: "Lena Fischer",
        clinic: "juniper",
        roles: &["executive"],
        opens: Kind::Console,
        to_try: "An executive sees the clinic, and nobody's name.",
    },
    DemoMember {
        login: ANA,
        name: "Ana Ortiz",
        clinic: "harbor",
        roles: &["patient"],
        opens: Kind::Patient,
        to_try: "The same person and password at another clinic, which can't tell.",
    },
    DemoMember {
        login: "omar.haddad@example.test",
        name: "Omar Haddad",
        clinic: "harbor",
        roles: &["clinician"],
        opens: Kind::Clinician,
        to_try: "Open Juniper's portal: it does not know you.",
    },
    DemoMember {
        login: "tessa.lind@example.test",
        name: "Tessa Lind",
        clinic: "harbor",
        roles: &["clinic_admin"],
        opens: Kind::Console,
        to_try: "Another clinic, another name and color.",
    },
    DemoMember {
        login: IVY,
        name: "Ivy Stone",
        clinic: "willow",
        roles: &["patient"],
        opens: Kind::Patient,
        to_try: "Sign in, do nothing for a few seconds, and watch.",
    },
    DemoMember {
        login: "hugo.marsh@example.test",
        name: "Hugo Marsh",
        clinic: "willow",
        roles: &["clinician"],
        opens: Kind::Clinician,
        to_try: "The same for those who work there.",
    },
    DemoMember {
        login: PIOTR,
        name: "Piotr Nowak",
        clinic: PLATFORM.slug,
        roles: &["platform_support"],
        opens: Kind::Platform,
        to_try: "Ask to act as somebody of a clinic: you may once the clinic, or the person, has \
                 said yes. In the run you did, as Ana.",
    },
    DemoMember {
        login: "dana.whitfield@example.test",
        name: "Dana Whitfield",
        clinic: PLATFORM.slug,
        roles: &["super_admin"],
        opens: Kind::Platform,
        to_try: "See who of support acts, which verifiers listen, and the platform's record.",
    },
];

impl DemoMember {
    /// What they may practice as, and where, if they treat.
    pub fn license(&self) -> Option<&'static DemoLicense> {
        LICENSES.iter().find(|license| license.login == self.login)
    }

    /// The slug of the hosts where they sign in; the platform's staff: the app's own.
    pub fn slug(&self) -> Option<&'static str> {
        (self.clinic != PLATFORM.slug).then_some(self.clinic)
    }
}

/// A visit: clinic, patient, practitioner, hours from the seeding, how, how far.
pub type DemoVisit = (
    &'static str,
    &'static str,
    &'static str,
    i64,
    VisitKind,
    VisitState,
);

/// The visits.
pub const VISITS: [DemoVisit; 11] = [
    (
        "juniper",
        "Ana Ortiz",
        "Ruth Okafor",
        2,
        VisitKind::Video,
        VisitState::Scheduled,
    ),
    (
        "juniper",
        "Ana Ortiz",
        "Maya Chen",
        74,
        VisitKind::Phone,
        VisitState::Scheduled,
    ),
    (
        "juniper",
        "Ana Ortiz",
        "Ruth Okafor",
        -340,
        VisitKind::Video,
        VisitState::Completed,
    ),
    (
        "juniper",
        "Sam Lee",
        "Ruth Okafor",
        0,
        VisitKind::Video,
        VisitState::Running,
    ),
    (
        "juniper",
        "Sam Lee",
        "Maya Chen",
        26,
        VisitKind::InPerson,
        VisitState::Scheduled,
    ),
    (
        "juniper",
        "Sam Lee",
        "Maya Chen",
        -120,
        VisitKind::Phone,
        VisitState::Canceled,
    ),
    (
        "juniper",
        "Ruth Okafor",
        "Maya Chen",
        50,
        VisitKind::InPerson,
        VisitState::Scheduled,
    ),
    (
        "harbor",
        "Ana Ortiz",
        "Omar Haddad",
        5,
        VisitKind::Video,
        VisitState::Scheduled,
    ),
    (
        "harbor",
        "Ana Ortiz",
        "Omar Haddad",
        -700,
        VisitKind::InPerson,
        VisitState::Completed,
    ),
    (
        "willow",
        "Ivy Stone",
        "Hugo Marsh",
        1,
        VisitKind::Video,
        VisitState::Scheduled,
    ),
    (
        "willow",
        "Ivy Stone",
        "Hugo Marsh",
        -48,
        VisitKind::Phone,
        VisitState::Completed,
    ),
];

/// Whether a login comes with a device for sign-in codes: all who work somewhere, but Noah.
pub fn has_device(login: &str) -> bool {
    let works = |member: &DemoMember| member.roles.iter().any(|&role| role != "patient");
    login != NOAH && MEMBERS.iter().any(|m| m.login == login && works(m))
}

/// The clinic of that slug.
pub fn clinic(slug: &str) -> &'static DemoClinic {
    CLINICS
        .iter()
        .chain([&PLATFORM])
        .find(|clinic| clinic.slug == slug)
        .expect("every member's clinic is listed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_and_visit_belongs_to_a_clinic_of_the_list() {
        let is_member = |slug, name| MEMBERS.iter().any(|m| m.clinic == slug && m.name == name);
        for member in &MEMBERS {
            assert_eq!(clinic(member.clinic).slug, member.clinic);
            assert!(member.login.ends_with("@example.test"), "{}", member.login);
        }
        for license in &LICENSES {
            let treats = MEMBERS.iter().filter(|m| m.login == license.login);
            assert!(
                treats.flat_map(|m| m.roles).any(|role| *role != "patient"),
                "{}",
                license.login
            );
        }
        for (slug, patient, practitioner, ..) in VISITS {
            assert!(
                is_member(slug, patient) && is_member(slug, practitioner),
                "{slug} {patient}"
            );
        }
    }
}
