//! The catalog of events. The migrations hold the same names with their planes; a test compares
//! the two.

/// Makes the enum of the events with their names in the log.
macro_rules! events {
    ($($event:ident = $name:literal),+ $(,)?) => {
        /// What can be recorded. Named `noun.past_participle`, as in the log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventType { $($event),+ }

        impl EventType {
            /// Every one, in the order of the catalog.
            pub const ALL: &'static [Self] = &[$(Self::$event),+];

            /// The name in the log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),+ }
            }
        }
    };
}

events! {
    AccountCreated = "account.created",
    AccountErased = "account.erased",
    AccountRecovered = "account.recovered",
    AnnouncementChanged = "announcement.changed",
    AuditArchived = "audit.archived",
    AuditExpired = "audit.expired",
    AuditExported = "audit.exported",
    AuditKeyRotated = "audit.key_rotated",
    AuditViewed = "audit.viewed",
    AuthorizeGranted = "authorize.granted",
    AuthorizeRejected = "authorize.rejected",
    BootstrapIssued = "bootstrap.issued",
    BootstrapRedeemed = "bootstrap.redeemed",
    BootstrapRefused = "bootstrap.refused",
    ClientChanged = "client.changed",
    ClientCreated = "client.created",
    ClientDeleted = "client.deleted",
    ClientRejected = "client.rejected",
    ClientSecretRotated = "client.secret_rotated",
    CodeRedeemed = "code.redeemed",
    CodeRejected = "code.rejected",
    CodeReplayed = "code.replayed",
    ConsentGiven = "consent.given",
    ConsentRefused = "consent.refused",
    ConsentWithdrawn = "consent.withdrawn",
    DelegationCreated = "delegation.created",
    DelegationDenied = "delegation.denied",
    DelegationEnded = "delegation.ended",
    DelegationRequestRecorded = "delegation.request_recorded",
    DelegationTokenIssued = "delegation.token_issued",
    DelegationTokensEnded = "delegation.tokens_ended",
    EmergencyAccessClosed = "emergency_access.closed",
    EmergencyAccessListed = "emergency_access.listed",
    EmergencyAccessOpened = "emergency_access.opened",
    EmergencyAccessPatientSought = "emergency_access.patient_sought",
    EmergencyAccessRead = "emergency_access.read",
    EmergencyAccessReviewed = "emergency_access.reviewed",
    EpochBegun = "epoch.begun",
    FactorAdded = "factor.added",
    FactorGraceUsed = "factor.grace_used",
    FactorPolicyChanged = "factor.policy_changed",
    FactorProved = "factor.proved",
    FactorRefused = "factor.refused",
    FactorRemoved = "factor.removed",
    FactorReset = "factor.reset",
    FactorThrottled = "factor.throttled",
    HoldLifted = "hold.lifted",
    HoldPlaced = "hold.placed",
    ImpersonationApproved = "impersonation.approved",
    ImpersonationDenied = "impersonation.denied",
    ImpersonationEnded = "impersonation.ended",
    ImpersonationEntered = "impersonation.entered",
    ImpersonationExpired = "impersonation.expired",
    ImpersonationPolicyChanged = "impersonation.policy_changed",
    ImpersonationRefused = "impersonation.refused",
    ImpersonationRequestRecorded = "impersonation.request_recorded",
    ImpersonationRequested = "impersonation.requested",
    ImpersonationStarted = "impersonation.started",
    ImpersonationStopped = "impersonation.stopped",
    ImpersonationTokenIssued = "impersonation.token_issued",
    ImpersonationTransferMade = "impersonation.transfer_made",
    KeysRevocationOrdered = "keys.revocation_ordered",
    KeysRevoked = "keys.revoked",
    KeysRewrapped = "keys.rewrapped",
    KeysRotated = "keys.rotated",
    MailGivenUp = "mail.given_up",
    MemberListed = "member.listed",
    MembershipCreated = "membership.created",
    PasswordChanged = "password.changed",
    PasswordRefused = "password.refused",
    RecoveryCompleted = "recovery.completed",
    RecoveryRefused = "recovery.refused",
    RecoveryRequested = "recovery.requested",
    RecoveryCodeMade = "recovery_code.made",
    RecoveryCodeUsed = "recovery_code.used",
    RefreshRejected = "refresh.rejected",
    RefreshRetried = "refresh.retried",
    RefreshReuseDetected = "refresh.reuse_detected",
    RefreshRotated = "refresh.rotated",
    ReviewSigned = "review.signed",
    SessionDeviceFirstSeen = "session.device_first_seen",
    SessionEnded = "session.ended",
    SessionSignedIn = "session.signed_in",
    SessionPolicyChanged = "session_policy.changed",
    SignInRefused = "sign_in.refused",
    SignInThrottled = "sign_in.throttled",
    SinkAdded = "sink.added",
    SinkRemoved = "sink.removed",
    TenantCreated = "tenant.created",
    TenantDataDestroyed = "tenant.data_destroyed",
    TenantResumed = "tenant.resumed",
    TenantSessionsEndOrdered = "tenant.sessions_end_ordered",
    TenantSessionsEnded = "tenant.sessions_ended",
    TenantSuspended = "tenant.suspended",
    TokenIssued = "token.issued",
    TokenRevoked = "token.revoked",
    VisitListed = "visit.listed",
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
