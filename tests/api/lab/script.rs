//! Scripts in other languages, which use a lab from outside: how they are run, and what they may
//! ask of the lab meanwhile.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use lanyard::app::App;
use lanyard::cli::Operator;
use lanyard::env::Clock as _;
use lanyard::identity::totp::TotpSecret;
use lanyard::ids::{ClientId, TenantId};
use lanyard::oidc::client::service::RegisterOutcome;
use lanyard::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri, WebOrigin,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::server::{Lab, LabClock};
use super::world::SHARED_SECRET;

/// A script that is still running then hangs; it is killed.
const PATIENCE: Duration = Duration::from_mins(5);

/// A browser needs a core to itself: one script at a time in this process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The file of the verifier's corpus.
pub(crate) const FORGED_TOKENS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/verifier/forged-tokens.json"
);

/// What runs a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Interpreter {
    /// Node, with the packages beside the script.
    Node,
    /// Python, with the virtual environment beside the script.
    Python,
}

impl Interpreter {
    /// The program, if what `./check` installs is there.
    fn program(self, folder: &Path) -> PathBuf {
        let (program, needed) = match self {
            Self::Node => ("node".into(), folder.join("node_modules")),
            Self::Python => {
                let python = folder.join(".venv/bin/python");
                (python.clone(), python)
            }
        };
        assert!(
            needed.exists(),
            "{} is missing: run ./check",
            needed.display()
        );
        program
    }
}

impl Lab {
    /// Runs `tests/<script>` with addresses in its environment, and fails as it fails.
    pub(crate) async fn run(
        &self,
        interpreter: Interpreter,
        script: &str,
        arguments: &[&str],
        given: &[(&str, &str)],
    ) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(script);
        let folder = script.parent().unwrap();
        let program = interpreter.program(folder);
        let desk = self.desk().await;
        let _alone = ONE_AT_A_TIME.lock().await;
        let mut command = Command::new(&program);
        command
            .arg(&script)
            .args(arguments)
            .current_dir(folder)
            .env("NO_PROXY", "localhost,127.0.0.1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LANYARD_LAB", desk)
            .env("LANYARD_ISSUER", self.issuer())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (name, value) in given {
            command.env(format!("LANYARD_{name}"), value);
        }
        let ended = tokio::time::timeout(PATIENCE, command.output())
            .await
            .unwrap_or_else(|_| panic!("{} hangs", script.display()));
        let ended = ended.unwrap_or_else(|why| panic!("{}: {why}: run ./check", program.display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&ended.stdout) + &text(&ended.stderr);
        assert!(
            ended.status.success(),
            "{} {arguments:?}: {}\n{said}",
            script.display(),
            ended.status
        );
        println!("{said}");
    }

    /// Serves what scripts may ask for; gives its address.
    async fn desk(&self) -> String {
        self.platform().await;
        let desk = Desk {
            app: self.app.clone(),
            clock: self.clock.clone(),
        };
        let router = Router::new()
            .route("/clients", post(register))
            .route("/clock", post(advance))
            .route("/code", post(code))
            .route("/mail", get(mail))
            .with_state(desk);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

/// What a script's requests are answered with.
#[derive(Clone, Debug)]
struct Desk {
    app: App,
    clock: LabClock,
}

#[derive(Deserialize)]
struct Advance {
    seconds: i64,
}

async fn advance(State(desk): State<Desk>, Json(by): Json<Advance>) -> Json<Value> {
    desk.clock.advance(time::Duration::seconds(by.seconds));
    Json(json!({}))
}

#[derive(Deserialize)]
struct Phone {
    /// Whose device it is, if not one that the lab planted.
    secret: Option<String>,
}

/// What a device shows now.
async fn code(State(desk): State<Desk>, Json(phone): Json<Phone>) -> Json<Value> {
    let secret = match &phone.secret {
        Some(text) => TotpSecret::parse(text).unwrap(),
        None => TotpSecret::new(SHARED_SECRET),
    };
    Json(json!({ "code": secret.code_at(desk.clock.now()) }))
}

/// A client that somebody wants to be.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) kind: String,
    pub(crate) profile: Option<String>,
    pub(crate) auth_method: String,
    pub(crate) id_token_alg: Option<String>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) post_logout_redirect_uri: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// Another API than `/api/v1`.
    pub(crate) audience: Option<String>,
    /// Made by others: its people are asked.
    #[serde(default)]
    pub(crate) is_third_party: bool,
}

/// What was mailed, the newest first.
async fn mail(State(desk): State<Desk>) -> Json<Value> {
    lanyard::mail::deliver(&desk.app).await.unwrap();
    let caught = lanyard::mail::caught(&desk.app, 20).await.unwrap();
    let told = caught.iter().map(|message| {
        json!({ "to": message.to, "subject": message.letter.subject, "body": message.letter.body })
    });
    Json(told.collect())
}

/// What an operator is shown of a client.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
}

async fn register(State(desk): State<Desk>, Json(wanted): Json<Wanted>) -> Json<Registered> {
    Json(wanted.register(&desk.app).await)
}

impl Wanted {
    /// Registers a client of the platform, as its operator would.
    pub(crate) async fn register(&self, app: &App) -> Registered {
        let id = format!("their-{}", app.env.random_uuid().simple());
        let address = |text: &Option<String>| {
            let parsed = text.iter().map(|text| RedirectUri::parse(text).unwrap());
            parsed.collect::<Vec<_>>()
        };
        let profile = self.profile.as_deref().unwrap_or("strict");
        let id_token_alg = self.id_token_alg.as_deref().unwrap_or("RS256");
        let own = || lanyard::api::audience(app);
        let new = NewClient {
            tenant: TenantId::PLATFORM,
            id: ClientId::parse(&id).unwrap(),
            name: ClientName::parse("Somebody's app").unwrap(),
            kind: ClientKind::parse(&self.kind).unwrap(),
            profile: Profile::parse(profile).unwrap(),
            auth_method: AuthMethod::parse(&self.auth_method).unwrap(),
            id_token_alg: IdTokenAlg::parse(id_token_alg).unwrap(),
            redirect_uris: address(&self.redirect_uri),
            post_logout_redirect_uris: address(&self.post_logout_redirect_uri),
            initiate_login_uri: None,
            origins: self
                .origin
                .iter()
                .map(|origin| WebOrigin::parse(origin).unwrap())
                .collect(),
            scopes: self.scopes.clone(),
            audiences: vec![self.audience.clone().unwrap_or_else(own)],
            app: None,
            is_first_party: !self.is_third_party,
        };
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        let outcome = operator.register_client(&new).await.unwrap();
        let RegisterOutcome::Registered(secret) = outcome else {
            panic!("{id} was not registered: {outcome:?}");
        };
        Registered {
            client_id: id,
            client_secret: secret.map(|shown| shown.secret().expose_secret().to_owned()),
        }
    }
}
