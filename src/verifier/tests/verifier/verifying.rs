//! One token, one verdict.

use lanyard_verifier::test_issuer::{TestIssuer, TestKey};
use lanyard_verifier::{Verifier, VerifyError};

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "https://api.example";

fn verifier(issuer: &TestIssuer) -> Verifier {
    Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .build()
        .expect("all is given")
}

/// RFC 9068 §4.
#[tokio::test]
async fn a_good_token_is_accepted_and_accepted_again() {
    for key in [
        TestKey::es256("k"),
        TestKey::ed_dsa("k"),
        TestKey::published_rs256("k"),
    ] {
        let issuer = TestIssuer::with_keys(ISSUER, [key]);
        let verifier = verifier(&issuer);
        let token = issuer
            .token(AUDIENCE)
            .scope("visits:read visits:write")
            .mint();
        for _ in 0..3 {
            let principal = verifier.verify(&token).await.expect("a good token");
            assert!(principal.has_scope("visits:write"));
            assert!(!principal.has_scope("visits"));
        }
        assert_eq!(issuer.fetches(), 1);
    }
}

/// RFC 8725 §3.1.
#[tokio::test]
async fn the_header_does_not_choose_the_algorithm() {
    let issuer = TestIssuer::new(ISSUER);
    let verifier = verifier(&issuer);
    for alg in ["none", "HS256", "RS256", "EdDSA", "es256", ""] {
        let token = issuer.token(AUDIENCE).header("alg", alg).mint();
        let refused = verifier
            .verify(&token)
            .await
            .expect_err("another algorithm");
        assert_eq!(refused, VerifyError::WrongAlgorithm);
    }
}
