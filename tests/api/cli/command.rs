//! The program itself: exit codes, secrets, and the shapes that docs/CLI.md promises.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

use super::folder::Folder;

/// A deployment in a folder of its own.
pub(super) struct Site {
    folder: Folder,
    operations: u16,
    /// `DATABASE_URL`; without it a private cluster.
    database: Option<String>,
}

impl Site {
    pub(super) fn new() -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let operations = free.local_addr().unwrap().port();
        Self {
            folder: Folder::new(),
            operations,
            database: None,
        }
    }

    /// One on a server of the operator's own.
    pub(super) fn on(url: &str) -> Self {
        Self {
            database: Some(url.to_owned()),
            ..Self::new()
        }
    }

    /// Where everything that it writes is.
    pub(super) fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// A file of this name where commands are run.
    pub(super) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lanyard"));
        let state = self.state();
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANYARD_KEYS_DIR", state.join("keys"))
            .env("LANYARD_STATE_DIR", state)
            .env("LANYARD_DATABASE_CONNECTIONS", "4")
            .env("LANYARD_LISTEN_ISSUER", "127.0.0.1:0")
            .env(
                "LANYARD_LISTEN_OPERATIONS",
                format!("127.0.0.1:{}", self.operations),
            )
            .env("LANYARD_APPS_PATIENT_LISTEN", "127.0.0.1:0")
            .env("LANYARD_APPS_CLINICIAN_LISTEN", "")
            .env("LANYARD_APPS_CONSOLE_LISTEN", "")
            .env("LANYARD_APPS_PLATFORM_LISTEN", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url);
        }
        command
    }

    /// Runs to the end, with these lines on standard input.
    pub(super) fn run_with(&self, line: &str, input: &str) -> Output {
        let mut child = self.command(line).spawn().unwrap();
        // A program that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    pub(super) fn run(&self, line: &str) -> Output {
        self.run_with(line, "")
    }

    /// The answer as JSON, which must have the shape of its section in docs/CLI.md.
    pub(super) fn ask_with(&self, line: &str, section: &str, input: &str) -> Value {
        let output = self.run_with(&format!("{line} -o json"), input);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {complaint}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_shape(section, &answer);
        answer
    }

    pub(super) fn ask(&self, line: &str) -> Value {
        let section = line
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        self.ask_with(line, &section, "")
    }

    /// A refusal: this code, nothing on standard output, two lines of words on standard error.
    pub(super) fn refuse(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}");
        said
    }
}

/// The JSON block of a section of docs/CLI.md.
fn documented(section: &str) -> Value {
    let page = include_str!("../../../docs/CLI.md");
    let heading = format!("\n### lanyard {section}\n");
    let after = page
        .split_once(&heading)
        .unwrap_or_else(|| panic!("no section {section}"))
        .1;
    let block = after
        .split_once("```json\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    serde_json::from_str(block).unwrap()
}

fn assert_shape(section: &str, answer: &Value) {
    let shape = documented(section);
    assert!(
        alike(&shape, answer),
        "{section}: docs/CLI.md has {shape}, the program says {answer}"
    );
}

/// Same keys, same kinds of values; null stands for any kind, a list's first for all.
fn alike(shape: &Value, answer: &Value) -> bool {
    match (shape, answer) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Object(shape), Value::Object(answer)) => {
            // Faces differ by configuration.
            let is_map = shape.contains_key("issuer") && shape.contains_key("operations");
            is_map
                || (shape.keys().eq(answer.keys())
                    && shape.iter().all(|(key, value)| alike(value, &answer[key])))
        }
        (Value::Array(shape), Value::Array(answer)) => match shape.first() {
            Some(first) => answer.iter().all(|one| alike(first, one)),
            None => true,
        },
        (shape, answer) => std::mem::discriminant(shape) == std::mem::discriminant(answer),
    }
}

/// A running `lanyard serve`.
pub(super) struct Served {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Served {
    pub(super) fn start(site: &Site) -> Self {
        Self::start_as(&mut site.command("serve -o json"))
    }

    pub(super) fn start_as(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(super) fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    pub(super) fn end(mut self) -> Option<i32> {
        self.ask("-TERM");
        self.wait()
    }

    /// Sends it a signal.
    pub(super) fn ask(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Until it has ended.
    pub(super) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Issue 2 §1, from nothing to a served platform, each answer with its documented shape.
#[test]
fn an_operator_sets_up_a_platform_from_nothing() {
    let site = Site::new();
    assert!(site.refuse("serve", 3).contains("lanyard keys init"));
    site.ask("keys init");
    assert!(site.refuse("keys init", 3).contains("there already"));
    assert!(site.refuse("serve", 3).contains("lanyard migrate"));
    let migrated = site.ask_with("migrate", "migrate", "");
    let secret = migrated["bootstrap"]["secret"].as_str().unwrap().to_owned();
    assert_eq!(site.run("healthcheck").status.code(), Some(1));

    let mut served = Served::start(&site);
    let ready = served.next();
    assert_shape("serve", &ready);
    assert!(ready["listening"]["patient"].is_array() && ready["listening"]["console"].is_null());
    site.ask_with("healthcheck", "healthcheck", "");
    administrators(&site, &secret);
    clinics_and_people(&site);
    clients(&site);
    assert!(site.ask("keys list").as_array().unwrap().len() >= 3);
    assert_eq!(site.ask_with("doctor", "doctor", "")["may_serve"], true);
    // Somebody administers the platform: no more secrets, unless asked for.
    assert!(site.ask_with("migrate", "migrate", "")["bootstrap"].is_null());
    site.ask("recover administrator");
    assert_eq!(served.end(), Some(0));
}

fn administrators(site: &Site, secret: &str) {
    let create = "account create --bootstrap --password-stdin --name Root --login";
    let both = format!("{secret}\nquiet river under seven bridges\n");
    let short = site.run_with(
        &format!("{create} root@example.com"),
        &format!("{secret}\nshort\n"),
    );
    assert_eq!(short.status.code(), Some(3));
    let section = "account create --bootstrap";
    site.ask_with(&format!("{create} root@example.com"), section, &both);
    let again = site.run_with(&format!("{create} root2@example.com"), &both);
    assert_eq!(again.status.code(), Some(3));
    let other_way = "account create --generate-password --name Eve --login eve@example.com \
                     --tenant platform --role super_admin";
    assert!(site.refuse(other_way, 3).contains("recover administrator"));
}

fn clinics_and_people(site: &Site) {
    site.ask("tenant create juniper --name Juniper --accent juniper");
    assert!(
        site.refuse("tenant create juniper --name Other", 3)
            .contains("already")
    );
    assert!(
        site.refuse("tenant create xn--a --name Other", 2)
            .contains("slug")
    );
    site.ask_with("verifiers", "verifiers", "");
    site.ask("tenant create harbor --name Harbor");
    assert_eq!(site.ask("tenant list").as_array().unwrap().len(), 3);
    let ended = site.ask("tenant end-sessions harbor --reason drill");
    assert_eq!(
        (&ended["left"], &ended["reason"]),
        (&0.into(), &"drill".into())
    );
    site.refuse("tenant end-sessions nowhere --reason drill", 3);
    site.refuse("tenant end-sessions harbor --reason other", 2);
    site.ask("tenant suspend harbor");
    assert_eq!(
        site.ask_with("tenant resume harbor", "tenant suspend", "")["status"],
        "active"
    );
    let policy = "impersonation policy juniper approval-by-admin";
    assert_eq!(site.ask(policy)["changed"], true);
    assert_eq!(site.ask(policy)["changed"], false);
    let listed = site.ask("impersonation list juniper");
    assert_eq!(listed["rule"], "approval_by_admin");
    assert_eq!(site.ask("impersonation end juniper --all")["ended"], 0);
    site.refuse("impersonation end juniper", 2);
    site.refuse("impersonation policy nowhere allowed", 3);
    let ada = "--login ada@juniper.example";
    let made = site.ask(&format!(
        "account create {ada} --name Ada --tenant juniper --role clinician --generate-password"
    ));
    assert!(made["password"].is_string() && made["subject_id"].is_string());
    let wrong = format!("account join {ada} --tenant harbor --role wizard");
    assert!(site.refuse(&wrong, 3).contains("clinician"));
    site.ask(&format!("account join {ada} --tenant harbor --role nurse"));
    site.ask(&format!("account recover {ada} --generate-password"));
    assert!(
        site.refuse("account recover --login ada@juniper.example", 2)
            .contains("terminal")
    );
}

fn clients(site: &Site) {
    let create = "client create front-desk --name Desk --kind web --tenant juniper --redirect-uri";
    let script = site.refuse(&format!("{create} javascript:alert(1)"), 3);
    assert!(script.contains("https"), "AUTHZ-03: {script}");
    let made = site.ask(&format!("{create} https://desk.example.com/cb"));
    let secret = made["client_secret"].as_str().unwrap();
    let listed = site.run("client list --tenant juniper -o json").stdout;
    assert!(
        !String::from_utf8(listed).unwrap().contains(secret),
        "CLI-18"
    );
    site.ask("client list --tenant juniper");
    site.ask("client rotate front-desk --tenant juniper --overlap 1h");
    assert_eq!(
        site.run("client rotate front-desk --tenant juniper --overlap 8d")
            .status
            .code(),
        Some(3)
    );
    site.ask("client delete front-desk --tenant juniper");
    assert!(
        site.refuse("client delete front-desk --tenant juniper", 3)
            .contains("no client")
    );
}

#[test]
fn the_configuration_is_told_in_its_documented_shapes() {
    let site = Site::new();
    site.ask("config show");
    site.ask("config explain lifetimes.access_token");
    site.ask("config check");
    let file = site
        .folder
        .write("lanyard.toml", "[lifetimes]\naccess_token = \"90d\"\n");
    let output = site.run("config check -o json");
    assert_eq!(output.status.code(), Some(3));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_shape("config check", &answer);
    assert!(
        site.refuse("serve", 3).contains("out of bounds"),
        "{}",
        file.display()
    );
    assert!(
        site.refuse("config explain lifetimes.acces_token", 2)
            .contains("did you mean")
    );
}

#[test]
fn exit_codes_are_in_the_help_and_wrong_usage_is_two() {
    let site = Site::new();
    let help = site.run("--help");
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("4 the database can't be reached"), "{help}");
    assert_eq!(site.run("frobnicate").status.code(), Some(2));
    assert_eq!(
        site.run("account create --login a --name b --password x")
            .status
            .code(),
        Some(2)
    );
    let script = site.run("completions bash");
    assert!(
        String::from_utf8(script.stdout)
            .unwrap()
            .contains("healthcheck")
    );
}

/// CFG-01: short or readable keys, plain http to others: each ends with one clear line.
#[test]
fn an_unsafe_start_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    let refused = |name: &str, value: &std::ffi::OsStr| {
        let output = site.command("serve").env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{name}");
        String::from_utf8(output.stderr).unwrap()
    };
    let keys = site.folder.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    let key = keys.join("master.key");
    for (text, mode) in [("c2hvcnQ=\n", 0o644), ("", 0o644)] {
        std::fs::write(&key, text).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        // As root the program goes on as the system user, whose folder this is not.
        let said = refused("LANYARD_KEYS_DIR", keys.as_os_str());
        let is_named = said.contains("chmod 700") || said.contains("chown");
        assert!(is_named, "{said}");
    }
    let demo = site.folder.path().join("demo");
    std::fs::create_dir_all(demo.join("keys")).unwrap();
    std::fs::write(demo.join("this-is-lanyards-demo"), "").unwrap();
    for name in ["LANYARD_STATE_DIR", "LANYARD_KEYS_DIR"] {
        let said = refused(name, demo.join("keys").as_os_str());
        assert!(said.contains("is the demo's"), "{name}: {said}");
    }
    let said = refused("LANYARD_ISSUER", "http://id.example.com".as_ref());
    assert!(said.contains("must be https"), "{said}");
    let said = refused("LANYARD_LISTEN_ISSUER", "0.0.0.0:8080".as_ref());
    assert!(said.contains("reachable from other machines"), "{said}");
}

/// CFG-09: where no database answers, one clear line, its own code, and no password.
#[test]
fn an_unreachable_database_has_a_code_of_its_own() {
    let site = Site::new();
    site.ask("keys init");
    let free = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://boss:canary@127.0.0.1:{free}/lanyard");
    for line in ["tenant list", "migrate", "serve"] {
        let output = site
            .command(line)
            .env("DATABASE_URL", &url)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{line}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
