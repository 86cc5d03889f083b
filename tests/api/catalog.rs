//! What `docs/ROLES.md`, `docs/AUDIT.md` and `docs/ERRORS.md` say, against what is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lanyard::config::Config;
use lanyard::oidc::authorize::request::PROTOCOL_SCOPES;
use lanyard::oidc::consent::words;
use lanyard::oidc::scope::Scope;
use time::Duration;

use crate::lab::cluster;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of the tables under a heading of a document, without their headings.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let section = text.split("\n## ").find(|part| part.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("{document}: no section {heading}"));
    let cells = |line: &str| -> Vec<String> {
        let inside = line.trim_matches('|').split('|');
        inside.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "{document}: {heading} has no rows");
    rows
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    let odd = cell.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

fn words(text: &str) -> String {
    quoted(text).concat()
}

fn in_words(seconds: i64) -> String {
    match seconds {
        60.. if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        61.. if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Issue 2 §4: one table says role × permission × scope, with the class and the clocks.
#[tokio::test]
async fn the_table_of_roles_is_the_databases() {
    let there: Vec<(String, String, i32, i32, Vec<String>)> = sqlx::query_as(
        "select r.role, r.access_class, r.idle_seconds, r.absolute_seconds,
           array(select '`' || p.permission || '` (`' || p.scope || '`)'
             from identity.role_permission rp join identity.permission p using (permission)
             where rp.role = r.role order by 1)
         from identity.role r",
    )
    .fetch_all(&mut cluster::shared().await.superuser().await)
    .await
    .unwrap();
    let there: BTreeSet<Vec<String>> = there
        .into_iter()
        .map(|(role, class, idle, absolute, permissions)| {
            let clocks = [idle, absolute].map(|seconds| in_words(seconds.into()));
            let [idle, absolute] = clocks;
            let quoted = |text| format!("`{text}`");
            vec![
                quoted(role),
                quoted(class),
                permissions.join(", "),
                idle,
                absolute,
            ]
        })
        .collect();
    let here: BTreeSet<_> = rows("docs/ROLES.md", "Who may what").into_iter().collect();
    assert_eq!(here, there);
}

/// Issue 3: whatever an app can be given is asked for in a person's words. A scope is issued only
/// if a role carries a key that needs it, so the table of keys is all that there is beside the
/// protocol's own.
#[tokio::test]
async fn every_scope_that_can_be_given_has_words() {
    let there: Vec<String> =
        sqlx::query_scalar("select distinct scope from identity.permission order by 1")
            .fetch_all(&mut cluster::shared().await.superuser().await)
            .await
            .unwrap();
    let mut known: Vec<_> = Scope::ALL.map(Scope::name).to_vec();
    known.retain(|scope| !PROTOCOL_SCOPES.contains(scope));
    known.sort_unstable();
    assert_eq!(known, there);
    for said in words::in_words(&there) {
        let is_plain = ["See ", "Change "]
            .iter()
            .any(|verb| said.starts_with(verb));
        assert!(is_plain, "{said}");
    }
}

/// Issue 2 §4: lifetimes of every token.
#[test]
fn the_lifetimes_are_the_configurations_defaults() {
    let Config {
        lifetimes, session, ..
    } = Config::default();
    let there = BTreeMap::from(
        [
            ("lifetimes.access_token", lifetimes.access_token),
            (
                "lifetimes.client_credentials_token",
                lifetimes.client_credentials_token,
            ),
            ("lifetimes.id_token", lifetimes.id_token),
            ("lifetimes.authorization_code", lifetimes.authorization_code),
            ("lifetimes.interaction", lifetimes.interaction),
            (
                "lifetimes.refresh_confidential",
                lifetimes.refresh_confidential,
            ),
            ("lifetimes.refresh_public", lifetimes.refresh_public),
            ("lifetimes.emergency_access", lifetimes.emergency_access),
            ("session.idle", session.idle),
            ("session.absolute", session.absolute),
        ]
        .map(|(key, lifetime): (_, Duration)| (key.to_owned(), in_words(lifetime.whole_seconds()))),
    );
    let text = read("docs/ROLES.md");
    let section = text.split("\n## Lifetimes").nth(1).expect("there is one");
    let here: BTreeMap<_, _> = section
        .lines()
        .filter_map(
            |line| match line.split('|').map(str::trim).collect::<Vec<_>>()[..] {
                [_, _, key, lifetime, _] if key.starts_with('`') => {
                    Some((words(key), lifetime.to_owned()))
                }
                _ => None,
            },
        )
        .collect();
    assert_eq!(here, there);
}

/// Design §8: the catalog of events, each of which something records, with these details.
#[tokio::test]
async fn the_table_of_events_is_the_databases() {
    let there: BTreeMap<String, String> =
        sqlx::query_as("select type, concat_ws(', ', plane, also) from audit.event_type")
            .fetch_all(&mut cluster::shared().await.superuser().await)
            .await
            .unwrap()
            .into_iter()
            .collect();
    let rows = rows("docs/AUDIT.md", "# The log");
    let here: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (words(&row[0]), row[1].clone()))
        .collect();
    assert_eq!(here, there);
    let mut source = String::new();
    gather(&root().join("src"), &mut source);
    for row in &rows {
        for detail in quoted(&row[2]) {
            let is_written = source.contains(&format!("\"{detail}\""));
            assert!(is_written, "{}: nothing writes {detail}", row[0]);
        }
        let name = words(&row[0]);
        let variant: String = name.split(['.', '_']).map(capitalized).collect();
        let records = source.matches(&format!("EventType::{variant}")).count();
        assert!(records > 0, "{name}: nothing records it");
    }
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// All Rust of a folder, but the catalog of events itself.
fn gather(folder: &Path, text: &mut String) {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    for path in entries {
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("audit/event.rs")
        {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The text between a function's name and its end.
fn body<'a>(source: &'a str, from: &str) -> &'a str {
    let rest = source.split(from).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {from}"));
    rest.split("\n    }\n").next().expect("it ends")
}

fn literals(code: &str) -> BTreeSet<String> {
    let odd = code.split('"').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

fn documented(heading: &str) -> BTreeSet<String> {
    let rows = rows("docs/ERRORS.md", heading);
    let count = rows.len();
    let codes: BTreeSet<_> = rows.iter().map(|row| words(&row[0])).collect();
    assert_eq!(codes.len(), count, "{heading}: twice the same");
    codes
}

/// House §8: every public code is documented, and none that is not there.
#[test]
fn the_tables_of_codes_are_the_sources() {
    let authorize = read("src/oidc/authorize/mod.rs");
    let words = literals(body(&authorize, "fn word(self)"));
    assert_eq!(documented("The authorization endpoint"), words);

    let oauth = read("src/http/oauth_error.rs");
    let wire = literals(body(&oauth, "fn wire(self)"));
    assert_eq!(documented("The token endpoint"), wire);

    let challenge = read("src/verifier/src/challenge.rs");
    let codes = literals(body(&challenge, "fn code(&self)"));
    assert_eq!(documented("An API behind the verifier"), codes);

    let problem = read("src/http/problem.rs");
    let words = literals(body(&problem, "fn code(&self)"));
    assert_eq!(documented("`/api/v1` beyond the verifier"), words);

    let described: serde_json::Value =
        serde_json::from_str(&lanyard::api::openapi::text()).unwrap();
    let mut in_openapi = BTreeSet::new();
    for answer in described["components"]["responses"]
        .as_object()
        .unwrap()
        .values()
    {
        let body = &answer["content"]["application/problem+json"]["schema"];
        let codes = body["allOf"][1]["properties"]["code"]["enum"]
            .as_array()
            .unwrap();
        in_openapi.extend(codes.iter().map(|code| code.as_str().unwrap().to_owned()));
    }
    // No host of ours is a clinic's; and a method that is not described is not described.
    in_openapi.extend(["unknown_host", "method_not_allowed"].map(str::to_owned));
    assert_eq!(in_openapi, codes.union(&words).cloned().collect());

    let bearer = read("src/http/bearer.rs");
    let said = bearer.split("error=\"").skip(1);
    let words = said.map(|rest| rest.split('"').next().unwrap().to_owned());
    assert_eq!(documented("Userinfo"), words.collect());
}
