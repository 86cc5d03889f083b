//! A process that has not heard yet that a key was withdrawn signs nothing by it that is told.

use http::Method;
use lanyard::signing::Alg;
use serde_json::{Value, json};

use super::{Ear, Stage, ask, head, kind, opened};
use crate::lab::Lab;
use crate::oidc::Client;

impl Stage {
    /// Withdraws the key that signs sets. The lab's own process knows it at once.
    async fn withdraw_key(&self) {
        let app = &self.world.lab.app;
        let kid = app.ring().current(Alg::Es256).kid().to_owned();
        app.ring_keeper().revoke(&kid).await.unwrap();
        app.reload_ring().await.unwrap();
        assert!(app.ring().find(&kid).is_none());
    }

    async fn suspend_or_resume(&self) {
        let statement = "update tenancy.tenant set status =
               case status when 'active' then 'suspended' else 'active' end
             where tenant_id =";
        self.sql(&format!("{statement} '{}'", self.other.id)).await;
    }
}

async fn sets(node: &Lab, api: &Client, asked: &str) -> Vec<Value> {
    let (method, body) = match asked {
        "/revocations/poll" => (Method::POST, Some(json!({ "returnImmediately": true }))),
        _ => (Method::GET, None),
    };
    let answer = ask(node, api, method, asked, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    match &answer.json()["sets"] {
        Value::Array(sets) => sets.clone(),
        Value::Object(sets) => sets.values().cloned().collect(),
        other => panic!("{other}"),
    }
}

/// Each way of being told, at a process whose keys are of before: what it gives is signed by a key
/// that is published, its own withdrawal first of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_by_a_key_that_is_withdrawn() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let api = stage.platforms().await;
    for asked in ["/revocations/snapshot", "/revocations/poll"] {
        let node = lab.second_node().await;
        stage.withdraw_key().await;
        let sets = sets(&node, &api, asked).await;
        // By the keys of now, which are the lab's.
        let kinds: Vec<_> = sets.iter().map(|set| kind(&opened(lab, set))).collect();
        assert!(
            kinds.contains(&"key-revoked".to_owned()),
            "{asked}: {kinds:?}"
        );
    }
    // The past, that its reader never read; and what is new to one that began after it.
    for begins_before in [true, false] {
        let node = lab.second_node().await;
        let before = head(lab).await;
        stage.withdraw_key().await;
        let after = if begins_before {
            before
        } else {
            head(lab).await
        };
        let mut ear = Ear::at(&node, &api, Some(after)).await;
        if begins_before {
            assert_eq!(kind(&ear.set(lab).await.1), "key-revoked");
        } else {
            assert_eq!(ear.sets_until(lab, after).await.len(), 0);
        }
        stage.suspend_or_resume().await;
        let told = kind(&ear.set(lab).await.1);
        assert!(told.starts_with("tenant-"), "{told}");
    }
}
