//! When a signing key goes from next to current to previous to gone. Pure.

use time::{Duration, OffsetDateTime};

use super::key::Alg;

/// How long verifiers may keep the keys, and so how long an emergency rotation takes to reach the
/// last of them until revocation is pushed.
pub const JWKS_MAX_AGE: Duration = Duration::minutes(5);
/// A replica may publish and sign by what another one has changed for so long at the most.
const REPLICA_LAG: Duration = Duration::minutes(1);
/// What verifiers allow for clocks that differ.
const LEEWAY: Duration = Duration::minutes(1);
/// A key signs when every verifier's copy of the key set is younger than its publication.
pub const SHORTEST_PUBLISHED: Duration = Duration::minutes(6);

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Published, does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Published until the last token that it signed has ended.
    Previous,
}

impl Standing {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }

    /// The standing of that name; `None` for one that is gone.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Next, Self::Current, Self::Previous]
            .into_iter()
            .find(|standing| standing.name() == name)
    }
}

/// What is known of a key's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLife {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it is published.
    pub published_at: OffsetDateTime,
    /// Since when it stands there.
    pub since: OffsetDateTime,
    /// Of a next one: when it is to take its turn.
    pub signs_from: Option<OffsetDateTime>,
}

/// How long keys live.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a key signs.
    pub rotate_every: Duration,
    /// The longest that anything it signs is good.
    pub longest_token: Duration,
}

/// How the keys in a replica's memory stand to the stored ones.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When they were the same.
    pub read_at: OffsetDateTime,
    /// An algorithm that no stored key signs with, when they were last looked at.
    pub missing: Option<&'static str>,
}

/// Why a replica should sign nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Its key was withdrawn, and no other one took its place.
    #[error("no current {0} key")]
    Missing(&'static str),
    /// It may sign by a key that is withdrawn, or that leaves the key set before its tokens end.
    #[error("the signing keys were last read {0} s ago")]
    Stale(i64),
}

impl Reading {
    /// They are the same now.
    pub const fn at(now: OffsetDateTime) -> Self {
        Self {
            read_at: now,
            missing: None,
        }
    }

    /// What speaks against signing. Beyond [`REPLICA_LAG`] the schedule does not wait for a
    /// replica any more.
    pub fn doubt(self, now: OffsetDateTime) -> Option<Doubt> {
        let age = now - self.read_at;
        let stale = (age > REPLICA_LAG).then(|| Doubt::Stale(age.whole_seconds()));
        self.missing.map(Doubt::Missing).or(stale)
    }
}

/// What is to be done now for one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make and publish the next key.
    Publish {
        /// When it is to take its turn.
        signs_from: OffsetDateTime,
    },
    /// The next key becomes current, the current one previous.
    Promote {
        /// The next one.
        next: String,
        /// The current one.
        current: String,
    },
    /// Erase a previous key.
    Retire {
        /// Which.
        kid: String,
    },
}

/// When a key changes its standing next, and to what. `None`: when its successor takes its turn.
pub fn next_event(key: &KeyLife, rules: Rules) -> Option<(&'static str, OffsetDateTime)> {
    match key.standing {
        Standing::Next => Some(("current", turn(key))),
        Standing::Current => None,
        Standing::Previous => {
            let last_token = key.since + REPLICA_LAG + rules.longest_token;
            Some(("gone", last_token + LEEWAY))
        }
    }
}

/// Never before every verifier can have it, whatever was asked for.
fn turn(next: &KeyLife) -> OffsetDateTime {
    let soonest = next.published_at + SHORTEST_PUBLISHED;
    next.signs_from.map_or(soonest, |asked| asked.max(soonest))
}

/// What is due for the keys of one algorithm. A next key is published as soon as the last one took
/// its turn: then an emergency finds one that every verifier has.
pub fn due(keys: &[KeyLife], rules: Rules, now: OffsetDateTime) -> Vec<Step> {
    let mut steps = Vec::new();
    let of = |standing| keys.iter().find(move |key| key.standing == standing);
    if let Some(current) = of(Standing::Current) {
        match of(Standing::Next) {
            None => steps.push(Step::Publish {
                signs_from: (current.since + rules.rotate_every).max(now + SHORTEST_PUBLISHED),
            }),
            Some(next) if turn(next) <= now => steps.push(Step::Promote {
                next: next.kid.clone(),
                current: current.kid.clone(),
            }),
            Some(_) => {}
        }
    }
    for key in keys.iter().filter(|key| key.standing == Standing::Previous) {
        if next_event(key, rules).is_some_and(|(_, gone)| gone <= now) {
            steps.push(Step::Retire {
                kid: key.kid.clone(),
            });
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-03-02 12:00 UTC);
    const RULES: Rules = Rules {
        rotate_every: Duration::days(30),
        longest_token: Duration::minutes(5),
    };

    fn key(kid: &str, standing: Standing) -> KeyLife {
        KeyLife {
            kid: kid.to_owned(),
            alg: Alg::Es256,
            standing,
            published_at: NOON,
            since: NOON,
            signs_from: None,
        }
    }

    fn next(signs_from: OffsetDateTime) -> KeyLife {
        KeyLife {
            signs_from: Some(signs_from),
            ..key("n", Standing::Next)
        }
    }

    fn promote() -> Vec<Step> {
        vec![Step::Promote {
            next: "n".to_owned(),
            current: "c".to_owned(),
        }]
    }

    /// JWT-17: each edge one second before, at and after.
    #[test]
    fn each_step_is_due_at_its_instant_and_not_before() {
        let second = Duration::seconds(1);
        let current = || key("c", Standing::Current);
        let turn = NOON + Duration::days(30);
        let soonest = NOON + SHORTEST_PUBLISHED;
        // current + lag + its last token + leeway
        let erased = NOON + Duration::minutes(7);
        let retire = vec![Step::Retire {
            kid: "p".to_owned(),
        }];
        let previous = || key("p", Standing::Previous);
        let cases = [
            (vec![current(), next(turn)], turn, promote()),
            // Asked for at once: still not before every verifier can have it.
            (vec![current(), next(NOON)], soonest, promote()),
            (vec![current(), next(turn), previous()], erased, retire),
        ];
        for (keys, edge, step) in cases {
            assert_eq!(due(&keys, RULES, edge - second), [], "before {step:?}");
            assert_eq!(due(&keys, RULES, edge), step);
            assert_eq!(due(&keys, RULES, edge + second), step);
        }
    }

    #[test]
    fn a_next_key_is_published_at_once_and_long_before_its_turn() {
        let current = [key("c", Standing::Current)];
        let turn = NOON + Duration::days(30);
        assert_eq!(
            due(&current, RULES, NOON),
            [Step::Publish { signs_from: turn }]
        );
        // Nobody served for a long time: it is published first all the same.
        let late = NOON + Duration::days(90);
        let signs_from = late + SHORTEST_PUBLISHED;
        assert_eq!(due(&current, RULES, late), [Step::Publish { signs_from }]);
    }

    #[test]
    fn a_key_set_in_a_verifiers_hands_always_has_the_key_that_signs() {
        assert!(JWKS_MAX_AGE <= Duration::minutes(5));
        assert_eq!(SHORTEST_PUBLISHED, JWKS_MAX_AGE + REPLICA_LAG);
        assert!(Duration::try_from(super::super::ring::RELOAD).expect("short") < REPLICA_LAG);
    }

    #[test]
    fn a_replica_is_in_doubt_when_the_schedule_does_not_wait_for_it_any_more() {
        let mut reading = Reading::at(NOON);
        let edge = NOON + REPLICA_LAG;
        assert_eq!(reading.doubt(edge - Duration::SECOND), None);
        assert_eq!(reading.doubt(edge), None);
        let after = edge + Duration::SECOND;
        assert_eq!(reading.doubt(after), Some(Doubt::Stale(61)));
        reading.missing = Some("ES256");
        assert_eq!(reading.doubt(NOON), Some(Doubt::Missing("ES256")));
    }

    #[test]
    fn without_a_current_key_nothing_is_promoted_by_the_schedule() {
        assert_eq!(due(&[next(NOON)], RULES, NOON + Duration::days(60)), []);
    }
}
