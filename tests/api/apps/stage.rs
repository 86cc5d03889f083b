//! The apps, and who runs the platform and supports its clinics.

use lanyard::apps::Kind;
use lanyard::cli::Operator;
use lanyard::ids::{SubjectId, TenantId};
use lanyard::impersonation::Rule;

use super::{AppsLab, Everywhere as _};
use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

pub(super) const HOME: &str = "The platform at a glance";
pub(super) const ACTING: &str = "Who acts for whom";
pub(super) const REASON: &str = "She can see no visit of hers";

/// The apps, with support that may act for a patient, and who runs the platform.
pub(super) struct Platform {
    pub(super) apps: AppsLab,
    pub(super) sam: Person,
    pub(super) dana: Person,
    pub(super) danas: SubjectId,
    ada: SubjectId,
}

impl Platform {
    pub(super) async fn new() -> Self {
        let apps = AppsLab::new().await;
        let lab = &apps.lab;
        let (sam, dana) = (
            lab.person("Sam Porter").await,
            lab.person("Dana Reed").await,
        );
        lab.join(&sam, TenantId::PLATFORM, &["platform_support"])
            .await;
        let danas = lab.join(&dana, TenantId::PLATFORM, &["super_admin"]).await;
        let ada = lab.person("Ada Quill").await;
        let ada = lab.join(&ada, apps.clinic.id, &["patient"]).await;
        Operator::new(&lab.app.db, &lab.app.env, &lab.app.keys)
            .set_impersonation_rule(apps.clinic.id, Rule::Allowed)
            .await
            .unwrap();
        Self {
            apps,
            sam,
            dana,
            danas,
            ada,
        }
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.apps.lab
    }

    pub(super) fn at(&self, path: &str) -> String {
        self.apps.at_bare(Kind::Platform, path)
    }

    /// Signs somebody in to the console; where that leads.
    pub(super) async fn sign_in(&self, browser: &Browser, who: &Person) -> Answer {
        let asked = browser.everywhere(&self.at("/sign-in")).await;
        self.apps.prove(browser, asked, who).await
    }

    pub(super) async fn seat(&self, who: &Person) -> Browser {
        let browser = self.lab().browser();
        self.sign_in(&browser, who).await.page(HOME);
        browser
    }

    pub(super) async fn page(&self, browser: &Browser, path: &str, sentence: &str) -> Answer {
        browser.everywhere(&self.at(path)).await.page(sentence)
    }

    pub(super) async fn send(
        &self,
        browser: &Browser,
        page: &Answer,
        form: &str,
        with: &[(&str, &str)],
    ) -> Answer {
        let sent = browser.submit(page, form, with).await;
        browser.onward(sent).await
    }

    /// Support asks to act as Ada; the page that says so, and the grant.
    pub(super) async fn asked(&self, browser: &Browser) -> (Answer, String) {
        let page = self.page(browser, "/support", ACTING).await;
        let subject = self.ada.to_string();
        let form = [
            ("clinic", self.apps.clinic.slug.as_str()),
            ("subject", &subject),
            ("reason", REASON),
            ("ticket", "HELP-4711"),
            ("preset", "read-only"),
            ("minutes", "15"),
        ];
        let asked = self.send(browser, &page, "ask", &form).await.page(ACTING);
        assert!(asked.body.contains("Asked."), "{}", asked.body);
        let id: uuid::Uuid = sqlx::query_scalar(
            "select impersonation_id from identity.impersonation
             where subject_id = $1 and state in ('requested', 'approved')",
        )
        .bind(self.ada)
        .fetch_one(&mut self.lab().database.superuser().await)
        .await
        .unwrap();
        (asked, id.to_string())
    }

    /// The same, started: he has just proved a second factor.
    pub(super) async fn started(&self, browser: &Browser) -> (Answer, String) {
        let (page, id) = self.asked(browser).await;
        let started = self.send(browser, &page, &format!("start-{id}"), &[]).await;
        (started.page(ACTING), id)
    }

    /// `(state, end_reason)` of a grant.
    pub(super) async fn stored(&self, id: &str) -> (String, Option<String>) {
        sqlx::query_as(
            "select state, end_reason from identity.impersonation
             where impersonation_id = $1::text::uuid",
        )
        .bind(id)
        .fetch_one(&mut self.lab().database.superuser().await)
        .await
        .unwrap()
    }

    /// As if it had been opened twice under a grant.
    pub(super) async fn opened(&self, id: &str, route: &str) {
        sqlx::query(
            "insert into identity.impersonation_opened
               (tenant_id, impersonation_id, audience, method, route, times, first_at, last_at)
             values ($1, $2::text::uuid, 'a', 'GET', $3, 2, $4, $4)",
        )
        .bind(self.apps.clinic.id)
        .bind(id)
        .bind(route)
        .bind(self.lab().now())
        .execute(&mut self.lab().database.superuser().await)
        .await
        .unwrap();
    }

    /// What the platform's record says of this kind, with who did it.
    pub(super) async fn told(&self, kind: &str) -> Vec<(Option<SubjectId>, serde_json::Value)> {
        sqlx::query_as(
            "select subject_id, detail - 'trace' from audit.event
             where tenant_id = $1 and type = $2 order by recorded_at",
        )
        .bind(TenantId::PLATFORM)
        .bind(kind)
        .fetch_all(&mut self.lab().database.superuser().await)
        .await
        .unwrap()
    }
}
