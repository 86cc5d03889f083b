//! Headers and keys: what a token says about its own verification.

use ring::hmac;

use super::Cases;
use super::world::{NOW, World, encode, mint, pem};

pub(super) fn refused(world: &World, cases: &mut Cases) {
    no_algorithm(world, cases);
    hmac_with_what_is_public(world, cases);
    another_algorithm(world, cases);
    key_in_the_token(world, cases);
    key_by_address(world, cases);
    wrong_class(world, cases);
    critical(world, cases);
    key_names(world, cases);
}

fn no_algorithm(world: &World, cases: &mut Cases) {
    let source = "JWT-01, RFC 8725 §3.1";
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = World::header().text("alg", alg);
        cases.add(
            format!("alg \"{alg}\", no signature"),
            "an unsigned token proves nothing",
            source,
            mint(&header, &World::claims(), |_| Vec::new()),
        );
        cases.add(
            format!("alg \"{alg}\", signature kept"),
            "the algorithm is the key's, so the header must show it",
            source,
            mint(&header, &World::claims(), |input| world.es(input)),
        );
    }
    for (name, json) in [
        ("null", "null"),
        ("a list", "[\"ES256\"]"),
        ("a number", "256"),
    ] {
        cases.add(
            format!("alg is {name}"),
            "alg must be a string",
            source,
            mint(
                &World::header().json("alg", json),
                &World::claims(),
                |input| world.es(input),
            ),
        );
    }
    cases.add(
        "alg is absent",
        "alg is required (RFC 7515 §4.1.1)",
        source,
        mint(&World::header().without("alg"), &World::claims(), |input| {
            world.es(input)
        }),
    );
}

fn hmac_with_what_is_public(world: &World, cases: &mut Cases) {
    let pem_text = pem("PUBLIC KEY", &world.es_spki());
    let rsa_pem = pem("RSA PUBLIC KEY", &world.rsa_pkcs1());
    let secrets: Vec<(&str, &str, Vec<u8>)> = vec![
        ("the EC key as PEM", "es-1", pem_text.clone().into_bytes()),
        (
            "the EC key as PEM without its last newline",
            "es-1",
            pem_text.trim_end().into(),
        ),
        ("the EC key as DER", "es-1", world.es_spki()),
        (
            "the EC key as JWK",
            "es-1",
            world.jwk_text(false).into_bytes(),
        ),
        ("the RSA key as PEM", "rs-1", rsa_pem.clone().into_bytes()),
        (
            "the RSA key as PEM without its last newline",
            "rs-1",
            rsa_pem.trim_end().into(),
        ),
        ("the RSA key as DER", "rs-1", world.rsa_pkcs1()),
        (
            "the RSA modulus as text",
            "rs-1",
            encode(&world.rsa_numbers().0).into_bytes(),
        ),
        (
            "the Ed25519 key as PEM",
            "ed-1",
            pem("PUBLIC KEY", &world.ed_spki()).into_bytes(),
        ),
        ("the Ed25519 key as bytes", "ed-1", world.ed_public()),
        (
            "the Ed25519 key as text",
            "ed-1",
            encode(&world.ed_public()).into_bytes(),
        ),
        ("an empty secret", "es-1", Vec::new()),
    ];
    for (name, kid, secret) in secrets {
        cases.add(
            format!("HS256 with {name}"),
            "a public key is no secret; HMAC is never accepted",
            "JWT-02, RFC 8725 §2.1",
            mint(
                &World::header().text("alg", "HS256").text("kid", kid),
                &World::claims(),
                |input| hmac_of(hmac::HMAC_SHA256, &secret, input),
            ),
        );
    }
    cases.add(
        "HS512 with the EC key as PEM",
        "the other HMACs are no better",
        "JWT-02, RFC 8725 §2.1",
        mint(
            &World::header().text("alg", "HS512"),
            &World::claims(),
            |input| hmac_of(hmac::HMAC_SHA512, pem_text.as_bytes(), input),
        ),
    );
}

fn hmac_of(algorithm: hmac::Algorithm, secret: &[u8], input: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret), input)
        .as_ref()
        .to_vec()
}

fn another_algorithm(world: &World, cases: &mut Cases) {
    let source = "RFC 8725 §3.1";
    let why = "a key is for one algorithm only";
    let header = |alg: &str, kid: &str| World::header().text("alg", alg).text("kid", kid);
    let claims = World::claims();
    cases.add(
        "RS256 header, EC key",
        why,
        source,
        mint(&header("RS256", "es-1"), &claims, |input| {
            world.rs256(input)
        }),
    );
    cases.add(
        "ES256 header, RSA key",
        why,
        source,
        mint(&header("ES256", "rs-1"), &claims, |input| world.es(input)),
    );
    cases.add(
        "EdDSA header, EC key",
        why,
        source,
        mint(&header("EdDSA", "es-1"), &claims, |input| world.ed(input)),
    );
    cases.add(
        "RS512 with the RSA key",
        "the key was published for RS256",
        source,
        mint(&header("RS512", "rs-1"), &claims, |input| {
            world.rs512(input)
        }),
    );
    cases.add(
        "PS256 header over an RS256 signature",
        "the key was published for RS256",
        source,
        mint(&header("PS256", "rs-1"), &claims, |input| {
            world.rs256(input)
        }),
    );
    cases.add(
        "alg in lower case",
        "names of algorithms are case-sensitive (RFC 7515 §4.1.1)",
        source,
        mint(&header("es256", "es-1"), &claims, |input| world.es(input)),
    );
    cases.add(
        "ES384 header over an ES256 signature",
        "the key was published for ES256",
        source,
        mint(&header("ES384", "es-1"), &claims, |input| world.es(input)),
    );
}

fn key_in_the_token(world: &World, cases: &mut Cases) {
    let source = "JWT-03, RFC 8725 §3.10";
    let claims = World::claims();
    cases.add(
        "jwk: the forger's key in the header",
        "keys come from the issuer's set alone",
        source,
        mint(
            &World::header().json("jwk", world.jwk_text(true)),
            &claims,
            |i| world.stranger(i),
        ),
    );
    cases.add(
        "jwk alone, no kid",
        "keys come from the issuer's set alone",
        source,
        mint(
            &World::header()
                .without("kid")
                .json("jwk", world.jwk_text(true)),
            &claims,
            |input| world.stranger(input),
        ),
    );
    cases.add(
        "jwk: the issuer's own key in the header",
        "rightly signed, but no access token of ours brings a key",
        source,
        mint(
            &World::header().json("jwk", world.jwk_text(false)),
            &claims,
            |i| world.es(i),
        ),
    );
    cases.add(
        "x5c: the forger's certificate in the header",
        "keys come from the issuer's set alone",
        source,
        mint(
            &World::header().json("x5c", "[\"MIIBforged\"]"),
            &claims,
            |i| world.stranger(i),
        ),
    );
}

fn key_by_address(world: &World, cases: &mut Cases) {
    for (parameter, address) in [
        ("jku", "http://169.254.169.254/latest/meta-data"),
        ("jku", "https://forger.example/jwks"),
        (
            "jku",
            "https://id.lanyard.example/redirect?to=https://forger.example/jwks",
        ),
        ("x5u", "https://forger.example/certificate.pem"),
        ("x5u", "http://169.254.169.254/"),
    ] {
        let header = World::header().text(parameter, address);
        cases.add(
            format!("{parameter} to {address}"),
            "no address that a token names is ever called",
            "JWT-04, RFC 8725 §3.10",
            mint(&header, &World::claims(), |input| world.stranger(input)),
        );
    }
    cases.add(
        "jku to the issuer, rightly signed",
        "no access token of ours names an address",
        "JWT-04, RFC 8725 §3.10",
        mint(
            &World::header().text("jku", "https://id.lanyard.example/jwks"),
            &World::claims(),
            |input| world.es(input),
        ),
    );
}

fn wrong_class(world: &World, cases: &mut Cases) {
    let source = "JWT-06, RFC 9068 §4";
    for (name, typ) in [
        ("an ID token", "JWT"),
        ("a logout token", "logout+jwt"),
        ("a DPoP proof", "dpop+jwt"),
        ("a client assertion", "client-authentication+jwt"),
        ("an introspection answer", "token-introspection+jwt"),
        ("a security event", "secevent+jwt"),
        ("an authorization request", "oauth-authz-req+jwt"),
        ("no kind", ""),
        ("an access token in capitals", "AT+JWT"),
    ] {
        cases.add(
            format!("typ of {name}"),
            "rightly signed, but not typed as an access token",
            source,
            mint(
                &World::header().text("typ", typ),
                &World::claims(),
                |input| world.es(input),
            ),
        );
    }
    cases.add(
        "no typ",
        "typ is required",
        source,
        mint(&World::header().without("typ"), &World::claims(), |input| {
            world.es(input)
        }),
    );
    let id_token = World::claims()
        .text("aud", "patient-app")
        .text("nonce", "n")
        .without("scope")
        .without("client_id")
        .without("roles");
    cases.add(
        "a whole ID token",
        "its audience is a client, its key one for ID tokens",
        source,
        mint(
            &World::header()
                .text("typ", "JWT")
                .text("alg", "RS256")
                .text("kid", "rs-1"),
            &id_token,
            |input| world.rs256(input),
        ),
    );
    cases.add(
        "an ID token typed as an access token",
        "the claims of an access token are not there",
        source,
        mint(&World::header(), &id_token, |input| world.es(input)),
    );
    cases.add(
        "a refresh token",
        "opaque: no JWT at all",
        source,
        "lanyard_rt_c3ludGhldGljLCBidXQgb2YgdGhlIHJpZ2h0IGxlbmd0aA".to_owned(),
    );
}

fn critical(world: &World, cases: &mut Cases) {
    let source = "JWT-13, RFC 7515 §4.1.11";
    let signed = |header: &super::world::Object| {
        mint(header, &World::claims(), |input: &[u8]| world.es(input))
    };
    for (name, json) in [
        ("an unknown extension", "[\"exp2\"]"),
        ("nothing", "[]"),
        ("null", "null"),
        ("a string", "\"exp2\""),
    ] {
        cases.add(
            format!("crit names {name}"),
            "what must be understood is not",
            source,
            signed(&World::header().json("crit", json).text("exp2", "1")),
        );
    }
    cases.add(
        "crit and b64",
        "an unencoded payload (RFC 7797) is not understood",
        source,
        signed(
            &World::header()
                .json("crit", "[\"b64\"]")
                .json("b64", "false"),
        ),
    );
    cases.add(
        "b64 without crit",
        "RFC 7797 §6 asks for crit; either way not understood",
        source,
        signed(&World::header().json("b64", "false")),
    );
    cases.add(
        "zip",
        "a compressed payload is for encryption, and a bomb",
        "RFC 8725 §3.6",
        signed(&World::header().text("zip", "DEF")),
    );
}

fn key_names(world: &World, cases: &mut Cases) {
    let source = "JWT-17, RFC 9068 §4";
    let claims = World::claims();
    cases.add(
        "kid of a retired key",
        "its key is no longer in the issuer's set",
        source,
        mint(&World::header().text("kid", "es-0"), &claims, |input| {
            world.retired(input)
        }),
    );
    cases.add(
        "kid of another key of the issuer",
        "the signature is not by the key that is named",
        source,
        mint(&World::header().text("kid", "ed-1"), &claims, |input| {
            world.es(input)
        }),
    );
    cases.add(
        "signed by a stranger",
        "the signature is not by the key that is named",
        source,
        mint(&World::header(), &claims, |input| world.stranger(input)),
    );
    cases.add(
        "signed by a stranger with a long life",
        "the signature comes before the claims",
        source,
        mint(
            &World::header(),
            &claims.clone().number("exp", NOW + 86_400),
            |input| world.stranger(input),
        ),
    );
    cases.add(
        "no kid",
        "kid is required: no key is tried at random",
        source,
        mint(&World::header().without("kid"), &claims, |input| {
            world.es(input)
        }),
    );
    for (name, json) in [
        ("empty", "\"\""),
        ("a number", "1"),
        ("null", "null"),
        ("a list", "[\"es-1\"]"),
        ("a path", "\"../../../../dev/null\""),
        ("a query", "\"es-1' or '1'='1\""),
    ] {
        cases.add(
            format!("kid is {name}"),
            "names no key of the set",
            source,
            mint(&World::header().json("kid", json), &claims, |input| {
                world.es(input)
            }),
        );
    }
}
