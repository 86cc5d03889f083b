//! What the manifests promise.

use std::fs;
use std::path::Path;

/// SUP-07: no package of ours has unsafe code, nor can it begin to.
#[test]
fn every_package_of_ours_forbids_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| -> toml::Table {
        fs::read_to_string(root.join(name))
            .unwrap()
            .parse()
            .unwrap()
    };
    let workspace = read("Cargo.toml");
    let lints = &workspace["workspace"]["lints"]["rust"];
    assert_eq!(lints["unsafe_code"].as_str(), Some("forbid"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| member.as_str().unwrap());
    for folder in folders.chain(["."]) {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{folder}"
        );
    }
}
