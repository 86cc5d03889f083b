//! The issuer and an API of the guide's, each as in production, over real connections: what ends
//! reaches it, a partition closes it, and no restart loses anything.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::get;
use lanyard_verifier::{
    Guard, HttpIntrospector, HttpKeySource, HttpRevocationSource, Verifier, VerifyError, WhenStale,
};
use serde_json::Value;
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{LabTime, Stage, head, until};
use crate::guides::visits_api::visits_api;
use crate::lab::{Browser, Lab};
use crate::oidc::Client;

const AUDIENCE: &str = "https://visits.example.test";

/// A line between the API and the issuer, which can be cut and laid elsewhere. What goes over it
/// names the issuer, as if it were at its end.
struct Line {
    at: String,
    to: watch::Sender<Option<SocketAddr>>,
}

impl Line {
    async fn to(lab: &Lab) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = format!("localhost:{}", listener.local_addr().unwrap().port());
        let names = [own.clone(), format!("localhost:{}", lab.address.port())];
        let (to, laid) = watch::channel(Some(lab.address));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (mut laid, names) = (laid.clone(), names.clone());
                let end = *laid.borrow_and_update();
                tokio::spawn(async move {
                    let Some(end) = end else { return };
                    let Ok(mut far) = TcpStream::connect(end).await else {
                        return;
                    };
                    let ((asks, mut told), (mut says, asked)) = (near.split(), far.split());
                    tokio::select! {
                        _ = copy(&mut says, &mut told) => {}
                        _ = rename(asks, asked, &names) => {}
                        _ = laid.changed() => {}
                    }
                });
            }
        });
        Self {
            at: format!("http://{own}"),
            to,
        }
    }

    fn cut(&self) {
        self.to.send_replace(None);
    }

    fn lay(&self, to: SocketAddr) {
        self.to.send_replace(Some(to));
    }
}

/// Carries requests, whose heads come in one piece each, with one name in the place of the other.
async fn rename(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    [own, issuers]: &[String; 2],
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&piece[..length]).replace(own, issuers);
        to.write_all(text.as_bytes()).await?;
    }
}

/// A person signed in to an app of the API's.
struct Visitor {
    browser: Browser,
    tokens: Value,
}

impl Visitor {
    fn token(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    async fn leave(&self) {
        let hint = self.tokens["id_token"].as_str().unwrap();
        let out = format!("/logout?id_token_hint={hint}");
        self.browser.get(&out).await.goes_to("/signed-out");
    }
}

struct Scene {
    stage: Stage,
    app: Client,
    api: Client,
}

impl Scene {
    async fn new() -> Self {
        let stage = Stage::in_real_time().await;
        let platform = stage.world.lab.platform().await;
        let audience = |client: &mut lanyard::oidc::client::NewClient| {
            client.audiences = vec![AUDIENCE.to_owned()];
        };
        let app = stage.world.register(platform, audience).await;
        let api = stage.resource(platform, Some(AUDIENCE)).await;
        Self { stage, app, api }
    }

    async fn visitor(&self) -> Visitor {
        let browser = self.stage.world.lab.browser();
        let clinic = &self.stage.world.clinic;
        let (_, tokens) = self.stage.tokens_at(clinic, &browser, &self.app).await;
        Visitor { browser, tokens }
    }

    /// A verifier that hears of what ends over that line. Its keys come straight from the issuer,
    /// whose own description would not be believed from another address.
    fn verifier(&self, line: &Line) -> Verifier {
        let (id, secret) = (self.api.id.as_str(), self.api.secret.as_deref().unwrap());
        let app = &self.stage.world.lab.app;
        Verifier::builder(app.issuer(), AUDIENCE)
            .keys(HttpKeySource::new(app.issuer()).unwrap())
            .revocations(HttpRevocationSource::new(&line.at, id, secret).unwrap())
            .introspection(HttpIntrospector::new(&line.at, id, secret).unwrap())
            .clock(LabTime(app.clone()))
            .build()
            .unwrap()
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

async fn status(address: &str, token: &str) -> u16 {
    let asked = reqwest::Client::new().get(address).bearer_auth(token);
    asked.send().await.unwrap().status().as_u16()
}

async fn verdict(verifier: &Verifier, token: &str) -> Result<(), VerifyError> {
    verifier.verify(token).await.map(drop)
}

/// JWT-22: a sign-out, a refresh token used twice, a role that is taken away and a client's own
/// revocation reach the guide's API, each by itself; who stays is let in all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_reaches_an_api() {
    let scene = Scene::new().await;
    let world = &scene.stage.world;
    let credentials = (scene.api.id.as_str(), scene.api.secret.as_deref().unwrap());
    let nobody = |_: &str| None::<lanyard_verifier::TenantId>;
    let router = visits_api(world.lab.issuer(), AUDIENCE, credentials, nobody).unwrap();
    let visits = format!("{}/visits", serve(router).await);
    let stays = scene.visitor().await;
    for what in ["logout", "reuse", "revoke", "role"] {
        let goes = scene.visitor().await;
        assert_eq!(status(&visits, goes.token()).await, 200, "{what}");
        match what {
            "logout" => goes.leave().await,
            "reuse" => {
                let refresh = async |tokens: &Value| {
                    let token = tokens["refresh_token"].as_str().unwrap();
                    world.refresh(&scene.app, token).await.json()
                };
                let second = refresh(&goes.tokens).await;
                refresh(&second).await;
                assert_eq!(refresh(&goes.tokens).await["error"], "invalid_grant");
            }
            "revoke" => {
                let token = goes.tokens["refresh_token"].as_str().unwrap();
                assert_eq!(world.revoke(&scene.app, token, None).await.status, 200);
            }
            _ => {
                let less = "delete from identity.membership_role where subject_id =";
                scene
                    .stage
                    .sql(&format!("{less} '{}'", world.subject))
                    .await;
            }
        }
        until(what, async || status(&visits, goes.token()).await == 401).await;
        let still = if what == "role" { 401 } else { 200 };
        assert_eq!(status(&visits, stays.token()).await, still, "{what}");
    }
}

/// Issue 4, "Partitioned verifier refuses at its bound": within it the last word holds, past it
/// each route does what it says; once the line is back nothing of what ended meanwhile is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partitioned_verifier_refuses_at_its_bound() {
    let scene = Scene::new().await;
    let lab = &scene.stage.world.lab;
    let line = Line::to(lab).await;
    let verifier = scene.verifier(&line);
    let layer = |when| verifier.layer().guard(Guard::when_stale(when));
    let route = |when| {
        Router::new()
            .route("/", get(async || "in"))
            .layer(layer(when))
    };
    let closes = serve(route(WhenStale::FailClosed)).await;
    let asks = serve(route(WhenStale::Introspect)).await;
    let bears = serve(route(WhenStale::AcceptUpTo(
        std::time::Duration::from_mins(2),
    )))
    .await;
    let (goes, stays) = (scene.visitor().await, scene.visitor().await);
    verifier.revocations_known().await;
    for visitor in [&goes, &stays] {
        assert_eq!(verdict(&verifier, visitor.token()).await, Ok(()));
    }
    line.cut();
    goes.leave().await;
    let statuses = async |token: &str| {
        [
            status(&closes, token).await,
            status(&asks, token).await,
            status(&bears, token).await,
        ]
    };
    assert_eq!(statuses(goes.token()).await, [200; 3], "within the bound");
    // The bound and the leeway: the issuer's last word before the cut, repeated, is too old too.
    lab.clock.advance(Duration::seconds(36));
    for visitor in [&goes, &stays] {
        assert_eq!(statuses(visitor.token()).await, [503, 503, 200], "past it");
    }
    line.lay(lab.address);
    until("it is told again", async || {
        verifier.feed_status().unwrap().is_current
    })
    .await;
    assert_eq!(statuses(goes.token()).await, [401; 3]);
    assert_eq!(statuses(stays.token()).await, [200; 3]);
    let told = verifier.feed_status().unwrap();
    assert_eq!(
        (told.unusable, told.snapshots),
        (0, 1),
        "it went on from where it was"
    );
}

/// Issue 4, "Restart of issuer and of verifier lose no revocation": what ends while the issuer is
/// between two processes, and before the verifier's own, is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_restart_of_the_issuer_nor_of_the_verifier_loses_anything() {
    let scene = Scene::new().await;
    let lab = &scene.stage.world.lab;
    let line = Line::to(lab).await;
    let verifier = scene.verifier(&line);
    let (first, second) = (scene.visitor().await, scene.visitor().await);
    let stays = scene.visitor().await;
    verifier.revocations_known().await;
    for visitor in [&first, &second, &stays] {
        assert_eq!(verdict(&verifier, visitor.token()).await, Ok(()));
    }
    line.cut();
    lab.app.feed.end();
    first.leave().await;
    let next = lab.second_node().await;
    line.lay(next.address);
    let is_refused = async |visitor: &Visitor| {
        verdict(&verifier, visitor.token()).await == Err(VerifyError::Revoked)
    };
    until("the next process tells it", async || {
        is_refused(&first).await
    })
    .await;
    second.leave().await;
    until("and what ends then", async || is_refused(&second).await).await;
    head(&next).await;
    let restarted = scene.verifier(&line);
    restarted.revocations_known().await;
    for one in [&verifier, &restarted] {
        for gone in [&first, &second] {
            assert_eq!(verdict(one, gone.token()).await, Err(VerifyError::Revoked));
        }
        assert_eq!(verdict(one, stays.token()).await, Ok(()));
    }
    let told = verifier.feed_status().unwrap();
    assert_eq!(
        (told.unusable, told.snapshots),
        (0, 1),
        "no loss on the way"
    );
}
