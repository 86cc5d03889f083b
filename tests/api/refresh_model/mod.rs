//! Design §5 lived through: random interleavings of owner, thief, strangers, a network that loses
//! and delays, crashes and restarts, against `policy::decide` and an oracle that forgets nothing.
//!
//! The seed is fixed, so a failure repeats; `PROPTEST_RNG_SEED` tries another. A failure names its
//! seed and the smallest story that shows it.

mod oracle;
mod story;
mod world;

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};
use time::Duration;

use lanyard::oidc::family::model::{EndReason, ReuseCause};

use story::{Story, happening};
use world::{ABSOLUTE_END, Answer, Kind, Party, Request, World, place};

const SEED: u64 = 20_260_301;

/// Tells `cases` stories; panics with the seed and the smallest one that breaks the rules.
fn tell<S>(cases: u32, stories: &S, live: impl Fn(S::Value) -> TestCaseResult)
where
    S: Strategy,
    S::Value: Debug,
{
    let mut config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => SEED,
    };
    config.rng_seed = RngSeed::Fixed(seed);
    if let Err(failure) = TestRunner::new(config).run(stories, live) {
        panic!("PROPTEST_RNG_SEED={seed}: {failure}");
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Public),
        2 => Just(Kind::PublicWithKey),
        3 => Just(Kind::Confidential),
        1 => Just(Kind::Fapi2),
    ]
}

/// Design §5, rules 1 to 6, 8, 9; RT-01 to RT-04, RT-06, RT-07: whatever happens, at most one live
/// leaf, the same successor to each retry, each replay seen at once, no stranger noticed, no end
/// undone, and nobody ended but by the rules.
#[test]
fn whatever_happens_the_family_does_what_its_whole_history_says() {
    let stories = (kind(), prop::collection::vec(happening(), 1..80));
    tell(10_000, &stories, |(kind, happenings)| {
        let mut story = Story::new(kind);
        for happening in happenings {
            story.happens(happening);
        }
        Ok(())
    });
}

/// What becomes of one attempt of an honest client.
#[derive(Clone, Copy, Debug)]
enum Fate {
    RequestLost,
    DiesBeforeCommit,
    AnswerLost,
    BothTabsAtOnceAndAnswersLost,
}

/// One exchange: attempts that fail, each with the network it went over and the seconds until the
/// next, and then one that does not.
type Exchange = (Vec<(Fate, u8, u8)>, u8);

fn exchange() -> impl Strategy<Value = Exchange> {
    let fate = prop_oneof![
        Just(Fate::RequestLost),
        Just(Fate::DiesBeforeCommit),
        Just(Fate::AnswerLost),
        Just(Fate::BothTabsAtOnceAndAnswersLost),
    ];
    // Five waits of at most 11 seconds end within the minute that a public client has.
    (
        prop::collection::vec((fate, any::<u8>(), 0_u8..12), 0..=5),
        any::<u8>(),
    )
}

/// Design §5 rule 5 and §11: with no thief about, nothing lost or crashed ends a family, however
/// the networks change, and each lost answer is made good by the next attempt.
#[test]
fn an_honest_client_is_never_logged_out_and_always_gets_its_successor() {
    // Between attempts a client with a secret or a key may take this many times as long.
    let patience = prop_oneof![Just(1_i64), Just(60)];
    let stories = (kind(), patience, prop::collection::vec(exchange(), 1..12));
    tell(5_000, &stories, |(kind, patience, exchanges)| {
        let patience = if kind == Kind::Public { 1 } else { patience };
        let mut world = World::new(kind);
        let mut held = World::first_token();
        for (attempts, network) in exchanges {
            let ask = |network| Request {
                from: Party::Owner,
                token: held,
                place: place(network, 0),
            };
            for (fate, network, seconds) in attempts {
                let times = match fate {
                    Fate::RequestLost | Fate::DiesBeforeCommit => 0,
                    Fate::AnswerLost => 1,
                    Fate::BothTabsAtOnceAndAnswersLost => 2,
                };
                for _ in 0..times {
                    world.refresh(&ask(network));
                }
                world.now += Duration::seconds(i64::from(seconds) * patience);
                world.sweep();
            }
            if world.now >= ABSOLUTE_END {
                break;
            }
            let Answer::Tokens { refresh, .. } = world.refresh(&ask(network)) else {
                panic!("logged out at {}: {:?}", world.now, world.db.family);
            };
            let step = u32::from(kind != Kind::Fapi2);
            assert_eq!(refresh.generation, held.generation + step);
            held = refresh;
            world.now += Duration::seconds(i64::from(network));
        }
        assert_eq!(world.db.family.ended, None);
        Ok(())
    });
}

/// One round of two who hold the same token: who asks first, how long the other waits, and how
/// often each asks again.
#[derive(Clone, Copy, Debug)]
struct Round {
    thief_first: bool,
    gap_seconds: u8,
    repeats: u8,
    thief_network: u8,
}

fn round() -> impl Strategy<Value = Round> {
    (
        any::<bool>(),
        prop_oneof![9 => 0_u8..60, 1 => 60_u8..=255],
        0_u8..3,
        5_u8..9,
    )
        .prop_map(|(thief_first, gap_seconds, repeats, thief_network)| Round {
            thief_first,
            gap_seconds,
            repeats,
            thief_network,
        })
}

/// Design §5 rule 7: a thief who keeps step with the owner of a public client, elsewhere, is
/// through within three generations, whoever asks first.
#[test]
fn a_thief_in_lock_step_is_found_within_three_generations() {
    let stories = (0_u8..5, prop::collection::vec(round(), 3));
    tell(5_000, &stories, |(honest, rounds)| {
        let mut world = World::new(Kind::Public);
        let mut held = World::first_token();
        let owner = |token| Request {
            from: Party::Owner,
            token,
            place: place(1, 1),
        };
        for _ in 0..honest {
            let Answer::Tokens { refresh, .. } = world.refresh(&owner(held)) else {
                panic!("logged out");
            };
            held = refresh;
        }
        for round in rounds {
            let place = place(round.thief_network, 2);
            let thief = Request {
                from: Party::Thief,
                token: held,
                place,
            };
            let (first, second) = if round.thief_first {
                (thief, owner(held))
            } else {
                (owner(held), thief)
            };
            let taken = [first, second].map(|request| {
                let answers = (0..=round.repeats).map(|_| world.refresh(&request)).last();
                world.now += Duration::seconds(round.gap_seconds.into());
                match answers {
                    Some(Answer::Tokens { refresh, .. }) => Some(refresh),
                    Some(Answer::Denied) | None => None,
                }
            });
            let [Some(one), Some(other)] = taken else {
                break;
            };
            assert_eq!(one, other, "two live leaves");
            held = one;
        }
        let ended = world
            .db
            .family
            .ended
            .expect("not found in three generations");
        let found = [ReuseCause::LockStep, ReuseCause::WindowPassed].map(EndReason::Reuse);
        assert!(found.contains(&ended.reason), "{ended:?}");
        assert_eq!(world.live_leaves(), 0);
        Ok(())
    });
}

/// Design §5 rule 7: only three in a row count, and only places that differ in network and user
/// agent. Each number says who takes the successor besides the owner: nobody, another tab, the same
/// browser on another network, another browser on the same network, or somebody elsewhere.
#[test]
fn only_generations_in_a_row_and_places_apart_count_as_lock_step() {
    let stories = prop::collection::vec(0_u8..8, 3..12);
    tell(5_000, &stories, |takers| {
        let mut story = Story::new(Kind::Public);
        for taker in takers {
            let token = story.world.issued().last().expect("the first one");
            story.send(Party::Owner, token, place(1, 1));
            story.arrives(0);
            let elsewhere = match taker {
                0 => continue,
                1 => place(1, 1),
                2 => place(2, 1),
                3 => place(1, 2),
                _ => place(2, 2),
            };
            story.send(Party::Thief, token, elsewhere);
            story.arrives(0);
        }
        Ok(())
    });
}

/// Without the client's secret or key a stolen token is worth nothing, and costs the owner nothing.
#[test]
fn a_thief_without_the_key_changes_nothing() {
    let stories = prop::collection::vec((any::<u8>(), any::<bool>()), 1..40);
    tell(1_000, &stories, |tries| {
        let mut world = World::new(Kind::PublicWithKey);
        let mut held = World::first_token();
        for (n, owner_moves) in tries {
            let issued: Vec<_> = world.issued().collect();
            let token = issued[usize::from(n) % issued.len()];
            let before = world.db.clone();
            for from in [Party::OtherKey, Party::OtherClient] {
                let request = Request {
                    from,
                    token,
                    place: place(1, 1),
                };
                assert_eq!(world.refresh(&request), Answer::Denied);
            }
            assert_eq!(before, world.db);
            if owner_moves {
                let request = Request {
                    from: Party::Owner,
                    token: held,
                    place: place(1, 1),
                };
                let Answer::Tokens { refresh, .. } = world.refresh(&request) else {
                    panic!("the owner was logged out");
                };
                held = refresh;
            }
        }
        Ok(())
    });
}
