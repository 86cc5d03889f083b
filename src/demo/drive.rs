//! The self-driving run: the main job, over real HTTP, step by step.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;

use super::DemoError;
use super::browser::{Browser, Seen};
use super::state::World;
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

/// Drives through the main job; `said` hears of each step. True: every step went as it should.
pub async fn drive(app: &App, world: &World, said: &mut (dyn FnMut(&Step) + Send)) -> bool {
    let run = Run {
        app,
        world,
        ruth: Browser::new(&app.config),
        ivy: Browser::new(&app.config),
    };
    let mut goes_well = true;
    macro_rules! step {
        ($words:expr, $work:expr) => {
            if goes_well {
                let began = Instant::now();
                let outcome = $work.await;
                let took = began.elapsed();
                goes_well = outcome.is_ok();
                let words = match outcome {
                    Ok(None) => $words.to_owned(),
                    Ok(Some(more)) => format!("{}: {more}", $words),
                    Err(error) => format!("{}: {error}", $words),
                };
                said(&Step {
                    words,
                    took,
                    is_done: goes_well,
                });
            }
        };
    }
    step!("Ruth signs in to Juniper's patient portal", run.sign_in());
    step!(
        "opens the clinician portal, not asked again",
        run.open(Kind::Clinician)
    );
    step!(
        "opens the clinic console, not asked again",
        run.open(Kind::Console)
    );
    step!("an API trusts her token", run.call_api());
    step!("the same token at Harbor is refused", run.cross_clinics());
    step!(
        "Ivy signs in at Willow, where nobody has time",
        run.sign_in_ivy()
    );
    step!(
        "does nothing while her page polls, and is signed out",
        run.wait_idle()
    );
    step!("Ruth signs out of the console", run.sign_out());
    step!("and is signed out of the other two", run.find_all_closed());
    goes_well
}

type Outcome = Result<Option<String>, DemoError>;

struct Run<'a> {
    app: &'a App,
    world: &'a World,
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

    async fn sign_in_at(&self, browser: &Browser, slug: &str, login: &str) -> Outcome {
        let front = browser.visit(&self.at(Kind::Patient, slug, "/")).await?;
        front.says("Welcome to your patient portal")?;
        let first = browser
            .visit(&self.at(Kind::Patient, slug, paths::APP_SIGN_IN))
            .await?;
        let first = first.says("Sign in to continue")?;
        let second = browser
            .submit(&first, "identifier-form", &[("login", login)])
            .await?;
        let second = second.says("Enter your password")?;
        let typed = [("password", self.world.password(login))];
        let home = browser.submit(&second, "password-form", &typed).await?;
        let home = self.prove_factor(browser, home, login).await?;
        shown(&home.says("Your visits")?)
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
        };
        shown(&home.says(sentence)?)
    }

    /// A token for the API, in the name of the patient portal and in Ruth's browser, without a
    /// page: what the portal itself does, but seen from outside.
    async fn token(&self) -> Result<String, DemoError> {
        let app = self.app;
        let secret = registration::secret(app, Kind::Patient).await?;
        let id = Kind::Patient.client_id();
        let oidc = Oidc::new(app.issuer(), id, secret, Caller::new(), app.env.clone());
        let asked = Asked {
            redirect_uri: self.at(Kind::Patient, "juniper", crate::apps::routes::CALLBACK),
            state: "the-demos-own-run",
            organization: Some("juniper"),
            is_silent: true,
            step_up: None,
        };
        let failed = |error: OidcError| DemoError::Step(error.to_string());
        let outset = oidc.begin(asked).await.map_err(failed)?;
        let mut seen = self.ruth.look(outset.address.as_str()).await?;
        let code = loop {
            let Some(onward) = seen.onward.take() else {
                return Err(DemoError::Step("the issuer showed a page".to_owned()));
            };
            let code = onward.query_pairs().find(|(name, _)| name == "code");
            match code.map(|(_, code)| code.into_owned()) {
                Some(code) => break code,
                None => seen = self.ruth.look(onward.as_str()).await?,
            }
        };
        let granted = oidc.redeem(&code, outset.pending).await.map_err(failed)?;
        Ok(granted.access_token.expose_secret().to_owned())
    }

    async fn ask_api(&self, path: &str) -> Result<(u16, serde_json::Value), DemoError> {
        let token = self.token().await?;
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
        match self.ask_api("visits?as=clinician").await? {
            (200, body) => {
                let count = body["visits"].as_array().map_or(0, Vec::len);
                Ok(Some(format!("200, {count} visits")))
            }
            (status, _) => Err(DemoError::Step(format!("the API answers {status}"))),
        }
    }

    async fn cross_clinics(&self) -> Outcome {
        match self.ask_api("clinics/harbor/visits").await? {
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
