//! Tokens seen before: JWT-25.

use lanyard_verifier::{Verifier, VerifyError};

use crate::lab::{AUDIENCE, ISSUER, Lab, NOW};

/// JWT-25: equal in their first parts, or of one `jti`, and yet two tokens.
#[tokio::test]
async fn tokens_that_look_alike_are_told_apart() {
    let lab = Lab::new();
    let first = lab.token().scope("visits:read").claim("jti", "same").mint();
    let second = lab
        .token()
        .scope("visits:write")
        .claim("jti", "same")
        .mint();
    assert_eq!(first[..64], second[..64]);
    for _ in 0..2 {
        let first = lab.verifier.verify(&first).await.expect("good");
        let second = lab.verifier.verify(&second).await.expect("good");
        assert_eq!(first.scopes(), ["visits:read"]);
        assert_eq!(second.scopes(), ["visits:write"]);
    }
    let cut = first.rsplit_once('.').expect("three parts").0;
    let grafted = format!("{cut}.{}", second.rsplit_once('.').expect("three parts").1);
    assert_eq!(
        lab.verifier.verify(&grafted).await.map(drop),
        Err(VerifyError::BadSignature)
    );
}

/// JWT-14, RFC 7515 §5.2: whatever single character is changed, dropped or doubled, for a token
/// that was just accepted and is remembered.
#[tokio::test]
async fn no_token_one_character_away_from_a_good_one_is_accepted() {
    let lab = Lab::new();
    let token = lab.token().mint();
    lab.verifier.verify(&token).await.expect("good");
    for (at, letter) in token.char_indices() {
        let (before, after) = (&token[..at], &token[at + 1..]);
        for other in ["", "A", "_", ".", "=", &format!("{letter}{letter}")] {
            if other == letter.to_string() {
                continue;
            }
            let changed = format!("{before}{other}{after}");
            let verdict = lab.verifier.verify(&changed).await;
            assert!(verdict.is_err(), "{other:?} at {at} for {letter:?}");
        }
    }
}

/// JWT-25: a refusal leaves nothing behind that a second try could find.
#[tokio::test]
async fn a_refused_token_stays_refused() {
    let lab = Lab::new();
    let token = lab.token().claim("aud", "https://billing.example").mint();
    for _ in 0..3 {
        assert_eq!(
            lab.verifier.verify(&token).await.map(drop),
            Err(VerifyError::WrongAudience)
        );
    }
}

/// JWT-25, JWT-07: what one API has seen is nothing to another.
#[tokio::test]
async fn a_token_seen_by_one_api_is_not_good_at_another() {
    let lab = Lab::new();
    let billing = Verifier::builder(ISSUER, "https://billing.example")
        .keys(lab.issuer.keys())
        .clock(lab.clock.clone())
        .build()
        .expect("all is given");
    let token = lab.token().mint();
    lab.verifier.verify(&token).await.expect("good here");
    assert_eq!(
        billing.verify(&token).await.map(drop),
        Err(VerifyError::WrongAudience)
    );
}

/// Memory is bounded, and being crowded out costs a signature check, not a refusal.
#[tokio::test]
async fn more_tokens_than_are_remembered_are_all_good() {
    let lab = Lab::new();
    let tokens: Vec<String> = (0..9_000)
        .map(|n| lab.token().claim("jti", n.to_string()).mint())
        .collect();
    for (n, token) in tokens
        .iter()
        .enumerate()
        .chain(tokens.iter().enumerate().take(100))
    {
        let principal = lab.verifier.verify(token).await.expect("good");
        assert_eq!(principal.jti(), n.to_string(), "its own, and no neighbor's");
    }
    lab.clock.set(NOW + 400);
    assert_eq!(
        lab.verifier.verify(&tokens[0]).await.map(drop),
        Err(VerifyError::Expired)
    );
    assert_eq!(lab.issuer.fetches(), 1);
    assert_eq!(lab.verifier.audience(), AUDIENCE);
}
