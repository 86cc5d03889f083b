//! A browser goes into an app as somebody (docs/decisions/0032).

use lanyard::impersonation::Rule;
use lanyard::oidc::client::RedirectUri;
use serde_json::{Value, json};
use time::Duration;
use url::Url;

use super::super::{Client, REDIRECT, claims, code_of, parameter};
use super::{Help, Seat};
use crate::lab::Browser;

/// Where the app of these tests begins a sign-in.
pub(super) const BEGINS: &str = "https://app.example.test/sign-in";

impl Help {
    /// An app that can be entered.
    pub(super) async fn portal(&self) -> Client {
        let platform = self.world.lab.platform().await;
        self.world
            .register(platform, |client| {
                client.initiate_login_uri = Some(RedirectUri::parse(BEGINS).unwrap());
            })
            .await
    }

    /// Support's browser makes a transfer on the issuer's page: the hint that the app is given.
    pub(super) async fn transfer(&self, browser: &Browser, id: &str, into: &Client) -> String {
        let page = browser.visit(&format!("/impersonation/{id}/enter")).await;
        let page = page.page("Go in as somebody else");
        let sent = browser
            .submit(&page, &format!("enter-{}", into.id), &[])
            .await;
        let at = sent.location().expect("to the app");
        assert_eq!(at.as_str().split('?').next(), Some(BEGINS));
        assert_eq!(
            parameter(&at, "iss").as_deref(),
            Some(self.world.lab.issuer())
        );
        parameter(&at, "login_hint").expect("a hint")
    }

    /// The app's request with `more`; where the browser is sent.
    pub(super) async fn authorize(
        &self,
        browser: &Browser,
        app: &Client,
        more: &[(&str, &str)],
    ) -> Url {
        let answer = browser.get(&self.world.request(app, more)).await;
        let at = answer
            .location()
            .unwrap_or_else(|| panic!("{}", answer.body));
        assert!(at.as_str().starts_with(REDIRECT), "no page: {at}");
        at
    }

    /// Support goes in: the app's tokens.
    pub(super) async fn go_in(&self, seat: &Seat, id: &str, into: &Client) -> Value {
        let hint = self.transfer(&seat.browser, id, into).await;
        let back = self
            .authorize(&seat.browser, into, &[("login_hint", &hint)])
            .await;
        let tokens = self.world.redeem(into, &code_of(&back)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        tokens.json()
    }

    pub(super) async fn active_at(
        &self,
        person: &crate::lab::world::Person,
    ) -> Vec<time::OffsetDateTime> {
        sqlx::query_scalar(
            "select active_at from identity.session where account_id = $1 order by 1",
        )
        .bind(person.account)
        .fetch_all(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap()
    }
}

#[track_caller]
fn assert_no_code(back: &Url, error: &str) {
    assert_eq!(parameter(back, "error").as_deref(), Some(error), "{back}");
    assert_eq!(parameter(back, "code"), None);
    assert_eq!(parameter(back, "state").as_deref(), Some("a state"));
}

/// IMP-09, design §7: access and ID token and userinfo name both, in one form; no refresh token;
/// her sessions and clocks are as they were.
#[tokio::test]
async fn an_app_is_entered_and_its_tokens_say_who_acts() {
    let help = Help::new(Rule::Allowed).await;
    let ada = help.world.person.clone();
    help.seat(&ada).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let before = help.active_at(&ada).await;
    help.world.lab.clock.advance(Duration::minutes(1));
    let tokens = help.go_in(&sam, &id, &portal).await;
    assert!(tokens.get("refresh_token").is_none());
    assert_eq!(tokens["scope"], "openid profile profile:read visits:read");
    assert_eq!(tokens["expires_in"], 300);
    assert_eq!(tokens["session_expires_in"], 14 * 60, "the grant's end");
    let act = json!({ "sub": help.sams, "grant": id, "preset": "read-only" });
    let (access, identity) = (claims(&tokens["access_token"]), claims(&tokens["id_token"]));
    for said in [&access, &identity] {
        assert_eq!(said["sub"], json!(help.world.subject));
        assert_eq!(said["tid"], json!(help.world.clinic.id));
        assert_eq!(said["sid"], json!(id));
        assert_eq!(said["act"], act);
    }
    assert_eq!(identity["nonce"], "a nonce");
    assert_eq!(identity["actor_name"], "Sam Porter");
    assert!(last_claim_is_act(&tokens["id_token"]));
    let token = tokens["access_token"].as_str().unwrap();
    let known = help.world.call("/userinfo", token).await;
    assert_eq!(
        known.json(),
        json!({
            "sub": help.world.subject, "tid": help.world.clinic.id, "name": "Ada Quill",
            "actor_name": "Sam Porter", "act": act,
        })
    );
    let visits = help.world.call("/api/v1/visits", token).await;
    assert_eq!(visits.status, 200, "{}", visits.body);
    assert_eq!(help.active_at(&ada).await, before, "her clocks stand still");
    for kind in ["transfer_made", "entered", "token_issued"] {
        let told = help.told(kind).await;
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0].detail["client_id"], json!(portal.id), "{kind}");
        assert_eq!(told[0].actor_id, Some(help.sams), "{kind}");
        assert_eq!(told[0].subject_id, Some(help.world.subject), "{kind}");
    }
    let opened = help.told("request_recorded").await;
    assert_eq!(opened[0].detail["route"], "/userinfo");
    let over = help.post(&sam, &format!("/{id}/end"), None).await;
    assert_eq!(over.status, 200, "{}", over.body);
    assert_eq!(help.world.call("/userinfo", token).await.status, 401);
}

/// Written last, so that nothing in the token says otherwise (RFC 8259 §4 leaves a name that occurs
/// twice to the reader).
fn last_claim_is_act(token: &Value) -> bool {
    use base64::Engine as _;
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(part)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    let at = text.find("\"act\":{").expect("act");
    text.ends_with("}}") && !text[at + 7..].contains('{') && text.matches("\"act\"").count() == 1
}

/// A transfer that is not good is an error for the app: never a page, never the actor's own
/// session, which is live in that very browser.
#[tokio::test]
async fn a_transfer_is_good_once_at_once_in_its_browser_for_its_app() {
    let help = Help::new(Rule::Allowed).await;
    let (portal, other) = (help.portal().await, help.portal().await);
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let own = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    assert!(
        parameter(&own, "code").is_some(),
        "his own session is live: {own}"
    );

    let hint = help.transfer(&sam.browser, &id, &portal).await;
    let with = |hint: &str| vec![("login_hint", hint.to_owned())];
    let ask = async |browser: &Browser, app: &Client, more: Vec<(&str, String)>| {
        let more: Vec<_> = more.iter().map(|(n, v)| (*n, v.as_str())).collect();
        help.authorize(browser, app, &more).await
    };
    let another = help.seat(&help.sam).await;
    assert_no_code(
        &ask(&another.browser, &portal, with(&hint)).await,
        "access_denied",
    );
    assert_no_code(
        &ask(&sam.browser, &other, with(&hint)).await,
        "access_denied",
    );
    let unknown = hint.replace(hint.rsplit(':').next().unwrap(), &id);
    for bad in [
        unknown.as_str(),
        "urn:lanyard:transfer:",
        &format!("{hint}0"),
    ] {
        assert_no_code(
            &ask(&sam.browser, &portal, with(bad)).await,
            "access_denied",
        );
    }
    let mut elsewhere = with(&hint);
    elsewhere.push(("organization", "another-clinic".to_owned()));
    assert_no_code(
        &ask(&sam.browser, &portal, elsewhere).await,
        "access_denied",
    );
    // None of them spent it.
    let back = ask(&sam.browser, &portal, with(&hint)).await;
    let tokens = help.world.redeem(&portal, &code_of(&back)).await.json();
    assert_eq!(claims(&tokens["id_token"])["act"]["grant"], json!(id));
    assert_no_code(
        &ask(&sam.browser, &portal, with(&hint)).await,
        "access_denied",
    );

    let late = help.transfer(&sam.browser, &id, &portal).await;
    help.world.lab.clock.advance(Duration::seconds(60));
    assert_no_code(
        &ask(&sam.browser, &portal, with(&late)).await,
        "access_denied",
    );
    let both = help.transfer(&sam.browser, &id, &portal).await;
    let identity = tokens["id_token"].as_str().unwrap().to_owned();
    let mut more = with(&both);
    more.push(("id_token_hint", identity));
    assert_no_code(&ask(&sam.browser, &portal, more).await, "invalid_request");
    // Over before it is used: spent, and worth nothing.
    help.post(&sam, &format!("/{id}/end"), None).await;
    assert_no_code(
        &ask(&sam.browser, &portal, with(&both)).await,
        "access_denied",
    );
    assert_eq!(help.told("entered").await.len(), 1);
}

/// Design §7: a silent renewal never gives the actor's own session as the subject's, nor the other
/// way round, whatever the browser holds.
#[tokio::test]
async fn each_hint_is_answered_by_its_own_session_alone() {
    let help = Help::new(Rule::Allowed).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let own = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    let own = help.world.redeem(&portal, &code_of(&own)).await.json();
    let id = help.started(&sam).await;
    let acting = help.go_in(&sam, &id, &portal).await;
    let (own, acting) = (
        own["id_token"].as_str().unwrap(),
        acting["id_token"].as_str().unwrap(),
    );
    let silent = async |browser: &Browser, hint: &str| {
        let more = [("prompt", "none"), ("id_token_hint", hint)];
        help.authorize(browser, &portal, &more).await
    };
    let subject_of = async |back: Url| {
        let tokens = help.world.redeem(&portal, &code_of(&back)).await.json();
        let said = claims(&tokens["id_token"]);
        (said["sub"].clone(), said["act"]["grant"].clone())
    };
    let (hers, his) = (json!(help.world.subject), json!(help.sams));
    help.world.lab.clock.advance(Duration::minutes(4));
    let renewed = subject_of(silent(&sam.browser, acting).await).await;
    assert_eq!(renewed, (hers, json!(id)));
    let ordinary = subject_of(silent(&sam.browser, own).await).await;
    assert_eq!(ordinary, (his.clone(), Value::Null));
    let hintless = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    assert_eq!(subject_of(hintless).await, (his, Value::Null));

    // With one of the two cookies only the one of the two answers.
    let session = sam.browser.cookie("__Host-lanyard_session");
    let handover = sam
        .browser
        .cookie("__Host-lanyard_handover")
        .expect("a cookie of its own");
    sam.browser.set_cookie("__Host-lanyard_session", None);
    assert!(parameter(&silent(&sam.browser, acting).await, "code").is_some());
    assert_no_code(&silent(&sam.browser, own).await, "login_required");
    let hintless = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    assert_no_code(&hintless, "login_required");
    sam.browser
        .set_cookie("__Host-lanyard_session", session.as_deref());
    sam.browser
        .set_cookie("__Host-lanyard_handover", session.as_deref());
    assert_no_code(&silent(&sam.browser, acting).await, "login_required");
    sam.browser.set_cookie("__Host-lanyard_handover", None);
    assert_no_code(&silent(&sam.browser, acting).await, "login_required");
    sam.browser
        .set_cookie("__Host-lanyard_session", Some(&handover));
    let strange = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    assert_no_code(&strange, "login_required");
    sam.browser
        .set_cookie("__Host-lanyard_session", session.as_deref());
    sam.browser
        .set_cookie("__Host-lanyard_handover", Some(&handover));

    // Another app has no use for it, and after the end nobody has.
    let other = help.portal().await;
    let more = [("prompt", "none"), ("id_token_hint", acting)];
    let back = help.authorize(&sam.browser, &other, &more).await;
    assert_no_code(&back, "login_required");
    help.world.lab.clock.advance(Duration::minutes(11));
    assert_no_code(&silent(&sam.browser, acting).await, "login_required");
}

/// A second grant in the same browser is not renewed by the first one's hint.
#[tokio::test]
async fn a_hint_is_of_one_grant() {
    let help = Help::new(Rule::Allowed).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let first = help.started(&sam).await;
    let before = help.go_in(&sam, &first, &portal).await;
    let second = help.started(&sam).await;
    let after = help.go_in(&sam, &second, &portal).await;
    let silent = async |tokens: &Value| {
        let hint = tokens["id_token"].as_str().unwrap();
        let more = [("prompt", "none"), ("id_token_hint", hint)];
        help.authorize(&sam.browser, &portal, &more).await
    };
    assert_no_code(&silent(&before).await, "login_required");
    assert!(parameter(&silent(&after).await, "code").is_some());
}

/// IMP-06: nobody signs in again, chooses, consents or steps up in her name.
#[tokio::test]
async fn what_only_she_could_answer_is_not_asked_under_act() {
    let help = Help::new(Rule::Allowed).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let tokens = help.go_in(&sam, &id, &portal).await;
    let identity = tokens["id_token"].as_str().unwrap();
    let hint = help.transfer(&sam.browser, &id, &portal).await;
    for (name, value, error) in [
        ("prompt", "login", "access_denied"),
        ("prompt", "consent", "access_denied"),
        ("prompt", "select_account", "access_denied"),
        ("max_age", "0", "access_denied"),
        ("max_age", "86400", "access_denied"),
        (
            "acr_values",
            "urn:lanyard:acr:mfa",
            "unmet_authentication_requirements",
        ),
        ("scope", "email", "invalid_scope"),
    ] {
        let renewal = [("id_token_hint", identity), (name, value)];
        assert_no_code(
            &help.authorize(&sam.browser, &portal, &renewal).await,
            error,
        );
        if name == "scope" {
            continue;
        }
        let entry = [("login_hint", hint.as_str()), (name, value)];
        assert_no_code(&help.authorize(&sam.browser, &portal, &entry).await, error);
    }
    let entry = [("login_hint", hint.as_str())];
    assert!(parameter(&help.authorize(&sam.browser, &portal, &entry).await, "code").is_some());
}
