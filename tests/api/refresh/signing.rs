//! The signing keys change while clients refresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lanyard::signing::policy::{JWKS_MAX_AGE, SHORTEST_PUBLISHED, Standing};
use lanyard::signing::ring;
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

use super::{GRANTED, Party, TokenAnswer as _, Tokens, World, refresh};
use crate::lab::{Browser, Lab};

impl World {
    /// On a database of its own: what happens to its keys happens to nobody else.
    async fn apart() -> Self {
        let lab = Lab::apart(|config| config.database.connections = 24).await;
        let clinic = lab.clinic("Juniper Clinic").await;
        let person = lab.person("Ada Quill").await;
        let subject = lab.join(&person, clinic.id, &["patient"]).await;
        Self {
            lab,
            clinic,
            person,
            subject,
        }
    }
}

fn kid(tokens: &Tokens) -> String {
    use base64::Engine as _;
    let access = tokens.body["access_token"].as_str().unwrap();
    let header = super::URL_SAFE_NO_PAD
        .decode(access.split('.').next().unwrap())
        .unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// A verifier's copy of the key set, kept as long as the issuer allows and not a second less.
struct Copy {
    kids: Vec<String>,
    fetched_at: OffsetDateTime,
}

impl Copy {
    async fn fetch(at: &Browser, now: OffsetDateTime) -> Self {
        let answer = at.get("/jwks").await;
        let most = format!("public, max-age={}", JWKS_MAX_AGE.whole_seconds());
        assert_eq!(answer.header("cache-control"), most);
        let keys = answer.json();
        let kids = keys["keys"].as_array().unwrap().iter();
        Self {
            kids: kids
                .map(|k| k["kid"].as_str().unwrap().to_owned())
                .collect(),
            fetched_at: now,
        }
    }
}

/// One client that refreshes, now here and now there, and checks what it gets against its copy.
async fn load(
    lab: &Lab,
    nodes: [Browser; 2],
    party: Party,
    mut held: Tokens,
    stop: Arc<AtomicBool>,
    rounds: watch::Sender<usize>,
) -> (usize, Vec<String>) {
    let mut copy = Copy::fetch(&nodes[0], lab.now()).await;
    let (mut count, mut seen) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let node = &nodes[count % 2];
        held = refresh(node, &party, &held.refresh).await.tokens();
        count += 1;
        if lab.now() - copy.fetched_at > JWKS_MAX_AGE {
            copy = Copy::fetch(node, lab.now()).await;
        }
        let kid = kid(&held);
        assert!(
            copy.kids.contains(&kid),
            "signed before every verifier had it"
        );
        if seen.last() != Some(&kid) {
            seen.push(kid);
        }
        let bearer = held.body["access_token"].as_str().unwrap();
        let info = nodes[(count + 1) % 2]
            .request(reqwest::Method::GET, "/userinfo")
            .bearer_auth(bearer);
        let info = nodes[(count + 1) % 2].send("/userinfo", info).await;
        assert_eq!(info.status, 200, "{}", info.body);
        rounds.send_replace(count);
    }
    (count, seen)
}

/// JWT-17: keys rotate four times under two servers and four clients; no request is lost, and no
/// token is by a key that a verifier's copy of the set may lack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_the_signing_keys_under_load_loses_no_request() {
    assert!(GRANTED.contains(&"openid"));
    let world = Arc::new(World::apart().await);
    let other = Arc::new(world.lab.second_node().await);
    let stop = Arc::new(AtomicBool::new(false));
    let (mut clients, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let party = world.public().await;
        let held = world.sign_in(&party).await.tokens;
        let nodes = [
            world.lab.browser(),
            world.lab.browser().through(other.address),
        ];
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        let (sender, receiver) = watch::channel(0);
        rounds.push(receiver);
        clients.push(tokio::spawn(async move {
            load(&world.lab, nodes, party, held, stop, sender).await
        }));
    }
    let first = world
        .lab
        .app
        .ring()
        .current(lanyard::signing::Alg::Es256)
        .kid()
        .to_owned();
    let a_sixth = SHORTEST_PUBLISHED / 6;
    for _ in 0..4 {
        world.lab.app.ring_keeper().rotate().await.unwrap();
        for _ in 0..6 {
            world.lab.app.keep_ring().await.unwrap();
            other.app.reload_ring().await.unwrap();
            // Each client goes once around under each state of things, so that no token outlives
            // its time between a client's two requests.
            for client in &mut rounds {
                let before = *client.borrow_and_update();
                // One that failed says so when it is joined.
                let _ = client.wait_for(|count| *count > before).await;
            }
            world.advance(a_sixth);
        }
        // Two replicas at once: one of them finds nothing to do.
        let (a, b) = tokio::join!(world.lab.app.keep_ring(), other.app.keep_ring());
        a.unwrap();
        b.unwrap();
        other.app.reload_ring().await.unwrap();
        world.lab.app.reload_ring().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut most = 0;
    for client in clients {
        let (count, seen) = client.await.unwrap();
        assert!(count > 0);
        most = most.max(seen.len());
    }
    assert!(most > 1, "tokens were signed by more than one key");
    let last = world
        .lab
        .app
        .ring()
        .current(lanyard::signing::Alg::Es256)
        .kid()
        .to_owned();
    assert_ne!(first, last);
    let lives = ring::lives(&world.lab.app.db).await.unwrap();
    let current = lives.iter().filter(|k| k.standing == Standing::Current);
    assert_eq!(current.count(), 3);
    assert!(
        !lives.iter().any(|key| key.kid == first),
        "gone after its last token"
    );
    let erased = "select count(*) from identity.signing_key
        where standing = 'gone' and private_sealed is null";
    assert!(world.count(erased.to_owned()).await >= 3);
}

/// JWT-17, Storm-0558: a key that somebody else may have is withdrawn at once. What it signed opens
/// nothing any more at either server, another key signs, and sessions go on without a new sign-in.
#[tokio::test]
async fn a_withdrawn_key_opens_nothing_and_sessions_go_on() {
    let world = World::apart().await;
    let other = world.lab.second_node().await;
    let party = world.public().await;
    let held = world.sign_in(&party).await.tokens;
    world.lab.app.keep_ring().await.unwrap();
    other.app.reload_ring().await.unwrap();
    let compromised = kid(&held);
    let userinfo = async |at: &Browser, tokens: &Tokens| {
        let bearer = tokens.body["access_token"].as_str().unwrap();
        let request = at.request(reqwest::Method::GET, "/userinfo");
        at.send("/userinfo", request.bearer_auth(bearer))
            .await
            .status
    };
    let (here, there) = (
        world.lab.browser(),
        world.lab.browser().through(other.address),
    );
    assert_eq!(userinfo(&here, &held).await, 200);
    let withdrawn = world
        .lab
        .app
        .ring_keeper()
        .revoke(&compromised)
        .await
        .unwrap();
    assert_eq!(withdrawn.len(), 1);
    world.lab.app.reload_ring().await.unwrap();
    other.app.reload_ring().await.unwrap();
    for at in [&here, &there] {
        assert_eq!(userinfo(at, &held).await, 401);
        let copy = Copy::fetch(at, world.lab.now()).await;
        assert!(!copy.kids.contains(&compromised));
    }
    let fresh = refresh(&there, &party, &held.refresh).await.tokens();
    assert_ne!(kid(&fresh), compromised);
    assert_eq!(userinfo(&here, &fresh).await, 200);
    // The one that took its place was published all the while: it was the next.
    let all = world.lab.app.ring_keeper().revoke("ES256").await.unwrap();
    assert!(all.iter().any(|key| key.kid == kid(&fresh)));
    world.lab.app.reload_ring().await.unwrap();
    assert_eq!(userinfo(&here, &fresh).await, 401, "twice round");
    let again = refresh(&here, &party, &fresh.refresh).await.tokens();
    assert_eq!(userinfo(&here, &again).await, 200);
    assert!(
        world
            .lab
            .app
            .ring_keeper()
            .revoke("HS256")
            .await
            .unwrap()
            .is_empty()
    );
    world.advance(Duration::SECOND);
}
