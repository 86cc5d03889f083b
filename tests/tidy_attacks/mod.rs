//! `tests/attacks.toml` names every case of the attack catalogue: held by which tests, not
//! applicable yet and why, or a long run with its command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::{assert_none, sources};

/// What is said of one case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Tests, as `file::name`, the file from the root.
    #[serde(default)]
    held: Vec<String>,
    /// Why what it concerns does not exist yet.
    not_yet: Option<String>,
    /// The command of a run too long for `./check`.
    long_run: Option<String>,
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn catalogue() -> BTreeSet<String> {
    read("tests/attacks.ids")
        .lines()
        .map(str::to_owned)
        .collect()
}

fn cases() -> BTreeMap<String, Case> {
    toml::from_str(&read("tests/attacks.toml")).expect("tests/attacks.toml is a table of cases")
}

#[test]
fn every_case_of_the_catalogue_is_named_and_no_other() {
    let (catalogue, cases) = (catalogue(), cases());
    let mut findings = Vec::new();
    for id in &catalogue {
        match cases.get(id) {
            None => findings.push(format!("tests/attacks.toml: {id} is not named")),
            Some(case) => {
                let ways = usize::from(!case.held.is_empty())
                    + usize::from(case.not_yet.is_some())
                    + usize::from(case.long_run.is_some());
                if ways != 1 {
                    findings.push(format!(
                        "tests/attacks.toml: {id}: say exactly one thing of it"
                    ));
                }
            }
        }
    }
    for id in cases.keys().filter(|id| !catalogue.contains(*id)) {
        findings.push(format!(
            "tests/attacks.toml: {id} is no case of the catalogue"
        ));
    }
    assert_none(&findings);
}

#[test]
fn every_test_that_holds_a_case_exists_and_cites_it() {
    let files = sources("tests", &[".rs", ".mjs", ".py"])
        .into_iter()
        .chain(sources("src", &[".rs"]))
        .map(|source| (source.path, source.text))
        .collect::<BTreeMap<_, _>>();
    let mut findings = Vec::new();
    for (id, case) in cases() {
        for test in &case.held {
            let (file, name) = test.rsplit_once("::").unwrap_or((test, ""));
            match files.get(file) {
                None => findings.push(format!("tests/attacks.toml: {id}: no file {file}")),
                Some(text) if !text.contains(&format!("fn {name}(")) && !name.is_empty() => {
                    findings.push(format!(
                        "tests/attacks.toml: {id}: {file} has no test {name}"
                    ));
                }
                Some(text) if !text.contains(&id) => {
                    findings.push(format!("{file}: cites {id} nowhere, yet holds it"));
                }
                Some(_) => {}
            }
        }
    }
    assert_none(&findings);
}

/// Where the catalogue itself lies beside the repository, the list of ids agrees with it.
#[test]
fn the_list_of_ids_agrees_with_the_catalogue_if_it_is_there() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/attacks.md");
    let Ok(text) = fs::read_to_string(beside) else {
        return;
    };
    let there: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter_map(|heading| heading.split([' ', ':']).next())
        .map(str::to_owned)
        .collect();
    assert_eq!(there, catalogue());
}
