//! `lanyard audit verify`: without a server, a database or a configuration.

use serde_json::Value;

use super::command::Site;
use crate::audit_format::made::{MADE_AT, Made, other_signer, signer};

/// A folder with a good export, a doctored one, an anchor, and the keys in both their forms.
fn folder() -> Site {
    let site = Site::new();
    let log = Made::of(300);
    let export = log.export();
    let text = String::from_utf8(export.clone()).unwrap();
    let altered = text.replacen("\"index\":17,\"id\":\"7", "\"index\":17,\"id\":\"8", 1);
    let key = signer().vkey().to_text();
    let published = serde_json::json!({
        "keys": [{ "name": signer().vkey().name(), "verifier_key": key, "until": null }],
    });
    let other = other_signer().vkey().to_text();
    for (name, bytes) in [
        ("good.ndjson", export),
        ("altered.ndjson", altered.into_bytes()),
        ("anchor.ndjson", log.anchored(300, MADE_AT).into_bytes()),
        ("keys.json", published.to_string().into_bytes()),
        ("keys.txt", format!("{other}\n\n{key}\n").into_bytes()),
        ("none.txt", b"\n".to_vec()),
    ] {
        std::fs::write(site.file(name), bytes).unwrap();
    }
    site
}

#[test]
fn a_whole_export_is_said_to_be_and_by_which_key() {
    let site = folder();
    let key = signer().vkey().to_text();
    let answer = site.ask("audit verify good.ndjson --keys keys.json --anchor anchor.ndjson");
    assert_eq!(answer["verdict"], "whole");
    assert_eq!(answer["entries"], 300);
    assert_eq!(answer["key"], key);
    assert_eq!(answer["compared"]["checkpoints"], 1);
    for keys in [format!("--key {key}"), "--keys keys.txt".to_owned()] {
        let answer = site.ask(&format!("audit verify good.ndjson {keys}"));
        assert_eq!(answer["compared"], Value::Null, "{keys}");
    }
    let output = site.run("audit verify good.ndjson --keys keys.json");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("Whole: 300 entries, 0 to 299"), "{said}");
    assert!(said.contains(&key), "{said}");
    assert!(output.stderr.is_empty(), "no progress without a terminal");
}

#[test]
fn an_export_is_read_from_standard_input_as_well() {
    let site = folder();
    let export = std::fs::read_to_string(site.file("good.ndjson")).unwrap();
    let output = site.run_with("audit verify - --keys keys.json", &export);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_flipped_byte_is_named_and_the_code_is_that_of_a_refusal() {
    let site = folder();
    let output = site.run("audit verify altered.ndjson --keys keys.json -o json");
    assert_eq!(output.status.code(), Some(3));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verdict"], "broken");
    assert_eq!(answer["kind"], "altered");
    assert_eq!(answer["index"], 17);
    assert_eq!(answer["until"], Value::Null);
    let output = site.run("audit verify altered.ndjson --keys keys.json");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "Broken: Entry 17 is not what was recorded.\n");
}

#[test]
fn without_a_key_that_the_auditor_brings_nothing_is_verified() {
    let site = folder();
    let said = site.refuse("audit verify good.ndjson", 2);
    assert!(said.contains("--key"), "{said}");
    site.refuse("audit verify good.ndjson --keys none.txt", 2);
    let said = site.refuse("audit verify good.ndjson --key id.example.test+0+0", 2);
    assert!(said.contains("not a key"), "{said}");
    site.refuse("audit verify good.ndjson --keys absent.json", 1);
    site.refuse("audit verify absent.ndjson --keys keys.json", 1);
    let other = other_signer().vkey().to_text();
    let output = site.run(&format!("audit verify good.ndjson --key {other}"));
    assert_eq!(output.status.code(), Some(3));
}
