//! What may happen, and a story in progress that holds each step against the oracle.

use lanyard::oidc::family::model::Place;
use proptest::prelude::*;
use time::Duration;

use super::oracle::{History, Verdict};
use super::world::{ABSOLUTE_END, Answer, Database, Kind, Party, Request, Token, World, place};

/// One thing that happens. Numbers choose among what is there, modulo.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
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
pub(super) fn happening() -> impl Strategy<Value = Happening> {
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

/// A story in progress.
pub(super) struct Story {
    pub(super) world: World,
    history: History,
    held: Token,
    loot: Vec<Token>,
    requests: Vec<Request>,
    answers: Vec<(Request, Token)>,
}

impl Story {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            world: World::new(kind),
            history: History::default(),
            held: World::first_token(),
            loot: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
        }
    }

    pub(super) fn happens(&mut self, happening: Happening) {
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

    pub(super) fn send(&mut self, from: Party, token: Token, place: Place) {
        self.requests.push(Request { from, token, place });
    }

    fn take_request(&mut self, n: u8) -> Option<Request> {
        let count = self.requests.len();
        (count > 0).then(|| self.requests.remove(usize::from(n) % count))
    }

    /// Commits one request and holds the outcome against the oracle.
    pub(super) fn arrives(&mut self, n: u8) -> Option<(Request, Token)> {
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
