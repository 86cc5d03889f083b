//! What somebody may do while acting as somebody else: support staff (design §7), or a patient's
//! proxy.
//!
//! Three things hold whatever the token's roles carry, and each is asked in one place:
//! - a method that is not safe needs a route that allows it by name, support and proxies each by
//!   its own, and of support a preset that is not read-only ([`may_ask`]);
//! - no route with a permission key of [`NEVER_LENT`] lets an actor pass ([`is_never_lent`]);
//! - nothing reaches a handler unrecorded (`record.rs`).

use std::str::FromStr;

use http::Method;
use serde::{Serialize, Serializer};

use crate::{Actor, Support};

/// How much of the subject's rights a grant lends. The issuer has already cut `roles` and `scope`
/// to it; what a verifier adds stands at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Looking only: every method that is not safe is refused, also where a route allows
    /// impersonation. The default of a grant.
    ReadOnly,
    /// Helping: what routes allow by name may be changed.
    Assist,
    /// Mending: as [`Preset::Assist`], but an API must mask what is health information.
    Technical,
}

impl Preset {
    /// As the token writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Assist => "assist",
            Self::Technical => "technical",
        }
    }

    /// Whether health information must be masked in what is answered.
    pub const fn masks_health_information(self) -> bool {
        matches!(self, Self::Technical)
    }
}

impl Serialize for Preset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A text names no preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not read-only, assist or technical")]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        [Self::ReadOnly, Self::Assist, Self::Technical]
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or(UnknownPreset)
    }
}

/// Which of who act as somebody else a route says something of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) support: bool,
    pub(crate) proxies: bool,
}

impl Named {
    /// Whether it says it of that actor.
    pub(crate) const fn names(self, actor: &Actor) -> bool {
        match actor {
            Actor::Support(_) => self.support,
            Actor::Proxy(_) => self.proxies,
        }
    }

    /// Whatever either says it of.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self {
            support: self.support || other.support,
            proxies: self.proxies || other.proxies,
        }
    }
}

/// Whether that actor may make a request of that method at all.
pub(crate) fn may_ask(method: &Method, actor: &Actor, allowed: Named) -> bool {
    let only_reads = |support: Support| support.preset == Preset::ReadOnly;
    method.is_safe() || (allowed.names(actor) && !actor.support().is_some_and(only_reads))
}

/// One segment of a permission key, as [`NEVER_LENT`] names it.
#[derive(Clone, Copy)]
enum Segment {
    Any,
    Is(&'static str),
    Not(&'static str),
}

use Segment::{Any, Is, Not};

/// What nobody does in another's name: permission keys, `module.resource.action`, with the reason.
/// The one table; a route that asks for such a key refuses every actor.
const NEVER_LENT: [([Segment; 3], &str); 14] = [
    ([Is("account"), Any, Any], "her account is hers"),
    ([Any, Is("credential"), Any], "how she proves who she is"),
    ([Any, Is("factor"), Any], "how she proves who she is"),
    ([Is("consent"), Any, Any], "what she agrees to"),
    ([Any, Is("consent"), Any], "what she agrees to"),
    ([Any, Is("impersonation"), Any], "no chain: RFC 8693 §4.1"),
    ([Is("impersonation"), Any, Any], "no chain: RFC 8693 §4.1"),
    ([Any, Is("delegation"), Any], "who may act for whom"),
    ([Any, Is("role"), Not("read")], "who may do what"),
    (
        [Is("tenancy"), Is("member"), Not("read")],
        "who may do what",
    ),
    ([Is("visits"), Is("note"), Is("sign")], "her signature"),
    ([Is("visits"), Is("prescription"), Any], "her signature"),
    ([Is("billing"), Any, Not("read")], "money"),
    ([Any, Any, Is("export")], "a record in bulk"),
];

/// Whether that permission key is one that no grant of impersonation and no delegation ever lends:
/// credentials, factors, consent, roles, signatures, prescriptions, money, exports.
///
/// ```
/// use lanyard_verifier::is_never_lent;
///
/// assert!(is_never_lent("visits.note.sign"));
/// assert!(is_never_lent("billing.refund.write"));
/// assert!(!is_never_lent("visits.visit.read"));
/// ```
pub fn is_never_lent(key: &str) -> bool {
    let mut parts = key.splitn(3, '.');
    // A key of fewer segments is read as if the missing ones could be any.
    let segments = [parts.next(), parts.next(), parts.next()];
    let fits = |(segment, part): (&Segment, Option<&str>)| match (segment, part) {
        (Any, _) | (_, None) => true,
        (Is(word), Some(part)) => part == *word,
        (Not(word), Some(part)) => part != *word,
    };
    NEVER_LENT
        .iter()
        .any(|(pattern, _)| pattern.iter().zip(segments).all(fits))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Basis, DelegationId, GrantId, Proxy, SubjectId};

    /// IMP-05, IMP-06, IMP-02, IMP-10.
    #[test]
    fn what_is_never_lent() {
        for key in [
            "account.password.write",
            "account.session.read",
            "identity.credential.write",
            "identity.factor.write",
            "consent.client.write",
            "tenancy.consent.read",
            "impersonation.grant.write",
            "support.impersonation.approve",
            "tenancy.delegation.read",
            "tenancy.role.write",
            "tenancy.member.write",
            "visits.note.sign",
            "visits.prescription.read",
            "billing.charge.write",
            "billing.refund.approve",
            "visits.visit.export",
            "account",
            "billing",
        ] {
            assert!(is_never_lent(key), "{key}");
        }
        for key in [
            "visits.visit.read",
            "visits.note.read",
            "visits.note.write",
            "billing.charge.read",
            "tenancy.member.read",
            "tenancy.role.read",
            "tenancy.announcement.write",
        ] {
            assert!(!is_never_lent(key), "{key}");
        }
    }

    #[test]
    fn only_a_named_route_takes_more_than_reading_and_never_from_a_reader() {
        let id = Uuid::from_u128(1);
        let sub = SubjectId::from_uuid(id);
        let proxy = Actor::Proxy(Proxy {
            sub,
            delegation: DelegationId::from_uuid(id),
            basis: Basis::Parent,
        });
        for (support, proxies) in [(false, false), (false, true), (true, false), (true, true)] {
            let allowed = Named { support, proxies };
            for preset in [Preset::ReadOnly, Preset::Assist, Preset::Technical] {
                assert_eq!(preset.name().parse(), Ok(preset));
                let grant = GrantId::from_uuid(id);
                let actor = Actor::Support(Support { sub, grant, preset });
                assert!(may_ask(&Method::GET, &actor, allowed));
                let may = support && preset != Preset::ReadOnly;
                assert_eq!(may_ask(&Method::POST, &actor, allowed), may);
            }
            assert!(may_ask(&Method::HEAD, &proxy, allowed));
            assert_eq!(may_ask(&Method::DELETE, &proxy, allowed), proxies);
        }
        assert_eq!("Assist".parse::<Preset>(), Err(UnknownPreset));
    }
}
