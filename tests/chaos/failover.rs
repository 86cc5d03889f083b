//! Reuse is seen whatever was restarted meanwhile (RT-03).

use rustix::process::Signal;

use super::browser::Browser;
use super::journal::{Outcome, Tokens};
use super::person::Person;
use super::scene::Scene;
use super::seed::Chance;

/// A family whose first token is spent and whose third is held.
struct Rotated {
    first: Tokens,
    third: Tokens,
}

async fn given(person: &Person, scene: &Scene, tokens: &Tokens) -> Outcome {
    loop {
        match person.present(&scene.parties[0], tokens).await {
            Outcome::Unknown => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            known => return known,
        }
    }
}

async fn rotated(person: &mut Person, scene: &Scene) -> Rotated {
    let first = person.enter(&scene.parties[0]).await;
    let mut held = first.clone();
    for _ in 0..2 {
        let Outcome::Done(Some(next)) = given(person, scene, &held).await else {
            panic!("a rotation");
        };
        held = *next;
    }
    Rotated { first, third: held }
}

/// The spent token is a replay, and what its owner holds is over; the log names the cause.
async fn is_seen(person: &Person, scene: &Scene, family: &Rotated) {
    for token in [&family.first, &family.third] {
        let outcome = given(person, scene, token).await;
        let Outcome::Refused(word) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(word.contains("invalid_grant"), "{word}");
    }
    let reasons: Vec<String> =
        sqlx::query_scalar("select end_reason from identity.token_family where family_id = $1")
            .bind(family.first.family)
            .fetch_all(&mut scene.postgres.boss().await)
            .await
            .unwrap();
    assert_eq!(reasons, ["older_generation_replayed"]);
}

/// RT-03: all servers restarted, the database killed and restarted, and failed over to its
/// synchronous standby. What was acknowledged before it is there after it: a logout too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_seen_after_restarts_and_a_failover() {
    let mut scene = Scene::set("failover", 4).await;
    let mut chance = Chance::of(1);
    let mut people: Vec<Person> = (0..4).map(|n| scene.person(n, chance.branch())).collect();

    let family = rotated(&mut people[0], &scene).await;
    for place in 0..2 {
        scene.kill(place).await;
    }
    for place in 0..2 {
        scene.serve(place).await;
    }
    is_seen(&people[0], &scene, &family).await;

    let family = rotated(&mut people[1], &scene).await;
    scene.postgres.kill(Signal::KILL).await;
    scene.postgres.restart().await;
    is_seen(&people[1], &scene, &family).await;

    let standby = scene.postgres.standby(scene.folder.path()).await;
    let family = rotated(&mut people[2], &scene).await;
    let gone = people[3].enter(&scene.parties[0]).await;
    let logout = format!("/logout?id_token_hint={}&client_id=the-web", gone.id_token);
    let mut browser = Browser::at(&scene.deployment.issuer);
    let answer = browser.get(&logout).await.expect("an answer");
    assert!(answer.location.is_some(), "acknowledged");
    scene.postgres.kill(Signal::KILL).await;
    standby.promote().await;
    scene.relay.point_to(standby.port);
    scene.postgres = standby;
    is_seen(&people[2], &scene, &family).await;
    let outcome = given(&people[3], &scene, &gone).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
}
