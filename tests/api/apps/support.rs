//! Support in a clinic's console: its administrators are asked, see what is opened, and end it.

use lanyard::apps::Kind;
use lanyard::cli::Operator;
use lanyard::impersonation::Rule;
use serde_json::{Value, json};

use super::Everywhere as _;
use super::stage::{Platform, REASON};
use crate::lab::{Answer, Browser};

const SUPPORT: &str = "Support at your clinic";

impl Platform {
    /// Administrators decide from now on.
    async fn asks_administrators(&self) {
        let app = &self.lab().app;
        let rule = Rule::ApprovalByAdmin;
        let set = Operator::new(&app.db, &app.env, &app.keys);
        let set = set.set_impersonation_rule(self.apps.clinic.id, rule);
        set.await.unwrap();
    }

    async fn console(&self, browser: &Browser, path: &str) -> Answer {
        browser.everywhere(&self.apps.at(Kind::Console, path)).await
    }

    /// What the administrator was written.
    async fn letters(&self) -> Vec<Value> {
        sqlx::query_scalar(
            "select parameters from outbox.message
             where account_id = $1 and kind = 'support_asks_clinic'",
        )
        .bind(self.apps.ruth.account)
        .fetch_all(&mut self.lab().database.superuser().await)
        .await
        .unwrap()
    }
}

/// Issue 4: "requests wait in the clinic's console … with notice", "the clinic see it live, with
/// what was opened, and can end it".
#[tokio::test]
async fn administrators_answer_in_their_console_see_what_is_opened_and_end_it() {
    let platform = Platform::new().await;
    platform.asks_administrators().await;
    let sam = platform.seat(&platform.sam).await;
    let ruth = platform.apps.ruths_browser().await;
    let quiet = platform.console(&ruth, "/").await;
    assert!(!quiet.body.contains("support-note"), "{}", quiet.body);
    assert!(platform.letters().await.is_empty());

    let (_, id) = platform.asked(&sam).await;
    let clinic = platform.apps.clinic.name.clone();
    assert_eq!(platform.letters().await, [json!({ "clinic": clinic })]);
    let home = platform.console(&ruth, "/").await;
    assert!(home.body.contains("Support asks to act at your clinic"));
    let page = platform.console(&ruth, "/support").await.page(SUPPORT);
    for words in [
        "Sam Porter as Ada Quill",
        REASON,
        "HELP-4711",
        "Waits for a yes",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    let yes = [("decision", "allow")];
    let said = platform
        .send(&ruth, &page, &format!("answer-{id}"), &yes)
        .await;
    let said = said.page(SUPPORT);
    assert!(said.body.contains("It is done, and on the record."));
    assert_eq!(platform.stored(&id).await.0, "approved");

    let page = platform.page(&sam, "/support", "Who acts for whom").await;
    platform
        .send(&sam, &page, &format!("start-{id}"), &[])
        .await;
    assert_eq!(platform.stored(&id).await.0, "active");
    platform.opened(&id, "/api/v1/visits").await;
    let home = platform.console(&ruth, "/").await;
    assert!(
        home.body
            .contains("Support acts as somebody of your clinic now")
    );
    let page = platform.console(&ruth, "/support").await.page(SUPPORT);
    assert!(
        page.body.contains("GET /api/v1/visits, 2 times"),
        "{}",
        page.body
    );
    let ended = platform.send(&ruth, &page, &format!("end-{id}"), &[]).await;
    assert!(ended.page(SUPPORT).body.contains("the clinic ended it"));
    let by_clinic = ("ended".to_owned(), Some("by_clinic".to_owned()));
    assert_eq!(platform.stored(&id).await, by_clinic);

    let (_, second) = platform.asked(&sam).await;
    let page = platform.console(&ruth, "/support").await.page(SUPPORT);
    let no = [("decision", "refuse")];
    let said = platform
        .send(&ruth, &page, &format!("answer-{second}"), &no)
        .await;
    assert!(said.page(SUPPORT).body.contains("the clinic said no"));
    assert_eq!(platform.stored(&second).await.0, "refused");
}

/// A compliance lead sees it all and answers nothing; a nurse sees nothing; letters go to
/// administrators alone.
#[tokio::test]
async fn who_does_not_administer_is_not_asked() {
    let platform = Platform::new().await;
    platform.asks_administrators().await;
    let (lab, clinic) = (platform.lab(), platform.apps.clinic.id);
    let sam = platform.seat(&platform.sam).await;
    let (lena, nora) = (
        lab.person("Lena Ward").await,
        lab.person("Nora Finch").await,
    );
    lab.join(&lena, clinic, &["compliance_lead"]).await;
    lab.join(&nora, clinic, &["nurse"]).await;
    let (_, id) = platform.asked(&sam).await;
    let told: Vec<lanyard::ids::AccountId> = sqlx::query_scalar(
        "select account_id from outbox.message
         where tenant_id = $1 and kind = 'support_asks_clinic'",
    )
    .bind(clinic)
    .fetch_all(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(told, [platform.apps.ruth.account]);
    for (person, sees) in [(&lena, true), (&nora, false)] {
        let browser = lab.browser();
        platform.apps.sign_in(&browser, person).await;
        platform.console(&browser, "/").await;
        let page = platform.console(&browser, "/support").await;
        assert_eq!(page.body.contains(REASON), sees, "{}", page.body);
        assert!(!page.body.contains(&format!("answer-{id}")));
        let csrf = page.hidden("csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("grant", &id),
            ("decision", "allow"),
        ];
        let at = platform.apps.at(Kind::Console, "/support");
        let sent = browser.post(&at, &fields).await;
        let said = browser.onward(sent).await;
        assert!(
            said.body.contains("Nothing was done") || !sees,
            "{}",
            said.body
        );
        assert_eq!(platform.stored(&id).await.0, "requested");
    }
}
