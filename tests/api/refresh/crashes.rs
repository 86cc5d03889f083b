//! A server killed as `kill -9` does: between commit and answer, and before the commit.
//!
//! The victim is this test binary as another process: [`a_server_of_its_own`] plays it when
//! [`PART`] is set, and does nothing in an ordinary run.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration as Real;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use lanyard::app::App;
use lanyard::config::Issuer;
use lanyard::db::{Connect, Db};
use lanyard::env::{Clock, Env, SystemEntropy};
use lanyard::keys::{self, MasterKey, MasterKeys};
use lanyard::server::{self, Face};
use rustix::process::{Signal, getpid, kill_process};
use tokio::net::TcpListener;

use super::*;
use crate::lab::server::MASTER;

/// Socket folder, database, issuer, and unix seconds, one a line.
const PART: &str = "LANYARD_REFRESH_VICTIM";
/// Asks the victim to die once everything is done but the answer.
const DIE: &str = "x-die-unanswered";
const SAYS: &str = "listens at ";

struct Stopped(OffsetDateTime);

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        self.0
    }
}

#[tokio::test]
async fn a_server_of_its_own() {
    let Some(part) = std::env::var_os(PART) else {
        return;
    };
    let part = part.into_string().unwrap();
    let [socket_dir, database, issuer, now] = part
        .lines()
        .collect::<Vec<_>>()
        .try_into()
        .expect("four lines");
    let now = OffsetDateTime::from_unix_timestamp(now.parse().unwrap()).unwrap();
    let env = Env {
        clock: Arc::new(Stopped(now)),
        entropy: Arc::new(SystemEntropy::new()),
    };
    let connect = Connect::private(socket_dir.into(), database);
    let db = Db::open(connect, &env, 4).await.unwrap();
    let config = Config {
        issuer: Issuer::parse(issuer).unwrap(),
        ..Config::default()
    };
    let master = Arc::new(MasterKeys::only(MasterKey::from_bytes(MASTER)));
    let keys = keys::open(&db, &env, master).await.unwrap();
    let app = App::new(config, env, db, keys).await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("\n{SAYS}{}", listener.local_addr().unwrap());
    let router = lanyard::http::issuer(&app)
        .await
        .unwrap()
        .layer(from_fn(die_if_asked));
    let face = Face {
        what: "issuer",
        addresses: Vec::new(),
        router,
        is_public: true,
    };
    server::attend(&app, face, listener).await;
}

async fn die_if_asked(request: Request, next: Next) -> Response {
    let is_asked = request.headers().contains_key(DIE);
    let response = next.run(request).await;
    if is_asked {
        kill_process(getpid(), Signal::KILL).unwrap();
    }
    response
}

/// A server in a process of its own, on the world's database.
struct Victim {
    process: Child,
    address: SocketAddr,
}

impl Victim {
    fn start(world: &World) -> Self {
        let part = [
            world.lab.database.socket_dir().display().to_string(),
            world.lab.database.name.clone(),
            world.lab.issuer().to_owned(),
            seconds(world.lab.now()).to_string(),
        ];
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "refresh::crashes::a_server_of_its_own",
                "--nocapture",
            ])
            .env(PART, part.join("\n"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let address = said
            .lines()
            .find_map(|line| line.unwrap().strip_prefix(SAYS)?.parse().ok())
            .expect("it says where it listens");
        Self { process, address }
    }

    /// A refresh that ends with the connection.
    async fn ask(&self, world: &World, by: &Party, token: &str, dies: bool) {
        let browser = world.lab.browser().through(self.address);
        let mut request = browser.request(Method::POST, "/token").form(&[
            ("grant_type", "refresh_token"),
            ("client_id", &by.id),
            ("refresh_token", token),
        ]);
        if dies {
            request = request.header(DIE, "yes");
        }
        assert!(request.send().await.is_err(), "it was answered");
    }

    fn was_killed(mut self) {
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(self.process.wait().unwrap().signal(), Some(9));
    }
}

/// RT-06 and design §11: what was committed is given again, by another node and by one started
/// anew; twice round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_between_commit_and_answer_loses_nothing() {
    let world = World::new().await;
    let party = world.public().await;
    let mut held = world.sign_in(&party).await.tokens;
    for round in 1..=2 {
        let victim = Victim::start(&world);
        victim.ask(&world, &party, &held.refresh, true).await;
        victim.was_killed();
        assert_eq!(
            world.current(held.family()).await,
            round,
            "it was committed"
        );

        let here = world.refresh(&party, &held.refresh).await.tokens();
        let restarted = Victim::start(&world);
        let browser = world.lab.browser().through(restarted.address);
        let there = refresh(&browser, &party, &held.refresh).await.tokens();
        assert_eq!(here.refresh, there.refresh);
        assert_eq!(world.issued(held.family()).await, round + 1);
        let mut process = restarted.process;
        process.kill().unwrap();
        process.wait().unwrap();
        held = here;
    }
    world.refresh(&party, &held.refresh).await.tokens();
}

/// Design §11: what was not committed did not happen, and the token is as good as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_before_its_commit_has_changed_nothing() {
    let world = World::new().await;
    let party = world.public().await;
    let mut held = world.sign_in(&party).await.tokens;
    for round in 0..2 {
        let before = world.row(held.family()).await;
        let mut holder = world.lab.database.superuser().await;
        let lock = format!(
            "begin; select from identity.token_family where family_id = '{}' for update",
            held.family()
        );
        crate::lab::cluster::tell(&mut holder, &lock).await;
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut holder)
            .await
            .unwrap();
        let mut victim = Victim::start(&world);
        let killing = async {
            let waiting = format!(
                "select count(*) from pg_stat_activity where pg_blocking_pids(pid) @> array[{pid}]"
            );
            while world.count(waiting.clone()).await == 0 {
                tokio::time::sleep(Real::from_millis(5)).await;
            }
            rustix::process::kill_process(
                rustix::process::Pid::from_child(&victim.process),
                Signal::KILL,
            )
            .unwrap();
        };
        tokio::join!(victim.ask(&world, &party, &held.refresh, false), killing);
        victim.process.wait().unwrap();
        crate::lab::cluster::tell(&mut holder, "rollback").await;

        let next = world.refresh(&party, &held.refresh).await;
        assert_eq!(
            world.issued(held.family()).await,
            round + 2,
            "one for this round"
        );
        assert_ne!(before, world.row(held.family()).await);
        held = next.tokens();
        assert_eq!(i64::from(held.generation()), round + 1);
        let rotated = world.refresh_events().await;
        let rotated = rotated
            .iter()
            .filter(|event| event.kind == "refresh.rotated")
            .count();
        assert_eq!(
            i64::try_from(rotated).unwrap(),
            round + 1,
            "no retry, no ghost"
        );
    }
}
