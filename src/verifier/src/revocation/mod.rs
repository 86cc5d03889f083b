//! What was revoked lately, as the issuer tells it (design §6).
//!
//! - V1: every presentation of a token asks, seen before or not, by each of the names it could be
//!   revoked by; these are hashed once, and no lock is taken.
//! - V2: a revocation is kept until no token that it names can be good any more: the longest life,
//!   and the leeway. Then it is forgotten, so memory follows the rate and not the history.
//! - V3: nothing takes a revocation back: not another event, not a snapshot, not a reconnection.
//! - V4: the verifier knows up to which instant it was told everything (`Feed::lag`). Past the
//!   bound, and before the first time, the route's policy decides ([`WhenStale`]).

mod feed;
mod following;
mod set;
mod source;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use papaya::HashMap;

pub use feed::FeedStatus;
pub(crate) use feed::{Feed, Wanted, Whose};
pub use source::{
    FeedError, Following, Reporting, RevocationSource, RevocationStream, Snapshot, SnapshotFetch,
    Standing, StreamMessage, StreamRead,
};

use crate::claims::{LEEWAY, MAX_TOKEN_LIFETIME};
use crate::keys::LONGEST_STALENESS;
use crate::{Principal, SubjectId, TenantId};

/// What a route does while the verifier does not know what was revoked lately.
///
/// Lately is the last 30 seconds, or what [`Builder::stale_after`](crate::Builder::stale_after)
/// says. A revocation that is known refuses in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// Answers 503. The default.
    #[default]
    FailClosed,
    /// Asks the issuer about the token (RFC 7662), at most once in 5 seconds for each; answers 503
    /// if the issuer does not say. Needs
    /// [`Builder::introspection`](crate::Builder::introspection).
    Introspect,
    /// Goes on for so long in all since the verifier was last told everything, then answers 503: a
    /// bound of the route's own, longer or shorter than the others'. Longer for what does less harm
    /// done by a stranger than not done. Never before the first time.
    AcceptUpTo(Duration),
}

impl WhenStale {
    /// Of two, the one that takes the smaller risk.
    pub(crate) fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::FailClosed, _) | (_, Self::FailClosed) => Self::FailClosed,
            (Self::Introspect, _) | (_, Self::Introspect) => Self::Introspect,
            (Self::AcceptUpTo(one), Self::AcceptUpTo(two)) => Self::AcceptUpTo(one.min(two)),
        }
    }
}

/// What a revocation can name, and what a token bears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mark {
    Key(Arc<str>),
    Tenant(TenantId),
    Subject(TenantId, SubjectId),
    Session(TenantId, Arc<str>),
    /// What one client was given in one session.
    Family(TenantId, Arc<str>, Arc<str>),
    /// A role, in every clinic.
    Role(Arc<str>),
}

impl Mark {
    /// All that a token could be revoked by.
    pub(crate) fn of_token(kid: &str, principal: &Principal) -> Box<[Hashed]> {
        let (tenant, client) = (principal.tenant(), principal.client_id());
        let mut marks = vec![
            Self::Key(kid.into()),
            Self::Tenant(tenant),
            Self::Subject(tenant, principal.subject()),
        ];
        if let Some(sid) = principal.sid() {
            marks.push(Self::Session(tenant, sid.into()));
            marks.push(Self::Family(tenant, sid.into(), client.into()));
        }
        let roles = principal.roles().iter();
        marks.extend(roles.map(|role| Self::Role(role.as_str().into())));
        marks.into_iter().map(Hashed::from).collect()
    }
}

/// A mark with its hash. A token keeps them, so that being presented again hashes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    hash: u64,
    mark: Mark,
}

impl From<Mark> for Hashed {
    fn from(mark: Mark) -> Self {
        // By chance, so that nobody chooses marks which meet in one place of the table.
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = SEED.hash_one(&mark);
        Self { hash, mark }
    }
}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Takes the hash of a [`Hashed`] as it is.
#[derive(Default)]
pub(crate) struct AsHashed(u64);

impl Hasher for AsHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a hashed mark is one number");
    }
}

/// More than so many are not held: about 300 MB, a hundred times what a busy deployment ends in ten
/// minutes. Beyond, the verifier counts as not up to date.
pub(crate) const MOST_HELD: usize = 1_000_000;

/// There is no room: something that was revoked is not known.
#[derive(Debug)]
pub(crate) struct Full;

/// The revocations in force. Readers take no lock; the one task that follows the issuer writes.
pub(crate) struct Revocations {
    /// Tokens minted at or before the instant (Unix seconds) are refused.
    until: HashMap<Hashed, i64, BuildHasherDefault<AsHashed>>,
    /// When to forget what.
    forgetting: Mutex<BTreeMap<i64, Vec<Hashed>>>,
    most: usize,
}

impl Revocations {
    pub(crate) fn holding(most: usize) -> Self {
        Self {
            until: HashMap::default(),
            forgetting: Mutex::default(),
            most,
        }
    }

    /// Whether a token with these marks, minted at `issued_at`, was revoked.
    pub(crate) fn refuse(&self, marks: &[Hashed], issued_at: i64) -> bool {
        let until = self.until.pin();
        marks.iter().any(|hashed| {
            // A key's holder writes any instant she likes.
            let names = |until: &i64| issued_at <= *until || matches!(hashed.mark, Mark::Key(_));
            until.get(hashed).is_some_and(names)
        })
    }

    /// Refuses what bears the mark and was minted up to then.
    pub(crate) fn add(&self, mark: Mark, issued_until: i64) -> Result<(), Full> {
        let mut forgetting = self
            .forgetting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = self.until.pin();
        let mark = Hashed::from(mark);
        let known = until.get(&mark).copied();
        if known.is_some_and(|known| known >= issued_until) {
            return Ok(());
        }
        if known.is_none() && until.len() >= self.most {
            return Err(Full);
        }
        let at = forgotten_at(&mark.mark, issued_until);
        forgetting.entry(at).or_default().push(mark.clone());
        until.insert(mark, issued_until);
        Ok(())
    }

    /// Forgets what no living token can bear any more.
    pub(crate) fn forget(&self, now: i64) {
        let mut forgetting = self
            .forgetting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = self.until.pin();
        while let Some(entry) = forgetting.first_entry()
            && *entry.key() <= now
        {
            for mark in entry.remove() {
                // One that was named again since is forgotten by its later entry.
                let _ = until.remove_if(&mark, |hashed, until| {
                    forgotten_at(&hashed.mark, *until) <= now
                });
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.until.len()
    }
}

/// V2; a key for as long as a key set may be in use that still has it.
fn forgotten_at(mark: &Mark, issued_until: i64) -> i64 {
    let kept = match mark {
        Mark::Key(_) => LONGEST_STALENESS,
        _ => MAX_TOKEN_LIFETIME + LEEWAY,
    };
    issued_until.saturating_add(kept.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::WhenStale::{FailClosed, Introspect};
    use super::*;

    fn session(n: u64) -> Mark {
        Mark::Session(
            TenantId::from_uuid(uuid::Uuid::from_u128(1)),
            n.to_string().into(),
        )
    }

    fn refuses(revocations: &Revocations, n: u64, issued_at: i64) -> bool {
        revocations.refuse(&[session(n).into()], issued_at)
    }

    /// V2, to the second: the last token that it names dies with `MAX_TOKEN_LIFETIME` and the
    /// leeway after it was minted.
    #[test]
    fn a_revocation_is_kept_as_long_as_a_token_could_live() {
        let revocations = Revocations::holding(10);
        revocations.add(session(1), 1000).expect("room");
        for (issued_at, is_refused) in [(999, true), (1000, true), (1001, false)] {
            assert_eq!(refuses(&revocations, 1, issued_at), is_refused);
        }
        assert!(!refuses(&revocations, 2, 999));
        revocations.forget(1604);
        assert!(refuses(&revocations, 1, 1000));
        revocations.forget(1605);
        assert!(!refuses(&revocations, 1, 1000));
        assert_eq!(revocations.len(), 0);
        assert!(revocations.forgetting.lock().expect("sound").is_empty());
    }

    /// V3: neither an older event of the same name nor the end of an older one takes it back.
    #[test]
    fn nothing_takes_a_revocation_back() {
        let revocations = Revocations::holding(10);
        for issued_until in [1000, 1100, 900] {
            revocations.add(session(1), issued_until).expect("room");
        }
        assert!(refuses(&revocations, 1, 1100));
        revocations.forget(1605);
        assert!(refuses(&revocations, 1, 1100), "by the later one");
        revocations.forget(1705);
        assert_eq!(revocations.len(), 0);
    }

    /// The next one is told to be one too many.
    #[test]
    fn memory_has_a_bound() {
        let revocations = Revocations::holding(10);
        for n in 0..10 {
            revocations.add(session(n), 1000).expect("room");
        }
        assert!(revocations.add(session(10), 1000).is_err());
        revocations
            .add(session(1), 1001)
            .expect("one that is known needs none");
        revocations.forget(1605);
        assert_eq!(revocations.len(), 1);
        assert!(refuses(&revocations, 1, 1001));
    }

    #[test]
    fn of_two_policies_the_one_with_less_risk_holds() {
        let seconds = |n| WhenStale::AcceptUpTo(Duration::from_secs(n));
        for (one, other, both) in [
            (FailClosed, seconds(60), FailClosed),
            (Introspect, FailClosed, FailClosed),
            (Introspect, seconds(60), Introspect),
            (seconds(60), seconds(90), seconds(60)),
        ] {
            assert_eq!(one.stricter(other), both);
            assert_eq!(other.stricter(one), both);
        }
    }
}
