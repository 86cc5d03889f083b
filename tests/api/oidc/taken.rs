//! `/api/v1/audit`: following the log from a place on, and taking it along.

use std::io::Cursor;

use lanyard::audit::format::Vkey;
use lanyard::audit::format::export::{Kind, Report, Verdict, verify};
use lanyard::audit::log::Logs;
use serde_json::Value;

use super::World;
use super::log::{auditor, kinds, token, world};
use crate::lab::cluster::tell;

/// Events of the clinic's, as if a service had got tokens.
async fn plant(world: &World, count: u32) {
    let clinic = world.clinic.id;
    let sql = format!(
        "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
           detail, mac)
         select '{clinic}', gen_random_uuid(), 'token.issued', 'grant', clock_timestamp(),
           clock_timestamp(), jsonb_build_object('number', n), sha256('mac')
         from generate_series(1, {count}) n"
    );
    tell(&mut world.lab.database.superuser().await, &sql).await;
    Logs::of(&world.lab.app).sequence().await.unwrap();
}

fn places(page: &Value) -> Vec<i64> {
    let entries = page["entries"].as_array().unwrap();
    let place = |entry: &Value| {
        let index = entry["index"].as_i64();
        index.or_else(|| entry["metadata"]["sequence"].as_i64())
    };
    entries.iter().map(|entry| place(entry).unwrap()).collect()
}

/// Issue 4, SIEM: who follows a log by its indices gets every entry once, in order, and goes on
/// from where it was; in OCSF's words too, without the account.
#[tokio::test]
async fn a_log_is_followed_without_a_gap() {
    let world = world(&["clinic_admin"]).await;
    let (_, token) = auditor(&world).await;
    for words in ["", "&as=ocsf"] {
        plant(&world, 25).await;
        let (mut seen, mut after) = (Vec::new(), -1);
        loop {
            let path = format!("/api/v1/audit/events?after={after}&most=10{words}");
            let page = world.call(&path, &token).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let account = world.person.account.to_string();
            assert!(!page.body.contains(&account), "{}", page.body);
            let page = page.json();
            let found = places(&page);
            seen.extend_from_slice(&found);
            let next = page["next"].as_i64().unwrap();
            assert_eq!(next, found.last().copied().unwrap_or(after));
            if found.len() < 10 {
                after = next;
                break;
            }
            after = next;
        }
        let size = i64::try_from(seen.len()).unwrap();
        assert!(size >= 25);
        assert_eq!(seen, (0..size).collect::<Vec<_>>());
        // What came meanwhile, and nothing of what was there: the readings themselves.
        Logs::of(&world.lab.app).sequence().await.unwrap();
        let path = format!("/api/v1/audit/events?after={after}");
        let on = world.call(&path, &token).await.json();
        assert!(kinds(&on).iter().all(|kind| kind == "audit.viewed"), "{on}");
        assert_eq!(places(&on)[0], size);
    }
    let end = world
        .call("/api/v1/audit/events?after=100000", &token)
        .await;
    assert_eq!(
        (places(&end.json()).len(), end.json()["next"].as_i64()),
        (0, Some(100_000))
    );
    for wrong in [
        "after=-2",
        "after=1&before=9",
        "after=1&type=code.*",
        "after=1&trace=8f14e45fceea167a",
        "as=cef",
    ] {
        let answer = world
            .call(&format!("/api/v1/audit/events?{wrong}"), &token)
            .await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

async fn keys(world: &World) -> Vec<Vkey> {
    let known = world
        .lab
        .browser()
        .get("/.well-known/lanyard-audit")
        .await
        .json();
    let keys = known["keys"].as_array().unwrap();
    let key = |key: &Value| Vkey::parse(key["verifier_key"].as_str().unwrap()).unwrap();
    keys.iter().map(key).collect()
}

fn checked(export: &str, keys: &[Vkey]) -> Report {
    let verdict = verify(Cursor::new(export), keys, None::<Cursor<Vec<u8>>>, |_| ()).unwrap();
    let Verdict::Whole(report) = verdict else {
        panic!("{verdict:?}");
    };
    *report
}

/// AUD-10: whoever may takes her clinic's log along, whole or in part, and it verifies; it is on
/// the record, by whom, before she has a byte of it; another clinic's she gets by no name.
#[tokio::test]
async fn an_auditor_takes_her_clinics_log_along_and_is_on_the_record() {
    let world = world(&["compliance_lead"]).await;
    let (client, token) = auditor(&world).await;
    plant(&world, 600).await;
    let answer = world.call("/api/v1/audit/export", &token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let disposition = answer.header("content-disposition").to_owned();
    let clinic = world.clinic.id.to_string();
    assert!(
        disposition.starts_with(&format!("attachment; filename=\"audit-{clinic}-0-")),
        "{disposition}"
    );
    let keys = keys(&world).await;
    let report = checked(&answer.body, &keys);
    assert!(report.entries > 600 && report.log == clinic, "{report:?}");
    let part = world
        .call("/api/v1/audit/export?from=250&to=520", &token)
        .await;
    let part = checked(&part.body, &keys);
    assert_eq!((part.from, part.to, part.entries), (250, 520, 270));

    Logs::of(&world.lab.app).sequence().await.unwrap();
    let told = world
        .call("/api/v1/audit/events?type=audit.exported", &token)
        .await;
    let told = told.json();
    assert_eq!(kinds(&told).len(), 2, "{told}");
    let last = &told["entries"][0];
    assert_eq!(last["subject"], world.subject.to_string());
    assert_eq!(last["detail"]["from"], 250);
    assert_eq!(last["detail"]["client_id"], client.id.as_str());

    for (query, status) in [
        ("from=9&to=8", 404),
        ("from=0&to=1000000", 404),
        ("from=-1", 400),
        ("disclose=true", 400),
    ] {
        let path = format!("/api/v1/audit/export?{query}");
        assert_eq!(world.call(&path, &token).await.status, status, "{query}");
    }
    let elsewhere = World::on(world.lab, &["clinic_admin"]).await;
    let other = self::token(&elsewhere, &client).await;
    let export = elsewhere.call("/api/v1/audit/export", &other).await;
    let report = checked(&export.body, &keys);
    assert_eq!(report.log, elsewhere.clinic.id.to_string());
    let foreign = format!("/api/v1/clinics/{}/audit/export", world.clinic.slug);
    assert_eq!(elsewhere.call(&foreign, &other).await.status, 401);
    let nurses = World::on(elsewhere.lab, &["nurse"]).await;
    let hers = self::token(&nurses, &client).await;
    let refused = nurses.call("/api/v1/audit/export", &hers).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
}

/// AUD-02, AUD-10: an export that can't be finished is cut short, and whoever checks it is told.
#[tokio::test]
async fn an_export_that_breaks_off_is_no_whole_one() {
    let world = world(&["compliance_lead"]).await;
    let (_, token) = auditor(&world).await;
    plant(&world, 600).await;
    let mut boss = world.lab.database.superuser().await;
    tell(&mut boss, "delete from audit.entry where leaf_index = 400").await;
    let asked = world.lab.browser_in(9);
    let asked = asked.request(http::Method::GET, "/api/v1/audit/export");
    let mut answer = asked.bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = Vec::new();
    let cut = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(cut, "the answer does not end as a whole one does");
    let keys = keys(&world).await;
    let verdict = verify(Cursor::new(body), &keys, None::<Cursor<Vec<u8>>>, |_| ()).unwrap();
    let Verdict::Broken(finding) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(finding.kind, Kind::Truncated, "{finding:?}");
}
