//! The log's viewer in the clinic's console: what it checks by itself, and how it follows.

use std::io::Cursor;

use lanyard::apps::Kind;
use lanyard::audit::format::Vkey;
use lanyard::audit::format::export::{Verdict, verify};
use lanyard::audit::log::Logs;
use time::Duration;

use super::{AppsLab, Everywhere as _};
use crate::lab::{Answer, Browser};

const LOG: &str = "What is on your clinic&#39;s record";

impl AppsLab {
    /// Ruth's browser, with a session of the console too.
    async fn at_the_console(&self) -> Browser {
        let browser = self.ruths_browser().await;
        let home = browser.everywhere(&self.at(Kind::Console, "/")).await;
        home.page("Your clinic at a glance");
        browser
    }

    async fn log(&self, browser: &Browser, query: &str) -> Answer {
        let at = self.at(Kind::Console, &format!("/log?{query}"));
        browser.everywhere(&at).await.page(LOG)
    }

    /// Gives what happened its place, and signs it.
    async fn sign(&self) {
        let logs = Logs::of(&self.lab.app);
        logs.sequence().await.unwrap();
        logs.sign(Duration::days(90)).await.unwrap();
    }

    async fn views(&self) -> usize {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from (
               select tenant_id, type from audit.event
               union all select tenant_id, type from audit.entry
             ) e where tenant_id = $1 and type = 'audit.viewed'",
        )
        .bind(self.clinic.id)
        .fetch_one(&mut self.lab.database.superuser().await)
        .await
        .unwrap();
        usize::try_from(count).unwrap()
    }
}

/// What the form that checks would send along.
fn proven(page: &Answer) -> String {
    let value = page.hidden("proven");
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[tokio::test]
async fn the_console_checks_the_signature_the_entries_and_that_the_log_has_grown() {
    let lab = AppsLab::new().await;
    let browser = lab.at_the_console().await;
    let fresh = lab.log(&browser, "verify=yes").await;
    assert!(
        fresh.body.contains("Nothing of it is signed yet."),
        "{}",
        fresh.body
    );
    lab.sign().await;
    let good = lab.log(&browser, "verify=yes").await;
    assert!(good.body.contains("Nothing was changed."), "{}", good.body);
    let keys = lab
        .lab
        .browser()
        .get("/.well-known/lanyard-audit")
        .await
        .json();
    let key = keys["keys"][0]["verifier_key"].as_str().unwrap();
    assert!(good.body.contains(key), "{}", good.body);
    lab.sign().await;
    let again = format!("verify=yes&proven={}", proven(&good));
    let grown = lab.log(&browser, &again).await;
    assert!(grown.body.contains("it has only grown."), "{}", grown.body);

    // Another log's beginning: as if something had been taken out since.
    let other = "verify=yes&proven=2:47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D";
    let forked = lab.log(&browser, other).await;
    assert!(
        forked.body.contains("Its first 2 entries are not those"),
        "{}",
        forked.body
    );

    // One word of an entry is another than was signed; then a leaf is.
    let mut boss = lab.lab.database.superuser().await;
    sqlx::raw_sql("set session_replication_role = replica")
        .execute(&mut boss)
        .await
        .unwrap();
    for (change, undo) in [
        (
            "update audit.entry set line = replace(line, '\"actor\":null', '\"actor\": null')
             where tenant_id = $1 and leaf_index = 1",
            "update audit.entry set line = replace(line, '\"actor\": null', '\"actor\":null')
             where tenant_id = $1 and leaf_index = 1",
        ),
        (
            "update audit.leaf set leaf_hash = sha256('x')
             where tenant_id = $1 and leaf_index = 2",
            "",
        ),
    ] {
        let mut tell = async |what| {
            let done = sqlx::query(what).bind(lab.clinic.id).execute(&mut boss);
            done.await.unwrap().rows_affected()
        };
        assert_eq!(tell(change).await, 1, "{change}");
        let broken = lab.log(&browser, "verify=yes").await;
        assert!(broken.body.contains("Something is wrong with this log."));
        let words = "can&#39;t be shown to be in what is signed.";
        assert!(broken.body.contains(words), "{}", broken.body);
        if !undo.is_empty() {
            assert_eq!(tell(undo).await, 1, "{undo}");
            let good = lab.log(&browser, "verify=yes").await;
            assert!(good.body.contains("word for word"), "{}", good.body);
        }
    }
}

/// The button hands on what the API gives, which verifies and is on the record; no other page's
/// form gets it.
#[tokio::test]
async fn all_of_it_is_downloaded_with_its_proof() {
    let lab = AppsLab::new().await;
    let browser = lab.at_the_console().await;
    let page = lab.log(&browser, "").await;
    let export = browser.submit(&page, "export", &[]).await;
    assert_eq!(export.status, 200, "{}", export.body);
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let disposition = export.header("content-disposition");
    let file = format!("attachment; filename=\"audit-{}-0-", lab.clinic.id);
    assert!(disposition.starts_with(&file), "{disposition}");
    let keys = lab.lab.browser().get("/.well-known/lanyard-audit").await;
    let keys = keys.json();
    let key = keys["keys"][0]["verifier_key"].as_str().unwrap();
    let keys = [Vkey::parse(key).unwrap()];
    let read = Cursor::new(&export.body);
    let verdict = verify(read, &keys, None::<Cursor<Vec<u8>>>, |_| ()).unwrap();
    assert!(matches!(verdict, Verdict::Whole(_)), "{verdict:?}");
    let told = lab.lab.events_in(lab.clinic.id).await;
    let exported = |kind: &str| told.iter().filter(|event| event.kind == kind).count();
    assert_eq!(exported("audit.exported"), 1);

    let at = lab.at(Kind::Console, "/log/export");
    let forged = browser.post(&at, &[("csrf", "x")]).await;
    forged.shows(403, "Something went wrong");
    assert_eq!(browser.get(&at).await.status, 405);
    let there = lab.at(Kind::Clinician, "/log/export");
    assert_eq!(browser.post(&there, &[("csrf", "x")]).await.status, 404);
}

/// To ask whether there is anything new is no look at the log: only who looks is on the record.
#[tokio::test]
async fn how_many_there_are_is_told_without_an_entry() {
    let lab = AppsLab::new().await;
    let browser = lab.at_the_console().await;
    let page = lab.log(&browser, "").await;
    assert!(page.body.contains("data-news=\"/log/news\""));
    assert_eq!(lab.views().await, 1);
    lab.sign().await;
    let news = lab.at(Kind::Console, "/log/news");
    let size = browser.get(&news).await.json()["size"].as_u64().unwrap();
    assert!(size > 1);
    assert_eq!(lab.views().await, 1);
    lab.sign().await;
    assert_eq!(browser.get(&news).await.json()["size"], size);
    let elsewhere = browser.get(&lab.at(Kind::Patient, "/log/news")).await;
    assert_eq!(elsewhere.status, 404);
    assert_eq!(lab.lab.browser().get(&news).await.status, 401);
    let older = lab.log(&browser, "before=2").await;
    assert!(
        !older.body.contains("data-news"),
        "what is over does not change"
    );
}
