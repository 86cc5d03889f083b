//! Rules 1, 5 and 8: whose token it is, and what must still stand.

use lanyard::oidc::family::refusal::{RefreshRefusal, RefusalWord};

use super::*;

/// Rule 1, RT-04: a stranger is refused whatever the generation, so nothing it does ends a family.
#[test]
fn strangers_are_refused_before_anything_else_is_looked_at() {
    for generation in 0..=6 {
        for kind in KINDS {
            let mut facts = facts(kind);
            facts.standing.tenant_is_active = false;
            let other = Presentation {
                client: client("console"),
                ..shown(generation)
            };
            let forged = Presentation {
                is_authentic: false,
                ..shown(generation)
            };
            let both = Presentation {
                is_authentic: false,
                ..other.clone()
            };
            let expect = |shown: &Presentation, refusal| {
                let refusal = if generation > 5 {
                    RefreshRefusal::Unknown
                } else {
                    refusal
                };
                for now in [START, REDEEMED + Duration::hours(1), ABSOLUTE_END] {
                    assert_eq!(decide(&facts, shown, now), Decision::Refused(refusal));
                }
            };
            expect(&other, RefreshRefusal::OtherClient);
            expect(&forged, RefreshRefusal::Unknown);
            expect(&both, RefreshRefusal::Unknown);
        }
    }
}

/// Rule 1: the key that a family is bound to must be proven (RFC 9449 §5).
#[test]
fn another_key_is_refused_and_the_right_one_lets_a_public_client_retry_late() {
    let other = Some(KeyThumbprint([8; 32]));
    let late = REDEEMED + Duration::hours(2);
    for (bound, proven, generation, expected) in [
        (None, None, 5, "rotate"),
        (None, Some(KEY), 5, "rotate"),
        (Some(KEY), Some(KEY), 5, "rotate"),
        (Some(KEY), None, 5, "refused OtherKey"),
        (Some(KEY), other, 5, "refused OtherKey"),
        (Some(KEY), other, 4, "refused OtherKey"),
        (Some(KEY), other, 3, "refused OtherKey"),
        (Some(KEY), Some(KEY), 4, "retry"),
        (Some(KEY), Some(KEY), 3, "reuse OlderGeneration"),
    ] {
        let mut facts = facts(ClientKind::Public);
        facts.family.key_binding = bound;
        let shown = Presentation {
            proven_key: proven,
            ..shown(generation)
        };
        assert_eq!(
            word(&decide(&facts, &shown, late)),
            expected,
            "{bound:?} {proven:?}"
        );
    }
}

/// Rule 8, RT-10: no rotation, retry or reissue moves the absolute end, and at it all is over.
#[test]
fn the_absolute_end_never_moves_and_ends_everything_at_its_instant() {
    for kind in KINDS {
        let mut facts = facts(kind);
        facts.standing.session.absolute_end_at = ABSOLUTE_END + Duration::DAY;
        facts.standing.session.idle_end_at = ABSOLUTE_END + Duration::DAY;
        let last = ABSOLUTE_END - SECOND;
        match decide(&facts, &shown(5), last) {
            Decision::Rotate(permit) => {
                assert_eq!(permit.after().absolute_end_at, ABSOLUTE_END);
                assert_eq!(permit.access_ends_at(), ABSOLUTE_END, "capped");
                assert_eq!(permit.sealed_until(), ABSOLUTE_END, "capped");
            }
            Decision::Reissue(permit) => {
                assert_eq!(permit.after().absolute_end_at, ABSOLUTE_END);
                assert_eq!(permit.access_ends_at(), ABSOLUTE_END, "capped");
            }
            other => panic!("{other:?}"),
        }
        for generation in 0..=5 {
            for now in [ABSOLUTE_END, ABSOLUTE_END + SECOND] {
                let decision = decide(&facts, &shown(generation), now);
                assert_eq!(word(&decision), "refused AbsoluteEndReached");
            }
        }
    }
}

/// Rules 5 and any issue, RT-13: what must stand, one at a time, for the current generation and
/// for a retry alike; and a replay is seen whatever stands.
#[test]
fn whatever_fell_since_is_refused_and_hides_no_replay() {
    type Fall = fn(&mut Standing);
    let falls: [(Fall, RefreshRefusal); 8] = [
        (
            |s| s.tenant_is_active = false,
            RefreshRefusal::TenantNotActive,
        ),
        (
            |s| s.account_is_active = false,
            RefreshRefusal::AccountNotActive,
        ),
        (
            |s| s.membership_is_active = false,
            RefreshRefusal::MembershipNotActive,
        ),
        (|s| s.lacks_factor = true, RefreshRefusal::FactorMissing),
        (|s| s.password_epoch = 3, RefreshRefusal::PasswordChanged),
        (|s| s.session.is_ended = true, RefreshRefusal::SessionEnded),
        (
            |s| s.session.idle_end_at = REDEEMED,
            RefreshRefusal::SessionIdle,
        ),
        (
            |s| s.session.absolute_end_at = REDEEMED,
            RefreshRefusal::SessionAbsoluteEndReached,
        ),
    ];
    for (fall, refusal) in falls {
        for kind in KINDS {
            let mut facts = facts(kind);
            fall(&mut facts.standing);
            for generation in [4, 5] {
                let decision = decide(&facts, &shown(generation), REDEEMED);
                assert_eq!(decision, Decision::Refused(refusal));
            }
            let decision = decide(&facts, &shown(3), REDEEMED);
            assert_eq!(word(&decision), "reuse OlderGeneration", "{refusal:?}");
        }
    }
}

/// RT-10, design §4: both clocks of the session, one second before, at and after.
#[test]
fn both_session_clocks_are_half_open() {
    for (end, refusal) in [
        (IDLE_END, RefreshRefusal::SessionIdle),
        (SESSION_END, RefreshRefusal::SessionAbsoluteEndReached),
    ] {
        let mut facts = facts(ClientKind::Confidential);
        if refusal == RefreshRefusal::SessionAbsoluteEndReached {
            facts.standing.session.idle_end_at = SESSION_END + Duration::HOUR;
        }
        for generation in [4, 5] {
            let at = |now| decide(&facts, &shown(generation), now);
            assert!(matches!(
                at(end - SECOND),
                Decision::Rotate(_) | Decision::Retry(_)
            ));
            assert_eq!(at(end), Decision::Refused(refusal));
            assert_eq!(at(end + SECOND), Decision::Refused(refusal));
        }
    }
}

/// Rule 6 and "revocation is monotonic": an end stays, with its first reason.
#[test]
fn an_ended_family_refuses_every_generation_and_keeps_its_reason() {
    for kind in KINDS {
        let mut facts = facts(kind);
        let Decision::Reuse(permit) = decide(&facts, &shown(0), REDEEMED) else {
            panic!("a replay");
        };
        let reason = EndReason::Reuse(ReuseCause::OlderGeneration);
        let ended = Some(Ended {
            ended_at: REDEEMED,
            reason,
        });
        let expected = Family {
            ended,
            ..facts.family.clone()
        };
        assert_eq!(permit.after(), &expected, "only the end changes");

        facts.family = end(permit.after(), EndReason::SessionEnded, REDEEMED + SECOND);
        assert_eq!(facts.family, expected, "the second end changes nothing");
        for generation in 0..=5 {
            let decision = decide(&facts, &shown(generation), REDEEMED + SECOND);
            let refusal = RefreshRefusal::FamilyEnded(reason);
            assert_eq!(
                decision,
                Decision::Refused(refusal),
                "generation {generation}"
            );
        }
    }
}

/// RT-12 (RFC 6749 §6): too wide a scope spends nothing, and is answered only to the holder of a
/// token that is good.
#[test]
fn a_scope_too_wide_spends_nothing_and_hides_no_replay() {
    for (generation, expected) in [
        (5, "refused ScopeNotGranted"),
        (4, "refused ScopeNotGranted"),
        (3, "reuse OlderGeneration"),
        (6, "refused Unknown"),
    ] {
        let shown = Presentation {
            scope_is_granted: false,
            ..shown(generation)
        };
        let decision = decide(&facts(ClientKind::Public), &shown, REDEEMED);
        assert_eq!(word(&decision), expected);
    }
    let shown = Presentation {
        resource_is_granted: false,
        ..shown(5)
    };
    let decision = decide(&facts(ClientKind::Public), &shown, REDEEMED);
    assert_eq!(word(&decision), "refused ResourceNotGranted");
    assert_eq!(
        RefreshRefusal::ScopeNotGranted.wire(),
        RefusalWord::InvalidScope
    );
    assert_eq!(
        RefreshRefusal::SessionIdle.wire(),
        RefusalWord::InvalidGrant
    );
}
