//! One token, one verdict.

use lanyard_verifier::test_issuer::{TestIssuer, TestKey};
use lanyard_verifier::{
    BuildError, Jwk, JwkSet, KeyFetch, KeySource, Preset, SubjectId, Verifier, VerifyError,
};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::lab::{AUDIENCE, ISSUER, JUNIPER, Lab, NOW};

/// RFC 9068 §4, RFC 8725 §3.1: each key by its own algorithm.
#[tokio::test]
async fn a_good_token_is_accepted_in_each_algorithm() {
    for key in [
        TestKey::es256("k"),
        TestKey::ed_dsa("k"),
        TestKey::published_rs256("k"),
    ] {
        let issuer = TestIssuer::with_keys(ISSUER, [key]);
        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .keys(issuer.keys())
            .build()
            .expect("all is given");
        let token = issuer.token(AUDIENCE).mint();
        for _ in 0..3 {
            verifier.verify(&token).await.expect("a good token");
        }
        assert_eq!(issuer.fetches(), 1);
    }
}

/// RFC 9068 §2.2.
#[tokio::test]
async fn the_principal_says_what_the_token_said() {
    let lab = Lab::new();
    let actor = SubjectId::from_uuid(Uuid::from_u128(7));
    let token = lab
        .token()
        .scope("visits:read visits:write")
        .roles(["patient"])
        .actor(actor);
    let principal = lab
        .verifier
        .verify(&token.mint())
        .await
        .expect("a good token");
    assert_eq!(principal.tenant(), JUNIPER);
    assert_eq!(principal.roles(), ["patient"]);
    assert_eq!(principal.scopes(), ["visits:read", "visits:write"]);
    assert!(principal.has_scope("visits:write"));
    assert!(!principal.has_scope("visits"), "no scope by its beginning");
    let acting = principal.actor().expect("somebody acts");
    let preset = acting.support().map(|support| support.preset);
    assert_eq!((acting.sub(), preset), (actor, Some(Preset::Assist)));
    assert_eq!(acting.proxy(), None);
    assert_eq!(principal.client_id(), "test-client");
    assert_eq!(principal.audience(), AUDIENCE);
    assert_eq!(principal.sid(), Some("test-session"));
    assert_eq!(principal.acr(), Some("urn:lanyard:acr:pwd"));
    assert_eq!(principal.amr(), ["pwd"]);
    assert_eq!(
        principal.auth_time().map(OffsetDateTime::unix_timestamp),
        Some(NOW - 60)
    );
    assert_eq!(principal.issued_at().unix_timestamp(), NOW);
    assert_eq!(principal.expires_at().unix_timestamp(), NOW + 300);
}

/// RFC 6749 §4.4: nobody signed in, and nothing is invented for it.
#[tokio::test]
async fn a_client_that_acts_for_itself_has_no_sign_in() {
    let lab = Lab::new();
    let token = lab.token().without_sign_in().mint();
    let principal = lab.verifier.verify(&token).await.expect("a good token");
    assert_eq!(principal.sign_in(), None);
    assert_eq!(principal.sid(), None);
    assert_eq!(principal.amr(), [""; 0]);
}

/// JWT-11, JWT-25: one second before, at and after each edge, for a token never seen and for one
/// seen before.
#[tokio::test]
async fn a_token_ends_five_seconds_after_its_exp() {
    let lab = Lab::new();
    let seen = lab.token().mint();
    lab.verifier.verify(&seen).await.expect("good now");
    let unseen = lab.token().claim("jti", "another").mint();
    for token in [seen, unseen] {
        for (at, verdict) in [
            (NOW + 299, Ok(())),
            (NOW + 304, Ok(())),
            (NOW + 305, Err(VerifyError::Expired)),
            (NOW + 306, Err(VerifyError::Expired)),
            (NOW + 304, Ok(())),
        ] {
            lab.clock.set(at);
            assert_eq!(
                lab.verifier.verify(&token).await.map(drop),
                verdict,
                "at {}",
                at - NOW
            );
        }
    }
}

/// JWT-10: a token from the future is refused until its time, less the leeway, has come.
#[tokio::test]
async fn a_token_begins_five_seconds_before_its_iat() {
    let lab = Lab::new();
    let token = lab.token().mint();
    for (at, verdict) in [
        (NOW - 6, Err(VerifyError::NotYetValid)),
        (NOW - 5, Ok(())),
        (NOW - 4, Ok(())),
    ] {
        lab.clock.set(at);
        assert_eq!(
            lab.verifier.verify(&token).await.map(drop),
            verdict,
            "at {}",
            at - NOW
        );
    }
}

/// A key set as an issuer might publish it by mistake.
struct Document(serde_json::Value);

impl KeySource for Document {
    fn fetch(&self) -> KeyFetch<'_> {
        Box::pin(async { JwkSet::from_json(self.0.to_string().as_bytes()) })
    }
}

/// RFC 7517 §4 and §5, RFC 8725 §3.1; JWT-02: what does not say that it is for one of our
/// algorithms is no key here, and what is published with its private half is no secret any more.
#[tokio::test]
async fn a_key_that_is_not_plainly_for_us_is_never_used() {
    let issuer = TestIssuer::new(ISSUER);
    let good: serde_json::Value = serde_json::from_str(&issuer.jwks()).expect("JSON");
    let good = good["keys"][0].clone();
    let changed = |name: &str, value: serde_json::Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let token = issuer.token(AUDIENCE).mint();
    for (name, key, is_used) in [
        ("as published", good.clone(), true),
        ("with a comment", changed("x-comment", json!("ours")), true),
        ("without alg", changed("alg", json!(null)), false),
        (
            "for another algorithm",
            changed("alg", json!("RS256")),
            false,
        ),
        ("for HMAC", changed("alg", json!("HS256")), false),
        ("for encryption", changed("use", json!("enc")), false),
        (
            "with its private half",
            changed("d", json!("c2VjcmV0")),
            false,
        ),
        ("of another curve", changed("crv", json!("P-384")), false),
        ("of another kind", changed("kty", json!("oct")), false),
        (
            "with a short coordinate",
            changed("x", json!("AAAA")),
            false,
        ),
        (
            "with a coordinate that is a number",
            changed("x", json!(1)),
            false,
        ),
    ] {
        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .keys(Document(json!({ "keys": [{ "kty": "new" }, 1, key] })))
            .build()
            .expect("all is given");
        let verdict = verifier.verify(&token).await.map(drop);
        let expected = if is_used {
            Ok(())
        } else {
            Err(VerifyError::UnknownKey)
        };
        assert_eq!(verdict, expected, "{name}");
    }
}

/// RFC 7517 §4.5: two keys of one name leave open which is meant.
#[tokio::test]
async fn a_set_with_one_kid_twice_is_not_taken() {
    let issuer = TestIssuer::with_keys(ISSUER, [TestKey::es256("k"), TestKey::es256("k")]);
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .build()
        .expect("all is given");
    let token = issuer.token(AUDIENCE).mint();
    assert_eq!(
        verifier.verify(&token).await.map(drop),
        Err(VerifyError::KeysUnavailable)
    );
}

/// JWT-19: what this crate writes as a key holds public members only.
#[test]
fn a_written_key_has_only_public_members() {
    for key in [
        TestKey::es256("k"),
        TestKey::ed_dsa("k"),
        TestKey::published_rs256("k"),
    ] {
        let jwk = serde_json::to_value(key.jwk()).expect("JSON");
        for name in jwk.as_object().expect("an object").keys() {
            let public = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"];
            assert!(public.contains(&name.as_str()), "{name}");
        }
    }
    let read: Jwk = serde_json::from_value(json!({ "kty": "OKP", "d": "c2VjcmV0" })).expect("JSON");
    let written = format!("{read:?}{}", serde_json::to_string(&read).expect("JSON"));
    assert!(
        !written.contains("c2VjcmV0"),
        "a private half that was read is not kept"
    );
}

/// RFC 8414 §2, JWT-04: nothing is fetched in the clear, and a blank setting stops the start.
#[test]
fn a_verifier_that_could_not_verify_is_not_built() {
    let issuer = TestIssuer::new(ISSUER);
    let build = |iss: &str, aud: &str| {
        Verifier::builder(iss, aud)
            .keys(issuer.keys())
            .build()
            .map(drop)
    };
    for iss in [
        "",
        "id.example",
        "http://id.example",
        "ftp://id.example",
        "https://id.example?x",
        "https://id.example#x",
        "https://user@id.example",
        "https://id.example/\"",
    ] {
        assert_eq!(build(iss, AUDIENCE), Err(BuildError::Issuer), "{iss}");
    }
    for iss in [
        "https://id.example",
        "https://id.example/a",
        "http://localhost:8080",
        "http://juniper.localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        assert_eq!(build(iss, AUDIENCE), Ok(()), "{iss}");
    }
    assert_eq!(build(ISSUER, ""), Err(BuildError::Audience));
    let without_keys = Verifier::builder(ISSUER, AUDIENCE).build().map(drop);
    assert_eq!(without_keys, Err(BuildError::NoKeys));
    let bad_resource = Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .resource("api");
    assert_eq!(bad_resource.build().map(drop), Err(BuildError::Resource));
}

/// RFC 9562 §4: one spelling.
#[test]
fn identifiers_have_one_spelling() {
    let text = "7e5a0000-0000-4000-8000-00000000000a";
    let id: SubjectId = text.parse().expect("canonical");
    assert_eq!(id.to_string(), text);
    for other in [
        text.to_uppercase(),
        format!("{{{text}}}"),
        text.replace('-', ""),
        String::new(),
    ] {
        assert!(other.parse::<SubjectId>().is_err(), "{other}");
    }
}

/// No log line may hold what a token is worth.
#[tokio::test]
async fn debugging_a_principal_shows_no_session_and_no_token() {
    let lab = Lab::new();
    let principal = lab
        .verifier
        .verify(&lab.token().mint())
        .await
        .expect("a good token");
    let text = format!("{principal:?} {:?}", lab.verifier);
    assert!(
        !text.contains("test-session") && !text.contains("test-token"),
        "{text}"
    );
}
