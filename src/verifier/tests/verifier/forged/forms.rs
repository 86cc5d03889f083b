//! Forms and signatures: the same words, written otherwise.

use super::Cases;
use super::world::{World, encode, mint, mint_raw};

pub(super) fn refused(world: &World, cases: &mut Cases) {
    signatures(world, cases);
    spellings(world, cases);
    objects(world, cases);
    doubled_names(world, cases);
}

fn good(world: &World) -> String {
    mint(&World::header(), &World::claims(), |input| world.es(input))
}

fn signatures(world: &World, cases: &mut Cases) {
    let source = "RFC 7518 §3.4";
    let with = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        mint(&World::header(), &World::claims(), |input| {
            change(world.es(input))
        })
    };
    cases.add(
        "no signature",
        "ES256 has 64 bytes",
        source,
        with(&|_| Vec::new()),
    );
    cases.add(
        "a bit of the signature flipped",
        "the signature does not verify",
        source,
        with(&|mut signature| {
            signature[10] ^= 1;
            signature
        }),
    );
    cases.add(
        "the signature cut short",
        "ES256 has 64 bytes",
        source,
        with(&|signature| signature[..63].to_vec()),
    );
    cases.add(
        "a byte behind the signature",
        "ES256 has 64 bytes",
        source,
        with(&|signature| [signature.as_slice(), &[0]].concat()),
    );
    cases.add(
        "the signature in ASN.1",
        "JWS has r and s side by side, not DER",
        source,
        with(&|signature| der(&signature)),
    );
    cases.add(
        "r and s are zero",
        "the psychic signature: zero is out of range",
        "RFC 7518 §3.4, CVE-2022-21449",
        with(&|_| vec![0; 64]),
    );
    cases.add(
        "r and s are all ones",
        "above the group's order",
        "RFC 7518 §3.4, CVE-2022-21449",
        with(&|_| vec![0xff; 64]),
    );
    changed_under_a_good_signature(world, cases);
}

fn changed_under_a_good_signature(world: &World, cases: &mut Cases) {
    let token = good(world);
    let (header, rest) = token.split_once('.').expect("three parts");
    let (_, signature) = rest.split_once('.').expect("three parts");
    let richer = World::claims().json("roles", "[\"super_admin\"]");
    cases.add(
        "claims changed under a good signature",
        "the signature is over the claims",
        "RFC 7515 §5.2",
        format!(
            "{header}.{}.{signature}",
            encode(richer.render().as_bytes())
        ),
    );
    let other = World::header().text("x", "y");
    cases.add(
        "header changed under a good signature",
        "the signature is over the header too",
        "RFC 7515 §5.2",
        format!("{}.{rest}", encode(other.render().as_bytes())),
    );
}

/// Two integers in a sequence (RFC 3279 §2.2.3).
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let sign = if half[0] >= 0x80 { vec![0] } else { Vec::new() };
        let bytes = [sign.as_slice(), half].concat();
        let length = u8::try_from(bytes.len()).expect("33 at most");
        [&[2, length], bytes.as_slice()].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let length = u8::try_from(both.len()).expect("70 at most");
    [&[0x30, length], both.as_slice()].concat()
}

fn spellings(world: &World, cases: &mut Cases) {
    let source = "JWT-14, RFC 7515 §2";
    let why = "one value has one spelling, so that no list of refused tokens is evaded";
    let token = good(world);
    let tail = token.chars().last().expect("not empty");
    // 64 bytes leave four unused bits in the last character.
    let twin = (b'A'..=b'z')
        .map(char::from)
        .filter(char::is_ascii_alphanumeric)
        .find(|other| *other != tail && sextet(*other) >> 4 == sextet(tail) >> 4)
        .expect("fifteen others");
    let cut = &token[..token.len() - 1];
    cases.add(
        "stray bits in the signature's tail",
        why,
        source,
        format!("{cut}{twin}"),
    );
    cases.add(
        "padding behind the signature",
        why,
        source,
        format!("{token}=="),
    );
    let ed = mint(
        &World::header().text("alg", "EdDSA").text("kid", "ed-1"),
        &World::claims().text("jti", "so that the other alphabet shows: ÿþý???>>>"),
        |input| world.ed(input),
    );
    assert!(
        ed.contains('-') && ed.contains('_'),
        "both letters that differ"
    );
    cases.add(
        "the other base64 alphabet",
        why,
        source,
        ed.replace('-', "+").replace('_', "/"),
    );
    cases.add("a newline at the end", why, source, format!("{token}\n"));
    cases.add("a space in front", why, source, format!(" {token}"));
    cases.add("a dot at the end", why, source, format!("{token}."));
    cases.add("a dot in front", why, source, format!(".{token}"));
    cases.add(
        "five parts, as encrypted tokens have",
        why,
        source,
        format!("{token}.AAAA.AAAA"),
    );
    missing_parts(world, cases);
}

fn missing_parts(world: &World, cases: &mut Cases) {
    let source = "RFC 7515 §7.1";
    let token = good(world);
    let parts: Vec<&str> = token.split('.').collect();
    let two = format!("{}.{}", parts[0], parts[1]);
    cases.add("two parts", "no signature at all", source, two);
    cases.add(
        "no payload",
        "nothing is claimed",
        source,
        format!("{}..{}", parts[0], parts[2]),
    );
    cases.add("one word", "not a JWT", source, "forged".to_owned());
    cases.add("only dots", "not a JWT", source, "..".to_owned());
    let json = format!(
        r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#,
        parts[0], parts[1], parts[2]
    );
    cases.add(
        "the JSON form",
        "a bearer token is in compact form (RFC 7515 §7.2)",
        source,
        json,
    );
    let long = "x".repeat(8_192);
    cases.add(
        "longer than 8 KiB",
        "rightly signed, but nobody needs that much",
        "RFC 9700 §4.16",
        mint(
            &World::header(),
            &World::claims().text("x", &long),
            |input| world.es(input),
        ),
    );
}

/// The six bits that a letter stands for (RFC 4648 §5).
fn sextet(letter: char) -> u32 {
    match letter {
        'A'..='Z' => u32::from(letter) - 65,
        'a'..='z' => u32::from(letter) - 71,
        '0'..='9' => u32::from(letter) + 4,
        '-' => 62,
        _ => 63,
    }
}

fn objects(world: &World, cases: &mut Cases) {
    let source = "RFC 7519 §7.2";
    let header = World::header().render();
    let claims = World::claims().render();
    let mut add = |name: &str, why: &str, header: &str, claims: &str| {
        let token = mint_raw(header, claims, |input| world.es(input));
        cases.add(name, why, source, token);
    };
    add(
        "a header that is no JSON",
        "must be an object",
        "ES256",
        &claims,
    );
    add(
        "a header that is a list",
        "must be an object",
        r#"["ES256","at+jwt","es-1"]"#,
        &claims,
    );
    add(
        "claims that are no JSON",
        "must be an object",
        &header,
        "sub=1",
    );
    add(
        "claims that are a list",
        "must be an object",
        &header,
        &format!("[{claims}]"),
    );
    add("claims that are null", "must be an object", &header, "null");
    add("claims that are empty", "all are required", &header, "{}");
    add(
        "text behind the claims",
        "one object, then the end",
        &header,
        &format!("{claims}{{}}"),
    );
    add(
        "a byte order mark",
        "UTF-8 without it",
        &header,
        &format!("\u{feff}{claims}"),
    );
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let nested = World::claims().json("x", deep).render();
    add(
        "claims nested 500 deep",
        "a parser's stack is no place to dig",
        &header,
        &nested,
    );
    let broken = mint_bytes(
        &header,
        &[b"{\"sub\":\"", &[0xff, 0xfe][..], b"\"}"].concat(),
        world,
    );
    cases.add("claims that are not UTF-8", "JSON is UTF-8", source, broken);
}

fn mint_bytes(header: &str, claims: &[u8], world: &World) -> String {
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims));
    format!("{input}.{}", encode(&world.es(input.as_bytes())))
}

fn doubled_names(world: &World, cases: &mut Cases) {
    let why = "parsers differ in which of the two they take";
    let source = "RFC 7515 §4, RFC 7519 §4";
    let header = World::header().render();
    let claims = World::claims().render();
    let doubled = |object: &str, member: &str| format!("{{{member},{}", &object[1..]);
    let mut add = |name: &str, header: &str, claims: &str| {
        let token = mint_raw(header, claims, |input| world.es(input));
        cases.add(name, why, source, token);
    };
    add("alg twice", &doubled(&header, r#""alg":"none""#), &claims);
    add("kid twice", &doubled(&header, r#""kid":"es-0""#), &claims);
    add(
        "sub twice",
        &header,
        &doubled(&claims, r#""sub":"5b1e0000-0000-4000-8000-000000000002""#),
    );
    add(
        "an unknown claim twice",
        &header,
        &doubled(&claims, r#""x":1,"x":2"#),
    );
    let escaped = doubled(
        &claims,
        r#""t\u0069d":"7e5a0000-0000-4000-8000-00000000000b""#,
    );
    add("tid twice, once escaped", &header, &escaped);
    let nested = doubled(&claims, r#""act":{"sub":"a","sub":"b"}"#);
    add("a name twice in a nested object", &header, &nested);
}
