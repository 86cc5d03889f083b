//! The log's viewer in the clinic's console: what it checks by itself, and how it follows.

use lanyard::apps::Kind;
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

    // An entry that is not what was signed.
    let mut boss = lab.lab.database.superuser().await;
    sqlx::raw_sql("set session_replication_role = replica")
        .execute(&mut boss)
        .await
        .unwrap();
    let done = sqlx::query(
        "update audit.leaf set leaf_hash = sha256('x') where tenant_id = $1 and leaf_index = 1",
    )
    .bind(lab.clinic.id)
    .execute(&mut boss)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
    let broken = lab.log(&browser, "verify=yes").await;
    assert!(broken.body.contains("Something is wrong with this log."));
    assert!(
        broken
            .body
            .contains("can&#39;t be shown to be in what is signed."),
        "{}",
        broken.body
    );
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
