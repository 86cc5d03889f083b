//! `POST /revocations/poll` (RFC 8936).

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::{Stage, ask, kind, opened, until};
use crate::lab::Lab;
use crate::oidc::Client;

async fn poll(lab: &Lab, client: &Client, mut asked: Value) -> Value {
    if asked.get("returnImmediately").is_none() {
        asked["returnImmediately"] = json!(true);
    }
    let answer = ask(lab, client, Method::POST, "/revocations/poll", Some(asked)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn jtis(answer: &Value) -> Vec<String> {
    answer["sets"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

async fn suspend(stage: &Stage, times: u32) {
    for _ in 0..times {
        stage
            .sql(&format!(
                "update tenancy.tenant set status =
                   case status when 'active' then 'suspended' else 'active' end
                 where tenant_id = '{}'",
                stage.other.id
            ))
            .await;
    }
}

/// RFC 8936 §2.4: what is not acknowledged comes again, what is does not; nor what the receiver
/// could not use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_acknowledged_comes_again() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let own = stage.resource(stage.other.id, None).await;
    let old = poll(lab, &own, json!({})).await;
    poll(lab, &own, json!({ "ack": jtis(&old) })).await;
    suspend(&stage, 3).await;
    let first = poll(lab, &own, json!({ "maxEvents": 2 })).await;
    let told = jtis(&first);
    assert_eq!((told.len(), &first["moreAvailable"]), (2, &json!(true)));
    for (jti, set) in first["sets"].as_object().unwrap() {
        assert_eq!(opened(lab, set)["jti"], **jti);
    }
    assert_eq!(
        jtis(&poll(lab, &own, json!({ "maxEvents": 2 })).await),
        told
    );
    // One out of order, one as an error: the third is left.
    let of = |n: usize| told[n].clone();
    let after = poll(lab, &own, json!({ "ack": [of(1)] })).await;
    assert_eq!(jtis(&after).len(), 2);
    assert!(!jtis(&after).contains(&of(1)) && jtis(&after).contains(&of(0)));
    let failed = json!({ "setErrs": { of(0): { "err": "invalid_key", "description": "x" } } });
    let rest = poll(lab, &own, failed).await;
    let [last] = &jtis(&rest)[..] else {
        panic!("{rest}")
    };
    assert!(!told.contains(last));
    assert_eq!(rest["moreAvailable"], false);
    // By acknowledging alone (§2.2): nothing is given.
    let done = poll(lab, &own, json!({ "ack": [last], "maxEvents": 0 })).await;
    assert_eq!(
        (jtis(&done).len(), &done["moreAvailable"]),
        (0, &json!(false))
    );
    assert!(jtis(&poll(lab, &own, json!({})).await).is_empty());
    // What was acknowledged by one receiver is owed to another still.
    let other = stage.resource(stage.other.id, None).await;
    assert!(jtis(&poll(lab, &other, json!({})).await).contains(last));
}

/// RFC 8936 §2.2, `returnImmediately`: who waits is answered as soon as something ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_answered_when_something_ends() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let own = stage.resource(stage.other.id, None).await;
    let old = poll(lab, &own, json!({})).await;
    let waits = json!({ "ack": jtis(&old), "returnImmediately": false });
    let began = Instant::now();
    let ends = async {
        tokio::task::yield_now().await;
        suspend(&stage, 1).await;
    };
    let (answer, ()) = tokio::join!(poll(lab, &own, waits), ends);
    let sets = answer["sets"].as_object().unwrap();
    let [set] = &sets.values().collect::<Vec<_>>()[..] else {
        panic!("{answer}")
    };
    assert_eq!(kind(&opened(lab, set)), "tenant-revoked");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "not by the clock"
    );
}

#[tokio::test]
async fn a_poll_that_can_t_be_read_is_refused() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let own = stage.resource(stage.other.id, None).await;
    let many = vec!["0"; 1001];
    for wrong in [
        json!([]),
        json!({ "maxEvents": -1 }),
        json!({ "ack": "one" }),
        json!({ "ack": many }),
    ] {
        let path = "/revocations/poll";
        let answer = ask(lab, &own, Method::POST, path, Some(wrong.clone())).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.json()["error"], "invalid_request");
    }
}

/// A poll that waits takes a seat from everybody, also when its client is long gone. Of one
/// client two wait, of all an eighth of the seats; the next is answered at once, and so is
/// everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_wait_and_the_next_is_answered_at_once() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let [one, two, three] = [
        stage.resource(stage.other.id, None).await,
        stage.resource(stage.other.id, None).await,
        stage.resource(stage.other.id, None).await,
    ];
    for client in [&one, &two, &three] {
        let old = poll(lab, client, json!({})).await;
        poll(lab, client, json!({ "ack": jtis(&old) })).await;
    }
    let node = lab
        .second_node_with(|config| config.limits.requests = 24)
        .await;
    let waits = |client| poll(&node, client, json!({ "returnImmediately": false }));
    let waiting = async { tokio::join!(waits(&one), waits(&one), waits(&two)) };
    let count = || node.app.feed.load().0;
    let others = async {
        until("three wait", async || count() == 3).await;
        for client in [&one, &two, &three] {
            let answer = waits(client).await;
            assert!(jtis(&answer).is_empty());
            assert_eq!(answer["moreAvailable"], false);
            assert_eq!(count(), 3, "those before it wait still");
        }
        suspend(&stage, 1).await;
    };
    let (told, ()) = tokio::join!(waiting, others);
    for answer in [told.0, told.1, told.2] {
        assert_eq!(jtis(&answer).len(), 1);
    }
}
