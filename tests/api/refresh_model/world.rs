//! A world small enough to be lived through ten thousand times: a database that does what a permit
//! says and nothing else, a network that loses and delays, an owner, a thief, a stranger.

use lanyard::ids::{AccountId, ClientId, FamilyId, TenantId};
use lanyard::oidc::family::model::*;
use lanyard::oidc::family::policy::{self, Decision, decide};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

pub(super) const START: OffsetDateTime = datetime!(2026-03-01 08:00:00 UTC);
pub(super) const ABSOLUTE_END: OffsetDateTime = datetime!(2026-03-01 20:00:00 UTC);
const LIFETIME: Duration = Duration::minutes(5);
const KEY: KeyThumbprint = KeyThumbprint([7; 32]);

/// What the client can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Public,
    PublicWithKey,
    Confidential,
    Fapi2,
}

impl Kind {
    const fn registered(self) -> ClientKind {
        match self {
            Self::Public | Self::PublicWithKey => ClientKind::Public,
            Self::Confidential => ClientKind::Confidential,
            Self::Fapi2 => ClientKind::Fapi2,
        }
    }

    const fn bound_key(self) -> Option<KeyThumbprint> {
        match self {
            Self::PublicWithKey => Some(KEY),
            Self::Public | Self::Confidential | Self::Fapi2 => None,
        }
    }
}

/// A refresh token: the generation it names and its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) generation: u32,
    pub(super) secret: u64,
}

/// Who shows a token. The thief has all of the owner's client but stands elsewhere; the stranger
/// is another client, or the same without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Owner,
    Thief,
    OtherClient,
    OtherKey,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) from: Party,
    pub(super) token: Token,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Tokens {
        refresh: Token,
        access_ends_at: OffsetDateTime,
    },
    Denied,
}

/// The sealed copy: opens only with the token that was presented when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sealed {
    opens_with: u64,
    successor: Token,
    until: OffsetDateTime,
}

/// All that is durable. A crash loses what is not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) family: Family,
    /// By generation; stands for the digests.
    pub(super) secrets: Vec<u64>,
    sealed: Option<Sealed>,
    pub(super) session_is_idle: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) kind: Kind,
    pub(super) now: OffsetDateTime,
    pub(super) db: Database,
    drawn: u64,
}

impl World {
    pub(super) fn new(kind: Kind) -> Self {
        let family = Family {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            id: FamilyId::from_uuid(Uuid::from_u128(2)),
            account: AccountId::from_uuid(Uuid::from_u128(3)),
            client: client("patient-app"),
            key_binding: kind.bound_key(),
            absolute_end_at: ABSOLUTE_END,
            current: Generation::FIRST,
            current_is_used: false,
            last_redemption: None,
            lockstep: LockStep::default(),
            ended: None,
        };
        let db = Database {
            family,
            secrets: vec![1],
            sealed: None,
            session_is_idle: false,
        };
        Self {
            kind,
            now: START,
            db,
            drawn: 1,
        }
    }

    /// The token that the code bought.
    pub(super) const fn first_token() -> Token {
        Token {
            generation: 0,
            secret: 1,
        }
    }

    /// What the rules say to `request` now; nothing is written.
    pub(super) fn decision(&self, request: &Request) -> Decision {
        let token = request.token;
        let index = usize::try_from(token.generation).expect("small");
        let is_other = request.from == Party::OtherClient;
        let shown = Presentation {
            client: client(if is_other { "console" } else { "patient-app" }),
            proven_key: self
                .kind
                .bound_key()
                .filter(|_| request.from != Party::OtherKey),
            generation: Generation(token.generation),
            is_authentic: self.db.secrets.get(index) == Some(&token.secret),
            scope_is_granted: true,
            resource_is_granted: true,
            place: request.place,
        };
        let idle_end_at = if self.db.session_is_idle {
            START
        } else {
            ABSOLUTE_END
        };
        let facts = FamilyFacts {
            family: self.db.family.clone(),
            client_kind: self.kind.registered(),
            standing: Standing {
                tenant_is_active: true,
                account_is_active: true,
                membership_is_active: true,
                lacks_factor: false,
                password_epoch: 0,
                session_password_epoch: 0,
                session: SessionClocks {
                    is_ended: false,
                    idle_end_at,
                    absolute_end_at: ABSOLUTE_END,
                },
            },
            access_token_lifetime: LIFETIME,
        };
        decide(&facts, &shown, self.now)
    }

    /// One refresh, committed: writes what the permit says, as the service does.
    pub(super) fn refresh(&mut self, request: &Request) -> Answer {
        match self.decision(request) {
            Decision::Rotate(permit) => {
                self.drawn += 1;
                let generation = permit.after().current.0;
                let successor = Token {
                    generation,
                    secret: self.drawn,
                };
                self.db.secrets.push(successor.secret);
                self.db.sealed = Some(Sealed {
                    opens_with: request.token.secret,
                    successor,
                    until: permit.sealed_until(),
                });
                self.db.family = permit.after().clone();
                Answer::Tokens {
                    refresh: successor,
                    access_ends_at: permit.access_ends_at(),
                }
            }
            Decision::Retry(permit) => {
                let sealed = self.db.sealed.as_ref().expect("an owed successor is kept");
                assert_eq!(
                    sealed.opens_with, request.token.secret,
                    "sealed for this token"
                );
                let refresh = sealed.successor;
                self.db.family = permit.after().clone();
                Answer::Tokens {
                    refresh,
                    access_ends_at: permit.access_ends_at(),
                }
            }
            Decision::Reissue(permit) => {
                self.db.family = permit.after().clone();
                let access_ends_at = permit.access_ends_at();
                Answer::Tokens {
                    refresh: request.token,
                    access_ends_at,
                }
            }
            Decision::Reuse(permit) => {
                self.db.family = permit.after().clone();
                self.db.sealed = None;
                Answer::Denied
            }
            Decision::Refused(_) => Answer::Denied,
        }
    }

    /// Housekeeping: no sealed copy outlives its use.
    pub(super) fn sweep(&mut self) {
        let now = self.now;
        self.db.sealed = self.db.sealed.take().filter(|sealed| now < sealed.until);
    }

    /// The person logs out.
    pub(super) fn log_out(&mut self) {
        self.db.family = policy::end(&self.db.family, EndReason::SessionEnded, self.now);
        self.db.sealed = None;
    }

    /// Every token that was ever issued.
    pub(super) fn issued(&self) -> impl Iterator<Item = Token> + '_ {
        (0..)
            .zip(&self.db.secrets)
            .map(|(generation, &secret)| Token { generation, secret })
    }

    /// How many of them could be turned into a token that did not exist before, or used as they
    /// are: live leaves.
    pub(super) fn live_leaves(&self) -> usize {
        self.issued()
            .map(|token| Request {
                from: Party::Owner,
                token,
                place: place(0, 0),
            })
            .filter(|request| {
                matches!(
                    self.decision(request),
                    Decision::Rotate(_) | Decision::Reissue(_)
                )
            })
            .count()
    }
}

pub(super) const fn place(network: u8, user_agent: u8) -> Place {
    Place {
        network_digest: [network; 32],
        user_agent_digest: [user_agent; 32],
    }
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("well formed")
}
