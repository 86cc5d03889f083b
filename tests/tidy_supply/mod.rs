//! What we build on, against `deny.toml`: `cargo deny check` reads the same file, and asks the
//! advisories too where their database can be reached. This needs neither it nor that database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::{assert_none, root};

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

#[derive(Deserialize)]
struct Deny {
    bans: Bans,
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Bans {
    allow: Vec<String>,
    deny: Vec<Denied>,
}

#[derive(Deserialize)]
struct Denied {
    #[serde(rename = "crate")]
    what: String,
    reason: String,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

/// Every lock file of ours: the workspace's, and those of what is built beside it.
fn locks() -> Vec<(String, Lock)> {
    let mut found = Vec::new();
    for folder in [".", "tests", "benches"] {
        walk(&root().join(folder), folder == ".", &mut found);
    }
    found
}

fn walk(folder: &Path, is_top: bool, found: &mut Vec<(String, Lock)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == "Cargo.lock" {
            let text = fs::read_to_string(&path).expect("a lock file is text");
            let shown = path.strip_prefix(root()).expect("under the root");
            let lock = toml::from_str(&text).expect("cargo writes TOML");
            found.push((shown.display().to_string(), lock));
        } else if path.is_dir() && !is_top && name != "node_modules" && name != "target" {
            walk(&path, false, found);
        }
    }
}

fn deny() -> Deny {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("deny.toml is what cargo-deny reads")
}

/// `1.2.3-rc.1+meta` as numbers; a pre-release counts as its release.
fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map_while(|n| n.parse().ok()).collect()
}

/// Whether `deny.toml`'s `name@<version` (or a bare name) means this package.
fn is_denied(denied: &str, package: &Package) -> bool {
    match denied.split_once("@<") {
        None => denied == package.name,
        Some((name, bound)) => name == package.name && numbers(&package.version) < numbers(bound),
    }
}

fn denials(package: &Package, denied: &[Denied]) -> Vec<String> {
    denied
        .iter()
        .filter(|denied| is_denied(&denied.what, package))
        .map(|denied| {
            let Package { name, version, .. } = package;
            format!("{name} {version}: {}", denied.reason)
        })
        .collect()
}

/// SUP-01: versions that are known to be bad, in any lock file.
#[test]
fn no_lock_file_holds_a_version_known_to_be_bad() {
    let denied = deny().bans.deny;
    let mut findings = Vec::new();
    for (path, lock) in locks() {
        for package in &lock.package {
            let bad = denials(package, &denied);
            findings.extend(bad.into_iter().map(|why| format!("{path}: {why}")));
        }
    }
    assert_none(&findings);
    // What the list must catch if it ever comes back.
    for (name, version) in [
        ("jsonwebtoken", "9.3.1"),
        ("sqlx", "0.8.0"),
        ("rustls-webpki", "0.103.9"),
        ("rustls", "0.23.42"),
        ("openssl-sys", "0.9.109"),
    ] {
        let injected = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            source: None,
            checksum: None,
        };
        assert!(!denials(&injected, &denied).is_empty(), "{name} {version}");
    }
}

/// SUP-02: a crate that nobody has looked at, or that comes from elsewhere than the registry.
#[test]
fn every_crate_is_on_the_reviewed_list_and_from_the_registry() {
    let allowed = deny().bans.allow;
    assert!(
        allowed.is_sorted_by(|a, b| a < b),
        "deny.toml: allow is sorted"
    );
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let (mut findings, mut used) = (Vec::new(), BTreeSet::new());
    let locks = locks();
    assert!(
        locks
            .iter()
            .any(|(path, _)| path == "./Cargo.lock" || path == "Cargo.lock")
    );
    for (path, lock) in &locks {
        for package in &lock.package {
            let name = package.name.as_str();
            used.insert(name);
            if !allowed.contains(name) {
                findings.push(format!(
                    "{path}: {name} is new: read it, then add it to deny.toml"
                ));
            }
            let is_pinned = package.checksum.is_some()
                && package
                    .source
                    .as_deref()
                    .is_some_and(|source| source.starts_with("registry+"));
            let is_ours = package.source.is_none() && name.starts_with("lanyard");
            if !is_pinned && !is_ours {
                findings.push(format!("{path}: {name} does not come from the registry"));
            }
        }
    }
    for name in allowed.difference(&used) {
        findings.push(format!("deny.toml: {name} is not used any more"));
    }
    assert_none(&findings);
    assert!(!allowed.contains("rustdecimal") && !allowed.contains("time-sync"));
}

/// What may be linked, by its license.
#[test]
fn every_license_is_one_that_we_may_use() {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Licensed>,
    }
    #[derive(Deserialize)]
    struct Licensed {
        name: String,
        license: Option<String>,
    }
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        // What is only for other systems need not be here.
        .arg(format!(
            "--filter-platform={}-unknown-linux-gnu",
            std::env::consts::ARCH
        ))
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata");
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let allowed: BTreeSet<String> = deny().licenses.allow.into_iter().collect();
    let mut findings = BTreeMap::new();
    for Licensed { name, license } in metadata.packages {
        let text = license.unwrap_or_default();
        if !may_use(&text, &allowed) {
            findings.insert(name.clone(), format!("{name}: license {text:?}"));
        }
    }
    let findings: Vec<String> = findings.into_values().collect();
    assert_none(&findings);
}

/// SPDX, as far as manifests go: `AND` binds stronger than `OR` and `/`; parentheses hold choices.
fn may_use(text: &str, allowed: &BTreeSet<String>) -> bool {
    let flat = text.replace('/', " OR ");
    let all_of = |part: &str| {
        part.split(" AND ").all(|one| {
            let one = one.trim().trim_matches(['(', ')']);
            one.split(" OR ").any(|word| allowed.contains(word.trim()))
        })
    };
    if flat.contains('(') {
        all_of(&flat)
    } else {
        flat.split(" OR ").any(all_of)
    }
}
