//! The guides, followed: what `docs/guides` shows is what runs here. A block whose first line has
//! a name is a file of that name.

pub(crate) mod visits_api;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use lanyard::revocation::service as revocation;
use lanyard_verifier::TenantId;
use time::Duration;
use tokio::net::TcpListener;

use crate::lab::Lab;
use crate::lab::script::{FORGED_TOKENS, Interpreter, Registered, Wanted};
use crate::lab::world::PASSWORD;

const AUDIENCE: &str = "https://visits.example.test";

fn guides() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides")
}

/// The blocks of a guide: the words behind the fence, and the text.
fn blocks(guide: &Path) -> Vec<(Vec<String>, String)> {
    let text = fs::read_to_string(guide).unwrap();
    let mut found: Vec<(Vec<String>, String)> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), is_inside) {
            (Some(words), false) => {
                let words = words.split_whitespace().map(str::to_owned);
                found.push((words.collect(), String::new()));
                is_inside = true;
            }
            (Some(_), true) => is_inside = false,
            (None, true) => {
                let (_, block) = found.last_mut().unwrap();
                *block += line;
                block.push('\n');
            }
            (None, false) => {}
        }
    }
    found
}

/// The files that a guide has its reader write; blocks of one name follow each other.
fn files(guide: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::<String, String>::new();
    for (words, block) in blocks(&guides().join(format!("{guide}.md"))) {
        if let [_, name] = &words[..] {
            *files.entry(name.clone()).or_default() += &block;
        }
    }
    assert!(!files.is_empty(), "{guide} has its reader write nothing");
    files
}

/// Writes them into a folder of one test, where the packages of `tests/clients` are found.
fn unpack(guide: &str, test: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(test)
        .join(guide);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files(guide) {
        fs::write(folder.join(name), text).unwrap();
    }
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node_modules");
    std::os::unix::fs::symlink(packages, folder.join("node_modules")).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// A lab in real time, a patient of two clinics, and an API that reports what she does.
struct Scene {
    lab: Lab,
    login: String,
    clinics: [String; 2],
    api: Registered,
}

impl Scene {
    async fn new() -> Self {
        // No longer than an app refreshes before the end: so each of its calls does.
        let brief = Duration::seconds(60);
        let lab = Lab::in_real_time(|config| config.lifetimes.access_token = brief).await;
        lab.platform().await;
        let ada = lab.person("Ada Quill").await;
        let mut clinics = Vec::new();
        for name in ["Juniper Family Clinic", "Harbor Clinic"] {
            let clinic = lab.clinic(name).await;
            lab.join(&ada, clinic.id, &["patient"]).await;
            clinics.push(clinic.id.to_string());
        }
        let resource = Wanted {
            kind: "resource".to_owned(),
            profile: None,
            auth_method: "client_secret_basic".to_owned(),
            id_token_alg: None,
            redirect_uri: None,
            post_logout_redirect_uri: None,
            origin: None,
            scopes: Vec::new(),
            audience: Some(AUDIENCE.to_owned()),
            is_third_party: false,
        };
        let api = resource.register(&lab.app).await;
        Self {
            login: ada.login,
            clinics: clinics.try_into().unwrap(),
            api,
            lab,
        }
    }

    /// Tells of the roles that were just given, and waits for the next second: what is issued then
    /// is not meant.
    async fn settled(&self) {
        revocation::sequence(&self.lab.app).await.unwrap();
        let told_at = self.lab.now().unix_timestamp();
        while self.lab.now().unix_timestamp() == told_at {
            tokio::task::yield_now().await;
        }
    }

    fn secret(&self) -> &str {
        self.api.client_secret.as_deref().unwrap()
    }

    /// Runs a script that plays the guide's reader.
    async fn play(&self, script: &str, arguments: &[&str]) {
        let given = [
            ("LOGIN", self.login.as_str()),
            ("PASSWORD", PASSWORD),
            ("AUDIENCE", AUDIENCE),
            ("CLINIC", &self.clinics[0]),
            ("OTHER_CLINIC", &self.clinics[1]),
            ("API_CLIENT_ID", &self.api.client_id),
            ("API_CLIENT_SECRET", self.secret()),
        ];
        let script = format!("clients/{script}");
        self.lab
            .run(Interpreter::Node, &script, arguments, &given)
            .await;
    }
}

/// Issue 3: no snippet of a guide is there that nothing runs. Commands are another test's
/// (`tests/api/docs.rs`).
#[test]
fn every_block_of_a_guide_is_a_file_or_a_command() {
    let mut count = 0;
    for entry in fs::read_dir(guides()).unwrap().flatten() {
        for (words, block) in blocks(&entry.path()) {
            let is_run = words.len() == 2 || words == ["sh"];
            assert!(is_run, "{}: {words:?}\n{block}", entry.path().display());
            count += 1;
        }
    }
    assert!(count > 8, "{count} blocks");
}

/// The guide's file is `visits_api.rs`, beside this one, to the letter.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_in_rust_lets_in_who_may() {
    let shown = &files("protect-an-api-in-rust")["visits_api.rs"];
    assert_eq!(shown, include_str!("visits_api.rs"));
    let scene = Scene::new().await;
    let issuer = scene.lab.issuer();
    scene.settled().await;
    let credentials = (scene.api.client_id.as_str(), scene.secret());
    let by_id_alone = |_: &str| None::<TenantId>;
    let api = visits_api::visits_api(issuer, AUDIENCE, credentials, by_id_alone).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, api).await });
    scene.play("guide_api.mjs", &[&at]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_in_node_lets_in_who_may() {
    let folder = unpack("protect-an-api-in-node", "node");
    let arguments = ["node", &format!("{folder}/api.mjs")];
    Scene::new().await.play("guide_api.mjs", &arguments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_in_python_lets_in_who_may() {
    let folder = unpack("protect-an-api-in-python", "python");
    let arguments = [".venv/bin/python", &format!("{folder}/api.py")];
    Scene::new().await.play("guide_api.mjs", &arguments).await;
}

/// What `PyJWT` alone takes, such as an `exp` that is text, is asked by the API itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_in_python_refuses_forged_tokens() {
    let folder = unpack("protect-an-api-in-python", "python-forged");
    let lab = Lab::in_real_time(|_| ()).await;
    let given = [("FORGED_TOKENS", FORGED_TOKENS)];
    let script = "clients/guide_forged.py";
    lab.run(Interpreter::Python, script, &[&folder], &given)
        .await;
}

/// An app's guide, with the API of another guide behind it.
async fn an_app_of(guide: &str, script: &str) {
    let folders = [
        unpack(guide, guide),
        unpack("protect-an-api-in-node", guide),
    ];
    let [app, api] = folders.each_ref().map(String::as_str);
    Scene::new().await.play(script, &[app, api]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_app_signs_in_refreshes_steps_up_and_logs_out() {
    an_app_of("connect-a-web-app", "guide_web.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_page_app_signs_in_refreshes_steps_up_and_logs_out() {
    an_app_of("connect-a-single-page-app", "guide_spa.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_app_signs_in_over_a_loopback_address() {
    an_app_of("connect-a-native-app", "guide_native.mjs").await;
}
