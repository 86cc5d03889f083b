//! Our server on a database of its own, as `lanyard serve` runs it, with clinics and people.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lanyard::cli::Operator;
use lanyard::db::{Connect, Db, migrate};
use lanyard::env::Env;
use lanyard::identity::model::{AccountName, EnrollOutcome, Login, NewAccount};
use lanyard::identity::password::Hasher;
use lanyard::ids::{ClientId, TenantId};
use lanyard::keys::{self, MasterKeys};
use lanyard::oidc::client::service::RegisterOutcome;
use lanyard::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
};
use lanyard::tenancy::service::CreateOutcome;
use lanyard::tenancy::{NewTenant, Slug, TenantName};
use rustix::process::Signal;
use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::browser::Browser;
use crate::load::{self, Busy, Caller as _, Code, Connection, Endpoints, SCOPE, Seed};
use crate::place::{Place, Running, said};
use crate::postgres::Postgres;
use crate::say;

/// Everyone's.
pub(crate) const PASSWORD: &str = "quiet river under seven bridges";
const CLIENT: &str = "bench";
/// The API that the client's tokens are for, as the issuer knows it.
pub(crate) const API: &str = "bench-api";
/// Reads the clinic's log.
const ADMINISTRATOR: &str = "administrator@juniper.example";
/// On a machine that is busy with something else; on a quiet one the first succeeds.
const MOST_TRIES: u32 = 20;

/// A deployment: configuration, database, clinic, people, one client. Not necessarily running.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) database: String,
    database_url: String,
    keys: PathBuf,
    /// A copy that is ours: as root we and the server are two users, and a key has one.
    own_keys: PathBuf,
    state: PathBuf,
    pub(crate) issuer: Url,
    address: SocketAddr,
    operations: u16,
    client_secret: String,
    pub(crate) api_secret: String,
    pub(crate) clinic: TenantId,
    pub(crate) people: Vec<String>,
}

/// `lanyard serve`.
#[derive(Debug)]
pub(crate) struct Served {
    running: Running,
    pub(crate) endpoints: Endpoints,
}

impl Served {
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }
}

impl Site {
    /// A migrated database with one clinic, so many patients, and one confidential client.
    pub(crate) async fn make(
        place: &Place,
        postgres: &Postgres,
        database: &str,
        people: usize,
    ) -> Result<Self> {
        postgres.create(database).await?;
        let (port, operations) = (free_port()?, free_port()?);
        let mut site = Self {
            database: database.to_owned(),
            database_url: postgres.url(database),
            keys: place.path().join(format!("keys-{database}")),
            own_keys: place.path().join("own-keys"),
            state: place.path().join(database),
            issuer: Url::parse(&format!("http://localhost:{port}"))?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            operations,
            client_secret: String::new(),
            api_secret: String::new(),
            clinic: TenantId::PLATFORM,
            people: Vec::new(),
        };
        let master = site.master(place)?;
        let base = PgConnectOptions::from_str(&site.database_url)?;
        let logins = keys::logins(&site.own_keys, master.as_ref()).await?;
        let connect = Connect::server(base, Arc::new(logins));
        migrate::migrate(&connect).await?;
        let env = Env::system();
        let db = Db::open(connect, &env, 4).await?;
        // A busy machine may take longer to connect than a request may wait.
        for _ in 0..MOST_TRIES {
            if db.ready().await.is_ok() {
                break;
            }
        }
        let keys = keys::open(&db, &env, master).await?;
        site.fill(&Operator::new(&db, &env, &keys), people).await?;
        db.close().await;
        Ok(site)
    }

    /// One key for all sites of a run: the logins of the cluster are made from it. Each site has
    /// a folder of its own, since a server remembers there how far its database was.
    fn master(&self, place: &Place) -> Result<Arc<MasterKeys>> {
        let first = place.path().join("keys");
        let copy = ["-r", "--preserve=mode"];
        if !first.exists() {
            let mut init = self.command(place, &["keys", "init"]);
            said(init.env("LANYARD_KEYS_DIR", &first))?;
            said(
                Command::new("cp")
                    .args(copy)
                    .arg(&first)
                    .arg(&self.own_keys),
            )?;
        }
        let mut copying = place.command(Path::new("cp"));
        said(copying.args(copy).arg(&first).arg(&self.keys))?;
        Ok(Arc::new(MasterKeys::load(&self.own_keys)?))
    }

    async fn fill(&mut self, operator: &Operator<'_>, people: usize) -> Result<()> {
        operator.ensure_platform().await?;
        let new = NewTenant {
            slug: Slug::parse("juniper").map_err(anyhow::Error::msg)?,
            name: TenantName::parse("Juniper Clinic").context("a name")?,
            accent: "juniper",
        };
        let CreateOutcome::Created(clinic) = operator.create_tenant(&new).await? else {
            bail!("the clinic is there already");
        };
        self.clinic = clinic;
        let hasher = Hasher::new(1, 1);
        let phc = hasher.hash(&PASSWORD.into(), [9; 16]).await?;
        for number in 0..people {
            let login = format!("person-{number}@juniper.example");
            self.enroll(operator, &login, "patient", &phc).await?;
            self.people.push(login);
        }
        self.enroll(operator, ADMINISTRATOR, "clinic_admin", &phc)
            .await?;
        self.client_secret = register(operator, self.client(CLIENT, ClientKind::Web)?).await?;
        self.api_secret = register(operator, self.client(API, ClientKind::Resource)?).await?;
        Ok(())
    }

    async fn enroll(
        &self,
        operator: &Operator<'_>,
        login: &str,
        role: &str,
        phc: &str,
    ) -> Result<()> {
        let new = NewAccount {
            login: Login::parse(login).context("a login")?,
            name: AccountName::parse("Ada Quill").context("a name")?,
        };
        let joins = (self.clinic, vec![role.to_owned()]);
        let outcome = operator.enroll(&new, phc, joins).await?;
        ensure!(
            matches!(outcome, EnrollOutcome::Enrolled(..)),
            "{outcome:?}"
        );
        Ok(())
    }

    fn client(&self, id: &str, kind: ClientKind) -> Result<NewClient> {
        let is_app = kind == ClientKind::Web;
        let for_app = |texts: &[&str]| {
            texts
                .iter()
                .map(|&t| t.to_owned())
                .filter(|_| is_app)
                .collect()
        };
        Ok(NewClient {
            tenant: TenantId::PLATFORM,
            id: ClientId::parse(id).context("a client id")?,
            name: ClientName::parse("The load").context("a name")?,
            kind,
            profile: Profile::Strict,
            auth_method: AuthMethod::ClientSecretBasic,
            id_token_alg: IdTokenAlg::Es256,
            redirect_uris: if is_app {
                vec![RedirectUri::parse(load::REDIRECT)?]
            } else {
                Vec::new()
            },
            post_logout_redirect_uris: Vec::new(),
            initiate_login_uri: None,
            origins: Vec::new(),
            scopes: for_app(&["visits:read", "audit:read"]),
            audiences: vec![self.audience()],
            app: None,
            is_first_party: true,
        })
    }

    /// The name of the server's own API in `aud`.
    pub(crate) fn audience(&self) -> String {
        format!("{}api/v1", self.issuer)
    }

    /// `lanyard` with these arguments, of this deployment.
    pub(crate) fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let port = self.address.port();
        let mut command = place.command(&place.lanyard);
        command
            .args(arguments)
            .env("DATABASE_URL", &self.database_url)
            .env("LANYARD_ISSUER", self.issuer.as_str().trim_end_matches('/'))
            .env("LANYARD_KEYS_DIR", &self.keys)
            .env("LANYARD_STATE_DIR", &self.state)
            .env("LANYARD_LISTEN_ISSUER", format!("127.0.0.1:{port}"))
            .env(
                "LANYARD_LISTEN_OPERATIONS",
                format!("127.0.0.1:{}", self.operations),
            );
        for app in ["PATIENT", "CLINICIAN", "CONSOLE", "PLATFORM"] {
            command.env(format!("LANYARD_APPS_{app}_LISTEN"), "");
        }
        command
    }

    /// The server with the default configuration, but for addresses, and how long it took from
    /// its start to its first answer with 200.
    pub(crate) async fn serve(&self, place: &Place) -> Result<(Served, Duration)> {
        let mut tries = 0;
        loop {
            match self.start(place).await {
                Err(error) if tries < MOST_TRIES && is_about_time(&error) => {
                    say("  once more: the server found its database too slow to start");
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn start(&self, place: &Place) -> Result<(Served, Duration)> {
        let log_path = place.path().join(format!("{}.log", self.database));
        let mut command = self.command(place, &["serve"]);
        command
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log_path)?);
        let began = Instant::now();
        let mut running = Running::new(command, Signal::TERM)?;
        let document = load::discovery(&self.issuer)?;
        while !is_there(&document).await {
            ensure!(
                running.child.try_wait()?.is_none() && began.elapsed() < Duration::from_mins(1),
                "`lanyard serve` does not answer: {}",
                std::fs::read_to_string(&log_path)?
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = began.elapsed();
        let endpoints = load::discover(&self.issuer).await?;
        Ok((Served { running, endpoints }, took))
    }

    /// A browser at an address that nobody else has.
    pub(crate) fn browser(&self, number: usize) -> Browser {
        let [_, _, high, low] = u32::try_from(number).unwrap_or_default().to_be_bytes();
        let own = IpAddr::V4(Ipv4Addr::new(127, 100 + high, low, 1));
        Browser::new(self.issuer.as_str(), self.address, own)
    }

    /// One of the people signs in; her browser, and what it has for the client.
    pub(crate) async fn sign_in(&self, number: usize, served: &Served) -> Result<(Browser, Seed)> {
        let browser = self.browser(number);
        let login = &self.people[number];
        browser.sign_in(login, PASSWORD).await.goes_to("/account");
        let seed = self.give(&browser, served, SCOPE).await?;
        Ok((browser, seed))
    }

    /// An access token with which the clinic's log can be read.
    pub(crate) async fn auditor(&self, served: &Served) -> Result<String> {
        let browser = self.browser(self.people.len());
        let sent = browser.sign_in(ADMINISTRATOR, PASSWORD).await;
        let page = browser.follow(sent).await;
        browser.submit(&page, "postpone-form", &[]).await;
        let seed = self.give(&browser, served, "openid audit:read").await?;
        Ok(seed.access_token)
    }

    /// What the client gets for who is signed in there.
    async fn give(&self, browser: &Browser, served: &Served, scope: &'static str) -> Result<Seed> {
        let cookies = ["__Host-lanyard_session", "__Host-lanyard_browser"].map(|name| {
            let value = browser.cookie(name).with_context(|| format!("no {name}"))?;
            anyhow::Ok(format!("{name}={value}"))
        });
        let cookies: Result<Vec<String>> = cookies.into_iter().collect();
        let seed = Seed {
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: self.client_secret.clone(),
            refresh_token: String::new(),
            access_token: String::new(),
            cookie: cookies?.join("; "),
        };
        let mut code = Code::new(seed, &served.endpoints)?.asking(scope);
        for _ in 0..MOST_TRIES {
            match code.call().await {
                Err(error) if error.is::<Busy>() => {}
                other => {
                    other?;
                    return Ok(code.into_seed());
                }
            }
        }
        bail!("the server is busy with nothing")
    }

    /// So many of the people, signed in by real code flows.
    pub(crate) async fn seeds(&self, served: &Served, count: usize) -> Result<Vec<Seed>> {
        let mut seeds = Vec::new();
        for number in 0..count {
            seeds.push(self.sign_in(number, served).await?.1);
        }
        Ok(seeds)
    }
}

/// Registers a client, and says its secret.
async fn register(operator: &Operator<'_>, new: NewClient) -> Result<String> {
    match operator.register_client(&new).await? {
        RegisterOutcome::Registered(Some(secret)) => Ok(secret.secret().expose_secret().to_owned()),
        other => bail!("{other:?}"),
    }
}

/// Whether a connection was not had in time, in the words of `lanyard serve`.
fn is_about_time(error: &anyhow::Error) -> bool {
    error.to_string().contains("timed out")
}

async fn is_there(document: &Url) -> bool {
    let Ok(mut connection) = Connection::new(document) else {
        return false;
    };
    let reply = connection.get(document, &[]).await;
    reply.is_ok_and(|reply| reply.status == 200)
}

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(free.local_addr()?.port())
}
