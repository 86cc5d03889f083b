//! What the log of the process says of a whole sign-in.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::{VERIFIER, World, code_of};
use crate::lab::world::PASSWORD;

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// So far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// AUTHZ-21, CFG-02: with everything logged that can be, a whole sign-in leaves no code, token,
/// password, verifier, state, cookie or client secret in the log.
#[tokio::test]
async fn a_whole_sign_in_at_trace_leaves_no_secret_in_the_log() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    // With one alone, a line that another test's thread reaches first would be silenced for all.
    let _another = tracing::Dispatch::new(
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(std::io::sink)
            .finish(),
    );
    // The server's tasks run on this test's own thread.
    let logging = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let request = world.request(
        &client,
        &[("state", "canary-state-71"), ("nonce", "canary-n-72")],
    );
    let code = code_of(&world.sign_in(&browser, &request).await);
    let tokens = world.redeem(&client, &code).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let again = world.refresh(&client, refresh).await.json();
    world.refresh(&client, "lrt_canary-73").await;
    let access = again["access_token"].as_str().unwrap();
    world.call("/userinfo", access).await;
    world.call("/api/v1/visits", access).await;
    drop(logging);
    let log = lines.text();
    assert!(
        log.contains("request") && log.contains("/token"),
        "the log was read"
    );
    let mut secrets = vec![PASSWORD, VERIFIER, &code, "canary"];
    secrets.extend(client.secret.as_deref());
    for token in [&tokens, &again] {
        for name in ["access_token", "id_token", "refresh_token"] {
            secrets.extend(token[name].as_str());
        }
    }
    let cookies = ["__Host-lanyard_session", "__Host-lanyard_browser"];
    let cookies: Vec<_> = cookies
        .iter()
        .filter_map(|name| browser.cookie(name))
        .collect();
    assert!(!cookies.is_empty());
    secrets.extend(cookies.iter().map(String::as_str));
    for secret in secrets {
        let at = log.find(secret);
        let line = at.map(|at| log[..at].rsplit('\n').next().unwrap_or_default());
        assert!(at.is_none(), "{secret} after {line:?}");
    }
}
