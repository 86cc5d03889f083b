//! The process ends at named points between a change, its event, the log, the letters and those
//! who are told (issue 4, "Attacks and faults"): an effect is there exactly when its event is, and
//! nothing is lost or doubled.

mod listener;
mod release;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use super::browser::Browser;
use super::person::Person;
use super::scene::Scene;
use super::seed::Chance;
use listener::Listener;

/// How often the tables are asked whether it is so by now.
const LOOK_EVERY: Duration = Duration::from_millis(100);

async fn day(mut person: Person) -> Person {
    person.day().await;
    person
}

/// The replica dies at that point while somebody lives, and comes back.
async fn fall(scene: &mut Scene, point: &str, person: Person) -> Person {
    scene.deployment.arm(point);
    let living = tokio::spawn(day(person));
    scene.falls(0).await;
    scene.serve(0).await;
    living.await.unwrap()
}

/// The first column of the first row.
async fn number(scene: &Scene, question: &'static str) -> i64 {
    let boss = &mut scene.postgres.boss().await;
    sqlx::query_scalar(question).fetch_one(boss).await.unwrap()
}

/// Waits until a question is answered by 0.
async fn until_none(scene: &Scene, question: &'static str) {
    let none = async {
        while number(scene, question).await > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), none).await;
    waited.unwrap_or_else(|_| panic!("still some: {question}"));
}

/// How many events of a kind there are, in the log or on the way to it.
async fn events(scene: &Scene, kind: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from (
           select type from audit.event union all select type from audit.entry) e
         where type = $1",
    )
    .bind(kind)
    .fetch_one(&mut scene.postgres.boss().await)
    .await
    .unwrap()
}

/// Each log, exported by its operator, is what its keys and its anchor say, and no event stands in
/// two places.
async fn the_logs_are_whole(scene: &Scene) {
    let mut browser = Browser::at(&scene.deployment.issuer);
    let keys = scene.deployment.place("log-keys.json");
    for slug in ["juniper", "platform"] {
        let file = scene.deployment.place(&format!("{slug}.ndjson"));
        let file = file.to_str().unwrap();
        let export = ["audit", "export", file, "--tenant", slug];
        let exported = scene.deployment.ask(&export, "").await;
        // After it: without an export or a checkpoint there is no key yet.
        let published = browser.get("/.well-known/lanyard-audit").await.unwrap();
        std::fs::write(&keys, published.body).unwrap();
        let keys = keys.to_str().unwrap();
        let name = format!("{}.ndjson", exported["log"].as_str().unwrap());
        let anchor = scene.deployment.place("keys/anchor").join(name);
        let mut verify = vec!["audit", "verify", file, "--keys", keys];
        if anchor.exists() {
            verify.extend(["--anchor", anchor.to_str().unwrap()]);
        }
        let verdict = scene.deployment.ask(&verify, "").await;
        assert_eq!(verdict["verdict"], "whole", "{verdict}");
        assert!(verdict["entries"].as_u64().unwrap() > 0);
    }
    let twice = "select count(*) from (
           select event_id from audit.event union all select event_id from audit.entry) e
         group by event_id having count(*) > 1";
    let boss = &mut scene.postgres.boss().await;
    let twice = sqlx::query(twice).fetch_all(boss).await.unwrap();
    assert!(twice.is_empty(), "events in two places: {}", twice.len());
}

/// AUD-04: killed before the commit neither change nor event is there, killed after it both are,
/// and what the people then do again has one effect; of support's start and of an operator's
/// command the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_there_exactly_when_its_event_is() {
    let mut scene = Scene::of("faults", 1, 1).await;
    let mut person = scene.person(0, Chance::of(4));
    for (event, points) in [
        (
            "session.signed_in",
            &["Changed", "Recorded", "Committed"][..],
        ),
        ("refresh.rotated", &["Recorded", "Committed"]),
        ("session.ended", &["Changed", "Recorded", "Committed"]),
    ] {
        for point in points {
            let before = events(&scene, event).await;
            scene.deployment.arm(&format!("{point} {event}"));
            let living = tokio::spawn(day(person));
            scene.falls(0).await;
            let more = events(&scene, event).await - before;
            assert_eq!(more, i64::from(*point == "Committed"), "{point} {event}");
            scene.serve(0).await;
            person = living.await.unwrap();
        }
    }
    support::begins(&mut scene).await;
    for point in ["Changed", "Recorded", "Committed"] {
        scene.deployment.arm(&format!("{point} tenant.suspended"));
        let suspend = ["tenant", "suspend", "juniper"];
        scene.deployment.ask_in_vain(&suspend).await;
        let is_done = i64::from(point == "Committed");
        let suspended = "select count(*) from tenancy.tenant where status = 'suspended'";
        assert_eq!(number(&scene, suspended).await, is_done, "{point}");
        assert_eq!(events(&scene, "tenant.suspended").await, is_done, "{point}");
    }
    scene.hold_up().await;
    the_logs_are_whole(&scene).await;
}

/// AUD-11: killed while events are given their places, after that, when a checkpoint is signed, and
/// when the anchor has it: each event has one place, and each checkpoint reaches the anchor once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_has_one_place_and_a_checkpoint_reaches_the_anchor() {
    let mut scene = Scene::of("fault-log", 1, 1).await;
    let mut person = scene.person(0, Chance::of(5));
    for point in ["Placing", "Placed", "Anchored"] {
        person = fall(&mut scene, point, person).await;
    }
    scene.deployment.arm("Signed");
    let file = scene.deployment.place("in-vain.ndjson");
    let export = ["audit", "export", file.to_str().unwrap()];
    scene.deployment.ask_in_vain(&export).await;
    let unsigned = "select count(*) from audit.log l where size > 0 and not exists (
           select from audit.checkpoint c
           where c.tenant_id = l.tenant_id and c.size = l.size and c.anchored_at is not null)";
    until_none(&scene, unsigned).await;
    for entry in std::fs::read_dir(scene.deployment.place("keys/anchor")).unwrap() {
        let kept = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let lines: Vec<&str> = kept.lines().collect();
        let apart: BTreeSet<&str> = lines.iter().copied().collect();
        assert_eq!((lines.len(), lines.is_empty()), (apart.len(), false));
    }
    scene.hold_up().await;
    the_logs_are_whole(&scene).await;
}

/// Killed when letters are taken out, when one is sent, and when that is known: each is sent, and
/// lies in the folder once. Killed when what ended is given its position, after that, and before it
/// is sent: a verifier that listens hears of each end once, by its `jti`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_sent_and_a_verifier_told_whatever_dies() {
    let mut scene = Scene::of("fault-told", 1, 1).await;
    let mut person = scene.person(0, Chance::of(6));
    for point in ["MailTaken", "MailSent", "MailMarked"] {
        person = fall(&mut scene, point, person).await;
    }
    // What the dead one had in hand is anybody's after five minutes: here they have passed.
    let passed = "update outbox.message set taken_at = taken_at - interval '6 minutes'
         where delivered_at is null";
    sqlx::query(passed)
        .execute(&mut scene.postgres.boss().await)
        .await
        .unwrap();
    let waiting = "select count(*) from outbox.message where delivered_at is null";
    until_none(&scene, waiting).await;
    let sent: Vec<String> = sqlx::query_scalar("select message_id::text from outbox.message")
        .fetch_all(&mut scene.postgres.boss().await)
        .await
        .unwrap();
    let names = std::fs::read_dir(scene.deployment.place("mail")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let letters = sent.iter().map(|id| format!("{id}.eml"));
    assert_eq!(names.collect::<BTreeSet<_>>(), letters.collect());
    assert!(sent.len() >= 3, "{}", sent.len());

    let mut listener = Listener::new(&scene).await;
    for point in ["Positioning", "Positioned", "Telling"] {
        scene.deployment.arm(point);
        let living = tokio::spawn(day(person));
        listener.hear_until_cut(&scene).await;
        scene.falls(0).await;
        scene.serve(0).await;
        person = living.await.unwrap();
        listener.hear_all(&scene).await;
    }
    assert!(listener.ends() >= 3);
    scene.hold_up().await;
    the_logs_are_whole(&scene).await;
}
