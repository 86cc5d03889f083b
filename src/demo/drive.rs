//! The self-driving run, over real HTTP, step by step: the main job here, then a case of support.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;

use super::DemoError;
use super::browser::{Browser, Seen};
use super::state::World;
use super::support;
use super::world::{IVY, RUTH, WILLOW_IDLE_SECONDS};
use crate::app::App;
use crate::apps::calls::Caller;
use crate::apps::oidc::{Asked, Oidc, OidcError};
use crate::apps::{Kind, registration, sites};
use crate::identity::totp::model::step_ends_at;
use crate::pages::paths;

/// How long past the idle limit the sign-out may show.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a step ended in, as soon as it did.
#[derive(Debug)]
pub struct Step {
    /// What was done, or what went wrong.
    pub words: String,
    /// How long it took.
    pub took: Duration,
    /// Whether it went as it should.
    pub is_done: bool,
}

/// What came of a step: more words, if there are any.
pub(super) type Outcome = Result<Option<String>, DemoError>;

/// Says of each step what came of it, until one does not go as it should.
pub(super) struct Telling<'a> {
    said: &'a mut (dyn FnMut(&Step) + Send),
    goes_well: bool,
}

impl Telling<'_> {
    /// Does one step, unless one before it failed.
    pub(super) async fn step(&mut self, words: &str, work: impl Future<Output = Outcome>) {
        if !self.goes_well {
            return;
        }
        let began = Instant::now();
        let outcome = work.await;
        let took = began.elapsed();
        self.goes_well = outcome.is_ok();
        let words = match outcome {
            Ok(None) => words.to_owned(),
            Ok(Some(more)) => format!("{words}: {more}"),
            Err(error) => format!("{words}: {error}"),
        };
        (self.said)(&Step {
            words,
            took,
            is_done: self.goes_well,
        });
    }
}

/// Drives through the main job and a case of support; `said` hears of each step. True: every step
/// went as it should.
pub async fn drive(app: &App, world: &World, said: &mut (dyn FnMut(&Step) + Send)) -> bool {
    let run = Run {
        app,
        world,
        ruth: Browser::new(&app.config),
        ivy: Browser::new(&app.config),
    };
    let mut telling = Telling {
        said,
        goes_well: true,
    };
    main_job(&run, &mut telling).await;
    support::tell(&run, &mut telling).await;
    telling.goes_well
}

async fn main_job(run: &Run<'_>, telling: &mut Telling<'_>) {
    let words = "Ruth signs in to Juniper's patient portal";
    telling.step(words, run.sign_in()).await;
    let words = "opens the clinician portal, not asked again";
    telling.step(words, run.open(Kind::Clinician)).await;
    let words = "opens the clinic console, not asked again";
    telling.step(words, run.open(Kind::Console)).await;
    telling
        .step("an API trusts her token", run.call_api())
        .await;
    let words = "the same token at Harbor is refused";
    telling.step(words, run.cross_clinics()).await;
    let words = "Ivy signs in at Willow, where nobody has time";
    telling.step(words, run.sign_in_ivy()).await;
    let words = "does nothing while her page polls, and is signed out";
    telling.step(words, run.wait_idle()).await;
    let words = "Ruth signs out of the console";
    telling.step(words, run.sign_out()).await;
    let words = "and is signed out of the other two";
    telling.step(words, run.find_all_closed()).await;
}

/// The means of the run, and the browsers that are open through all of the main job.
pub(super) struct Run<'a> {
    pub(super) app: &'a App,
    pub(super) world: &'a World,
    ruth: Browser,
    ivy: Browser,
}

impl Run<'_> {
    fn at(&self, kind: Kind, slug: &str, path: &str) -> String {
        let mut all = sites::addresses(&self.app.config, Some(slug));
        let origin = all
            .find(|(other, _)| *other == kind)
            .map(|(_, origin)| origin);
        format!("{}{path}", origin.unwrap_or_default())
    }

    pub(super) async fn sign_in_at(&self, browser: &Browser, slug: &str, login: &str) -> Outcome {
        let front = browser.visit(&self.at(Kind::Patient, slug, "/")).await?;
        front.says("Welcome to your patient portal")?;
        let first = browser
            .visit(&self.at(Kind::Patient, slug, paths::APP_SIGN_IN))
            .await?;
        let home = self.type_in(browser, first, login).await?;
        shown(&home.says("Your visits")?)
    }

    /// Types address, password and code where they are asked for.
    pub(super) async fn type_in(
        &self,
        browser: &Browser,
        first: Seen,
        login: &str,
    ) -> Result<Seen, DemoError> {
        let first = first.says("Sign in to continue")?;
        let second = browser
            .submit(&first, "identifier-form", &[("login", login)])
            .await?;
        let second = second.says("Enter your password")?;
        let typed = [("password", self.world.password(login))];
        let home = browser.submit(&second, "password-form", &typed).await?;
        self.prove_factor(browser, home, login).await
    }

    /// Types the code of her device, if the page asks for it. Each is good once, and another run
    /// may have used this one: then the next, which is good a step early.
    async fn prove_factor(
        &self,
        browser: &Browser,
        mut page: Seen,
        login: &str,
    ) -> Result<Seen, DemoError> {
        let Some(secret) = self.world.code_secret(login) else {
            return Ok(page);
        };
        let now = self.app.env.now();
        for at in [now, step_ends_at(now)] {
            if page.sentence() != "Enter your code" {
                break;
            }
            let code = secret.code_at(at);
            page = browser
                .submit(&page, "code-form", &[("code", &code)])
                .await?;
        }
        Ok(page)
    }

    async fn sign_in(&self) -> Outcome {
        self.sign_in_at(&self.ruth, "juniper", RUTH).await
    }

    async fn open(&self, kind: Kind) -> Outcome {
        let home = self.ruth.visit(&self.at(kind, "juniper", "/")).await?;
        let sentence = match kind {
            Kind::Patient => "Your visits",
            Kind::Clinician => "Your patients' visits",
            Kind::Console => "Your clinic at a glance",
            Kind::Platform => "The platform at a glance",
        };
        shown(&home.says(sentence)?)
    }

    /// A token for the API, in the name of the patient portal and in somebody's browser, without a
    /// page: what the portal itself does, but seen from outside.
    async fn token(&self, browser: &Browser) -> Result<String, DemoError> {
        let app = self.app;
        let secret = registration::secret(app, Kind::Patient).await?;
        let own = (Kind::Patient.client_id(), Kind::Patient.scopes());
        let oidc = Oidc::new(app.issuer(), own, secret, Caller::new(), app.env.clone());
        let asked = Asked {
            redirect_uri: self.at(Kind::Patient, "juniper", crate::apps::routes::CALLBACK),
            state: "the-demos-own-run",
            organization: Some("juniper"),
            is_silent: true,
            step_up: None,
            sends: None,
            login_hint: None,
            renews: None,
        };
        let failed = |error: OidcError| DemoError::Step(error.to_string());
        let outset = oidc.begin(asked).await.map_err(failed)?;
        let mut seen = browser.look(outset.address.as_str()).await?;
        let code = loop {
            let Some(onward) = seen.onward.take() else {
                return Err(DemoError::Step("the issuer showed a page".to_owned()));
            };
            let code = onward.query_pairs().find(|(name, _)| name == "code");
            match code.map(|(_, code)| code.into_owned()) {
                Some(code) => break code,
                None => seen = browser.look(onward.as_str()).await?,
            }
        };
        let granted = oidc.redeem(&code, outset.pending).await.map_err(failed)?;
        Ok(granted.access_token.expose_secret().to_owned())
    }

    /// Reads something by the API: status and answer.
    pub(super) async fn ask_api(
        &self,
        browser: &Browser,
        path: &str,
    ) -> Result<(u16, serde_json::Value), DemoError> {
        let token = self.token(browser).await?;
        let address = format!("{}/api/v1/{path}", self.app.issuer());
        let address = address.parse().map_err(|_| DemoError::Step(address))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let bearer = bearer.map_err(|_| DemoError::Step("no token".to_owned()))?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        let asked = Caller::new().get(address, headers).await;
        let (status, _, body) = asked.map_err(|e| DemoError::Step(e.to_string()))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn call_api(&self) -> Outcome {
        match self.ask_api(&self.ruth, "visits?as=clinician").await? {
            (200, body) => {
                let count = body["visits"].as_array().map_or(0, Vec::len);
                Ok(Some(format!("200, {count} visits")))
            }
            (status, _) => Err(DemoError::Step(format!("the API answers {status}"))),
        }
    }

    async fn cross_clinics(&self) -> Outcome {
        match self.ask_api(&self.ruth, "clinics/harbor/visits").await? {
            (401, _) => Ok(Some("401".to_owned())),
            (status, _) => Err(DemoError::Step(format!("the API answers {status}"))),
        }
    }

    async fn sign_in_ivy(&self) -> Outcome {
        self.sign_in_at(&self.ivy, "willow", IVY).await
    }

    /// In real time. The page goes on asking how long it may stay: that is no activity.
    async fn wait_idle(&self) -> Outcome {
        let limit = Duration::from_secs(WILLOW_IDLE_SECONDS.unsigned_abs());
        let last = Instant::now() + limit + PATIENCE;
        let reason = loop {
            let polled = self
                .ivy
                .look(&self.at(Kind::Patient, "willow", paths::SESSION))
                .await?;
            let told: serde_json::Value = serde_json::from_str(&polled.body).unwrap_or_default();
            if told["signed_in"] == false {
                break told["reason"].as_str().unwrap_or_default().to_owned();
            }
            if Instant::now() >= last {
                return Err(DemoError::Step("she is still signed in".to_owned()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        // Where the page's script goes then.
        let path = format!("{}?reason={reason}", paths::SIGNED_OUT);
        let page = self
            .ivy
            .visit(&self.at(Kind::Patient, "willow", &path))
            .await?;
        page.says("You were signed out because you were away")?;
        let front = self
            .ivy
            .visit(&self.at(Kind::Patient, "willow", "/"))
            .await?;
        front.says("Welcome to your patient portal")?;
        Ok(None)
    }

    async fn sign_out(&self) -> Outcome {
        let home = self
            .ruth
            .visit(&self.at(Kind::Console, "juniper", "/"))
            .await?;
        let home = home.says("Your clinic at a glance")?;
        let gone = self.ruth.submit(&home, "sign-out", &[]).await?;
        shown(&gone.says("You are signed out")?)
    }

    async fn find_all_closed(&self) -> Outcome {
        for kind in [Kind::Patient, Kind::Clinician] {
            let page = self.ruth.visit(&self.at(kind, "juniper", "/")).await?;
            page.says("Your session was ended elsewhere")?;
        }
        Ok(None)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of a step")]
fn shown(page: &Seen) -> Outcome {
    let rows = page.rows();
    Ok((rows > 0).then(|| format!("{}, {rows} rows", page.sentence())))
}
