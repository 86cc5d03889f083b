//! Redaction by type: what is secret has a type that can't be printed.

use std::fs;
use std::process::Command;

use crate::{assert_none, root, sources};

/// Types that may be written out: identifiers, settings, and words of ours.
const PRINTED: [&str; 15] = [
    "$name",
    "Accent",
    "ActingBanner",
    "Address",
    "ClientId",
    "ConfigError",
    "Generation",
    "Hidden",
    "Issuer",
    "Month",
    "Planes",
    "Problem",
    "RequestId",
    "Slug",
    "Source",
];

/// Names of fields that hold what nobody may read in a log.
const SECRET: [&str; 20] = [
    "access_token",
    "again",
    "answer_key",
    "client_secret",
    "code",
    "code_verifier",
    "cookie",
    "csrf",
    "current",
    "id_token",
    "passcode",
    "password",
    "private_key",
    "recovery_code",
    "refresh_token",
    "secret",
    "seed",
    "token",
    "totp",
    "verifier",
];

/// CFG-02, house §10: an error's text and a page's words are all that has a `Display`; a bearer
/// value, a key or a password has none, so that no format string can take it.
#[test]
fn only_words_and_identifiers_can_be_printed() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (number, line) in source.product_lines() {
            let Some((_, name)) = line.split_once("Display for ") else {
                continue;
            };
            let name = name.trim_end_matches([' ', '{']);
            if line.trim_start().starts_with("impl") && !PRINTED.contains(&name) {
                findings.push(format!(
                    "{}:{number}: `{name}` can be printed: is nothing of it secret?",
                    source.path
                ));
            }
        }
    }
    assert_none(&findings);
}

/// CFG-02: a struct that derives `Debug` keeps its secrets in a type that does not show them.
#[test]
fn no_derived_debug_shows_a_secret() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        // What a page shows is for whoever has the page.
        if source.path.starts_with("src/pages/") || source.path.contains("/tests/") {
            continue;
        }
        findings.extend(shown(&source.path, source.product_lines()));
    }
    assert_none(&findings);
}

fn shown<'a>(path: &str, lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<String> {
    let (mut derives, mut inside) = (false, false);
    let mut findings = Vec::new();
    for (number, line) in lines {
        let code = line.trim();
        if code.starts_with("#[derive(") {
            derives |= code.contains("Debug");
        } else if code.contains("struct ") && code.ends_with('{') {
            inside = std::mem::take(&mut derives);
        } else if line.starts_with('}') || code.starts_with("impl") || code.starts_with("fn ") {
            (derives, inside) = (false, false);
        }
        let Some((name, kind)) = code.split_once(": ").filter(|_| inside) else {
            continue;
        };
        let name = name.rsplit(' ').next().unwrap_or_default();
        let is_plain = [
            "String",
            "&str",
            "&'a str",
            "Vec<u8>",
            "Option<String>",
            "Cow<",
        ]
        .iter()
        .any(|plain| kind.starts_with(plain));
        if is_plain && SECRET.contains(&name) {
            findings.push(format!(
                "{path}:{number}: `{name}` would be in a log: take a SecretString"
            ));
        }
    }
    findings
}

/// A check that can't fail checks nothing.
#[test]
fn the_reader_of_fields_can_tell() {
    let read = |text: &str| shown("a.rs", text.lines().enumerate()).len();
    assert_eq!(
        read("#[derive(Debug)]\nstruct A {\n    password: String,\n}\n"),
        1
    );
    assert_eq!(
        read("#[derive(Debug)]\npub struct A {\n    pub code: Option<String>,\n}\n"),
        1
    );
    assert_eq!(
        read("#[derive(Debug)]\nstruct A {\n    password: SecretString,\n}\n"),
        0
    );
    assert_eq!(
        read("#[derive(Clone)]\nstruct A {\n    password: String,\n}\n"),
        0
    );
    assert_eq!(
        read("#[derive(Debug)]\nstruct A {\n    password_epoch: String,\n}\n"),
        0
    );
}

/// Design §9: the master key is never committed, and neither is anything else of its folder.
#[test]
fn no_key_is_committed() {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("it is there");
    for line in ["/keys/*", "!/keys/README.md", "/var"] {
        assert!(ignored.lines().any(|there| there == line), "{line}");
    }
    let listed = Command::new("git")
        .args(["ls-files", "--", "keys", "var", "*.key", "*.sealed"])
        .current_dir(root())
        .output()
        .expect("git is there: so says the README");
    let listed = String::from_utf8_lossy(&listed.stdout);
    // Outside of a checkout nothing is committed.
    assert!(matches!(listed.trim(), "" | "keys/README.md"), "{listed}");
}
