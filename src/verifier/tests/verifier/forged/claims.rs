//! Claims: rightly signed, and not to be believed. And the tokens that must be accepted.

use super::Cases;
use super::world::{AUDIENCE, ISSUER, NOW, Object, World, mint};

/// An actor as the issuer writes one, without its braces.
const ACTOR: &str = concat!(
    r#""sub":"ac700000-0000-4000-8000-000000000001","#,
    r#""grant":"6a7e0000-0000-4000-8000-000000000001","preset":"read-only""#
);

/// A proxy likewise.
const PROXY: &str = concat!(
    r#""sub":"ac700000-0000-4000-8000-000000000001","#,
    r#""delegation":"de1e0000-0000-4000-8000-000000000001","basis":"parent""#
);

pub(super) fn accepted(world: &World, cases: &mut Cases) {
    let mut add = |name: &str, why: &str, claims: &Object| {
        let token = mint(&World::header(), claims, |input| world.es(input));
        cases.add(name, why, "control", token);
    };
    let claims = World::claims;
    add("a good token", "ES256, the default", &claims());
    add(
        "expired 4 s ago",
        "within the leeway of 5 s",
        &claims().number("exp", NOW - 4),
    );
    add(
        "minted 5 s ahead",
        "within the leeway of 5 s",
        &claims().number("iat", NOW + 5),
    );
    add(
        "nbf reached",
        "nbf is optional",
        &claims().number("nbf", NOW),
    );
    add(
        "an empty scope",
        "grants nothing",
        &claims().text("scope", ""),
    );
    add(
        "an empty list of roles",
        "grants nothing",
        &claims().json("roles", "[]"),
    );
    add(
        "a claim that nobody knows",
        "is ignored (RFC 7519 §4)",
        &claims().text("x", "y"),
    );
    add(
        "under impersonation",
        "who acts is named; what may be done then is the route's to say",
        &claims().json("act", format!("{{{ACTOR}}}")),
    );
    add(
        "under a delegation",
        "a patient's proxy is named; what may be done then is the route's to say",
        &claims().json("act", format!("{{{PROXY}}}")),
    );
    add(
        "a client acting for itself",
        "nobody signed in",
        &claims()
            .without("sid")
            .without("auth_time")
            .without("acr")
            .without("amr"),
    );
    add(
        "living ten minutes",
        "the longest life that is believed",
        &claims().number("iat", NOW).number("exp", NOW + 600),
    );
    accepted_headers(world, cases);
}

fn accepted_headers(world: &World, cases: &mut Cases) {
    let claims = World::claims;
    let header = |alg: &str, kid: &str| World::header().text("alg", alg).text("kid", kid);
    let ed = mint(&header("EdDSA", "ed-1"), &claims(), |input| world.ed(input));
    cases.add(
        "a good token in EdDSA",
        "by the key's own algorithm",
        "control",
        ed,
    );
    let rs = mint(&header("RS256", "rs-1"), &claims(), |input| {
        world.rs256(input)
    });
    cases.add(
        "a good token in RS256",
        "by the key's own algorithm",
        "control",
        rs,
    );
    let unknown = World::header().text("x", "y");
    let unknown = mint(&unknown, &claims(), |input| world.es(input));
    cases.add(
        "a header that nobody knows",
        "is ignored (RFC 7515 §4)",
        "control",
        unknown,
    );
}

pub(super) fn refused(world: &World, cases: &mut Cases) {
    let mut list = List { world, cases };
    issuer_and_audience(&mut list);
    times_of_the_wrong_type(&mut list);
    times(&mut list);
    required(&mut list);
    identifiers(&mut list);
    sign_in(&mut list);
    actors(&mut list);
    bound(&mut list);
}

struct List<'a> {
    world: &'a World,
    cases: &'a mut Cases,
}

impl List<'_> {
    fn add(&mut self, name: impl Into<String>, why: &str, source: &'static str, claims: &Object) {
        let token = mint(&World::header(), claims, |input| self.world.es(input));
        self.cases.add(name, why, source, token);
    }
}

fn issuer_and_audience(list: &mut List<'_>) {
    let source = "JWT-07, RFC 9068 §4";
    let claims = World::claims;
    list.add(
        "no iss",
        "iss is required",
        source,
        &claims().without("iss"),
    );
    list.add(
        "no aud",
        "aud is required",
        source,
        &claims().without("aud"),
    );
    let neither = claims().without("iss").without("aud");
    list.add("neither iss nor aud", "both are required", source, &neither);
    for (name, iss) in [
        ("another issuer", "https://forger.example".to_owned()),
        ("iss with a slash at its end", format!("{ISSUER}/")),
        ("iss in capitals", ISSUER.to_uppercase()),
        ("iss without TLS", ISSUER.replace("https", "http")),
        ("iss with more behind", format!("{ISSUER}.forger.example")),
    ] {
        list.add(
            name,
            "compared byte by byte",
            source,
            &claims().text("iss", &iss),
        );
    }
    let iss_list = format!("[\"{ISSUER}\"]");
    list.add(
        "iss is a list",
        "iss is one string",
        source,
        &claims().json("iss", iss_list),
    );
    for (name, aud) in [
        ("another API", "https://billing.lanyard.example".to_owned()),
        ("aud with a slash at its end", format!("{AUDIENCE}/")),
        ("aud with a path", format!("{AUDIENCE}/visits")),
        ("a client as aud", "patient-app".to_owned()),
        ("an empty aud", String::new()),
    ] {
        list.add(
            name,
            "compared byte by byte",
            source,
            &claims().text("aud", &aud),
        );
    }
    for (name, json) in [
        (
            "aud is a list of two",
            format!("[\"{AUDIENCE}\",\"https://billing.lanyard.example\"]"),
        ),
        ("aud is a list of one", format!("[\"{AUDIENCE}\"]")),
        ("aud is an empty list", "[]".to_owned()),
        ("aud is null", "null".to_owned()),
    ] {
        list.add(
            name,
            "a token is for one API, named once",
            source,
            &claims().json("aud", json),
        );
    }
}

fn times_of_the_wrong_type(list: &mut List<'_>) {
    let source = "JWT-10, RFC 7519 §2";
    for (name, json) in [
        ("exp is a string", format!("\"{}\"", NOW + 240)),
        ("exp is null", "null".to_owned()),
        ("exp is −1", "-1".to_owned()),
        ("exp is 1e300", "1e300".to_owned()),
        ("exp is 1e18", "1e18".to_owned()),
        ("exp is 10^18", "1000000000000000000".to_owned()),
        ("exp is 2^63", "9223372036854775808".to_owned()),
        ("exp is the largest 64-bit integer", i64::MAX.to_string()),
        ("exp is a list", format!("[{}]", NOW + 240)),
        ("exp is a fraction", format!("{}.5", NOW + 240)),
        ("exp is true", "true".to_owned()),
    ] {
        let claims = World::claims().json("exp", json);
        list.add(name, "an instant is an integer in range", source, &claims);
    }
    let iat = World::claims().json("iat", format!("\"{NOW}\""));
    list.add("iat is a string", "an instant is an integer", source, &iat);
    let early = World::claims().json("iat", i64::MIN.to_string());
    list.add(
        "iat is the smallest 64-bit integer",
        "nothing lives that long",
        source,
        &early,
    );
    let nbf = World::claims().json("nbf", "\"99999999999\"");
    list.add("nbf is a string", "an instant is an integer", source, &nbf);
    let null = World::claims().json("nbf", "null");
    list.add("nbf is null", "an instant is an integer", source, &null);
}

fn times(list: &mut List<'_>) {
    for seconds in [5, 6, 30, 59, 61, 86_400] {
        list.add(
            format!("expired {seconds} s ago"),
            "past the leeway of 5 s",
            "JWT-11",
            &World::claims()
                .number("iat", NOW - seconds - 300)
                .number("exp", NOW - seconds),
        );
    }
    let source = "JWT-10, RFC 9068 §4";
    let claims = World::claims;
    let ahead = claims().number("iat", NOW + 6);
    list.add("minted 6 s ahead", "past the leeway of 5 s", source, &ahead);
    let tomorrow = claims()
        .number("iat", NOW + 86_400)
        .number("exp", NOW + 86_700);
    list.add(
        "minted tomorrow",
        "nothing is minted in the future",
        source,
        &tomorrow,
    );
    let nbf = claims().number("nbf", NOW + 6);
    list.add("nbf not reached", "past the leeway of 5 s", source, &nbf);
    let long = claims().number("iat", NOW).number("exp", NOW + 601);
    list.add(
        "living 10 minutes and a second",
        "ten minutes are the most",
        source,
        &long,
    );
    let year = claims().number("iat", NOW).number("exp", NOW + 31_536_000);
    list.add("living a year", "ten minutes are the most", source, &year);
    let none = claims().number("iat", NOW).number("exp", NOW);
    list.add("living no second", "exp is after iat", source, &none);
    let back = claims().number("iat", NOW + 4).number("exp", NOW + 2);
    list.add(
        "ending before it was minted",
        "exp is after iat",
        source,
        &back,
    );
}

fn required(list: &mut List<'_>) {
    let source = "RFC 9068 §2.2";
    for name in [
        "sub",
        "exp",
        "iat",
        "jti",
        "client_id",
        "scope",
        "tid",
        "roles",
    ] {
        let claims = World::claims().without(name);
        list.add(format!("no {name}"), "it is required", source, &claims);
    }
    for name in ["jti", "client_id"] {
        list.add(
            format!("an empty {name}"),
            "names nothing",
            source,
            &World::claims().text(name, ""),
        );
    }
    for (name, claim, json) in [
        ("roles is a string", "roles", "\"patient\""),
        ("roles is null", "roles", "null"),
        ("a role that is a number", "roles", "[1]"),
        ("an empty role", "roles", "[\"\"]"),
        ("scope is a list", "scope", "[\"visits:read\"]"),
        (
            "scope with two spaces",
            "scope",
            "\"visits:read  visits:write\"",
        ),
        (
            "scope with a newline",
            "scope",
            "\"visits:read\\nvisits:write\"",
        ),
        ("jti is a number", "jti", "1"),
        ("client_id is a list", "client_id", "[\"patient-app\"]"),
    ] {
        list.add(
            name,
            "of the wrong type or form",
            source,
            &World::claims().json(claim, json),
        );
    }
}

fn identifiers(list: &mut List<'_>) {
    let source = "JWT-16, RFC 9562 §4";
    let tid = "7e5a0000-0000-4000-8000-00000000000a";
    for (name, claim, json) in [
        ("tid is null", "tid", "null".to_owned()),
        ("tid is a slug", "tid", "\"juniper\"".to_owned()),
        (
            "tid in capitals",
            "tid",
            format!("\"{}\"", tid.to_uppercase()),
        ),
        ("tid in braces", "tid", format!("\"{{{tid}}}\"")),
        (
            "tid without hyphens",
            "tid",
            format!("\"{}\"", tid.replace('-', "")),
        ),
        ("tid is a list", "tid", format!("[\"{tid}\"]")),
        ("tid with a space", "tid", format!("\"{tid} \"")),
        ("sub is a name", "sub", "\"alice\"".to_owned()),
        ("sub is a number", "sub", "1".to_owned()),
        ("sub is empty", "sub", "\"\"".to_owned()),
    ] {
        let claims = World::claims().json(claim, json);
        list.add(name, "a UUID in its one canonical form", source, &claims);
    }
}

fn sign_in(list: &mut List<'_>) {
    let source = "RFC 9068 §2.2.1";
    for name in ["sid", "auth_time", "acr", "amr"] {
        let claims = World::claims().without(name);
        let why = "what tells of a sign-in comes together";
        list.add(format!("a sign-in without {name}"), why, source, &claims);
    }
    for (name, claim, json) in [
        ("an empty sid", "sid", "\"\"".to_owned()),
        ("sid is null", "sid", "null".to_owned()),
        ("amr is a string", "amr", "\"pwd\"".to_owned()),
        ("acr is a number", "acr", "2".to_owned()),
        ("auth_time is a string", "auth_time", format!("\"{NOW}\"")),
        (
            "signed in tomorrow",
            "auth_time",
            (NOW + 86_400).to_string(),
        ),
        ("auth_time out of range", "auth_time", i64::MAX.to_string()),
    ] {
        let claims = World::claims().json(claim, json);
        list.add(name, "of the wrong type or in the future", source, &claims);
    }
}

const ACT_SOURCE: &str = "RFC 8693 §4.1";
const SUB: &str = r#""sub":"ac700000-0000-4000-8000-000000000001""#;
const GRANT: &str = r#""grant":"6a7e0000-0000-4000-8000-000000000001""#;
const PRESET: &str = r#""preset":"read-only""#;
const DELEGATION: &str = r#""delegation":"de1e0000-0000-4000-8000-000000000001""#;
const BASIS: &str = r#""basis":"parent""#;

/// A token of that name for each `act`.
fn acts<const N: usize>(list: &mut List<'_>, all: [(&str, String); N]) {
    let why = "exactly one actor, by id, with grant and preset or delegation and basis, no chain";
    for (name, json) in all {
        list.add(name, why, ACT_SOURCE, &World::claims().json("act", json));
    }
}

fn actors(list: &mut List<'_>) {
    let shapes = [
        (
            "act is a string",
            "\"ac700000-0000-4000-8000-000000000001\"".to_owned(),
        ),
        ("act is null", "null".to_owned()),
        ("act is empty", "{}".to_owned()),
        ("act is a list", format!("[{{{ACTOR}}}]")),
        (
            "act names a person by name",
            format!("{{\"sub\":\"sam\",{GRANT},{PRESET}}}"),
        ),
        ("act in act", format!("{{{ACTOR},\"act\":{{{ACTOR}}}}}")),
        ("act without sub", format!("{{{GRANT},{PRESET}}}")),
        ("act without a grant", format!("{{{SUB},{PRESET}}}")),
        ("act without a preset", format!("{{{SUB},{GRANT}}}")),
        ("act with more", format!("{{{ACTOR},\"client\":\"x\"}}")),
        (
            "act by a grant that is no id",
            format!("{{{SUB},\"grant\":\"1\",{PRESET}}}"),
        ),
        (
            "act with a preset that is none",
            format!("{{{SUB},{GRANT},\"preset\":\"all\"}}"),
        ),
        (
            "act with a preset in capitals",
            format!("{{{SUB},{GRANT},\"preset\":\"Assist\"}}"),
        ),
        (
            "act with a list of presets",
            format!("{{{SUB},{GRANT},\"preset\":[\"assist\"]}}"),
        ),
    ];
    acts(list, shapes);
    proxies(list);
    let machine = World::claims()
        .without("sid")
        .without("auth_time")
        .without("acr")
        .without("amr")
        .json("act", format!("{{{ACTOR}}}"));
    let why = "an actor has signed in";
    list.add("act without a sign-in", why, ACT_SOURCE, &machine);
}

fn proxies(list: &mut List<'_>) {
    let shapes = [
        ("act without a basis", format!("{{{SUB},{DELEGATION}}}")),
        ("act without a delegation", format!("{{{SUB},{BASIS}}}")),
        (
            "act without a sub under a delegation",
            format!("{{{DELEGATION},{BASIS}}}"),
        ),
        (
            "act under a delegation that is no id",
            format!("{{{SUB},\"delegation\":\"1\",{BASIS}}}"),
        ),
        (
            "act on a basis that is none",
            format!("{{{SUB},{DELEGATION},\"basis\":\"friend\"}}"),
        ),
        (
            "act by a grant and under a delegation",
            format!("{{{SUB},{GRANT},{PRESET},{DELEGATION},{BASIS}}}"),
        ),
        (
            "act by a grant, on a basis",
            format!("{{{SUB},{GRANT},{BASIS}}}"),
        ),
        (
            "act under a delegation, with a preset",
            format!("{{{SUB},{DELEGATION},{PRESET}}}"),
        ),
        (
            "act under a delegation, with a preset too",
            format!("{{{SUB},{DELEGATION},{BASIS},{PRESET}}}"),
        ),
    ];
    acts(list, shapes);
}

fn bound(list: &mut List<'_>) {
    let bound = World::claims().json(
        "cnf",
        r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#,
    );
    let why = "bound to a key, and presented without its proof";
    list.add("cnf with a DPoP key", why, "RFC 9449 §7.1", &bound);
    let empty = World::claims().json("cnf", "{}");
    list.add("an empty cnf", why, "RFC 7800 §3", &empty);
    let null = World::claims().json("cnf", "null");
    list.add("cnf is null", why, "RFC 7800 §3", &null);
}
