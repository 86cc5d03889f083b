//! Proxies (45 CFR 164.502(g), 164.508): somebody acts for a patient under a delegation, over real
//! HTTP.

mod ends;
mod erased;
mod exchange;
mod grants;
mod held;
mod letters;
mod plans;

use http::Method;
use lanyard::ids::SubjectId;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Client, World, claims, code_of};
use crate::lab::world::{Event, PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab, some_id};

/// RFC 8693 §2.1, and the type of ours.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const DELEGATION: &str = "urn:lanyard:token-type:delegation";
/// What the apps of the family are registered with.
const SCOPES: &str = "openid delegation:read delegation:write profile:read visits:read";
const ALL: &str = "/api/v1/delegations";
const OWN: &str = "/api/v1/me/delegations";

/// A clinic with a patient (the world's person), somebody who is to act for her, and an
/// administrator.
struct Family {
    world: World,
    portal: Client,
    pat: Person,
    pats: SubjectId,
    tina: Person,
    tinas: SubjectId,
}

/// Somebody signed in to the app.
struct Seat {
    browser: Browser,
    token: String,
}

impl Family {
    async fn new() -> Self {
        Self::on(Lab::new().await).await
    }

    /// What runs out, and what is sequenced, is looked for in all clinics.
    async fn apart() -> Self {
        let lab = Lab::apart(|config| {
            let name = format!("lanyard-anchor-{}", some_id());
            config.audit.anchor = Some(std::env::temp_dir().join(name));
        });
        Self::on(lab.await).await
    }

    async fn on(lab: Lab) -> Self {
        let world = World::on(lab, &["patient"]).await;
        let pat = world.lab.person("Pat Quill").await;
        let pats = world.lab.join(&pat, world.clinic.id, &["patient"]).await;
        let tina = world.lab.person("Tina Vale").await;
        let roles = ["clinic_admin"];
        let tinas = world.lab.join(&tina, world.clinic.id, &roles).await;
        let platform = world.lab.platform().await;
        let scopes = SCOPES.split(' ').map(str::to_owned);
        let portal = world
            .register(platform, |client| client.scopes = scopes.collect())
            .await;
        Self {
            world,
            portal,
            pat,
            pats,
            tina,
            tinas,
        }
    }

    fn ada(&self) -> SubjectId {
        self.world.subject
    }

    fn at(&self, after: Duration) -> String {
        let format = &time::format_description::well_known::Rfc3339;
        (self.world.lab.now() + after).format(format).unwrap()
    }

    async fn seat(&self, who: &Person) -> Seat {
        self.seat_with(who, &[("scope", SCOPES)]).await
    }

    async fn seat_with(&self, who: &Person, more: &[(&str, &str)]) -> Seat {
        let browser = self.world.lab.browser();
        let page = browser.visit(&self.world.request(&self.portal, more)).await;
        let answer = browser.sign_in_at(page, &who.login, PASSWORD).await;
        let seen = self.world.lab.prove_factor(&browser, answer).await;
        let back = seen.location().expect("back to the app");
        let tokens = self.world.redeem(&self.portal, &code_of(&back)).await;
        let token = tokens.json()["access_token"].as_str().unwrap().to_owned();
        Seat { browser, token }
    }

    async fn post(&self, seat: &Seat, path: &str, body: &Value) -> Answer {
        let machine = self.world.lab.browser_in(9);
        let request = machine.request(Method::POST, path).bearer_auth(&seat.token);
        machine.send(path, request.json(body)).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.world.call(path, token).await
    }

    /// A parent of a child who is one for four more years.
    fn parent(&self) -> Value {
        let year = self.world.lab.now().year() + 4;
        json!({
            "patient": self.ada(), "proxy": self.pats, "basis": "parent",
            "document": "CUSTODY-1", "scope": ["visits.visit.read"],
            "ages_out_on": format!("{year}-05-01"),
        })
    }

    /// An agent whom the patient can dismiss.
    fn agent(&self) -> Value {
        json!({
            "patient": self.ada(), "proxy": self.pats, "basis": "power_of_attorney",
            "document": "POA-7", "scope": ["visits.visit.read", "audit.access.read"],
        })
    }

    /// The clinic writes one down: its id.
    async fn granted(&self, wish: &Value) -> String {
        let tina = self.seat(&self.tina).await;
        let granted = self.post(&tina, ALL, wish).await;
        assert_eq!(granted.status, 200, "{}", granted.body);
        granted.json()["id"].as_str().unwrap().to_owned()
    }

    /// The exchange, with `more` in place of or beside the usual parameters; an empty value leaves
    /// one out.
    async fn exchange(&self, seat: &Seat, id: &str, more: &[(&str, &str)]) -> Answer {
        self.exchange_by(&self.portal, seat, id, more).await
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
            ("subject_token_type", DELEGATION),
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

    /// A token of the proxy's for the patient.
    async fn acting(&self, seat: &Seat, id: &str) -> String {
        let answer = self.exchange(seat, id, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// What the clinic's log says of delegations: of that kind.
    async fn told(&self, kind: &str) -> Vec<Event> {
        let mut events = self.world.lab.events_in(self.world.clinic.id).await;
        events.retain(|event| event.kind == format!("delegation.{kind}"));
        events
    }

    /// Which letters about delegations the outbox holds for somebody, oldest first.
    async fn letters(&self, who: &Person) -> Vec<String> {
        sqlx::query_scalar(
            "select kind from outbox.message where account_id = $1 and kind like 'delegation%'
             order by created_at, kind desc",
        )
        .bind(who.account)
        .fetch_all(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }

    /// Why the tokens of a delegation were ended at the verifiers, oldest first.
    async fn ends_told(&self, id: &str) -> Vec<String> {
        sqlx::query_scalar(
            "select reason from revocation.event
             where tenant_id = $1 and kind = 'session' and sid = $2::text::uuid
             order by recorded_at",
        )
        .bind(self.world.clinic.id)
        .bind(id)
        .fetch_all(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }
}

/// A problem of the API by its status and code.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let said = (answer.status.as_u16(), answer.json()["code"].clone());
    assert_eq!(said, (status, json!(code)), "{}", answer.body);
}

fn unix(text: &Value) -> i64 {
    let format = &time::format_description::well_known::Rfc3339;
    let at = OffsetDateTime::parse(text.as_str().unwrap(), format);
    at.unwrap().unix_timestamp()
}
