//! The published corpus, `forged-tokens.json`: made here, checked to be up to date, and run.

mod claims;
mod forms;
mod headers;
mod world;

use std::collections::HashSet;
use std::path::Path;

use lanyard_verifier::{KeyFetch, KeySource, Verifier, VerifyError};
use serde_json::Value;

use crate::clock::FixedClock;
use world::{AUDIENCE, ISSUER, NOW, World};

pub(crate) const PUBLISHED: &str = include_str!("../../../forged-tokens.json");

const ABOUT: &str = "Forged and broken access tokens for the tests of any API that trusts Lanyard. \
    Configure the verifier with `issuer`, `audience` and the key set `jwks`, set its clock to \
    `now` (Unix seconds), and present each token: all of `refused` must be refused with 401 \
    invalid_token (or 400), all of `accepted` accepted. Synthetic: the private keys are published \
    in this repository. `source` names a standard, or a case of the attack catalogue.";

/// One token of the corpus.
pub(crate) struct Case {
    name: String,
    why: String,
    source: &'static str,
    token: String,
}

/// A list being written.
#[derive(Default)]
pub(crate) struct Cases(Vec<Case>);

impl Cases {
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        why: impl Into<String>,
        source: &'static str,
        token: String,
    ) {
        self.0.push(Case {
            name: name.into(),
            why: why.into(),
            source,
            token,
        });
    }

    fn render(&self) -> String {
        let cases: Vec<String> = self.0.iter().map(Case::render).collect();
        cases.join(",\n")
    }
}

impl Case {
    fn render(&self) -> String {
        let quote = |text: &str| Value::from(text).to_string();
        format!(
            "    {{\n      \"name\": {},\n      \"why\": {},\n      \"source\": {},\n      \
             \"token\": {}\n    }}",
            quote(&self.name),
            quote(&self.why),
            quote(self.source),
            quote(&self.token)
        )
    }
}

/// The whole file as it should be.
fn document() -> String {
    let world = World::new();
    let mut accepted = Cases::default();
    claims::accepted(&world, &mut accepted);
    let mut refused = Cases::default();
    headers::refused(&world, &mut refused);
    forms::refused(&world, &mut refused);
    claims::refused(&world, &mut refused);
    let keys: Vec<String> = world.jwks().keys.iter().map(jwk_line).collect();
    format!(
        "{{\n  \"about\": {},\n  \"issuer\": \"{ISSUER}\",\n  \"audience\": \"{AUDIENCE}\",\n  \
         \"now\": {NOW},\n  \"jwks\": {{\n    \"keys\": [\n{}\n    ]\n  }},\n  \
         \"accepted\": [\n{}\n  ],\n  \"refused\": [\n{}\n  ]\n}}\n",
        Value::from(ABOUT),
        keys.join(",\n"),
        accepted.render(),
        refused.render()
    )
}

/// In the order of the struct, whatever the maps of `serde_json` do.
fn jwk_line(jwk: &lanyard_verifier::Jwk) -> String {
    format!(
        "      {}",
        serde_json::to_string(jwk).expect("a key is JSON")
    )
}

/// Run it with `--ignored` after a change of the cases.
#[test]
#[ignore = "writes the file"]
fn write_the_forged_tokens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("forged-tokens.json");
    std::fs::write(path, document()).expect("the source tree can be written");
}

#[test]
fn the_published_file_is_up_to_date() {
    assert!(
        document() == PUBLISHED,
        "run: cargo test -p lanyard-verifier write_the_forged_tokens -- --ignored"
    );
}

/// The corpus as another API would read it.
pub(crate) struct Published(Value);

impl Published {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(PUBLISHED).expect("the file is JSON"))
    }

    /// Name and token of each.
    pub(crate) fn list(&self, which: &str) -> Vec<(&str, &str)> {
        let cases = self.0[which].as_array().expect("a list");
        let text = |case: &Value, name: &str| case[name].as_str().is_some_and(|t| !t.is_empty());
        assert!(
            cases
                .iter()
                .all(|case| text(case, "why") && text(case, "source"))
        );
        cases
            .iter()
            .map(|case| {
                let part = |name: &str| case[name].as_str().expect("a text");
                (part("name"), part("token"))
            })
            .collect()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let text = |name: &str| self.0[name].as_str().expect("a text");
        Verifier::builder(text("issuer"), text("audience"))
            .keys(PublishedKeys(self.0["jwks"].to_string()))
            .clock(FixedClock::at(self.0["now"].as_i64().expect("a number")))
            .build()
            .expect("all is given")
    }
}

struct PublishedKeys(String);

impl KeySource for PublishedKeys {
    fn fetch(&self) -> KeyFetch<'_> {
        Box::pin(async { lanyard_verifier::JwkSet::from_json(self.0.as_bytes()) })
    }
}

/// JWT-01, JWT-02, JWT-03, JWT-04, JWT-06, JWT-07, JWT-10, JWT-11, JWT-13, JWT-14, JWT-16, JWT-17:
/// each case says which.
#[tokio::test]
async fn every_forged_token_is_refused_and_every_control_accepted() {
    let published = Published::read();
    let verifier = published.verifier();
    // Twice: what was refused must not be found among the tokens seen before (JWT-25).
    for _ in 0..2 {
        for (name, token) in published.list("accepted") {
            assert!(
                verifier.verify(token).await.is_ok(),
                "must be accepted: {name}"
            );
        }
        for (name, token) in published.list("refused") {
            let refused = verifier.verify(token).await;
            let error = refused.expect_err(name);
            assert_ne!(error, VerifyError::KeysUnavailable, "{name}");
            // A case that only fails by its signature would not test what it says.
            let is_about_signatures = SIGNATURE_CASES.contains(&name);
            assert_eq!(
                error == VerifyError::BadSignature,
                is_about_signatures,
                "{name}"
            );
        }
    }
}

const SIGNATURE_CASES: [&str; 12] = [
    "a bit of the signature flipped",
    "a byte behind the signature",
    "claims changed under a good signature",
    "header changed under a good signature",
    "no payload",
    "no signature",
    "r and s are all ones",
    "r and s are zero",
    "signed by a stranger",
    "signed by a stranger with a long life",
    "the signature cut short",
    "the signature in ASN.1",
];

#[test]
fn the_corpus_has_sixty_cases_or_more_each_with_its_own_name_and_token() {
    let published = Published::read();
    let refused = published.list("refused");
    let accepted = published.list("accepted");
    assert!(refused.len() >= 60, "{} cases", refused.len());
    let all = || refused.iter().chain(&accepted);
    let names: HashSet<&str> = all().map(|(name, _)| *name).collect();
    let tokens: HashSet<&str> = all().map(|(_, token)| *token).collect();
    assert_eq!(names.len(), refused.len() + accepted.len());
    assert_eq!(tokens.len(), refused.len() + accepted.len());
}
