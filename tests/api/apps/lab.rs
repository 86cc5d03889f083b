//! A lab with the three apps, a clinic, and someone who may use them all.

use lanyard::apps::{Kind, registration};
use lanyard::config::App;
use time::Duration;

use crate::lab::apps::AppsOfALab;
use crate::lab::world::{Clinic, PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab};

/// Apps, one clinic, and Ruth, who is its patient, clinician and administrator.
#[derive(Debug)]
pub(crate) struct AppsLab {
    pub(crate) lab: Lab,
    pub(crate) clinic: Clinic,
    pub(crate) ruth: Person,
}

impl AppsLab {
    pub(crate) async fn new() -> Self {
        let apps = AppsOfALab::bind().await;
        let lab = Lab::apart(|config| apps.configure(config)).await;
        lab.platform().await;
        let clinic = lab.clinic("Juniper Clinic").await;
        let ruth = lab.person("Ruth Okafor").await;
        let roles = ["patient", "clinician", "clinic_admin"];
        lab.join(&ruth, clinic.id, &roles).await;
        apps.serve(&lab, &[&clinic.slug]).await;
        Self { lab, clinic, ruth }
    }

    /// Another clinic, which the apps are registered for too.
    pub(crate) async fn another_clinic(&self, name: &str) -> Clinic {
        let other = self.lab.clinic(name).await;
        for kind in Kind::ALL {
            let slugs = [self.clinic.slug.as_str(), &other.slug];
            registration::register(&self.lab.app, kind, &slugs)
                .await
                .unwrap();
        }
        other
    }

    /// An app's address at the lab's clinic.
    pub(crate) fn at(&self, kind: Kind, path: &str) -> String {
        self.at_clinic(kind, &self.clinic, path)
    }

    /// An app's address at a clinic.
    pub(crate) fn at_clinic(&self, kind: Kind, clinic: &Clinic, path: &str) -> String {
        format!("http://{}.localhost:{}{path}", clinic.slug, self.port(kind))
    }

    /// An app's address without a clinic.
    pub(crate) fn at_bare(&self, kind: Kind, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port(kind))
    }

    pub(crate) fn port(&self, kind: Kind) -> u16 {
        let App { url, .. } = lanyard::apps::settings(&self.lab.app.config, kind);
        url.port().unwrap()
    }

    /// A browser in which Ruth has signed in to the patient portal at her clinic.
    pub(crate) async fn ruths_browser(&self) -> Browser {
        let browser = self.lab.browser();
        self.sign_in(&browser, &self.ruth).await.page("Your visits");
        browser
    }

    /// Signs someone in to the patient portal at the lab's clinic; where that leads.
    pub(crate) async fn sign_in(&self, browser: &Browser, who: &Person) -> Answer {
        let asked = browser
            .everywhere(&self.at(Kind::Patient, "/sign-in"))
            .await;
        self.prove(browser, asked, who).await
    }

    /// Fills in the issuer's pages, of which `asked` is the first; where that leads.
    pub(crate) async fn prove(&self, browser: &Browser, asked: Answer, who: &Person) -> Answer {
        let sent = browser.sign_in_at(asked, &who.login, PASSWORD).await;
        let seen = self.lab.prove_factor(browser, sent).await;
        browser.onward(seen).await
    }

    /// Waits until the issuer has heard of what was done just now: no request waits for that.
    pub(crate) async fn activity_is_known(&self) {
        let mut boss = self.lab.database.superuser().await;
        let since = self.lab.now() - Duration::SECOND;
        for _ in 0..200 {
            let known: bool = sqlx::query_scalar(
                "select exists (select from identity.session where active_at >= $1)",
            )
            .bind(since)
            .fetch_one(&mut boss)
            .await
            .unwrap();
            if known {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the issuer did not hear of an act");
    }

    /// Lets time pass in steps of a minute, in which each page's script polls and nobody acts.
    pub(crate) async fn poll_for(&self, browser: &Browser, minutes: i64, apps: &[Kind]) {
        for _ in 0..minutes {
            self.lab.clock.advance(Duration::minutes(1));
            for &kind in apps {
                browser.get(&self.at(kind, "/session")).await;
            }
        }
    }
}

/// Going on across origins.
pub(crate) trait Everywhere {
    /// Goes to an address and follows redirects wherever they lead.
    async fn everywhere(&self, to: &str) -> Answer;
    /// Follows redirects wherever they lead.
    async fn onward(&self, answer: Answer) -> Answer;
}

impl Everywhere for Browser {
    async fn everywhere(&self, to: &str) -> Answer {
        let answer = self.get(to).await;
        self.onward(answer).await
    }

    async fn onward(&self, mut answer: Answer) -> Answer {
        for _ in 0..12 {
            let Some(to) = answer.location() else {
                return answer;
            };
            answer = self.get(to.as_str()).await;
        }
        panic!("more than twelve redirects, the last to {}", answer.url)
    }
}
