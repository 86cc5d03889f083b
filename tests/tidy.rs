//! The house's rules, read from the source like a reviewer would. Links nothing of the server.
//!
//! Every finding is `path:line: what, and what to do instead`.

#![cfg(test)]

mod tidy_attacks;
mod tidy_documents;
mod tidy_secrets;
mod tidy_supply;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository, its path from the root with `/`.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The lines before the unit tests at the file's foot.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folder` with one of these endings, but what git ignores.
pub(crate) fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)
            .expect("the folder is there")
            .flatten()
        {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let ignored = [
                "target",
                "node_modules",
                ".venv",
                ".git",
                "var",
                "__pycache__",
            ];
            if path.is_dir() {
                if !ignored.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(root()).expect("under the root");
                found.push(Source {
                    path: path.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{folder} has files");
    found
}

#[track_caller]
pub(crate) fn assert_none(findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        writeln!(text, "{finding}").expect("a string grows");
    }
    assert!(findings.is_empty(), "\n{text}");
}

/// House §13.
#[test]
fn files_and_lines_keep_their_sizes() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"])
        .iter()
        .chain(&sources("tests", &[".rs"]))
        .chain(&sources("benches", &[".rs"]))
    {
        let most = match source.name() {
            "store.rs" => 600,
            _ if source.path.contains("tests/") => 500,
            _ => 400,
        };
        let count = source.text.lines().count();
        if count > most {
            findings.push(format!(
                "{}: {count} lines, {most} at most: build a wall",
                source.path
            ));
        }
        for (number, line) in source.lines() {
            if line.chars().count() > 100 && !line.contains("http") {
                findings.push(format!("{}:{number}: longer than 100 columns", source.path));
            }
        }
    }
    assert_none(&findings);
}

/// House §13: words that say nothing, and marks without an issue.
#[test]
fn no_empty_words_and_no_marks_without_an_issue() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if [
                "util", "utils", "common", "helper", "helpers", "manager", "misc",
            ]
            .contains(&part)
            {
                findings.push(format!(
                    "{}: `{part}` says nothing: name the noun",
                    source.path
                ));
            }
        }
        for (number, line) in source.lines() {
            for mark in ["TODO", "FIXME", "XXX", "HACK"] {
                if line.contains(mark) && !line.contains("TODO(#") {
                    findings.push(format!("{}:{number}: {mark} without an issue", source.path));
                }
            }
        }
    }
    assert_none(&findings);
}

/// House §4: where a line of SQL may stand, and what it may say.
#[test]
fn sql_lives_in_store_files_and_takes_time_as_an_argument() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        let is_home = source.name() == "store.rs" || source.path.starts_with("src/db/");
        for (number, line) in source.product_lines() {
            let at = format!("{}:{number}", source.path);
            if line.contains("sqlx::query") && !is_home {
                findings.push(format!("{at}: SQL belongs in store.rs"));
            }
            if line.contains("AssertSqlSafe") && !source.path.starts_with("src/db/") {
                findings.push(format!("{at}: a statement is a constant; bind its values"));
            }
            if source.name() == "store.rs" && (line.contains("now()") || line.contains("select *"))
            {
                findings.push(format!("{at}: time is an argument, and columns are named"));
            }
        }
    }
    assert_none(&findings);
}

/// Who may not import whom, by the beginning of the path. House §3, with the floors that are true
/// of this tree.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "src/visits/",
        &[
            "crate::oidc",
            "crate::sessions",
            "crate::identity",
            "crate::sign_in",
            "crate::apps",
        ],
        "a domain module knows its caller as a Principal alone",
    ),
    (
        "src/emergency/",
        &[
            "crate::oidc",
            "crate::sessions",
            "crate::identity",
            "crate::sign_in",
            "crate::apps",
            "crate::visits",
        ],
        "visits ask whether a record is open, and not the other way round",
    ),
    (
        "src/tenancy/",
        &[
            "crate::oidc",
            "crate::sessions",
            "crate::sign_in",
            "crate::apps",
            "crate::visits",
        ],
        "tenancy stands below all other nouns",
    ),
    (
        "src/apps/",
        &[
            "crate::sessions",
            "crate::sign_in",
            "crate::visits",
            "crate::tenancy",
            "crate::account",
        ],
        "our apps speak to the issuer over HTTP like anyone's",
    ),
    (
        "src/oidc/",
        &["crate::visits", "crate::apps", "crate::demo"],
        "the issuer knows no module",
    ),
    (
        "src/revocation/",
        &[
            "crate::visits",
            "crate::apps",
            "crate::sessions",
            "crate::sign_in",
        ],
        "what ended is read from its own tables",
    ),
    (
        "src/sessions/",
        &["crate::oidc", "crate::visits", "crate::apps"],
        "arrows point downhill",
    ),
    (
        "src/identity/",
        &["crate::oidc", "crate::visits", "crate::apps"],
        "arrows point downhill",
    ),
    (
        "src/pages/",
        &["crate::db", "crate::oidc", "crate::sessions", "axum"],
        "pages say, only",
    ),
    (
        "src/verifier/src/",
        &["lanyard::", "sqlx"],
        "the verifier knows nothing of the server",
    ),
    (
        "src/db/",
        &["axum", "crate::http", "crate::oidc", "crate::sessions"],
        "the lowest floor",
    ),
    (
        "src/audit/",
        &["axum", "crate::http", "crate::oidc"],
        "the log is below what it records",
    ),
];

#[test]
fn imports_point_downhill() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (place, never, why) in FORBIDDEN {
            if !source.path.starts_with(place) {
                continue;
            }
            for (number, line) in source.product_lines() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(word) = never.iter().find(|word| names(code, word)) {
                    findings.push(format!("{}:{number}: not `{word}`: {why}", source.path));
                }
            }
        }
    }
    assert_none(&findings);
}

/// Whether a line of code uses a path that begins with `word`, and not a longer name.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(|c| is_word(c) || c == ':' || c == '-')
            && !after.is_some_and(|c| is_word(c) && !word.ends_with(':'))
    })
}

/// House §8: a decision is pure.
#[test]
fn policies_have_no_effects() {
    let mut findings = Vec::new();
    let banned = [
        "async ",
        "await",
        "tracing::",
        "sqlx",
        "axum",
        "crate::env",
        "crate::app",
    ];
    for source in sources("src", &["policy.rs"]) {
        for (number, line) in source.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = banned.iter().find(|word| code.contains(**word)) {
                findings.push(format!(
                    "{}:{number}: a policy is pure: no `{word}`",
                    source.path
                ));
            }
        }
    }
    assert_none(&findings);
}

/// Where a use case lives, axum and status codes do not.
#[test]
fn services_and_stores_know_nothing_of_http() {
    let mut findings = Vec::new();
    for source in sources("src", &["service.rs", "store.rs", "model.rs"]) {
        // The authorization service answers a browser: its cookies are its input.
        let may = source.path == "src/oidc/authorize/service.rs";
        for (number, line) in source.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            if (code.contains("axum::") || code.contains("StatusCode")) && !may {
                findings.push(format!(
                    "{}:{number}: axum belongs in routes.rs",
                    source.path
                ));
            }
        }
    }
    assert_none(&findings);
}

/// Issue 3: no build of the program has a clock that somebody could move. The tests bring their
/// own; the program has one, which follows the database's, and no switch to another.
#[test]
fn the_program_has_no_clock_but_the_databases() {
    let mut found = BTreeSet::new();
    for source in sources("src", &[".rs"]) {
        if source.path.starts_with("src/verifier/tests/") {
            continue;
        }
        for (_, line) in source.product_lines() {
            if let Some((_, clock)) = line.split_once("Clock for ") {
                found.insert((source.path.clone(), clock.trim_end_matches(" {").to_owned()));
            }
        }
    }
    // The second hands the first one's time to the verifier; the third is the verifier's own.
    let known = [
        ("src/env.rs", "DatabaseClock"),
        ("src/api/inside.rs", "AppClock"),
        ("src/verifier/src/clock.rs", "SystemClock"),
    ];
    let known = known.map(|(path, clock)| (path.to_owned(), clock.to_owned()));
    assert_eq!(found, BTreeSet::from(known));
    for manifest in ["Cargo.toml", "build.rs"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap_or_default();
        assert!(
            !text.contains("\n[features]"),
            "{manifest}: a build of another kind"
        );
    }
}

/// Design §3: a proof that an account was checked is made in few places, each just after a check.
#[test]
fn proofs_are_made_only_where_a_credential_was_checked() {
    let mut found = BTreeSet::new();
    for source in sources("src", &[".rs"]) {
        for (_, line) in source.product_lines() {
            if line.contains("Proved::by_check(") {
                found.insert(source.path.clone());
            }
        }
    }
    let allowed: BTreeSet<String> = [
        "src/identity/credential/mod.rs",
        "src/oidc/code/service.rs",
        "src/oidc/family/facts.rs",
        "src/oidc/family/revocation.rs",
        "src/recovery/service.rs",
        "src/sessions/service.rs",
        "src/sign_in/service.rs",
    ]
    .map(str::to_owned)
    .into();
    let strangers: Vec<_> = found.difference(&allowed).collect();
    assert!(
        strangers.is_empty(),
        "a proof is made in {strangers:?}: was a credential checked there?"
    );
}

/// The brief: no registry host and no path of one machine in a commit.
#[test]
fn nothing_names_one_machine() {
    let endings = [
        ".rs", ".md", ".toml", ".sh", ".json", ".mjs", ".py", ".txt", ".sql",
    ];
    let mut findings = Vec::new();
    // Put together here, so that this file does not name them itself.
    let words: Vec<String> = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/home", "/"),
        ("registry.npm", "js"),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    for folder in ["src", "tests", "benches", "docs", "migrations", ".ci"] {
        if !root().join(folder).exists() {
            continue;
        }
        for source in sources(folder, if folder == ".ci" { &["run"] } else { &endings }) {
            for (number, line) in source.lines() {
                if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                    findings.push(format!(
                        "{}:{number}: `{word}` is one machine's",
                        source.path
                    ));
                }
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn the_top_level_holds_the_wanted_names() {
    let wanted: BTreeSet<&str> = [
        ".ci",
        ".git",
        ".gitattributes",
        ".gitignore",
        ".cargo",
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "askama.toml",
        "benches",
        "check",
        "clippy.toml",
        "demo",
        "deny.toml",
        "docs",
        "keys",
        "migrations",
        "rustfmt.toml",
        "src",
        "target",
        "tests",
        "var",
    ]
    .into();
    let mut strangers = Vec::new();
    for entry in fs::read_dir(root()).expect("the root is there").flatten() {
        let name: PathBuf = entry.file_name().into();
        if !wanted.contains(name.to_string_lossy().as_ref()) {
            strangers.push(name);
        }
    }
    assert!(
        strangers.is_empty(),
        "{strangers:?}: the top level is for the product's names"
    );
}

/// A check that can't fail checks nothing.
#[test]
fn the_reader_of_imports_can_tell() {
    assert!(names("use crate::oidc::client;", "crate::oidc"));
    assert!(!names("use crate::oidcx;", "crate::oidc"));
    assert!(names("let r = axum::Router::new();", "axum"));
    assert!(!names("// axum", "sqlx"));
    assert!(!names("let my_axum = 1;", "axum"));
}
