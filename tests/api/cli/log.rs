//! `lanyard audit`: a log leaves the deployment, and is checked elsewhere.

use std::fs;

use serde_json::Value;

use super::command::Site;

/// AUD-02: what an operator exports an auditor checks with nothing but the file and the keys; a
/// flipped byte is named; the export is on the record, and so is whoever looks at a log's end.
#[test]
fn a_clinics_log_is_exported_checked_and_shown() {
    let site = Site::new();
    site.ask("keys init");
    site.ask_with("migrate", "migrate", "");
    site.ask("tenant create juniper --name Juniper");
    let file = site.state().join("juniper.ndjson");
    let export = format!("audit export {} --tenant juniper", file.display());
    let facts = site.ask_with(&export, "audit export", "");
    assert_eq!(facts["from"], 0);
    assert_eq!(facts["to"], 1);
    let there = site.refuse(&export, 3);
    assert!(there.contains("can't be written"), "{there}");

    let text = fs::read_to_string(&file).unwrap();
    let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(header["log"], facts["log"]);
    let key = header["keys"][0].as_str().unwrap();
    let verify = format!("audit verify {} --key {key}", file.display());
    let anchor = site.state().join("keys/anchor");
    assert!(!anchor.exists(), "no server has anchored anything");
    let verified = site.run(&verify);
    assert!(verified.status.success(), "{verified:?}");
    fs::write(&file, text.replace("tenant.created", "tenant.cremated")).unwrap();
    let altered = site.run(&verify);
    assert_eq!(altered.status.code(), Some(3), "{altered:?}");

    let other = site.state().join("other.ndjson");
    let refused = site.refuse(
        &format!(
            "audit export {} --tenant juniper --from 70",
            other.display()
        ),
        3,
    );
    assert!(refused.contains("the log has 2 entries"), "{refused}");
    assert!(!other.exists(), "half an export is none");
    site.refuse(
        &format!("audit export {} --tenant nobody", other.display()),
        3,
    );

    let shown = site.run("audit tail --tenant juniper");
    assert!(shown.status.success(), "{shown:?}");
    let shown = String::from_utf8(shown.stdout).unwrap();
    let kinds: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(kinds, ["tenant.created", "audit.exported"]);

    let last = site.run("audit tail --tenant juniper --last 1");
    let last = String::from_utf8(last.stdout).unwrap();
    assert_eq!(last.lines().count(), 1);
    assert!(
        last.contains("\"index\":2,"),
        "the first look is on the record: {last}"
    );

    let ocsf = site.run("audit tail --tenant juniper --last 3 --as ocsf");
    let ocsf = String::from_utf8(ocsf.stdout).unwrap();
    let first: Value = serde_json::from_str(ocsf.lines().next().unwrap()).unwrap();
    assert_eq!(first["type_uid"], 600_302, "{ocsf}");
    let syslog = site.run("audit tail --tenant juniper --last 1 --as syslog");
    let syslog = String::from_utf8(syslog.stdout).unwrap();
    assert!(syslog.starts_with("<110>1 20"), "{syslog}");
    assert!(syslog.contains(" lanyard - audit.exported "), "{syslog}");
}
