//! The stream by itself: who may have it, when it comes, and what never does.

use http::Method;
use serde_json::json;

use super::{Ear, Stage, ask, head, kind, until};
use crate::lab::cluster::tell;

/// What a person does on her account page is at the verifier a moment after it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_is_pushed() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (client, api) = (world.web().await, stage.platforms().await);
    let browser = world.lab.browser();
    let (access, tokens) = stage.tokens_at(&world.clinic, &browser, &client).await;
    let mut ear = Ear::now(&world.lab, &api).await;
    let asked = [("id_token_hint", tokens["id_token"].as_str().unwrap())];
    let page = browser.post("/logout", &asked).await;
    let sent_away = page.status.is_success() || page.status.is_redirection();
    assert!(sent_away, "{}", page.body);
    let (_, set) = ear.set(&world.lab).await;
    assert_eq!(kind(&set), "session-revoked");
    assert_eq!(set["sub_id"]["session"]["id"], access["sid"]);
}

/// Every way in asks for a resource server's secret.
#[tokio::test]
async fn nobody_else_is_told_anything() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let (web, api) = (world.web().await, stage.platforms().await);
    let forged = crate::oidc::Client {
        id: api.id,
        secret: web.secret.clone(),
    };
    let standing = json!({ "version": "1", "keys_age_seconds": 0 });
    for (method, path, body) in [
        (Method::GET, "/revocations", None),
        (Method::GET, "/revocations/snapshot", None),
        (
            Method::POST,
            "/revocations/poll",
            Some(json!({ "returnImmediately": true })),
        ),
        (Method::POST, "/revocations/standing", Some(standing)),
    ] {
        let machine = world.lab.browser_in(9);
        let bare = machine.request(method.clone(), path);
        assert_eq!(machine.send(path, bare).await.status, 401, "{path}");
        for client in [&web, &forged] {
            let answer = ask(&world.lab, client, method.clone(), path, body.clone()).await;
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(answer.json()["error"], "invalid_client", "{path}");
        }
    }
}

/// What did not happen is not told, also after what did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rolled_back_is_never_told() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let api = stage.platforms().await;
    let mut ear = Ear::now(&world.lab, &api).await;
    let suspend = format!(
        "update tenancy.tenant set status = 'suspended' where tenant_id = '{}'",
        world.clinic.id
    );
    stage.sql(&format!("begin; {suspend}; rollback")).await;
    let resume = format!(
        "update tenancy.tenant set status = 'suspended' where tenant_id = '{}'",
        stage.other.id
    );
    stage.sql(&resume).await;
    let (_, set) = ear.set(&world.lab).await;
    let told = set["sub_id"]["tenant"]["id"].as_str().unwrap();
    assert_eq!(told, stage.other.id.to_string());
}

/// Design §6: positions are given after the commit. A transaction that is held open across later
/// ones is told after them, and not passed by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_held_open_is_told_when_it_is_committed() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let api = stage.platforms().await;
    let mut ear = Ear::now(&world.lab, &api).await;
    let mut slow = world.lab.database.superuser().await;
    let suspended = |tenant| {
        format!("update tenancy.tenant set status = 'suspended' where tenant_id = '{tenant}'")
    };
    tell(&mut slow, &format!("begin; {}", suspended(world.clinic.id))).await;
    stage.sql(&suspended(stage.other.id)).await;
    let (first, set) = ear.set(&world.lab).await;
    assert_eq!(set["sub_id"]["tenant"]["id"], stage.other.id.to_string());
    // Whoever heard that it knows everything up to here must hear of the slow one yet.
    assert_eq!(head(&world.lab).await, first);
    tell(&mut slow, "commit").await;
    let (second, set) = ear.set(&world.lab).await;
    assert_eq!(set["sub_id"]["tenant"]["id"], world.clinic.id.to_string());
    assert_eq!(second, first + 1, "without a gap");
}

/// Each message names the one before it: one that is lost on the way shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_names_the_one_before_it() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let own = stage.resource(world.clinic.id, None).await;
    let mut ear = Ear::at(&world.lab, &own, None).await;
    let mut last = ear.message().await.unwrap().id.unwrap();
    for tenant in [world.clinic.id, stage.other.id, world.clinic.id] {
        // Of the other clinic it hears nothing, and misses nothing.
        stage
            .sql(&format!(
                "update tenancy.tenant set status =
                   case status when 'active' then 'suspended' else 'active' end
                 where tenant_id = '{tenant}'"
            ))
            .await;
    }
    let mut seen = 0;
    while seen < 2 {
        let message = ear.message().await.unwrap();
        assert_eq!(message.data["prev"], last, "{message:?}");
        seen += u32::from(message.name == "set");
        last = message.id.unwrap();
    }
}

/// A stream is longer than any answer may take to begin, and ends with the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_beyond_the_bounds_of_answers_and_ends_with_the_process() {
    let stage = Stage::new().await;
    let api = stage.platforms().await;
    let node = stage
        .world
        .lab
        .second_node_with(|config| {
            config.limits.answer_time = time::Duration::seconds(1);
            config.limits.write_time = time::Duration::seconds(1);
            config.limits.head_time = time::Duration::seconds(1);
        })
        .await;
    let mut ear = Ear::now(&node, &api).await;
    for _ in 0..2 {
        let beat = ear.message().await.expect("it goes on");
        assert_eq!(beat.name, "lag");
    }
    node.app.feed.end();
    assert!(ear.message().await.is_none(), "it ends");
}

/// One client's processes have so many streams at a server, and leave the others theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_takes_its_own_places_and_no_others() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let (own, other) = (stage.platforms().await, stage.platforms().await);
    let mut ears = Vec::new();
    for _ in 0..100 {
        ears.push(Ear::at(lab, &own, None).await);
    }
    let refused = ask(lab, &own, Method::GET, "/revocations", None).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    Ear::now(lab, &other).await;
    until("the other one has gone again", async || {
        lab.app.feed.load().0 == 100
    })
    .await;
    drop(ears.pop());
    until("a place is free", async || lab.app.feed.load().0 == 99).await;
    Ear::now(lab, &own).await;
}
