//! The catalog of events. The migrations hold the same names with their planes; a test compares
//! the two.

/// What can be recorded. Named `noun.past_participle`, as in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    AccountCreated,
    AccountRecovered,
    AnnouncementChanged,
    AuthorizeGranted,
    AuthorizeRejected,
    ClientChanged,
    ClientCreated,
    ClientDeleted,
    ClientRejected,
    ClientSecretRotated,
    CodeRedeemed,
    CodeRejected,
    CodeReplayed,
    FactorAdded,
    FactorGraceUsed,
    FactorPolicyChanged,
    FactorProved,
    FactorRefused,
    FactorRemoved,
    FactorReset,
    FactorThrottled,
    MembershipCreated,
    PasswordChanged,
    PasswordRefused,
    RecoveryCodeMade,
    RecoveryCodeUsed,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    MailGivenUp,
    RecoveryCompleted,
    RecoveryRefused,
    RecoveryRequested,
    RefreshRejected,
    RefreshRetried,
    RefreshReuseDetected,
    RefreshRotated,
    SessionDeviceFirstSeen,
    SessionEnded,
    SessionSignedIn,
    SessionPolicyChanged,
    SignInRefused,
    SignInThrottled,
    TokenIssued,
    TokenRevoked,
    VisitListed,
    MemberListed,
    TenantCreated,
    TenantResumed,
    TenantSessionsEnded,
    TenantSuspended,
    BootstrapIssued,
    BootstrapRedeemed,
    BootstrapRefused,
    TenantDataDestroyed,
    KeysRewrapped,
    KeysRotated,
    KeysRevoked,
    EpochBegun,
    AuditKeyRotated,
    AuditExported,
    AuditViewed,
}

impl EventType {
    /// Every one, in the order of the catalog.
    pub const ALL: &'static [Self] = &[
        Self::AccountCreated,
        Self::AccountRecovered,
        Self::AnnouncementChanged,
        Self::AuthorizeGranted,
        Self::AuthorizeRejected,
        Self::ClientChanged,
        Self::ClientCreated,
        Self::ClientDeleted,
        Self::ClientRejected,
        Self::ClientSecretRotated,
        Self::CodeRedeemed,
        Self::CodeRejected,
        Self::CodeReplayed,
        Self::FactorAdded,
        Self::FactorGraceUsed,
        Self::FactorPolicyChanged,
        Self::FactorProved,
        Self::FactorRefused,
        Self::FactorRemoved,
        Self::FactorReset,
        Self::FactorThrottled,
        Self::MembershipCreated,
        Self::PasswordChanged,
        Self::PasswordRefused,
        Self::RecoveryCodeMade,
        Self::RecoveryCodeUsed,
        Self::ConsentGiven,
        Self::ConsentRefused,
        Self::ConsentWithdrawn,
        Self::MailGivenUp,
        Self::RecoveryCompleted,
        Self::RecoveryRefused,
        Self::RecoveryRequested,
        Self::RefreshRejected,
        Self::RefreshRetried,
        Self::RefreshReuseDetected,
        Self::RefreshRotated,
        Self::SessionDeviceFirstSeen,
        Self::SessionEnded,
        Self::SessionSignedIn,
        Self::SessionPolicyChanged,
        Self::SignInRefused,
        Self::SignInThrottled,
        Self::TokenIssued,
        Self::TokenRevoked,
        Self::VisitListed,
        Self::MemberListed,
        Self::TenantCreated,
        Self::TenantResumed,
        Self::TenantSessionsEnded,
        Self::TenantSuspended,
        Self::BootstrapIssued,
        Self::BootstrapRedeemed,
        Self::BootstrapRefused,
        Self::TenantDataDestroyed,
        Self::KeysRewrapped,
        Self::KeysRotated,
        Self::KeysRevoked,
        Self::EpochBegun,
        Self::AuditKeyRotated,
        Self::AuditExported,
        Self::AuditViewed,
    ];

    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountCreated => "account.created",
            Self::AccountRecovered => "account.recovered",
            Self::AnnouncementChanged => "announcement.changed",
            Self::AuthorizeGranted => "authorize.granted",
            Self::AuthorizeRejected => "authorize.rejected",
            Self::ClientChanged => "client.changed",
            Self::ClientCreated => "client.created",
            Self::ClientDeleted => "client.deleted",
            Self::ClientRejected => "client.rejected",
            Self::ClientSecretRotated => "client.secret_rotated",
            Self::CodeRedeemed => "code.redeemed",
            Self::CodeRejected => "code.rejected",
            Self::CodeReplayed => "code.replayed",
            Self::FactorAdded => "factor.added",
            Self::FactorGraceUsed => "factor.grace_used",
            Self::FactorPolicyChanged => "factor.policy_changed",
            Self::FactorProved => "factor.proved",
            Self::FactorRefused => "factor.refused",
            Self::FactorRemoved => "factor.removed",
            Self::FactorReset => "factor.reset",
            Self::FactorThrottled => "factor.throttled",
            Self::MembershipCreated => "membership.created",
            Self::PasswordChanged => "password.changed",
            Self::PasswordRefused => "password.refused",
            Self::RecoveryCodeMade => "recovery_code.made",
            Self::RecoveryCodeUsed => "recovery_code.used",
            Self::ConsentGiven => "consent.given",
            Self::ConsentRefused => "consent.refused",
            Self::ConsentWithdrawn => "consent.withdrawn",
            Self::MailGivenUp => "mail.given_up",
            Self::RecoveryCompleted => "recovery.completed",
            Self::RecoveryRefused => "recovery.refused",
            Self::RecoveryRequested => "recovery.requested",
            Self::RefreshRejected => "refresh.rejected",
            Self::RefreshRetried => "refresh.retried",
            Self::RefreshReuseDetected => "refresh.reuse_detected",
            Self::RefreshRotated => "refresh.rotated",
            Self::SessionDeviceFirstSeen => "session.device_first_seen",
            Self::SessionEnded => "session.ended",
            Self::SessionSignedIn => "session.signed_in",
            Self::SessionPolicyChanged => "session_policy.changed",
            Self::SignInRefused => "sign_in.refused",
            Self::SignInThrottled => "sign_in.throttled",
            Self::TokenIssued => "token.issued",
            Self::TokenRevoked => "token.revoked",
            Self::VisitListed => "visit.listed",
            Self::MemberListed => "member.listed",
            Self::TenantCreated => "tenant.created",
            Self::TenantResumed => "tenant.resumed",
            Self::TenantSessionsEnded => "tenant.sessions_ended",
            Self::TenantSuspended => "tenant.suspended",
            Self::BootstrapIssued => "bootstrap.issued",
            Self::BootstrapRedeemed => "bootstrap.redeemed",
            Self::BootstrapRefused => "bootstrap.refused",
            Self::TenantDataDestroyed => "tenant.data_destroyed",
            Self::KeysRewrapped => "keys.rewrapped",
            Self::KeysRotated => "keys.rotated",
            Self::KeysRevoked => "keys.revoked",
            Self::EpochBegun => "epoch.begun",
            Self::AuditKeyRotated => "audit.key_rotated",
            Self::AuditExported => "audit.exported",
            Self::AuditViewed => "audit.viewed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventType;

    #[test]
    fn the_catalog_of_the_database_names_the_same_events() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut there = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the migrations").flatten() {
            let Ok(text) = std::fs::read_to_string(entry.path()) else {
                continue;
            };
            let inserts = text.split("insert into audit.event_type").skip(1);
            for insert in inserts.filter_map(|rest| rest.split(';').next()) {
                let names = insert
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("('"));
                there.extend(names.filter_map(|rest| Some(rest.split('\'').next()?.to_owned())));
            }
        }
        let mut here: Vec<_> = EventType::ALL.iter().map(|event| event.name()).collect();
        there.sort_unstable();
        here.sort_unstable();
        assert_eq!(here, there);
    }
}
