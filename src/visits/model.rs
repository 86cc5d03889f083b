//! What a visit is.

use time::OffsetDateTime;

use crate::ids::{SubjectId, VisitId};

/// How patient and practitioner meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitKind {
    /// By video.
    Video,
    /// By phone.
    Phone,
    /// At the clinic.
    InPerson,
}

impl VisitKind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Video, Self::Phone, Self::InPerson];

    /// As stored and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Phone => "phone",
            Self::InPerson => "in_person",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitState {
    /// Booked.
    Scheduled,
    /// Under way.
    Running,
    /// Over.
    Completed,
    /// Called off.
    Canceled,
}

impl VisitState {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Scheduled,
        Self::Running,
        Self::Completed,
        Self::Canceled,
    ];

    /// As stored and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One telehealth encounter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Which.
    pub id: VisitId,
    /// Who is cared for.
    pub patient: SubjectId,
    /// Who cares.
    pub practitioner: SubjectId,
    /// When it begins, UTC.
    pub starts_at: OffsetDateTime,
    /// How they meet.
    pub kind: VisitKind,
    /// How far it is.
    pub state: VisitState,
    /// Why the patient comes, in words. Stored as ciphertext under the clinic's data key.
    pub reason: Option<String>,
}
