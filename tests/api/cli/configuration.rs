//! The configuration: what is taken, what is refused, and that nothing shows a secret.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use lanyard::config::{self, Effective, Given, Source};
use time::Duration;

use super::folder::Folder;

/// A file of this text, and these variables.
fn load(text: &str, variables: &[(&str, &str)]) -> Result<Effective, Vec<String>> {
    let folder = Folder::new();
    let file = folder.write("lanyard.toml", text);
    let pairs = variables.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
    let given = Given {
        file: Some(file),
        planes: None,
        environment: pairs.collect::<BTreeMap<_, _>>(),
    };
    Effective::load(&given).map_err(|e| e.problems.iter().map(ToString::to_string).collect())
}

fn refused(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).map(|_| ()).unwrap_err().join("\n")
}

#[test]
fn an_empty_file_is_the_safe_default() {
    let effective = load("", &[]).unwrap();
    let config = effective.config();
    assert_eq!(config.issuer.as_str(), "http://localhost:8080");
    assert_eq!(config.lifetimes.access_token, Duration::minutes(5));
    assert_eq!(config.lifetimes.authorization_code, Duration::seconds(60));
    assert!(config.listen.issuer.iter().all(|a| a.ip().is_loopback()));
    assert_eq!(effective.source("issuer"), Source::Default);
}

#[test]
fn the_environment_wins_over_the_file_and_says_so() {
    let file = "[lifetimes]\naccess_token = \"2m\"\nid_token = \"3m\"\n";
    let effective = load(file, &[("LANYARD_LIFETIMES_ACCESS_TOKEN", "4m")]).unwrap();
    assert_eq!(
        effective.config().lifetimes.access_token,
        Duration::minutes(4)
    );
    assert_eq!(effective.config().lifetimes.id_token, Duration::minutes(3));
    let variable = Source::Environment("LANYARD_LIFETIMES_ACCESS_TOKEN".to_owned());
    assert_eq!(effective.source("lifetimes.access_token"), variable);
    assert!(matches!(
        effective.source("lifetimes.id_token"),
        Source::File(_)
    ));
}

#[test]
fn a_typo_is_an_error_that_names_what_was_meant() {
    let said = refused(
        "[lifetimes]\nacces_token = \"5m\"\n",
        &[("LANYARD_ISUER", "x")],
    );
    assert!(
        said.contains("did you mean `lifetimes.access_token`?"),
        "{said}"
    );
    assert!(said.contains("did you mean `LANYARD_ISSUER`?"), "{said}");
    // What Kubernetes puts beside a service of our name is none of ours.
    assert!(
        load(
            "",
            &[("LANYARD_SERVICE_HOST", "10.0.0.1"), ("LANYARD_PORT", "x")]
        )
        .is_ok()
    );
}

/// Issue 2: a 90-day access token does not start the server.
#[test]
fn a_lifetime_outside_its_bounds_is_refused() {
    for (key, value) in [
        ("LANYARD_LIFETIMES_ACCESS_TOKEN", "90d"),
        ("LANYARD_LIFETIMES_ACCESS_TOKEN", "10"),
        ("LANYARD_LIFETIMES_AUTHORIZATION_CODE", "61s"),
        ("LANYARD_SESSION_ABSOLUTE", "25h"),
        ("LANYARD_DATABASE_CONNECTIONS", "0"),
        ("LANYARD_MAIL_DELIVERY", "telegraph"),
        ("LANYARD_PLANES", "moon"),
    ] {
        let said = refused("", &[(key, value)]);
        assert!(said.contains(key), "{key}={value}: {said}");
    }
    let said = refused("[session]\nidle = \"2h\"\nabsolute = \"1h\"\n", &[]);
    assert!(said.contains("session.idle"), "{said}");
}

/// CFG-01, HTTP-11: plain http is for one machine, and so is what it listens on.
#[test]
fn an_http_issuer_is_for_this_machine_alone() {
    assert!(refused("issuer = \"http://id.example.com\"\n", &[]).contains("must be https"));
    let open = "[listen]\nissuer = [\"0.0.0.0:8080\"]\n";
    assert!(refused(open, &[]).contains("reachable from other machines"));
    // An https issuer by plain HTTP: behind a declared proxy alone.
    let https = format!("issuer = \"https://id.example.com\"\n{open}");
    assert!(refused(&https, &[]).contains("proxy.trusted"));
    let proxy = ("LANYARD_PROXY_TRUSTED", "10.0.0.0/8,fd00::1");
    assert!(load(&https, &[proxy]).is_ok());
    assert!(refused(&https, &[("LANYARD_PROXY_TRUSTED", "proxy")]).contains("no network"));
    let cert = ("LANYARD_TLS_CERT_FILE", "cert.pem");
    let key = ("LANYARD_TLS_KEY_FILE", "key.pem");
    assert!(load(&https, &[cert, key]).is_ok());
    assert!(refused(&https, &[cert]).contains("tls.key_file"));
    assert!(refused(&https, &[key]).contains("tls.cert_file"));
    assert!(refused("", &[cert, key]).contains("https"));
}

/// CFG-06: and what a broken URL says never holds its password.
#[test]
fn a_database_over_a_network_needs_verify_full() {
    let url = "postgres://u:canary@db.example.com/lanyard";
    let said = refused("", &[("DATABASE_URL", url)]);
    assert!(
        said.contains("verify-full") && !said.contains("canary"),
        "{said}"
    );
    let verified = format!("{url}?sslmode=verify-full");
    assert!(load("", &[("DATABASE_URL", &verified)]).is_ok());
}

/// CFG-02: a secret comes from a file that others can't read, and nothing shows it.
#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let folder = Folder::new();
    let file: PathBuf = folder.write("url", "postgres://u:canary@localhost/lanyard\n");
    let named = [("LANYARD_DATABASE_URL_FILE", file.to_str().unwrap())];
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    assert!(refused("", &named).contains("chmod 600"));
    mode(0o600).unwrap();
    let effective = load("", &named).unwrap();
    let shown = serde_json::to_string(&effective.shown()).unwrap();
    let explained = config::explain(&effective, "database.url_file").unwrap();
    for text in [shown, format!("{effective:?}"), format!("{explained:?}")] {
        assert!(
            text.contains("(secret)") || text.contains("REDACTED"),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    }
    // A secret in the file itself has no key to stand under.
    let said = refused(
        "[database]\nurl = \"postgres://u:canary@localhost/x\"\n",
        &[],
    );
    assert!(said.contains("did you mean `database.url_file`?"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert!(!refused("[database]\nurl = \"canary\n", &[]).contains("canary"));
}

#[test]
fn all_problems_are_told_at_once() {
    let said = refused(
        "issuer = \"x\"\n[log]\nformat = \"xml\"\nfilter = \"\"\n",
        &[],
    );
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let effective = Effective::load(&Given::default()).unwrap();
    let mut variables: Vec<String> = effective
        .shown()
        .iter()
        .map(|s| config::explain(&effective, s.key).unwrap().variable)
        .collect();
    let count = variables.len();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), count);
}

/// `lanyard config explain --markdown > docs/CONFIGURATION.md` mends it.
#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let page = include_str!("../../../docs/CONFIGURATION.md");
    assert_eq!(page.trim_end(), config::reference().trim_end());
}
