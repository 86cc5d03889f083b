//! The scopes that mean something here. One that is none of these is no more than a word.

/// What a receiver of shared signals is given for itself, to see its stream and to be given what is
/// in it (CAEP Interoperability Profile 1.0 §2.4.2).
pub const SSF_READ: &str = "ssf.read";
/// The same, to manage it: that is to see it, too.
pub const SSF_MANAGE: &str = "ssf.manage";

/// A scope that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// OIDC Core §3.1.2.1.
    Openid,
    /// OIDC Core §5.4.
    Profile,
    /// OIDC Core §5.4.
    Email,
    /// Who she is at the clinic.
    ProfileRead,
    /// The clinic and its members.
    TenancyRead,
    /// What the clinic tells its people.
    TenancyWrite,
    /// Visits.
    VisitsRead,
    /// The clinic's log.
    AuditRead,
    /// What somebody says of entries that wait for her.
    AuditWrite,
    /// Who may act for which patient.
    DelegationRead,
    /// Whether somebody may.
    DelegationWrite,
    /// Who of support acted as a member.
    ImpersonationRead,
    /// Whether somebody may.
    ImpersonationWrite,
    /// The platform's verifiers, its keys, and what was ended.
    PlatformRead,
    /// Ending everything of a clinic; withdrawing a key.
    PlatformWrite,
}

impl Scope {
    /// All, the most personal last; what writes comes after what reads.
    pub const ALL: [Self; 15] = [
        Self::Openid,
        Self::Profile,
        Self::Email,
        Self::ProfileRead,
        Self::TenancyRead,
        Self::VisitsRead,
        Self::AuditRead,
        Self::DelegationRead,
        Self::ImpersonationRead,
        Self::PlatformRead,
        Self::TenancyWrite,
        Self::AuditWrite,
        Self::DelegationWrite,
        Self::ImpersonationWrite,
        Self::PlatformWrite,
    ];

    /// As it stands in requests and tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openid => "openid",
            Self::Profile => "profile",
            Self::Email => "email",
            Self::ProfileRead => "profile:read",
            Self::TenancyRead => "tenancy:read",
            Self::TenancyWrite => "tenancy:write",
            Self::VisitsRead => "visits:read",
            Self::AuditRead => "audit:read",
            Self::AuditWrite => "audit:write",
            Self::DelegationRead => "delegation:read",
            Self::DelegationWrite => "delegation:write",
            Self::ImpersonationRead => "impersonation:read",
            Self::ImpersonationWrite => "impersonation:write",
            Self::PlatformRead => "platform:read",
            Self::PlatformWrite => "platform:write",
        }
    }

    /// Whether something can be changed by it.
    pub const fn changes(self) -> bool {
        match self {
            Self::Openid
            | Self::Profile
            | Self::Email
            | Self::ProfileRead
            | Self::TenancyRead
            | Self::VisitsRead
            | Self::AuditRead
            | Self::DelegationRead
            | Self::ImpersonationRead
            | Self::PlatformRead => false,
            Self::TenancyWrite
            | Self::AuditWrite
            | Self::DelegationWrite
            | Self::ImpersonationWrite
            | Self::PlatformWrite => true,
        }
    }

    /// The one of that name, if we know it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
