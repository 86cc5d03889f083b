//! A database that is killed while people work.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::browser::Browser;
use super::scene::Scene;
use super::seed::{Chance, seed};

const PEOPLE: usize = 3;
/// Issue 3: serving so soon after the database is.
const SOON: Duration = Duration::from_secs(10);

/// What a replica says to a refresh that needs the database.
async fn asks(issuer: &str, replica: SocketAddr) -> (u16, bool) {
    let browser = Browser::at(issuer).past_the_proxy(replica.port());
    let nobodys = format!("lrt_{}", "A".repeat(91));
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "the-spa"),
        ("refresh_token", nobodys.as_str()),
    ];
    let answer = browser.post("/token", None, &fields).await;
    let answer = answer.expect("a replica outlives its database, and answers");
    (answer.status, answer.retry_after)
}

/// Until it answers as one that asked its database; before that, 503.
async fn is_back(issuer: &str, replica: SocketAddr) {
    loop {
        match asks(issuer, replica).await.0 {
            400 => return,
            status => assert_eq!(status, 503),
        }
    }
}

/// Issue 3, "Operations": 503 while it is down and never anything worse; serving within ten
/// seconds after; nothing lost. By `kill -9` and by an immediate shutdown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_killed_under_load_and_comes_back() {
    let mut chance = Chance::of(seed());
    let mut scene = Scene::set("outages", PEOPLE).await;
    let load = scene.load(PEOPLE, &mut chance);
    let watch = scene.watch_leaves();
    let issuer = scene.deployment.issuer.clone();
    for signal in [Signal::KILL, Signal::QUIT, Signal::KILL] {
        scene.journal.progress(10 + chance.below(20)).await;
        let replicas: Vec<SocketAddr> = scene.replicas().map(|replica| replica.issuer).collect();
        scene.postgres.kill(signal).await;
        for replica in &replicas {
            // A last backend may still answer for a moment after its postmaster is gone.
            while asks(&issuer, *replica).await.0 == 400 {}
            for _ in 0..5 {
                assert_eq!(
                    asks(&issuer, *replica).await,
                    (503, true),
                    "with Retry-After, at once"
                );
            }
        }
        scene.postgres.restart().await;
        let since = Instant::now();
        for replica in &replicas {
            let back = tokio::time::timeout(SOON, is_back(&issuer, *replica)).await;
            back.expect("it serves within ten seconds after the database does");
        }
        println!(
            "after {signal:?}: both served {:?} after the database",
            since.elapsed()
        );
    }
    scene.journal.progress(20).await;
    scene.judge(load, watch).await;
}
