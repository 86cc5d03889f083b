//! The rules once more, told from the whole history instead of a family's few columns: what the
//! columns forget, the oracle remembers.

use std::collections::BTreeMap;

use lanyard::oidc::family::model::Place;
use time::{Duration, OffsetDateTime};

use super::world::{ABSOLUTE_END, Answer, Kind, Party, Request, Token};

/// What must come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A token that nobody had before.
    New,
    /// Exactly this, with an access token that ends exactly then.
    Same(Token, OffsetDateTime),
    /// The token itself, which does not rotate.
    Itself,
    /// No, and the family is over from now on.
    End,
    /// No, and nothing at all changes.
    Nothing,
}

/// One redemption that was answered with tokens.
#[derive(Clone, Copy, Debug)]
struct Giving {
    at: OffsetDateTime,
    place: Place,
    given: Token,
    access_ends_at: OffsetDateTime,
}

#[derive(Debug, Default)]
pub(super) struct History {
    /// By the generation presented, in order.
    givings: BTreeMap<u32, Vec<Giving>>,
    is_over: bool,
}

impl History {
    pub(super) fn verdict(
        &self,
        kind: Kind,
        issued: &[u64],
        session_is_idle: bool,
        request: &Request,
        now: OffsetDateTime,
    ) -> Verdict {
        let shown = request.token;
        let known = issued.get(usize::try_from(shown.generation).expect("small"));
        let lacks_the_key = request.from == Party::OtherKey && kind == Kind::PublicWithKey;
        if known != Some(&shown.secret)
            || request.from == Party::OtherClient
            || lacks_the_key
            || self.is_over
            || now >= ABSOLUTE_END
        {
            return Verdict::Nothing;
        }
        if kind == Kind::Fapi2 {
            return if session_is_idle {
                Verdict::Nothing
            } else {
                Verdict::Itself
            };
        }
        let Some(first) = self.givings.get(&shown.generation).and_then(|g| g.first()) else {
            return if session_is_idle {
                Verdict::Nothing
            } else {
                Verdict::New
            };
        };
        let successor_was_used = self.givings.contains_key(&(shown.generation + 1));
        let window = Duration::minutes(1);
        if successor_was_used || kind == Kind::Public && now >= first.at + window {
            return Verdict::End;
        }
        if session_is_idle {
            return Verdict::Nothing;
        }
        if kind == Kind::Public && self.marches(shown.generation, request.place) {
            return Verdict::End;
        }
        Verdict::Same(first.given, first.access_ends_at)
    }

    /// Whether the successors of this and the two generations before it each went, or would now
    /// go, to two places apart.
    fn marches(&self, presented: u32, here: Place) -> bool {
        presented >= 2
            && (presented - 2..=presented).all(|generation| {
                let places = self
                    .givings
                    .get(&generation)
                    .into_iter()
                    .flatten()
                    .map(|g| g.place);
                let places: Vec<_> = places
                    .chain((generation == presented).then_some(here))
                    .collect();
                places.iter().any(|place| place.is_apart_from(&places[0]))
            })
    }

    pub(super) fn record(&mut self, request: &Request, answer: Answer, at: OffsetDateTime) {
        let Answer::Tokens {
            refresh,
            access_ends_at,
        } = answer
        else {
            return;
        };
        let giving = Giving {
            at,
            place: request.place,
            given: refresh,
            access_ends_at,
        };
        self.givings
            .entry(request.token.generation)
            .or_default()
            .push(giving);
    }

    pub(super) const fn record_end(&mut self) {
        self.is_over = true;
    }
}
