//! The protocol's endpoints over real HTTP: a browser signs in on our pages, a client redeems.

mod activity;
mod api;
mod authorize;
mod canary;
mod closed;
mod code;
mod consent;
mod cors;
mod cuts;
mod decline;
mod delegation;
mod discovery;
mod factors;
mod impersonation;
mod introspection;
mod leaks;
mod log;
mod logout;
mod refresh;
mod reviews;
mod revocation;
mod sessions_end;
mod standing;
mod taken;
mod together;
mod trace;
mod userinfo;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard::cli::Operator;
use lanyard::ids::{ClientId, SubjectId, TenantId};
use lanyard::oidc::client::service::RegisterOutcome;
use lanyard::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri, WebOrigin,
};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use crate::lab::world::{Clinic, PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab};

const REDIRECT: &str = "https://app.example.test/cb";
const AFTER_LOGOUT: &str = "https://app.example.test/bye";
const ORIGIN: &str = "https://app.example.test";
pub(crate) const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0";

/// A clinic, one person of it, and a server.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) clinic: Clinic,
    pub(crate) person: Person,
    pub(crate) subject: SubjectId,
}

/// A registered client and what it keeps to itself.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

impl World {
    async fn new() -> Self {
        Self::with_roles(&["patient"]).await
    }

    async fn with_roles(roles: &[&str]) -> Self {
        Self::on(Lab::new().await, roles).await
    }

    pub(crate) async fn on(lab: Lab, roles: &[&str]) -> Self {
        let clinic = lab.clinic("Juniper Clinic").await;
        let person = lab.person("Ada Quill").await;
        let subject = lab.join(&person, clinic.id, roles).await;
        Self {
            lab,
            clinic,
            person,
            subject,
        }
    }

    /// A confidential client that all clinics share.
    pub(crate) async fn web(&self) -> Client {
        let platform = self.lab.platform().await;
        self.register(platform, |_| ()).await
    }

    /// A public one.
    async fn spa(&self) -> Client {
        let platform = self.lab.platform().await;
        self.register(platform, |client| {
            client.kind = ClientKind::Spa;
            client.auth_method = AuthMethod::None;
        })
        .await
    }

    pub(crate) async fn register(
        &self,
        tenant: TenantId,
        change: impl FnOnce(&mut NewClient),
    ) -> Client {
        let number = self.lab.app.env.random_uuid().simple().to_string();
        let id = format!("app-{}", &number[..12]);
        let scopes = ["profile:read", "visits:read", "tenancy:read"];
        let mut new = NewClient {
            tenant,
            id: ClientId::parse(&id).unwrap(),
            name: ClientName::parse("An app").unwrap(),
            kind: ClientKind::Web,
            profile: Profile::Strict,
            auth_method: AuthMethod::ClientSecretBasic,
            id_token_alg: IdTokenAlg::Rs256,
            redirect_uris: vec![RedirectUri::parse(REDIRECT).unwrap()],
            post_logout_redirect_uris: vec![RedirectUri::parse(AFTER_LOGOUT).unwrap()],
            initiate_login_uri: None,
            origins: vec![WebOrigin::parse(ORIGIN).unwrap()],
            scopes: scopes.map(str::to_owned).to_vec(),
            audiences: vec![lanyard::api::audience(&self.lab.app)],
            app: None,
            is_first_party: true,
        };
        change(&mut new);
        if !new.kind.redirects() {
            new.redirect_uris.clear();
            new.post_logout_redirect_uris.clear();
            new.origins.clear();
        }
        let app = &self.lab.app;
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        match operator.register_client(&new).await.unwrap() {
            RegisterOutcome::Registered(secret) => {
                let secret = secret.map(|shown| shown.secret().expose_secret().to_owned());
                Client { id, secret }
            }
            other => panic!("{other:?}"),
        }
    }

    /// An authorization request with `more` in place of or beside the usual parameters; an empty
    /// value leaves one out.
    pub(crate) fn request(&self, client: &Client, more: &[(&str, &str)]) -> String {
        let usual = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", REDIRECT),
            (
                "scope",
                "openid profile email visits:read profile:read tenancy:read",
            ),
            ("state", "a state"),
            ("nonce", "a nonce"),
            ("code_challenge", &challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
        ];
        let mut url = Url::parse(&format!("{}/authorize", self.lab.issuer())).unwrap();
        let kept = usual
            .iter()
            .filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
        for (name, value) in kept.chain(more).filter(|(_, value)| !value.is_empty()) {
            url.query_pairs_mut().append_pair(name, value);
        }
        url.into()
    }

    /// Signs in on our pages, beginning with a client's request; gives the redirect back.
    pub(crate) async fn sign_in(&self, browser: &Browser, request: &str) -> Url {
        self.sign_in_as(browser, &self.person, request).await
    }

    async fn sign_in_as(&self, browser: &Browser, person: &Person, request: &str) -> Url {
        let page = browser.visit(request).await.page("Sign in to continue");
        let login = [("login", person.login.as_str())];
        let answer = browser.submit(&page, "identifier-form", &login).await;
        let page = browser.follow(answer).await.page("Enter your password");
        let answer = browser
            .submit(&page, "password-form", &[("password", PASSWORD)])
            .await;
        let seen = self.lab.prove_factor(browser, answer).await;
        seen.location().expect("back to the client")
    }

    /// Signs in and redeems: the tokens of a fresh session.
    async fn tokens(&self, client: &Client) -> (Browser, Value) {
        let browser = self.lab.browser();
        let back = self.sign_in(&browser, &self.request(client, &[])).await;
        let tokens = self.redeem(client, &code_of(&back)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        (browser, tokens.json())
    }

    /// The token endpoint's answer to a code with its right verifier and address.
    pub(crate) async fn redeem(&self, client: &Client, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.ask_token(client, &form).await
    }

    pub(crate) async fn refresh(&self, client: &Client, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.ask_token(client, &form).await
    }

    pub(crate) async fn ask_token(&self, client: &Client, form: &[(&str, &str)]) -> Answer {
        let machine = self.lab.browser_in(9);
        let mut form = form.to_vec();
        let request = machine.request(http::Method::POST, "/token");
        let request = if let Some(secret) = &client.secret {
            request.basic_auth(&client.id, Some(secret))
        } else {
            form.push(("client_id", &client.id));
            request
        };
        machine.send("/token", request.form(&form)).await
    }

    /// A call with a bearer token.
    pub(crate) async fn call(&self, path: &str, token: &str) -> Answer {
        let machine = self.lab.browser_in(9);
        let request = machine.request(http::Method::GET, path).bearer_auth(token);
        machine.send(path, request).await
    }
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[track_caller]
pub(crate) fn code_of(back: &Url) -> String {
    parameter(back, "code").unwrap_or_else(|| panic!("no code: {back}"))
}

/// The claims of a token, unverified: its signature is another test's.
pub(crate) fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A refusal of the token endpoint in the form of RFC 6749 §5.2, not to be cached.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, word: &str) {
    let json = answer.json();
    assert_eq!(
        (answer.status.as_u16(), json["error"].as_str()),
        (status, Some(word)),
        "{json}"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
}
