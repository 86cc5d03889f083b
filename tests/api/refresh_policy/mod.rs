//! The nine rules of design §5 as tables. Interleavings: `tests/api/refresh_model`.

mod lockstep;
mod standing;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use lanyard::ids::{AccountId, ClientId, FamilyId, TenantId};
use lanyard::oidc::family::model::*;
use lanyard::oidc::family::policy::*;

const START: OffsetDateTime = datetime!(2026-03-01 08:00:00 UTC);
/// When generation 4 was redeemed and generation 5 came into being.
const REDEEMED: OffsetDateTime = datetime!(2026-03-01 09:00:00 UTC);
const ABSOLUTE_END: OffsetDateTime = datetime!(2026-03-01 20:00:00 UTC);
const IDLE_END: OffsetDateTime = datetime!(2026-03-01 18:00:00 UTC);
const SESSION_END: OffsetDateTime = datetime!(2026-03-01 19:00:00 UTC);
const SECOND: Duration = Duration::SECOND;
const KEY: KeyThumbprint = KeyThumbprint([7; 32]);
const HOME: Place = place(1, 1);
const ELSEWHERE: Place = place(2, 2);

const fn place(network: u8, user_agent: u8) -> Place {
    Place {
        network_digest: [network; 32],
        user_agent_digest: [user_agent; 32],
    }
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("well formed")
}

/// A family at generation 5, redeemed from HOME at [`REDEEMED`], everything in order.
fn facts(client_kind: ClientKind) -> FamilyFacts {
    FamilyFacts {
        family: Family {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            id: FamilyId::from_uuid(Uuid::from_u128(2)),
            account: AccountId::from_uuid(Uuid::from_u128(3)),
            client: client("patient-app"),
            key_binding: None,
            absolute_end_at: ABSOLUTE_END,
            current: Generation(5),
            current_is_used: false,
            last_redemption: Some(Redemption {
                redeemed_at: REDEEMED,
                place: HOME,
                access_ends_at: REDEEMED + Duration::minutes(5),
            }),
            lockstep: LockStep::default(),
            ended: None,
        },
        client_kind,
        standing: Standing {
            tenant_is_active: true,
            account_is_active: true,
            membership_is_active: true,
            lacks_factor: false,
            password_epoch: 2,
            session_password_epoch: 2,
            session: SessionClocks {
                is_ended: false,
                idle_end_at: IDLE_END,
                absolute_end_at: SESSION_END,
            },
        },
        access_token_lifetime: Duration::minutes(5),
    }
}

fn shown(generation: u32) -> Presentation {
    Presentation {
        client: client("patient-app"),
        proven_key: None,
        generation: Generation(generation),
        is_authentic: true,
        scope_is_granted: true,
        resource_is_granted: true,
        place: HOME,
    }
}

/// One word for what came out, to be read in a table.
fn word(decision: &Decision) -> String {
    match decision {
        Decision::Rotate(_) => "rotate".to_owned(),
        Decision::Retry(_) => "retry".to_owned(),
        Decision::Reissue(_) => "reissue".to_owned(),
        Decision::Reuse(permit) => format!("reuse {:?}", permit.cause()),
        Decision::Refused(refusal) => format!("refused {refusal:?}"),
    }
}

const KINDS: [ClientKind; 3] = [
    ClientKind::Public,
    ClientKind::Confidential,
    ClientKind::Fapi2,
];

/// Rules 5, 6, 9: who may have what, by generation, kind and time. RT-01, RT-06, RT-07.
#[test]
fn each_generation_brings_what_the_rules_say_at_each_edge() {
    use ClientKind::{Confidential, Fapi2, Public};
    let window = REDEEMED + PUBLIC_RETRY_WINDOW;
    let cases = [
        (Public, 5, START, "rotate"),
        (Public, 5, REDEEMED, "rotate"),
        (Public, 5, window + Duration::hours(1), "rotate"),
        (Public, 4, REDEEMED - SECOND, "retry"), // a replica's clock a second behind
        (Public, 4, REDEEMED, "retry"),
        (Public, 4, window - SECOND, "retry"),
        (Public, 4, window - Duration::NANOSECOND, "retry"),
        (Public, 4, window, "reuse WindowPassed"),
        (Public, 4, window + SECOND, "reuse WindowPassed"),
        (Public, 3, REDEEMED, "reuse OlderGeneration"),
        (Public, 0, REDEEMED, "reuse OlderGeneration"),
        (Public, 6, REDEEMED, "refused Unknown"),
        (Public, u32::MAX, REDEEMED, "refused Unknown"),
        (Confidential, 5, window, "rotate"),
        (Confidential, 4, window, "retry"),
        (Confidential, 4, IDLE_END - SECOND, "retry"),
        (Confidential, 3, REDEEMED, "reuse OlderGeneration"),
        (Confidential, 6, REDEEMED, "refused Unknown"),
        (Fapi2, 5, window, "reissue"),
        (Fapi2, 4, window, "retry"), // rotated before the profile was registered
        (Fapi2, 3, REDEEMED, "reuse OlderGeneration"),
        (Fapi2, 6, REDEEMED, "refused Unknown"),
    ];
    for (kind, generation, now, expected) in cases {
        let decision = decide(&facts(kind), &shown(generation), now);
        assert_eq!(
            word(&decision),
            expected,
            "{kind:?}, generation {generation}, {now}"
        );
    }
}

/// Rule 5: a retry moves no clock, and its access token ends with the first one.
#[test]
fn a_retry_gives_the_same_generation_and_moves_nothing() {
    let facts = facts(ClientKind::Confidential);
    for now in [
        REDEEMED,
        REDEEMED + Duration::minutes(5),
        REDEEMED + Duration::hours(3),
    ] {
        let Decision::Retry(permit) = decide(&facts, &shown(4), now) else {
            panic!("no retry at {now}");
        };
        assert_eq!(permit.after(), &facts.family);
        assert_eq!(permit.access_ends_at(), REDEEMED + Duration::minutes(5));
    }
}

/// Rules 2, 3: what a rotation writes.
#[test]
fn a_rotation_counts_one_up_and_remembers_when_and_where() {
    let now = REDEEMED; // the same second as the rotation before
    for (kind, sealed_until) in [
        (ClientKind::Public, now + PUBLIC_RETRY_WINDOW),
        (ClientKind::Confidential, ABSOLUTE_END),
    ] {
        let before = facts(kind);
        let shown = Presentation {
            place: ELSEWHERE,
            ..shown(5)
        };
        let Decision::Rotate(permit) = decide(&before, &shown, now) else {
            panic!("{kind:?}")
        };
        let expected = Family {
            current: Generation(6),
            last_redemption: Some(Redemption {
                redeemed_at: now,
                place: ELSEWHERE,
                access_ends_at: now + Duration::minutes(5),
            }),
            ..before.family
        };
        assert_eq!(permit.after(), &expected);
        assert_eq!(permit.access_ends_at(), now + Duration::minutes(5));
        assert_eq!(permit.sealed_until(), sealed_until);
    }
}

/// Rule 6: generation n was used without rotating (rule 9), so n−1 is a replay.
#[test]
fn a_reissue_uses_the_token_and_leaves_it_good() {
    let mut facts = facts(ClientKind::Fapi2);
    for round in 0..2 {
        let now = REDEEMED + Duration::hours(round);
        let Decision::Reissue(permit) = decide(&facts, &shown(5), now) else {
            panic!("round {round}");
        };
        assert_eq!(permit.access_ends_at(), now + Duration::minutes(5));
        assert_eq!(permit.after().current, Generation(5));
        facts.family = permit.after().clone();
    }
    let decision = decide(&facts, &shown(4), REDEEMED);
    assert_eq!(word(&decision), "reuse SuccessorUsed");
}

/// Totality at the far ends: neither counter nor calendar overflows.
#[test]
fn the_far_ends_of_counters_and_calendar_are_answers_too() {
    let mut facts = facts(ClientKind::Public);
    facts.family.current = Generation(u32::MAX);
    let decision = decide(&facts, &shown(u32::MAX), REDEEMED);
    assert_eq!(word(&decision), "refused GenerationsExhausted");

    let never = datetime!(9999-12-31 23:59:59 UTC);
    facts.family.current = Generation(0);
    facts.family.last_redemption = None;
    facts.family.absolute_end_at = never;
    facts.standing.session.idle_end_at = never;
    facts.standing.session.absolute_end_at = never;
    facts.access_token_lifetime = Duration::MAX;
    let decision = decide(&facts, &shown(0), never - SECOND);
    let Decision::Rotate(permit) = decision else {
        panic!("{decision:?}")
    };
    assert_eq!(permit.access_ends_at(), never);
    assert_eq!(permit.sealed_until(), never);
}
