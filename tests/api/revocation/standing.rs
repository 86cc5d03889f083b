//! What verifiers say of themselves.

use http::Method;
use lanyard::revocation::model::Fleet;
use lanyard::revocation::service::fleet;
use serde_json::{Value, json};
use time::Duration;

use super::{Stage, ask};
use crate::oidc::Client;

async fn report(stage: &Stage, client: &Client, standing: Value) -> u16 {
    let path = "/revocations/standing";
    let lab = &stage.world.lab;
    let answer = ask(lab, client, Method::POST, path, Some(standing)).await;
    answer.status.as_u16()
}

fn of(instance: &str, position: &Value, lag: &Value) -> Value {
    json!({ "version": "0.1.0", "keys_age_seconds": 12, "position": position,
        "lag_milliseconds": lag, "instance": instance })
}

/// The last word of each process counts; who says nothing any more is silent, and then forgotten.
#[tokio::test]
async fn a_fleet_is_known_by_what_its_verifiers_say() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let (all, own) = (
        stage.platforms().await,
        stage.resource(stage.other.id, None).await,
    );
    assert_eq!(fleet(&lab.app).await.unwrap(), Fleet::default());
    assert_eq!(
        report(&stage, &all, of("a", &json!(7), &json!(120))).await,
        204
    );
    assert_eq!(
        report(&stage, &all, of("b", &json!(null), &json!(null))).await,
        204
    );
    assert_eq!(
        report(&stage, &own, of("a", &json!(7), &json!(29_999))).await,
        204
    );
    let counted = |current, behind, silent, longest_lag| Fleet {
        current,
        behind,
        silent,
        longest_lag,
    };
    assert_eq!(fleet(&lab.app).await.unwrap(), counted(2, 1, 0, 29_999));
    lab.clock.advance(Duration::seconds(89));
    assert_eq!(
        report(&stage, &own, of("a", &json!(9), &json!(30_000))).await,
        204
    );
    assert_eq!(fleet(&lab.app).await.unwrap(), counted(1, 2, 0, 30_000));
    lab.clock.advance(Duration::seconds(1));
    assert_eq!(fleet(&lab.app).await.unwrap(), counted(0, 1, 2, 30_000));
}

#[tokio::test]
async fn what_can_t_be_true_of_a_verifier_is_refused() {
    let stage = Stage::new().await;
    let api = stage.platforms().await;
    for wrong in [
        json!({ "version": "1" }),
        json!({ "version": "", "keys_age_seconds": 0 }),
        json!({ "version": "1", "keys_age_seconds": -1 }),
        json!({ "version": "1\n2", "keys_age_seconds": 0 }),
        json!({ "version": "1", "keys_age_seconds": 0, "lag_milliseconds": -1 }),
        json!({ "version": "1", "keys_age_seconds": 0, "instance": "x".repeat(65) }),
        json!({ "version": "1", "keys_age_seconds": 0, "more": 1 }),
    ] {
        assert_eq!(report(&stage, &api, wrong.clone()).await, 400, "{wrong}");
    }
}
