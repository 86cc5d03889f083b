//! The commands that the documents show are commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Commands that another test or `./check` itself runs.
const RUN_ELSEWHERE: [(&str, &str); 11] = [
    ("./demo", "tests/browser"),
    ("./check", ".ci/run"),
    ("cargo test --test tidy", "./check"),
    ("cargo test --test api refresh::", "./check"),
    ("cargo test -p lanyard-verifier", "./check"),
    ("cargo test --test chaos", "./check"),
    ("cargo test --test chaos faults::", "./check"),
    ("cargo test --bench speed", "docs/PERFORMANCE.md"),
    (
        "LANYARD_KILLS=200 cargo test --test chaos kills:: -- --nocapture",
        "a long run",
    ),
    (
        "cargo test --test api serving::flood -- --nocapture",
        "./check",
    ),
    (
        "tests/fuzz/run",
        "a long run; tests/api/fuzz.rs is the short one",
    ),
];

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// The lines of the fenced blocks for a shell.
fn commands() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("migrations/README.md")];
    documents(&root.join("docs"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let lines = block.split("\n```").next().unwrap().lines();
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            let name = file.strip_prefix(root).unwrap().display().to_string();
            found.extend(lines.map(|line| (name.clone(), line.to_owned())));
        }
    }
    found
}

/// The words of a line, as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// House §17. Each of ours is read by the program itself, which then shows its help and does
/// nothing: a subcommand or an option that is not there is an error.
#[test]
fn every_command_of_the_documents_is_one() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for (document, line) in commands {
        if RUN_ELSEWHERE.iter().any(|(command, _)| *command == line) {
            continue;
        }
        let words = words(&line);
        assert_eq!(words[0], "lanyard", "{document}: who runs {line}?");
        let said = Command::new(env!("CARGO_BIN_EXE_lanyard"))
            .args(&words[1..])
            .arg("--help")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{document}: {line}: {error}");
    }
}
