//! Rule 7: a thief in lock-step.

use super::*;

/// Rule 7: three generations in a row, each given out to two places apart. The table says of each
/// generation where its second taker stands; the first is at HOME.
#[test]
fn three_generations_in_a_row_to_two_places_apart_end_the_family() {
    const THIEF: Option<Place> = Some(ELSEWHERE);
    const OTHER_TAB: Option<Place> = Some(HOME);
    const OTHER_NETWORK: Option<Place> = Some(place(2, 1));
    const OTHER_BROWSER: Option<Place> = Some(place(1, 2));
    let moving_thief = [Some(place(2, 2)), Some(place(3, 3)), Some(place(4, 4))];
    let cases: [(ClientKind, &[Option<Place>], &str); 9] = [
        (ClientKind::Public, &[THIEF; 3], "reuse LockStep"),
        (ClientKind::Public, &moving_thief, "reuse LockStep"),
        (ClientKind::Public, &[THIEF; 2], "retry"),
        (ClientKind::Public, &[OTHER_TAB; 9], "retry"),
        (ClientKind::Public, &[OTHER_NETWORK; 9], "retry"),
        (ClientKind::Public, &[OTHER_BROWSER; 9], "retry"),
        (
            ClientKind::Public,
            &[THIEF, THIEF, None, THIEF, THIEF],
            "retry",
        ),
        (ClientKind::Public, &[OTHER_TAB, THIEF, THIEF], "retry"),
        (ClientKind::Confidential, &[THIEF; 9], "retry"),
    ];
    for (kind, takers, expected) in cases {
        assert_eq!(march(kind, takers), expected, "{kind:?} {takers:?}");
    }
}

/// Rotates once for each of `takers`, who each take the same successor twice a second later; the
/// word of the last one's decision.
fn march(kind: ClientKind, takers: &[Option<Place>]) -> String {
    let mut facts = facts(kind);
    let mut last = String::new();
    let mut now = REDEEMED + Duration::HOUR;
    for taker in takers {
        let generation = facts.family.current.0;
        last = step(&mut facts, &shown(generation), now);
        assert_eq!(last, "rotate");
        for _again in 0..2 {
            let Some(place) = *taker else { continue };
            if facts.family.ended.is_some() {
                return last;
            }
            now += Duration::SECOND;
            last = step(
                &mut facts,
                &Presentation {
                    place,
                    ..shown(generation)
                },
                now,
            );
        }
    }
    last
}

/// Decides, and lets come true what was decided.
fn step(facts: &mut FamilyFacts, shown: &Presentation, now: OffsetDateTime) -> String {
    let decision = decide(facts, shown, now);
    facts.family = match &decision {
        Decision::Rotate(permit) => permit.after().clone(),
        Decision::Retry(permit) => permit.after().clone(),
        Decision::Reissue(permit) => permit.after().clone(),
        Decision::Reuse(permit) => permit.after().clone(),
        Decision::Refused(_) => return word(&decision),
    };
    word(&decision)
}
