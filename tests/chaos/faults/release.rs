//! What a release has of it: asked of the compiler.

use std::path::Path;
use std::process::{Command, Output};

/// Compiles `src/fault.rs` by itself, beside somebody who passes, without any crate.
fn compiled(folder: &Path, assertions: &str) -> Output {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fault.rs");
    let passer = format!(
        "#[path = {source:?}] mod fault;\n\
         #[inline(never)]\n\
         pub fn passes(event: &'static str) -> usize {{\n\
           let mut trail = fault::Trail::default();\n\
           trail.note(event);\n\
           trail.pass(fault::Point::Recorded);\n\
           fault::pass(fault::Point::Committed, event);\n\
           std::mem::size_of_val(&trail)\n\
         }}\n"
    );
    let file = folder.join("passer.rs");
    std::fs::write(&file, passer).unwrap();
    Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "-O",
            "-C",
            assertions,
        ])
        .args(["--emit", "asm", "-o", "-"])
        .arg(&file)
        .output()
        .unwrap()
}

/// Issue 4: without debug assertions there is no variable, no file and no signal, and a
/// transaction carries nothing for it; with them it is not compiled without the crate that kills.
#[test]
fn a_release_has_no_point_at_which_it_ends() {
    let manifest = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let release = manifest.split("[profile.release]").nth(1).unwrap();
    let release = release.split("\n[").next().unwrap();
    assert!(release.contains("lto") && !release.contains("debug-assertions"));

    let folder = crate::deployment::Folder::new("release");
    let without = compiled(folder.path(), "debug-assertions=off");
    let said = String::from_utf8_lossy(&without.stderr);
    assert!(without.status.success(), "{said}");
    let code = String::from_utf8(without.stdout).unwrap();
    let body = code.split("passes").nth(1).expect("the passer's code");
    assert!(!body.contains("call"), "{code}");
    for word in ["FAULT_POINT_FILE", "kill", "abort"] {
        assert!(!code.contains(word), "{word}: {code}");
    }

    let with = compiled(folder.path(), "debug-assertions=on");
    let said = String::from_utf8_lossy(&with.stderr);
    assert!(!with.status.success() && said.contains("rustix"), "{said}");
}
