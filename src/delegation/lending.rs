//! Whether a proxy is given a token now, and until when. Pure: asked at each token.

use time::{Duration, OffsetDateTime};

use super::model::Delegation;

/// Longest life of one token of a proxy, whatever the configuration says.
pub const TOKEN_LIFE: Duration = Duration::minutes(5);

/// The proxy, as the clinic knows him at this moment.
#[derive(Clone, Copy, Debug)]
pub struct ProxyFacts {
    /// Whether membership and account are active.
    pub is_active: bool,
    /// When his session ends: the earlier of its clocks; `None`: it did.
    pub session_ends_at: Option<OffsetDateTime>,
}

/// The patient likewise.
#[derive(Clone, Copy, Debug)]
pub struct PatientFacts {
    /// Whether membership, account and clinic are active.
    pub is_active: bool,
    /// Whether anything of the scope is hers.
    pub has_anything: bool,
}

/// Why no token is given. The log hears it, the caller does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// His session is over.
    ProxySessionOver,
    /// His membership or account is not active.
    ProxyInactive,
    /// Her membership, account or clinic is not active.
    PatientInactive,
    /// Nothing that is lent is hers.
    NothingLent,
    /// It has not begun, or is over.
    NotStanding,
}

impl Denial {
    /// As it stands in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ProxySessionOver => "proxy_session_over",
            Self::ProxyInactive => "proxy_inactive",
            Self::PatientInactive => "patient_inactive",
            Self::NothingLent => "nothing_lent",
            Self::NotStanding => "not_standing",
        }
    }

    /// Whether it is about whom he would act for (`invalid_target` at the exchange).
    pub const fn is_of_the_target(self) -> bool {
        matches!(self, Self::PatientInactive | Self::NothingLent)
    }
}

/// Until when a token may be given now: no longer than the delegation, the proxy's session and five
/// minutes.
///
/// - `access_token`: what the configuration gives a person's token
///
/// # Errors
/// The first [`Denial`] that applies.
pub fn token_ends_at(
    delegation: &Delegation,
    proxy: ProxyFacts,
    patient: PatientFacts,
    (now, access_token): (OffsetDateTime, Duration),
) -> Result<OffsetDateTime, Denial> {
    let session_ends_at = proxy
        .session_ends_at
        .filter(|end| now < *end)
        .ok_or(Denial::ProxySessionOver)?;
    let denials = [
        (!proxy.is_active, Denial::ProxyInactive),
        (!delegation.stands_at(now), Denial::NotStanding),
        (!patient.is_active, Denial::PatientInactive),
        (!patient.has_anything, Denial::NothingLent),
    ];
    if let Some((_, denial)) = denials.into_iter().find(|(applies, _)| *applies) {
        return Err(denial);
    }
    let by_life = (now + access_token.min(TOKEN_LIFE)).min(session_ends_at);
    Ok(delegation.ends_at.map_or(by_life, |end| by_life.min(end)))
}

#[cfg(test)]
mod tests {
    use lanyard_verifier::Basis;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::super::model::Lent;
    use super::*;
    use crate::ids::{DelegationId, SubjectId, TenantId};

    const NOW: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);

    fn delegation() -> Delegation {
        let subject = |n| SubjectId::from_uuid(Uuid::from_u128(n));
        Delegation {
            id: DelegationId::from_uuid(Uuid::from_u128(9)),
            tenant: TenantId::from_uuid(Uuid::from_u128(8)),
            patient: subject(1),
            proxy: subject(2),
            basis: Basis::Parent,
            document: None,
            scope: vec![Lent::Visits],
            granted_by: subject(3),
            granted_at: NOW,
            valid_from: NOW,
            ages_out_on: None,
            ends_at: Some(NOW + Duration::minutes(10)),
            ended_at: None,
            end_cause: None,
            tokens_ended_at: None,
        }
    }

    #[test]
    fn a_token_ends_with_whatever_ends_first_and_each_fact_alone_denies() {
        let proxy = |ends: i64| ProxyFacts {
            is_active: true,
            session_ends_at: Some(NOW + Duration::seconds(ends)),
        };
        let patient = PatientFacts {
            is_active: true,
            has_anything: true,
        };
        let one = delegation();
        let at = |seconds, proxy, patient, life| {
            let now = NOW + Duration::seconds(seconds);
            token_ends_at(&one, proxy, patient, (now, Duration::seconds(life)))
                .map(|at| (at - NOW).whole_seconds())
        };
        assert_eq!(at(0, proxy(9000), patient, 9000), Ok(300), "five minutes");
        assert_eq!(at(0, proxy(9000), patient, 60), Ok(60), "configuration");
        assert_eq!(at(0, proxy(20), patient, 300), Ok(20), "his session");
        assert_eq!(
            at(590, proxy(9000), patient, 300),
            Ok(600),
            "the delegation"
        );
        let over = Err(Denial::NotStanding);
        assert_eq!(at(600, proxy(9000), patient, 300), over);
        assert_eq!(at(-1, proxy(9000), patient, 300), over, "not yet");
        let signed_out = Err(Denial::ProxySessionOver);
        assert_eq!(at(20, proxy(20), patient, 300), signed_out);
        let gone = ProxyFacts {
            session_ends_at: None,
            ..proxy(1)
        };
        assert_eq!(at(0, gone, patient, 300), signed_out);
        let inactive = ProxyFacts {
            is_active: false,
            ..proxy(9000)
        };
        let denied = at(0, inactive, patient, 300);
        assert_eq!(denied, Err(Denial::ProxyInactive));
        let left = PatientFacts {
            is_active: false,
            ..patient
        };
        let denied = at(0, proxy(9000), left, 300);
        assert_eq!(denied, Err(Denial::PatientInactive));
        let bare = PatientFacts {
            has_anything: false,
            ..patient
        };
        let denied = at(0, proxy(9000), bare, 300);
        assert_eq!(denied, Err(Denial::NothingLent));
    }
}
