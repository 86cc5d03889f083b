//! Design §5 lived through: random interleavings of owner, thief, strangers, a network that loses
//! and delays, crashes and restarts, against `policy::decide` and an oracle that forgets nothing.
//!
//! The seed is fixed, so a failure repeats; `PROPTEST_RNG_SEED` tries another. A failure names its
//! seed and the smallest story that shows it.

mod oracle;
mod world;

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};
use time::Duration;

use lanyard::oidc::family::model::{EndReason, Place, ReuseCause};

use oracle::{History, Verdict};
use world::{ABSOLUTE_END, Answer, Database, Kind, Party, Request, Token, World, place};

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

/// One thing that happens. Numbers choose among what is there, modulo.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// The owner (one of two tabs, on one of two networks) sends what it holds.
    OwnerSends(u8),
    /// The thief sends something it has seen.
    ThiefSends(u8),
    /// Another client, or one without the key, tries any token ever issued.
    StrangerTries(u8, Party),
    /// Somebody shows a secret that was never issued.
    SomeoneForges(u8),
    /// A request in flight reaches the server, which commits and answers.
    Arrives(u8),
    /// A request reaches the server, which commits and dies before it answers.
    ArrivesAndAnswerIsLost(u8),
    /// A request reaches the server, which dies before it commits.
    ArrivesBeforeCrash(u8),
    /// A request is lost.
    IsLost(u8),
    /// An answer in flight reaches who asked.
    AnswerArrives(u8),
    /// Every connection breaks, and a new process has only the database.
    Restart,
    /// The thief copies what the owner holds.
    Theft,
    /// The thief reads an answer in flight.
    Eavesdropping(u8),
    /// So many seconds pass.
    Wait(u16),
    /// Copies that may no longer be given are erased.
    Sweep,
    /// The session goes idle, or (a late activity report) turns out not to be.
    Idle(bool),
    LogOut,
}

/// Drawn as one number each: ten thousand stories are then told in seconds. The weights say how
/// often what happens.
fn happening() -> impl Strategy<Value = Happening> {
    any::<u32>().prop_map(|drawn| {
        let [weight, n, high, low] = drawn.to_be_bytes();
        let seconds = u16::from_be_bytes([high, low]);
        match weight {
            0..40 => Happening::OwnerSends(n),
            40..64 => Happening::ThiefSends(n),
            64..68 => Happening::StrangerTries(n, Party::OtherClient),
            68..72 => Happening::StrangerTries(n, Party::OtherKey),
            72..75 => Happening::SomeoneForges(n),
            75..130 => Happening::Arrives(n),
            130..146 => Happening::ArrivesAndAnswerIsLost(n),
            146..154 => Happening::ArrivesBeforeCrash(n),
            154..162 => Happening::IsLost(n),
            162..212 => Happening::AnswerArrives(n),
            212..216 => Happening::Restart,
            216..224 => Happening::Theft,
            224..228 => Happening::Eavesdropping(n),
            228..232 => Happening::Wait(seconds % 30),
            232..236 => Happening::Wait(55 + seconds % 10),
            236..242 => Happening::Wait(seconds % 20_000),
            242..250 => Happening::Sweep,
            250..252 => Happening::Idle(true),
            252..255 => Happening::Idle(false),
            255 => Happening::LogOut,
        }
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Public),
        2 => Just(Kind::PublicWithKey),
        3 => Just(Kind::Confidential),
        1 => Just(Kind::Fapi2),
    ]
}

/// A story in progress.
struct Story {
    world: World,
    history: History,
    held: Token,
    loot: Vec<Token>,
    requests: Vec<Request>,
    answers: Vec<(Request, Token)>,
}

impl Story {
    fn new(kind: Kind) -> Self {
        Self {
            world: World::new(kind),
            history: History::default(),
            held: World::first_token(),
            loot: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::OwnerSends(n) => self.send(Party::Owner, self.held, place(n % 2, 0)),
            Happening::ThiefSends(n) => {
                if let Some(&token) = pick(&self.loot, n) {
                    self.send(Party::Thief, token, place(8 + n % 2, 9));
                }
            }
            Happening::StrangerTries(n, from) => {
                let issued: Vec<_> = self.world.issued().collect();
                self.send(from, issued[usize::from(n) % issued.len()], place(7, 7));
            }
            Happening::SomeoneForges(n) => {
                let token = Token {
                    generation: u32::from(n % 8),
                    secret: u64::MAX,
                };
                self.send(Party::Thief, token, place(8, 9));
            }
            Happening::Arrives(n) => {
                if let Some((request, refresh)) = self.arrives(n) {
                    self.answers.push((request, refresh));
                }
            }
            Happening::ArrivesAndAnswerIsLost(n) => drop(self.arrives(n)),
            Happening::ArrivesBeforeCrash(n) | Happening::IsLost(n) => drop(self.take_request(n)),
            Happening::AnswerArrives(n) => self.answer_arrives(n),
            Happening::Restart => {
                self.requests.clear();
                self.answers.clear();
            }
            Happening::Theft => self.loot.push(self.held),
            Happening::Eavesdropping(n) => {
                self.loot
                    .extend(pick(&self.answers, n).map(|(_, token)| *token));
            }
            Happening::Wait(seconds) => self.world.now += Duration::seconds(seconds.into()),
            Happening::Sweep => self.world.sweep(),
            Happening::Idle(is_idle) => self.world.db.session_is_idle = is_idle,
            Happening::LogOut => {
                self.world.log_out();
                self.history.record_end();
            }
        }
    }

    fn send(&mut self, from: Party, token: Token, place: Place) {
        self.requests.push(Request { from, token, place });
    }

    fn take_request(&mut self, n: u8) -> Option<Request> {
        let count = self.requests.len();
        (count > 0).then(|| self.requests.remove(usize::from(n) % count))
    }

    /// Commits one request and holds the outcome against the oracle.
    fn arrives(&mut self, n: u8) -> Option<(Request, Token)> {
        let request = self.take_request(n)?;
        let world = &mut self.world;
        let (before, now) = (world.db.clone(), world.now);
        let idle = before.session_is_idle;
        let verdict = self
            .history
            .verdict(world.kind, &before.secrets, idle, &request, now);
        let answer = world.refresh(&request);
        self.history.record(&request, answer, now);
        if verdict == Verdict::End {
            self.history.record_end();
        }
        agrees(verdict, &request, answer, &before, &world.db);
        let leaves = world.live_leaves();
        assert!(leaves <= 1, "{leaves} live leaves");
        match answer {
            Answer::Tokens { refresh, .. } => Some((request, refresh)),
            Answer::Denied => None,
        }
    }

    /// The thief keeps everything; the owner drops the answer to a question it no longer has.
    fn answer_arrives(&mut self, n: u8) {
        if self.answers.is_empty() {
            return;
        }
        let (request, token) = self.answers.remove(usize::from(n) % self.answers.len());
        match request.from {
            Party::Owner if request.token == self.held => self.held = token,
            Party::Owner => {}
            Party::Thief | Party::OtherClient | Party::OtherKey => self.loot.push(token),
        }
    }
}

fn pick<T>(among: &[T], n: u8) -> Option<&T> {
    among.get(usize::from(n).checked_rem(among.len())?)
}

fn agrees(
    verdict: Verdict,
    request: &Request,
    answer: Answer,
    before: &Database,
    after: &Database,
) {
    assert_eq!(
        after.family.absolute_end_at, ABSOLUTE_END,
        "the absolute end moved"
    );
    match (verdict, answer) {
        (
            Verdict::New,
            Answer::Tokens {
                refresh,
                access_ends_at,
            },
        ) => {
            assert_eq!(refresh.generation, request.token.generation + 1);
            assert!(
                !before.secrets.contains(&refresh.secret),
                "not new: {refresh:?}"
            );
            assert!(access_ends_at <= ABSOLUTE_END);
        }
        (
            Verdict::Same(token, ends_at),
            Answer::Tokens {
                refresh,
                access_ends_at,
            },
        ) => {
            assert_eq!(
                (refresh, access_ends_at),
                (token, ends_at),
                "not the same successor"
            );
            assert_eq!(before.secrets, after.secrets, "a sibling");
        }
        (Verdict::Itself, Answer::Tokens { refresh, .. }) => {
            assert_eq!(refresh, request.token);
            assert_eq!(before.secrets, after.secrets, "rotated");
        }
        (Verdict::End, Answer::Denied) => {
            assert!(
                after.family.ended.is_some(),
                "a replay of {:?} unseen",
                request.token
            );
        }
        (Verdict::Nothing, Answer::Denied) => assert_eq!(before, after, "a refusal wrote"),
        (verdict, answer) => panic!("{verdict:?} expected of {request:?}, {answer:?} came"),
    }
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
            let mut taken = [None; 2];
            for (taken, request) in taken.iter_mut().zip([first, second]) {
                for _ in 0..=round.repeats {
                    if let Answer::Tokens { refresh, .. } = world.refresh(&request) {
                        *taken = Some(refresh);
                    }
                }
                world.now += Duration::seconds(round.gap_seconds.into());
            }
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
