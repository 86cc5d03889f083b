//! What an API has to build.

use std::collections::BTreeSet;
use std::process::Command;

/// At most 110 crates with every feature and TLS, and none of the server's.
#[test]
fn the_verifier_builds_few_crates() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "lanyard-verifier",
            "-e",
            "normal",
            "--all-features",
        ])
        .args(["--prefix", "none", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let tree = String::from_utf8(tree.stdout).expect("text");
    // As `sort -u | wc -l` counts: a crate that stands in several places counts twice.
    let lines: BTreeSet<&str> = tree.lines().collect();
    assert!(lines.len() <= 110, "{} lines:\n{tree}", lines.len());
    let has = |name: &str| {
        lines
            .iter()
            .any(|line| line.starts_with(&format!("{name} ")))
    };
    assert!(has("rustls") && has("ring"), "with TLS");
    for foreign in [
        "lanyard",
        "sqlx",
        "aws-lc-rs",
        "aws-lc-sys",
        "openssl",
        "native-tls",
    ] {
        assert!(!has(foreign), "{foreign}");
    }
}
