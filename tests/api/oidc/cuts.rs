//! A client that hangs up in the middle.

use std::net::Ipv4Addr;
use std::time::Duration as Real;

use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;

/// The bytes of a request to the token endpoint.
fn bytes(world: &World, client: &Client, form: &[(&str, &str)]) -> Vec<u8> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let secret = client.secret.as_deref().unwrap();
    let basic = STANDARD.encode(format!("{}:{secret}", client.id));
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        world.lab.address.port(),
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

/// Sends these bytes and hangs up after a moment.
async fn cut(world: &World, bytes: &[u8], after: Real) {
    let at = (Ipv4Addr::LOCALHOST, world.lab.address.port());
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    tokio::time::sleep(after).await;
}

async fn count(world: &World, kind: &str) -> usize {
    let events = world.lab.events_in(world.clinic.id).await;
    events.iter().filter(|event| event.kind == kind).count()
}

/// Waits until an event is there so many times, and no longer than its request may take.
async fn until(world: &World, kind: &str, times: usize) {
    let seen = async {
        while count(world, kind).await < times {
            tokio::time::sleep(Real::from_millis(2)).await;
        }
    };
    let patience = Real::from_secs(30);
    let in_time = tokio::time::timeout(patience, seen).await;
    assert!(in_time.is_ok(), "{kind}: {}", count(world, kind).await);
}

/// DOS-10: whenever the client hangs up, a request that came whole is done to its end, with its
/// record, and the retry gives the same successor; one that did not come whole is not begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_client_hangs_up_is_done_or_not_begun() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    let mut token = tokens["refresh_token"].as_str().unwrap().to_owned();
    for n in 0..24_u32 {
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
        let whole = bytes(&world, &client, &form);
        let part = &whole[..whole.len() * (n as usize + 1) / 30];
        cut(&world, part, Real::from_micros(u64::from(n) * 200)).await;
        let done = usize::try_from(n).unwrap();
        assert_eq!(count(&world, "refresh.rotated").await, done, "not begun");
        cut(&world, &whole, Real::from_micros(u64::from(n) * 150)).await;
        until(&world, "refresh.rotated", done + 1).await;
        let again = world.refresh(&client, &token).await;
        let told = world.lab.events_in(world.clinic.id).await.pop();
        assert_eq!(again.status, 200, "cut {n}: {} {told:?}", again.body);
        let successor = again.json()["refresh_token"].as_str().unwrap().to_owned();
        assert_ne!(successor, token);
        token = successor;
    }
    assert_eq!(count(&world, "refresh.rotated").await, 24);
    // Every connection is back, and clean enough to go on with.
    let pools = world.lab.app.db.pools();
    assert!(pools.iter().all(|pool| pool.waiting == 0), "{pools:?}");
    assert_eq!(world.refresh(&client, &token).await.status, 200);
}

/// DOS-10, TOK-03: a code whose redeemer hung up is redeemed, once: its family stands beside its
/// record, and another try is a replay.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_client_hangs_up_is_redeemed_or_not_touched() {
    let world = World::new().await;
    let client = world.web().await;
    for n in 0..8_u32 {
        let browser = world.lab.browser();
        let back = world.sign_in(&browser, &world.request(&client, &[])).await;
        let code = code_of(&back);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let whole = bytes(&world, &client, &form);
        let done = usize::try_from(n).unwrap();
        cut(&world, &whole[..whole.len() - 1], Real::ZERO).await;
        assert_eq!(count(&world, "code.redeemed").await, done, "not touched");
        cut(&world, &whole, Real::from_micros(u64::from(n) * 400)).await;
        until(&world, "code.redeemed", done + 1).await;
        assert_refused(&world.redeem(&client, &code).await, 400, "invalid_grant");
        assert_eq!(count(&world, "code.replayed").await, done + 1);
    }
}
