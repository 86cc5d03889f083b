//! Support acts as somebody (design §7): the issuer's side, over real HTTP.

mod apps;
mod ends;
mod exchange;
mod grants;
mod handover;
mod held;
mod oversight;
mod page;
mod way_in;

use lanyard::cli::Operator;
use lanyard::ids::{SubjectId, TenantId};
use lanyard::impersonation::Rule;
use serde_json::{Value, json};

use super::{Client, World, code_of};
use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

/// RFC 8693 §2.1, and the type of ours.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const IMPERSONATION_GRANT: &str = "urn:lanyard:token-type:impersonation-grant";
/// What the support's own app is registered with.
const SCOPES: &str =
    "openid impersonation:read impersonation:write profile:read tenancy:read visits:read";

/// A clinic with a patient and an administrator, and support that wants to act as her.
struct Help {
    world: World,
    console: Client,
    sam: Person,
    sams: SubjectId,
    tina: Person,
}

/// Somebody signed in to the support's app.
struct Seat {
    browser: Browser,
    token: String,
}

impl Help {
    async fn new(rule: Rule) -> Self {
        // What runs out is looked for in all clinics: by each lab's own clock.
        Self::on(Lab::apart(|_| ()).await, rule).await
    }

    async fn on(lab: Lab, rule: Rule) -> Self {
        let world = World::on(lab, &["patient"]).await;
        let platform = world.lab.platform().await;
        let sam = world.lab.person("Sam Porter").await;
        let sams = world.lab.join(&sam, platform, &["platform_support"]).await;
        let tina = world.lab.person("Tina Vale").await;
        world
            .lab
            .join(&tina, world.clinic.id, &["clinic_admin"])
            .await;
        let scopes = SCOPES.split(' ').map(str::to_owned);
        let console = world
            .register(platform, |client| client.scopes = scopes.collect())
            .await;
        let help = Self {
            world,
            console,
            sam,
            sams,
            tina,
        };
        help.set_rule(rule).await;
        help
    }

    async fn set_rule(&self, rule: Rule) {
        let app = &self.world.lab.app;
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        let tenant = self.world.clinic.id;
        operator.set_impersonation_rule(tenant, rule).await.unwrap();
    }

    /// Signs somebody in to the support's app; who works somewhere proves a second factor.
    async fn seat(&self, who: &Person) -> Seat {
        self.seat_with(&self.console, who).await
    }

    async fn seat_with(&self, client: &Client, who: &Person) -> Seat {
        let browser = self.world.lab.browser();
        let request = self.world.request(client, &[("scope", SCOPES)]);
        let page = browser.visit(&request).await;
        let answer = browser
            .sign_in_at(page, &who.login, crate::lab::world::PASSWORD)
            .await;
        let seen = self.world.lab.prove_factor(&browser, answer).await;
        let back = seen.location().expect("back to the app");
        let tokens = self.world.redeem(client, &code_of(&back)).await.json();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        Seat { browser, token }
    }

    async fn post(&self, seat: &Seat, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/api/v1/impersonations{path}");
        let machine = self.world.lab.browser_in(9);
        let request = machine
            .request(http::Method::POST, &path)
            .bearer_auth(&seat.token);
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        machine.send(&path, request).await
    }

    async fn list(&self, seat: &Seat) -> Vec<Value> {
        let listed = self.world.call("/api/v1/impersonations", &seat.token).await;
        assert_eq!(listed.status, 200, "{}", listed.body);
        listed.json()["impersonations"].as_array().unwrap().clone()
    }

    /// A request as it should be, to act as `subject` of `tenant`.
    fn wish(tenant: TenantId, subject: SubjectId) -> Value {
        json!({
            "clinic": tenant, "subject": subject, "reason": "She can't see her next visit",
            "ticket": "HELP-4711", "preset": "read-only", "minutes": 15,
        })
    }

    /// Support asks to act as the patient.
    async fn ask(&self, seat: &Seat) -> Answer {
        let wish = Self::wish(self.world.clinic.id, self.world.subject);
        self.post(seat, "", Some(&wish)).await
    }

    /// Support asks, and is given a grant that may start: its id.
    async fn granted(&self, seat: &Seat) -> String {
        let asked = self.ask(seat).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        assert_eq!(asked.json()["state"], "approved", "{}", asked.body);
        asked.json()["id"].as_str().unwrap().to_owned()
    }

    /// The same, started.
    async fn started(&self, seat: &Seat) -> String {
        let id = self.granted(seat).await;
        let started = self.post(seat, &format!("/{id}/start"), None).await;
        assert_eq!(started.status, 200, "{}", started.body);
        assert_eq!(started.json()["state"], "active");
        id
    }

    /// The exchange, with `more` in place of or beside the usual parameters; an empty value leaves
    /// one out.
    async fn exchange(&self, seat: &Seat, id: &str, more: &[(&str, &str)]) -> Answer {
        self.exchange_by(&self.console, seat, id, more).await
    }

    async fn exchange_by(
        &self,
        client: &Client,
        seat: &Seat,
        id: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let usual = [
            ("grant_type", GRANT_TYPE),
            ("subject_token", id),
            ("subject_token_type", IMPERSONATION_GRANT),
            ("actor_token", seat.token.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        let kept = usual
            .iter()
            .filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
        let form: Vec<_> = kept
            .chain(more)
            .filter(|(_, value)| !value.is_empty())
            .copied()
            .collect();
        self.world.ask_token(client, &form).await
    }

    /// What the clinic's log says, with its actor and subject.
    async fn told(&self, kind: &str) -> Vec<Told> {
        sqlx::query_as(
            "select subject_id, actor_id, detail from audit.event
             where tenant_id = $1 and type = $2 order by recorded_at",
        )
        .bind(self.world.clinic.id)
        .bind(format!("impersonation.{kind}"))
        .fetch_all(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }

    /// `(state, end_reason, end_recorded_at is not null)` of a grant.
    async fn stored(&self, id: &str) -> (String, Option<String>, bool) {
        sqlx::query_as(
            "select state, end_reason, end_recorded_at is not null from identity.impersonation
             where impersonation_id = $1::text::uuid",
        )
        .bind(id)
        .fetch_one(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }

    /// Which letters the outbox holds for the patient.
    async fn letters(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select kind from outbox.message where account_id = $1 and kind like 'support%'
             order by created_at, kind",
        )
        .bind(self.world.person.account)
        .fetch_all(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }
}

/// An event about a grant.
#[derive(Debug, sqlx::FromRow)]
struct Told {
    subject_id: Option<SubjectId>,
    actor_id: Option<SubjectId>,
    detail: Value,
}

/// A problem of the API by its status and code.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let said = (answer.status.as_u16(), answer.json()["code"].clone());
    assert_eq!(said, (status, json!(code)), "{}", answer.body);
}
