//! `/api/v1/audit`: who reads the log of a clinic, and what she can prove of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanyard::audit::format::{Checkpoint, TreeHash, Vkey, proof};
use lanyard::audit::log::{self, Logs};
use serde_json::Value;
use uuid::Uuid;

use super::{Client, World};
use crate::lab::{Lab, some_id};

pub(super) async fn world(roles: &[&str]) -> World {
    let lab = Lab::apart(|config| {
        let name = format!("lanyard-anchor-{}", some_id());
        config.audit.anchor = Some(std::env::temp_dir().join(name));
    })
    .await;
    World::on(lab, roles).await
}

pub(super) async fn auditor(world: &World) -> (Client, String) {
    let platform = world.lab.platform().await;
    let client = world
        .register(platform, |client| {
            client.scopes.push("audit:read".to_owned());
        })
        .await;
    let token = token(world, &client).await;
    (client, token)
}

pub(super) async fn token(world: &World, client: &Client) -> String {
    let request = world.request(client, &[("scope", "openid audit:read profile:read")]);
    let back = world.sign_in(&world.lab.browser(), &request).await;
    let tokens = world.redeem(client, &super::code_of(&back)).await.json();
    tokens["access_token"].as_str().unwrap().to_owned()
}

pub(super) fn kinds(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["type"].as_str().unwrap().to_owned())
        .collect()
}

fn hash(text: &Value) -> TreeHash {
    TreeHash::from_base64(text.as_str().unwrap()).unwrap()
}

fn hashes(path: &Value) -> Vec<TreeHash> {
    path.as_array().unwrap().iter().map(hash).collect()
}

/// AUD-10, DOS-09: a clinic's auditors read its log by the page, of a bounded size, and each
/// reading is in it; others don't.
#[tokio::test]
async fn auditors_read_their_clinics_log_and_leave_an_entry() {
    let world = world(&["compliance_lead"]).await;
    let (client, token) = auditor(&world).await;
    let logs = Logs::of(&world.lab.app);
    logs.sequence().await.unwrap();
    let all = world.call("/api/v1/audit/events", &token).await;
    assert_eq!(all.status, 200, "{}", all.body);
    let all = all.json();
    let happened = kinds(&all);
    assert!(
        happened.contains(&"code.redeemed".to_owned()),
        "{happened:?}"
    );
    assert_eq!(all["next"], Value::Null);
    assert!(
        !all.to_string().contains(&world.person.account.to_string()),
        "{all}"
    );
    let entry = &all["entries"][0];
    assert_eq!(entry["index"], happened.len() - 1, "the latest first");

    logs.sequence().await.unwrap();
    let subject = world.subject;
    for (query, expected) in [
        ("type=audit.viewed".to_owned(), vec!["audit.viewed"]),
        ("type=code.*".to_owned(), vec!["code.redeemed"]),
        (
            format!("type=audit.*&person={subject}"),
            vec!["audit.viewed"],
        ),
        (format!("person={}", Uuid::nil()), vec![]),
        (format!("actor={subject}"), vec![]),
        ("trace=nothing".to_owned(), vec![]),
        (format!("tenant={}", world.clinic.id), vec![]),
    ] {
        let page = world
            .call(&format!("/api/v1/audit/events?{query}"), &token)
            .await;
        assert_eq!(page.status, 200, "{query}: {}", page.body);
        assert_eq!(kinds(&page.json()), expected, "{query}");
    }
    // The same in the log's own words, byte by byte.
    let lines = "/api/v1/audit/events?type=code.*&as=line";
    let lines = world.call(lines, &token).await.json();
    let line = lines["entries"][0]["line"].as_str().unwrap();
    let stored: String = sqlx::query_scalar(
        "select line from audit.entry where tenant_id = $1 and type = 'code.redeemed'",
    )
    .bind(world.clinic.id)
    .fetch_one(&mut world.lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(line, stored);
    let mut seen = Vec::new();
    let mut path = "/api/v1/audit/events?most=2".to_owned();
    loop {
        let page = world.call(&path, &token).await.json();
        seen.extend(kinds(&page));
        let Some(next) = page["next"].as_i64() else {
            break;
        };
        path = format!("/api/v1/audit/events?most=2&before={next}");
    }
    assert_eq!(
        seen[1..],
        happened,
        "one entry more since: the first reading's"
    );
    for wrong in [
        "most=0",
        "most=501",
        "before=-1",
        "type=nothing.here",
        "type=",
        "person=x",
        "who=me",
        "type=*",
        "trace=a%00b",
    ] {
        let answer = world
            .call(&format!("/api/v1/audit/events?{wrong}"), &token)
            .await;
        assert_eq!(answer.status, 400, "{wrong}");
    }

    // Another clinic's auditor sees another log; a nurse and a patient none.
    let elsewhere = World::on(world.lab, &["clinic_admin"]).await;
    let other = self::token(&elsewhere, &client).await;
    Logs::of(&elsewhere.lab.app).sequence().await.unwrap();
    let page = elsewhere.call("/api/v1/audit/events", &other).await.json();
    assert!(!page.to_string().contains(&subject.to_string()), "{page}");
    let foreign = format!("/api/v1/clinics/{}/audit/events", world.clinic.slug);
    assert_eq!(elsewhere.call(&foreign, &other).await.status, 401);
    let nurses = World::on(elsewhere.lab, &["nurse"]).await;
    let hers = self::token(&nurses, &client).await;
    for path in [
        "events",
        "checkpoint",
        "proof?index=0&size=1",
        "consistency?from=1&to=1",
    ] {
        let answer = nurses.call(&format!("/api/v1/audit/{path}"), &hers).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
    }
}

/// Issue 4: inclusion and consistency by API, against published keys.
#[tokio::test]
async fn an_entry_and_the_logs_growth_are_proved_to_whoever_has_the_keys() {
    let world = world(&["clinic_admin"]).await;
    let (_, token) = auditor(&world).await;
    let none = world.call("/api/v1/audit/checkpoint", &token).await;
    assert_eq!(none.status, 404, "nothing is signed yet");
    let mut checkpoints = Vec::new();
    for _ in 0..2 {
        world.call("/api/v1/audit/events", &token).await;
        Logs::of(&world.lab.app).sequence().await.unwrap();
        log::keep(&world.lab.app).await.unwrap();
        let kept = world.call("/api/v1/audit/checkpoint", &token).await.json();
        assert!(kept["anchored_at"].is_string(), "{kept}");
        checkpoints.push(kept);
    }
    let known = world
        .lab
        .browser()
        .get("/.well-known/lanyard-audit")
        .await
        .json();
    let key = Vkey::parse(known["keys"][0]["verifier_key"].as_str().unwrap()).unwrap();
    let opened: Vec<_> = checkpoints
        .iter()
        .map(|kept| {
            Checkpoint::open(kept["note"].as_str().unwrap(), std::slice::from_ref(&key))
                .unwrap()
                .0
        })
        .collect();
    let [old, new] = &opened[..] else { panic!() };
    assert!(old.size < new.size);
    let mut lines = Vec::new();
    let rows: Vec<String> =
        sqlx::query_scalar("select line from audit.entry where tenant_id = $1 order by leaf_index")
            .bind(world.clinic.id)
            .fetch_all(&mut world.lab.database.superuser().await)
            .await
            .unwrap();
    lines.extend(rows);
    for index in 0..new.size {
        let path = format!("/api/v1/audit/proof?index={index}&size={}", new.size);
        let proved = world.call(&path, &token).await.json();
        let place = usize::try_from(index).unwrap();
        let leaf = TreeHash::leaf(lines[place].as_bytes());
        assert_eq!(proved["leaf_hash"], STANDARD.encode(leaf.as_bytes()));
        let path = hashes(&proved["path"]);
        let reached = proof::root_by_inclusion(leaf, index, new.size, &path);
        assert_eq!(reached, Some(new.root), "{index}");
    }
    let path = format!(
        "/api/v1/audit/consistency?from={}&to={}",
        old.size, new.size
    );
    let grown = world.call(&path, &token).await.json();
    let (old, new) = ((old.size, old.root), (new.size, new.root));
    assert!(
        proof::is_consistent(old, new, &hashes(&grown["path"])),
        "{grown}"
    );
    for (path, status) in [
        (format!("proof?index={}&size={}", new.0, new.0), 404),
        (format!("proof?index=0&size={}", new.0 + 1000), 404),
        ("proof?index=-1&size=1".to_owned(), 404),
        ("proof?index=0".to_owned(), 400),
        ("consistency?from=0&to=1".to_owned(), 404),
        (format!("consistency?from={}&to={}", new.0, old.0), 404),
        ("consistency?from=1".to_owned(), 400),
    ] {
        let answer = world.call(&format!("/api/v1/audit/{path}"), &token).await;
        assert_eq!(answer.status, status, "{path}");
    }
}
