//! Emergency access (45 CFR 164.312(a)(2)(ii)): opened, read under, closed, reviewed, and who is
//! told of it.

mod alert;
mod closed;
mod opening;
mod reading;
mod reviewing;

use http::Method;
use lanyard::ids::{SubjectId, VisitId};
use lanyard::signing::{self, Alg, TokenType};
use lanyard::visits::{Visit, VisitKind, VisitState, service};
use serde_json::{Value, json};

use crate::lab::world::{Clinic, Event, Person};
use crate::lab::{Answer, Lab};

const MFA: &str = "urn:lanyard:acr:mfa";
const OPEN: &str = "/api/v1/emergency-accesses";
/// Through which app they work.
const APP: &str = "clinician-app";
/// What a clinician types.
const WHY: &str = "Found in the waiting room, not breathing";

/// Somebody at the clinic.
#[derive(Clone, Debug)]
struct Member {
    person: Person,
    subject: SubjectId,
    roles: &'static [&'static str],
}

/// A clinic: two doctors, a patient of each, and who reviews.
struct Ward {
    lab: Lab,
    clinic: Clinic,
    doctor: Member,
    lead: Member,
    admin: Member,
    /// His own patient, and her visit with him.
    own: (SubjectId, VisitId),
    /// Another doctor's.
    other: (SubjectId, VisitId),
}

impl Ward {
    async fn new() -> Self {
        Self::on(Lab::new().await).await
    }

    /// By the machine's clock, as the database's own: for what is read under an access.
    async fn in_real_time() -> Self {
        Self::on(Lab::in_real_time(|_| ()).await).await
    }

    async fn on(lab: Lab) -> Self {
        let clinic = lab.clinic("Juniper Clinic").await;
        plant_app(&lab, &clinic).await;
        let doctor = member(&lab, &clinic, "Doctor Vale", &["clinician"]).await;
        let colleague = member(&lab, &clinic, "Doctor Reed", &["clinician"]).await;
        let lead = member(&lab, &clinic, "Lena Ward", &["compliance_lead"]).await;
        let admin = member(&lab, &clinic, "Ruth Bell", &["clinic_admin"]).await;
        let own = patient(&lab, &clinic, "Ada Quill", doctor.subject).await;
        let other = patient(&lab, &clinic, "Ben Stone", colleague.subject).await;
        Self {
            lab,
            clinic,
            doctor,
            lead,
            admin,
            own,
            other,
        }
    }

    /// A token as the issuer gives one to a person who has just proved a second factor.
    fn token(&self, of: &Member) -> String {
        self.token_with(of, &json!({}))
    }

    /// The same, with `more` claims in place of or beside the usual ones.
    fn token_with(&self, of: &Member, more: &Value) -> String {
        let now = self.lab.now().unix_timestamp();
        let audience = lanyard::api::audience(&self.lab.app);
        let random = || self.lab.app.env.random_uuid().to_string();
        let mut claims = json!({
            "iss": self.lab.issuer(), "aud": audience, "sub": of.subject, "tid": self.clinic.id,
            "iat": now, "exp": now + 300, "jti": random(), "sid": of.subject,
            "client_id": APP, "scope": "openid visits:read", "roles": of.roles,
            "auth_time": now, "acr": MFA, "amr": ["pwd", "otp", "mfa"],
        });
        let claimed = claims.as_object_mut().unwrap();
        claimed.extend(more.as_object().unwrap().clone());
        let ring = self.lab.app.ring();
        signing::sign(ring.current(Alg::Es256), TokenType::AccessToken, &claims)
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    async fn call(&self, how: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let machine = self.lab.browser_in(9);
        let request = machine.request(how, path).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        machine.send(path, request).await
    }

    /// Twenty calls at a time, of each of these in turn: statuses and bodies.
    async fn twenty(&self, path: &str, tokens: &[String], body: &Value) -> Vec<(u16, Value)> {
        let mut calls = tokio::task::JoinSet::new();
        for token in tokens.iter().cycle().take(20) {
            let machine = self.lab.browser_in(9);
            let request = machine.request(Method::POST, path).bearer_auth(token);
            let request = request.json(body);
            calls.spawn(async {
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.json().await.unwrap())
            });
        }
        calls.join_all().await
    }

    /// The doctor opens the other's record.
    async fn open(&self) -> Value {
        let token = self.token(&self.doctor);
        let opened = self.post(OPEN, &token, &wanted(self.other.0)).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        opened.json()
    }

    /// What he sees of somebody under the purpose `emergency`.
    async fn read(&self, patient: SubjectId) -> Answer {
        let path = format!("/api/v1/visits?as=emergency&patient={patient}");
        self.get(&path, &self.token(&self.doctor)).await
    }

    async fn close(&self, access: &Value) -> Answer {
        let path = format!("{OPEN}/{}/close", access["id"].as_str().unwrap());
        self.post(&path, &self.token(&self.doctor), &json!({}))
            .await
    }

    async fn review(&self, access: &Value, by: &Member, review: &Value) -> Answer {
        let path = format!("{OPEN}/{}/review", access["id"].as_str().unwrap());
        self.post(&path, &self.token(by), review).await
    }

    /// What the log holds of emergencies, oldest first.
    async fn events(&self) -> Vec<Event> {
        let mut events = self.lab.events_in(self.clinic.id).await;
        events.retain(|event| event.kind.starts_with("emergency_access."));
        events
    }

    /// How many rows there are at the clinic.
    async fn count(&self) -> i64 {
        sqlx::query_scalar("select count(*) from visits.emergency_access where tenant_id = $1")
            .bind(self.clinic.id)
            .fetch_one(&mut self.lab.database.superuser().await)
            .await
            .unwrap()
    }

    /// Letters that wait for somebody about emergencies.
    async fn letters(&self, to: &Member) -> Vec<Value> {
        sqlx::query_scalar(
            "select parameters from outbox.message
             where account_id = $1 and kind = 'emergency_opened'",
        )
        .bind(to.person.account)
        .fetch_all(&mut self.lab.database.superuser().await)
        .await
        .unwrap()
    }
}

fn wanted(patient: SubjectId) -> Value {
    json!({ "patient": patient, "reason": "life_threatening", "why": WHY })
}

async fn plant_app(lab: &Lab, clinic: &Clinic) {
    sqlx::query(
        "insert into identity.client (tenant_id, client_id, client_locator, name, kind, profile,
           auth_method, id_token_alg, scopes, status, created_at)
         values ($1, $2, gen_random_uuid(), 'Clinician app', 'web', 'strict',
           'client_secret_basic', 'ES256', '{visits:read}', 'active', $3)",
    )
    .bind(clinic.id)
    .bind(APP)
    .bind(lab.now())
    .execute(&mut lab.database.superuser().await)
    .await
    .unwrap();
}

/// With a session of that `sid`, in which the member works on for hours.
async fn member(lab: &Lab, clinic: &Clinic, name: &str, roles: &'static [&'static str]) -> Member {
    let person = lab.person(name).await;
    let subject = lab.join_bare(&person, clinic.id, roles).await;
    let (whom, later) = ((clinic.id, subject), lab.now() + time::Duration::hours(2));
    lab.plant_session(person.account, whom, subject.as_uuid(), later)
        .await;
    Member {
        person,
        subject,
        roles,
    }
}

/// A patient with one visit with a practitioner.
async fn patient(lab: &Lab, clinic: &Clinic, name: &str, of: SubjectId) -> (SubjectId, VisitId) {
    let subject = member(lab, clinic, name, &["patient"]).await.subject;
    let visit = Visit {
        id: VisitId::from_uuid(lab.app.env.random_uuid()),
        patient: subject,
        practitioner: of,
        starts_at: lab.now(),
        kind: VisitKind::Video,
        state: VisitState::Scheduled,
        reason: Some("A cough that stays".to_owned()),
    };
    let planted = std::slice::from_ref(&visit);
    service::plant(&lab.app, clinic.id, planted).await.unwrap();
    (subject, visit.id)
}

/// A refusal in the form of RFC 9457.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let said = answer.json();
    let seen = (answer.status.as_u16(), said["code"].as_str());
    assert_eq!(seen, (status, Some(code)), "{said}");
}
