//! `/readyz`: what takes a server out of service, and what is only said.

use lanyard::config::MailDelivery;
use lanyard::mail;
use lanyard::server::Leaving;
use serde_json::{Value, json};
use time::Duration;

use super::operations;
use crate::lab::Lab;
use crate::lab::cluster::tell;

/// Who asks a server how it is.
struct Asker(String);

impl Asker {
    async fn of(lab: &Lab) -> Self {
        // Sets the process's cryptography up.
        lab.browser();
        Self(operations(lab, &Leaving::default()).await)
    }

    async fn status(&self, path: &str) -> u16 {
        let answer = reqwest::get(format!("{}{path}", self.0)).await.unwrap();
        answer.status().as_u16()
    }

    /// The answer of `/readyz`, whose status says the same as its body.
    async fn readiness(&self) -> Value {
        let answer = reqwest::get(format!("{}/readyz", self.0)).await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(status, if body["ready"] == true { 200 } else { 503 });
        body
    }
}

fn ready() -> Value {
    json!({ "ready": true, "failing": [], "degraded": [] })
}

fn without(failing: &[&str]) -> Value {
    json!({ "ready": false, "failing": failing, "degraded": [] })
}

/// Issue 3: `/readyz` names the failing part and nothing more; `/livez` goes on saying yes.
#[tokio::test]
async fn readiness_names_what_fails() {
    let lab = Lab::apart(|_| ()).await;
    let asker = Asker::of(&lab).await;
    assert_eq!(asker.readiness().await, ready());
    lab.app.db.renew_seal_key(&lab.app.env).await.unwrap();
    tell(&mut lab.database.superuser().await, "truncate seal.mac_key").await;
    assert_eq!(asker.readiness().await, without(&["seal"; 5]));
    lab.app.db.close().await;
    let planes = ["identity", "tenancy", "platform", "apps", "sequencer"];
    let parts = planes.map(|plane| format!("database.{plane}"));
    let body = asker.readiness().await;
    assert_eq!(body, without(&parts.each_ref().map(String::as_str)));
    assert_eq!(asker.status("/livez").await, 204);
    // A database that is away keeps nobody from the metrics.
    assert_eq!(asker.status("/metrics").await, 200);
}

/// A server that can't learn which keys are withdrawn is out of service before the schedule stops
/// waiting for it, and in service again by itself as soon as it can.
#[tokio::test]
async fn signing_keys_that_may_be_stale_are_a_failing_part() {
    let lab = Lab::apart(|_| ()).await;
    let asker = Asker::of(&lab).await;
    let mut boss = lab.database.superuser().await;
    let table = "on identity.signing_key";
    for round in 1..=2 {
        lab.app.reload_ring().await.unwrap();
        tell(
            &mut boss,
            &format!("revoke select {table} from lanyard_identity"),
        )
        .await;
        lab.app.reload_ring().await.unwrap_err();
        lab.clock.advance(Duration::MINUTE);
        assert_eq!(asker.readiness().await, ready(), "round {round}");
        lab.clock.advance(Duration::SECOND);
        assert_eq!(asker.readiness().await, without(&["signing_keys"]));
        tell(
            &mut boss,
            &format!("grant select {table} to lanyard_identity"),
        )
        .await;
        assert_eq!(asker.readiness().await, ready(), "round {round}");
    }
}

/// A key that signs here and is current nowhere: no server may sign by it, from when it is seen.
#[tokio::test]
async fn an_algorithm_without_a_current_key_is_a_failing_part() {
    let lab = Lab::apart(|_| ()).await;
    let asker = Asker::of(&lab).await;
    let mut boss = lab.database.superuser().await;
    let of_one = "where alg = 'RS256'";
    tell(
        &mut boss,
        &format!(
            "update identity.signing_key
             set standing = 'previous', previous_since = created_at {of_one}"
        ),
    )
    .await;
    lab.app.reload_ring().await.unwrap_err();
    assert_eq!(asker.readiness().await, without(&["signing_keys"]));
    tell(
        &mut boss,
        &format!(
            "update identity.signing_key
             set standing = 'current', previous_since = null {of_one}"
        ),
    )
    .await;
    assert_eq!(asker.readiness().await, ready());
}

/// Mail that is not taken, or waits for too long, is said and takes nobody out of service; mail
/// that nobody asked to be delivered is nothing to say.
#[tokio::test]
async fn mail_that_stands_still_is_degraded_and_ready() {
    let name = format!("lanyard-post-{}", lanyard::env::Env::system().random_uuid());
    let directory = std::env::temp_dir().join(name);
    let lab = Lab::apart(|config| {
        config.mail.delivery = MailDelivery::Directory;
        config.mail.directory = Some(directory.clone());
    })
    .await;
    let asker = Asker::of(&lab).await;
    let degraded = json!({ "ready": true, "failing": [], "degraded": ["mail"] });
    let ada = lab.person("Ada Post").await;
    lab.signed_in(&ada).await;
    mail::measure(&lab.app).await.unwrap();
    assert_eq!(asker.readiness().await, ready());

    // A file where the directory should be: the way out is shut.
    std::fs::write(&directory, "").unwrap();
    mail::deliver(&lab.app).await.unwrap_err();
    assert_eq!(asker.readiness().await, degraded);
    std::fs::remove_file(&directory).unwrap();
    lab.clock.advance(Duration::seconds(30));
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 1);
    mail::measure(&lab.app).await.unwrap();
    assert_eq!(asker.readiness().await, ready());

    // Nobody has tried, as where a worker hangs: its age alone tells.
    lab.browser_in(9)
        .sign_in(&ada.login, crate::lab::world::PASSWORD)
        .await
        .goes_to("/account");
    mail::measure(&lab.app).await.unwrap();
    lab.clock.advance(mail::LONGEST_WAIT);
    lab.app.reload_ring().await.unwrap();
    assert_eq!(asker.readiness().await, ready());
    lab.clock.advance(Duration::SECOND);
    assert_eq!(asker.readiness().await, degraded);
    let silent = lab
        .second_node_with(|config| config.mail.delivery = MailDelivery::None)
        .await;
    mail::measure(&silent.app).await.unwrap();
    assert_eq!(Asker::of(&silent).await.readiness().await, ready());
    std::fs::remove_dir_all(&directory).unwrap();
}
