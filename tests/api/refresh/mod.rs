//! `grant_type=refresh_token` on a real server, a real database and real HTTP: design §5, RFC 6749
//! §6, RFC 9700 §4.14.

mod clocks;
mod crashes;
mod lost_answers;
mod places;
mod redeeming;
mod replay;
mod retention;
mod rotation;
mod signing;
mod standing;
mod strangers;
pub(crate) mod together;

use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lanyard::cli::Operator;
use lanyard::config::Config;
use lanyard::ids::{ClientId, FamilyId, SubjectId};
use lanyard::oidc::client::service::RegisterOutcome;
use lanyard::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
};
use lanyard::oidc::family::refresh_token::PresentedRefreshToken;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::lab::world::{Clinic, Event, Person};
use crate::lab::{Answer, Browser, Lab};

const REDIRECT: &str = "https://app.example/callback";
const AUDIENCE: &str = "https://api.example";
const GRANTED: [&str; 2] = ["openid", "visits:read"];

/// One patient of one clinic, and the server that knows her.
struct World {
    lab: Lab,
    clinic: Clinic,
    person: Person,
    subject: SubjectId,
}

/// A registered client.
#[derive(Clone, Debug)]
struct Party {
    id: String,
    secret: Option<String>,
}

/// What a sign-in gave.
#[derive(Debug)]
struct SignedIn {
    session: Uuid,
    tokens: Tokens,
}

impl Deref for SignedIn {
    type Target = Tokens;

    fn deref(&self) -> &Tokens {
        &self.tokens
    }
}

/// A token response.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tokens {
    /// Empty where the presented one goes on.
    refresh: String,
    claims: Value,
    body: Value,
}

impl Tokens {
    fn family(&self) -> FamilyId {
        self.parsed().family()
    }

    fn generation(&self) -> u32 {
        self.parsed().generation().0
    }

    fn parsed(&self) -> PresentedRefreshToken {
        PresentedRefreshToken::parse(&self.refresh).expect("our format")
    }

    /// When the access token ends, unix seconds.
    fn access_ends(&self) -> i64 {
        self.claims["exp"].as_i64().unwrap()
    }

    fn number(&self, field: &str) -> i64 {
        self.body[field].as_i64().unwrap()
    }
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Lab::with(change).await).await
    }

    async fn of(lab: Lab) -> Self {
        let clinic = lab.clinic("Juniper Clinic").await;
        let person = lab.person("Ada Quill").await;
        let subject = lab.join(&person, clinic.id, &["patient"]).await;
        Self {
            lab,
            clinic,
            person,
            subject,
        }
    }

    async fn public(&self) -> Party {
        self.register(ClientKind::Spa, AuthMethod::None).await
    }

    async fn confidential(&self) -> Party {
        self.register(ClientKind::Web, AuthMethod::ClientSecretBasic)
            .await
    }

    async fn fapi2(&self) -> Party {
        let party = self.confidential().await;
        self.tell(&format!(
            "update identity.client set profile = 'fapi2' where client_id = '{}'",
            party.id
        ))
        .await;
        party
    }

    async fn register(&self, kind: ClientKind, auth_method: AuthMethod) -> Party {
        let number = self.lab.app.env.random_uuid().simple().to_string();
        let id = format!("app-{}", &number[..12]);
        let new = NewClient {
            tenant: self.clinic.id,
            id: ClientId::parse(&id).unwrap(),
            name: ClientName::parse("An app").unwrap(),
            kind,
            profile: Profile::Strict,
            auth_method,
            id_token_alg: IdTokenAlg::Es256,
            redirect_uris: vec![RedirectUri::parse(REDIRECT).unwrap()],
            post_logout_redirect_uris: vec![],
            initiate_login_uri: None,
            origins: vec![],
            scopes: vec!["visits:read".to_owned(), "profile:read".to_owned()],
            audiences: vec![AUDIENCE.to_owned()],
            app: None,
            is_first_party: true,
        };
        let app = &self.lab.app;
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        match operator.register_client(&new).await.unwrap() {
            RegisterOutcome::Registered(secret) => Party {
                id,
                secret: secret.map(|shown| shown.secret().expose_secret().to_owned()),
            },
            other => panic!("{other:?}"),
        }
    }

    /// A session of hers, now, open for the clinic.
    async fn session(&self) -> Uuid {
        let (member, sid) = (
            (self.clinic.id, self.subject),
            self.lab.app.env.random_uuid(),
        );
        let account = self.person.account;
        let now = self.lab.now();
        self.lab.plant_session(account, member, sid, now).await
    }

    /// A code for `to` in a session, as the authorization endpoint would have stored it.
    async fn code(&self, to: &Party, session: Uuid) -> String {
        let app = &self.lab.app;
        let (id, secret) = (app.env.random_uuid(), app.env.random_bytes::<32>());
        let tenant = self.clinic.id.as_uuid();
        let expires_at = self.lab.now() + Duration::MINUTE;
        let bound: [&[u8]; 9] = [
            tenant.as_bytes(),
            id.as_bytes(),
            &self.person.account.as_uuid().into_bytes(),
            &self.subject.as_uuid().into_bytes(),
            session.as_bytes(),
            to.id.as_bytes(),
            REDIRECT.as_bytes(),
            b"",
            &(expires_at.unix_timestamp_nanos() / 1000).to_be_bytes(),
        ];
        let digest = app.keys.digest("authorization_code", &secret, &bound);
        sqlx::query(
            "insert into identity.authorization_code
               (tenant_id, code_id, code_digest, client_id, session_id, subject_id, account_id,
                redirect_uri, scopes, audience, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(tenant)
        .bind(id)
        .bind(digest.as_bytes())
        .bind(&to.id)
        .bind(session)
        .bind(self.subject)
        .bind(self.person.account)
        .bind(REDIRECT)
        .bind(GRANTED.map(str::to_owned))
        .bind(AUDIENCE)
        .bind(self.lab.now())
        .bind(expires_at)
        .execute(&mut self.lab.database.superuser().await)
        .await
        .unwrap();
        let bytes = [&tenant.into_bytes()[..], id.as_bytes(), &secret].concat();
        format!("lac_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Signs in to `to`: a session, a code, and what that buys.
    async fn sign_in(&self, to: &Party) -> SignedIn {
        let session = self.session().await;
        let code = self.code(to, session).await;
        let tokens = redeem(&self.lab.browser(), to, &code).await.tokens();
        SignedIn { session, tokens }
    }

    /// Refreshes from the first network.
    async fn refresh(&self, by: &Party, refresh_token: &str) -> Answer {
        refresh(&self.lab.browser(), by, refresh_token).await
    }

    fn advance(&self, by: Duration) {
        self.lab.clock.advance(by);
    }

    /// Runs statements as the superuser: what an administrator's change or an injection would do.
    async fn tell(&self, statements: &str) {
        crate::lab::cluster::tell(&mut self.lab.database.superuser().await, statements).await;
    }

    /// One number, as the superuser sees it.
    async fn count(&self, query: String) -> i64 {
        let mut boss = self.lab.database.superuser().await;
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut boss)
            .await
            .unwrap()
    }

    /// The family's newest generation.
    async fn current(&self, family: FamilyId) -> i64 {
        let query = "select current_generation from identity.token_family where family_id";
        self.count(format!("{query} = '{family}'")).await
    }

    /// How many tokens of the family were ever issued.
    async fn issued(&self, family: FamilyId) -> i64 {
        let query = "select count(*) from identity.refresh_token where family_id";
        self.count(format!("{query} = '{family}'")).await
    }

    /// The whole row of a family, to see that nothing changed.
    async fn row(&self, family: FamilyId) -> String {
        let mut boss = self.lab.database.superuser().await;
        sqlx::query_scalar("select f::text from identity.token_family f where family_id = $1")
            .bind(family)
            .fetch_one(&mut boss)
            .await
            .unwrap()
    }

    /// Why the family is over, if it is.
    async fn end_reason(&self, family: FamilyId) -> Option<String> {
        let mut boss = self.lab.database.superuser().await;
        sqlx::query_scalar("select end_reason from identity.token_family where family_id = $1")
            .bind(family)
            .fetch_one(&mut boss)
            .await
            .unwrap()
    }

    /// The clinic's events about refreshing, oldest first.
    async fn refresh_events(&self) -> Vec<Event> {
        let mut events = self.lab.events_in(self.clinic.id).await;
        events.retain(|event| event.kind.starts_with("refresh."));
        events
    }

    /// The last of them: its kind and one word of its detail.
    async fn last_event(&self, word: &str) -> (String, String) {
        let events = self.refresh_events().await;
        let last = events.last().expect("an event");
        assert_eq!(
            last.account_id,
            Some(self.person.account),
            "from the sealed context"
        );
        (
            last.kind.clone(),
            last.detail[word].as_str().unwrap_or_default().to_owned(),
        )
    }
}

/// `POST /token` as the client, from wherever the browser stands.
async fn token(at: &Browser, by: &Party, fields: &[(&str, &str)]) -> Answer {
    let mut request = at.request(Method::POST, "/token");
    let mut fields = fields.to_vec();
    match &by.secret {
        None => fields.push(("client_id", &by.id)),
        Some(secret) => {
            let basic = STANDARD.encode(format!("{}:{secret}", by.id));
            request = request.header(AUTHORIZATION, format!("Basic {basic}"));
        }
    }
    at.send("/token", request.form(&fields)).await
}

async fn redeem(at: &Browser, by: &Party, code: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
    ];
    token(at, by, &fields).await
}

async fn refresh(at: &Browser, by: &Party, refresh_token: &str) -> Answer {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    token(at, by, &fields).await
}

/// What an answer of the token endpoint should be.
trait TokenAnswer {
    /// 200, and what it gave.
    fn tokens(&self) -> Tokens;
    /// 400 with this word, and nothing that tells why.
    fn refused(&self, word: &str);
}

impl TokenAnswer for Answer {
    #[track_caller]
    fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
        let body = self.json();
        let access = body["access_token"].as_str().unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(access.split('.').nth(1).unwrap())
            .unwrap();
        Tokens {
            refresh: body["refresh_token"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            claims: serde_json::from_slice(&claims).unwrap(),
            body,
        }
    }

    #[track_caller]
    fn refused(&self, word: &str) {
        assert_eq!(self.status, 400, "{}", self.body);
        let body = self.json();
        assert_eq!(body["error"], word, "{body}");
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["error", "error_description"], "nothing else is told");
    }
}

/// An instant as unix seconds, for claims.
fn seconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp()
}
