//! Who is told of what, and who may go on from where. Pure.

use time::{Duration, OffsetDateTime};

use super::model::{Event, Subscriber, Verifier};
use crate::ids::TenantId;

/// A verifier that comes back within this time goes on from where it was; later, all that is still
/// in force is told anew.
pub const RESUMABLE: Duration = Duration::minutes(10);
/// Beyond the longest token's life: verifiers' clocks differ by a minute, and so may ours.
pub const MARGIN: Duration = Duration::minutes(2);
/// So many sets in one snapshot; the stream goes on after the last one.
pub const MOST_IN_SNAPSHOT: usize = 10_000;
/// So many in one answer to a poll, whatever was asked for.
pub const MOST_IN_POLL: usize = 1000;

/// Whether this subscriber is told of that event: its clinic's, or every clinic's if it is the
/// platform's; of tokens to one audience, if it is its own; and what concerns all.
pub fn concerns(subscriber: &Subscriber, event: &Event) -> bool {
    let is_its_tenants =
        subscriber.tenant == TenantId::PLATFORM || subscriber.tenant == event.tenant;
    let is_its_audiences = event
        .audience
        .as_ref()
        .is_none_or(|audience| subscriber.audiences.contains(audience));
    event.kind.is_of_all() || (is_its_tenants && is_its_audiences)
}

/// Since when something must have been published to be in force still.
///
/// - `longest_token`: how long an access token lives at most
pub fn in_force_since(now: OffsetDateTime, longest_token: Duration) -> OffsetDateTime {
    now - longest_token - MARGIN
}

/// What is kept of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The last position that was given.
    pub head: i64,
    /// The first event after a cursor: its position, and when it was published. `None`: none.
    pub next: Option<(i64, OffsetDateTime)>,
}

/// Whether a stream may go on after `cursor`: nothing after it was forgotten, and what is next is
/// not too old.
pub fn may_resume(cursor: i64, kept: Kept, now: OffsetDateTime) -> bool {
    match kept.next {
        None => cursor == kept.head,
        Some((position, published_at)) => position == cursor + 1 && published_at > now - RESUMABLE,
    }
}

/// A verifier reports every 30 s: after this time without a word it is silent.
pub const SILENT_AFTER: Duration = Duration::seconds(90);
/// By default a verifier refuses everything when it has heard nothing for so long.
pub const BEHIND_FROM: Duration = Duration::seconds(30);

/// How a verifier stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has the stream and keeps up.
    Current,
    /// It never had the stream, or is behind it.
    Behind,
    /// It has not reported.
    Silent,
}

impl Health {
    /// As it is shown and counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Silent => "silent",
        }
    }
}

/// How it stands by what it said last.
pub fn health(verifier: &Verifier, now: OffsetDateTime) -> Health {
    let standing = &verifier.standing;
    let lag = standing.lag_milliseconds.map(Duration::milliseconds);
    if verifier.reported_at + SILENT_AFTER <= now {
        Health::Silent
    } else if standing.position.is_none() || lag.is_none_or(|lag| lag >= BEHIND_FROM) {
        Health::Behind
    } else {
        Health::Current
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ids::ClientId;
    use crate::revocation::model::{Kind, Signed};

    const NOON: OffsetDateTime = datetime!(2026-03-02 12:00 UTC);

    fn tenant(n: u128) -> TenantId {
        TenantId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn subscriber(tenant: TenantId) -> Subscriber {
        Subscriber {
            tenant,
            client: ClientId::parse("api").unwrap(),
            audiences: vec!["https://api.example".to_owned()],
        }
    }

    fn event(tenant: TenantId, kind: Kind, audience: Option<&str>) -> Event {
        Event {
            position: 1,
            id: uuid::Uuid::nil(),
            tenant,
            kind,
            subject: None,
            sid: None,
            client: None,
            audience: audience.map(str::to_owned),
            named: Vec::new(),
            reason: "signed_out".to_owned(),
            occurred_at: NOON,
            issued_until: NOON,
            signed: Signed::default(),
        }
    }

    /// Design §6: its audience's and its tenants' events, and no others.
    #[test]
    fn each_is_told_what_concerns_it() {
        let (own, other) = (tenant(7), tenant(8));
        let ours = Some("https://api.example");
        let theirs = Some("https://other.example");
        let platform = TenantId::PLATFORM;
        for (to, of, kind, audience, is_told) in [
            (own, own, Kind::Session, None, true),
            (own, other, Kind::Session, None, false),
            (own, own, Kind::Family, ours, true),
            (own, own, Kind::Family, theirs, false),
            (own, other, Kind::Family, ours, false),
            (own, platform, Kind::Tenant, None, false),
            (own, platform, Kind::Key, None, true),
            (own, platform, Kind::Role, None, true),
            (platform, own, Kind::Session, None, true),
            (platform, own, Kind::Family, theirs, false),
        ] {
            let told = concerns(&subscriber(to), &event(of, kind, audience));
            assert_eq!(told, is_told, "{kind:?} of {of} to {to}, {audience:?}");
        }
    }

    #[test]
    fn a_stream_goes_on_where_nothing_is_missing() {
        let next = |position, age| Kept {
            head: 20,
            next: Some((position, NOON - age)),
        };
        let none = |head| Kept { head, next: None };
        let second = Duration::SECOND;
        for (cursor, kept, may) in [
            (20, none(20), true),
            (19, none(20), false),
            (21, none(20), false),
            (10, next(11, Duration::ZERO), true),
            (10, next(11, RESUMABLE - second), true),
            (10, next(11, RESUMABLE), false),
            (10, next(12, Duration::ZERO), false),
        ] {
            assert_eq!(may_resume(cursor, kept, NOON), may, "{cursor} {kept:?}");
        }
    }
}
