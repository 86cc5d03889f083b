//! What the documents name and link exists.

use std::fs;
use std::path::Path;

use crate::{Source, assert_none, root, sources};

/// House §17: documents name what exists.
#[test]
fn every_path_that_the_documents_name_exists() {
    let mut findings = Vec::new();
    let mut documents = sources("docs", &[".md"]);
    documents.extend(sources("src/verifier", &[".md"]));
    documents.extend(sources("migrations", &[".md"]));
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    documents.push(Source {
        path: "README.md".to_owned(),
        text: readme,
    });
    for document in &documents {
        for (number, line) in document.lines() {
            for named in line
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|named| is_path(named))
            {
                if !exists(named) {
                    let at = format!("{}:{number}", document.path);
                    findings.push(format!("{at}: `{named}` does not exist"));
                }
            }
            for target in links(line).filter(|t| !t.contains("://") && !t.starts_with('#')) {
                let target = target.split('#').next().unwrap_or_default();
                let folder = Path::new(&document.path).parent().unwrap_or(Path::new(""));
                if !root().join(folder).join(target).exists() {
                    let at = format!("{}:{number}", document.path);
                    findings.push(format!("{at}: the link to {target} leads nowhere"));
                }
            }
        }
    }
    assert_none(&findings);
}

fn is_path(named: &str) -> bool {
    let begins = [
        "src/",
        "tests/",
        "docs/",
        "migrations/",
        "keys/",
        "benches/",
    ];
    begins.iter().any(|begin| named.starts_with(begin)) && !named.contains(['*', '<', ' ', '…'])
}

fn exists(named: &str) -> bool {
    // What `keys init` and `./check` make is named and not committed.
    let made = [
        "keys/master.key",
        "keys/master.next.key",
        "tests/clients/.venv",
        "tests/clients/node_modules",
    ];
    let plain = named.split("::").next().unwrap_or_default();
    root().join(plain).exists() || made.contains(&named)
}

/// House §17: a test that a document names by `path::name` is there.
#[test]
fn every_test_that_the_documents_name_exists() {
    let mut findings = Vec::new();
    let mut count = 0;
    for document in sources("docs", &[".md"]) {
        for (number, line) in document.lines() {
            let quoted = line.split('`').skip(1).step_by(2);
            let tests = quoted
                .filter(|named| is_path(named))
                .filter_map(|n| n.split_once("::"));
            for (path, name) in tests {
                count += 1;
                let text = fs::read_to_string(root().join(path)).unwrap_or_default();
                if !text.contains(&format!("fn {name}(")) {
                    findings.push(format!("{}:{number}: {path} has no {name}", document.path));
                }
            }
        }
    }
    assert_none(&findings);
    assert!(count > 15, "the documents name {count} tests");
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

#[test]
fn every_decision_record_is_listed() {
    let folder = root().join("docs/decisions");
    let index = fs::read_to_string(folder.join("README.md")).expect("there is an index");
    let mut findings = Vec::new();
    for entry in fs::read_dir(&folder)
        .expect("the folder is there")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "README.md" && !index.contains(&format!("({name})")) {
            findings.push(format!("docs/decisions/README.md: {name} is not listed"));
        }
    }
    assert_none(&findings);
}
