//! Another party's client: asked, kept, taken back.

use time::Duration;
use url::Url;

use super::{Client, REDIRECT, World, assert_refused, code_of, parameter};
use crate::lab::{Answer, Browser};

const QUESTION: &str = "Let this app see your information?";
const SCOPE: &str = "openid visits:read";

impl World {
    async fn theirs(&self) -> Client {
        let platform = self.lab.platform().await;
        self.register(platform, |client| client.is_first_party = false)
            .await
    }

    /// Someone signed in at the issuer, at an app that asks for `scope`.
    async fn asked(&self, client: &Client, scope: &str) -> (Browser, Answer) {
        let browser = self.lab.signed_in(&self.person).await;
        let page = browser
            .visit(&self.request(client, &[("scope", scope)]))
            .await;
        (browser, page)
    }

    /// A refresh token that a consent gave.
    async fn connected(&self, client: &Client) -> (Browser, String) {
        let (browser, page) = self.asked(client, SCOPE).await;
        let back = decide(&browser, page, "allow").await;
        let tokens = self.redeem(client, &code_of(&back)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        let token = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
        (browser, token)
    }
}

/// Answers the question; gives where the browser is sent in the end.
async fn decide(browser: &Browser, page: Answer, decision: &str) -> Url {
    let page = page.page(QUESTION);
    let answer = browser
        .submit(&page, "consent-form", &[("decision", decision)])
        .await;
    let back = browser.follow(answer).await.location();
    back.expect("back to the client")
}

/// Issue 3: asked once, in words; the same again is not asked; more is.
#[tokio::test]
async fn another_partys_client_asks_once_and_again_only_for_more() {
    let world = World::new().await;
    let client = world.theirs().await;
    let (browser, page) = world.asked(&client, SCOPE).await;
    for words in [
        "An app",
        "Juniper Clinic",
        "See your visits",
        "no longer than you stay signed in",
        "take this back",
        &world.person.login,
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https://app.example.test"));
    assert!(!page.body.contains("visits:read"), "no word of ours");
    let back = decide(&browser, page, "allow").await;
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("a state"));
    let tokens = world.redeem(&client, &code_of(&back)).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);

    for silent in ["", "none"] {
        let more = [("scope", SCOPE), ("prompt", silent)];
        let back = browser.visit(&world.request(&client, &more)).await;
        code_of(&back.location().expect("not asked again"));
    }
    let wider = "openid visits:read profile:read";
    let page = browser
        .visit(&world.request(&client, &[("scope", wider)]))
        .await;
    decide(&browser, page, "allow").await;
    let back = browser
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await;
    code_of(&back.location().expect("the narrower one is still allowed"));
    // What she said before is not said in the flow that asks again.
    world.lab.clock.advance(Duration::SECOND);
    let asked_anew = [("scope", SCOPE), ("prompt", "consent")];
    let page = browser.visit(&world.request(&client, &asked_anew)).await;
    code_of(&decide(&browser, page, "allow").await);
    let events = world.lab.events_of(&world.person).await;
    let given = events.iter().filter(|e| e.kind == "consent.given").count();
    assert_eq!(given, 3);
}

/// An app that may change something is not said to be one that can't.
#[tokio::test]
async fn what_an_app_may_change_is_said() {
    let world = World::with_roles(&["clinic_admin"]).await;
    let platform = world.lab.platform().await;
    let client = world
        .register(platform, |client| {
            client.is_first_party = false;
            client.scopes = vec!["tenancy:write".to_owned()];
        })
        .await;
    let (browser, page) = world.asked(&client, "openid tenancy:write").await;
    let said = "Change what this clinic tells all its people, in your name";
    assert!(page.body.contains(said), "{}", page.body);
    assert!(!page.body.contains("change or send anything"));
    let back = decide(&browser, page, "allow").await;
    let tokens = world.redeem(&client, &code_of(&back)).await.json();
    assert_eq!(tokens["scope"], "openid tenancy:write");
    let page = browser.get("/account").await.page("Your account");
    assert!(page.body.contains(said), "{}", page.body);
}

/// Issue 3: ours are not asked about; neither is what a clinic registers as its own.
#[tokio::test]
async fn a_first_partys_client_asks_nothing() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, page) = world.asked(&client, SCOPE).await;
    code_of(&page.location().expect("a code at once"));
}

/// RFC 6749 §4.1.2.1: no is an answer, and nothing is kept.
#[tokio::test]
async fn a_no_goes_back_as_access_denied() {
    let world = World::new().await;
    let client = world.theirs().await;
    let (browser, page) = world.asked(&client, SCOPE).await;
    let back = decide(&browser, page, "deny").await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("a state"));
    assert_eq!(parameter(&back, "code"), None);
    browser
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await
        .page(QUESTION);
}

/// AUTHZ-12, OIDC Core §3.1.2.6.
#[tokio::test]
async fn a_silent_request_without_consent_is_told_so() {
    let world = World::new().await;
    let client = world.theirs().await;
    let browser = world.lab.signed_in(&world.person).await;
    let silent = [("scope", SCOPE), ("prompt", "none")];
    let back = browser.visit(&world.request(&client, &silent)).await;
    let error = parameter(&back.location().unwrap(), "error");
    assert_eq!(error.as_deref(), Some("consent_required"));
    let nobody = world.lab.browser();
    let back = nobody.visit(&world.request(&client, &silent)).await;
    let error = parameter(&back.location().unwrap(), "error");
    assert_eq!(error.as_deref(), Some("login_required"), "tells no more");
}

/// AUTHZ-12: there is no way around the page.
#[tokio::test]
async fn the_question_can_not_be_skipped() {
    let world = World::new().await;
    let client = world.theirs().await;
    let (browser, page) = world.asked(&client, SCOPE).await;
    let page = page.page(QUESTION);
    let (_, hidden) = page.form("consent-form");
    let of = |name: &str| -> String {
        let found = hidden.iter().find(|(key, _)| key == name);
        found.unwrap().1.clone()
    };
    let (csrf, flow, asked) = (of("csrf"), of("flow"), of("asked"));

    // By the address that a sign-in comes back to.
    let resumed = browser
        .visit(&format!("/authorize/resume?flow={flow}"))
        .await;
    resumed.page(QUESTION);
    let post = async |flow: &str, asked: &str, decision: &str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("flow", flow),
            ("asked", asked),
            ("decision", decision),
        ];
        browser.post("/consent", &fields).await.status.as_u16()
    };
    // A fresh flow of nobody's; without what the page carried; with no answer.
    assert_eq!(
        post(&uuid::Uuid::from_u128(9).to_string(), &asked, "allow").await,
        400
    );
    assert_eq!(post(&flow, "", "allow").await, 403);
    assert_eq!(post(&flow, &asked, "perhaps").await, 400);

    // What was shown for one request is no answer to another, wider one of the same browser.
    let wider = "openid visits:read profile:read";
    let other = browser
        .visit(&world.request(&client, &[("scope", wider)]))
        .await
        .page(QUESTION);
    assert_eq!(post(&other.hidden("flow"), &asked, "allow").await, 403);

    // Another browser has no such flow.
    let stranger = world.lab.signed_in(&world.person).await;
    let answer = stranger.get(&format!("/consent?flow={flow}")).await;
    assert_eq!(answer.status, 400);

    // Another person who signs in to this browser does not answer for her, nor she for him.
    let bert = world.lab.person("Bert Other").await;
    world.lab.join(&bert, world.clinic.id, &["patient"]).await;
    world.lab.clock.advance(Duration::SECOND);
    browser.set_cookie("__Host-lanyard_session", None);
    world.lab.sign_in(&browser, &bert).await;
    assert_eq!(post(&flow, &asked, "allow").await, 403);
    for who in [&world.person, &bert] {
        let events = world.lab.events_of(who).await;
        assert!(events.iter().all(|event| event.kind != "consent.given"));
    }
}

/// RT-13, RT-14: taken back on the account page, the app's tokens end, and it has to ask again.
#[tokio::test]
async fn what_was_allowed_is_taken_back_with_all_that_it_gave() {
    let world = World::new().await;
    let (client, own) = (world.theirs().await, world.web().await);
    let (browser, token) = world.connected(&client).await;
    let other = world.lab.signed_in(&world.person).await;
    let back = other
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await;
    let tokens = world
        .redeem(&client, &code_of(&back.location().unwrap()))
        .await;
    let elsewhere = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    let back = browser.visit(&world.request(&own, &[])).await;
    let ours = world
        .redeem(&own, &code_of(&back.location().unwrap()))
        .await;
    let ours = ours.json()["refresh_token"].as_str().unwrap().to_owned();
    // A code that waits meanwhile.
    let back = browser
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await;
    let waiting = code_of(&back.location().unwrap());

    let page = browser.get("/account").await.page("Your account");
    assert!(
        page.body.contains("An app at Juniper Clinic"),
        "{}",
        page.body
    );
    assert!(page.body.contains("See your visits"), "{}", page.body);
    let answer = browser.submit(&page, "remove-app-0", &[]).await;
    let after = browser.follow(answer).await.page("Your account");
    assert!(after.body.contains("id=\"no-apps\""), "{}", after.body);
    for token in [&token, &elsewhere] {
        assert_refused(&world.refresh(&client, token).await, 400, "invalid_grant");
    }
    assert_refused(&world.redeem(&client, &waiting).await, 400, "invalid_grant");
    assert_eq!(world.refresh(&own, &ours).await.status, 200, "ours goes on");
    let events = world.lab.events_of(&world.person).await;
    let withdrawn = events.iter().find(|e| e.kind == "consent.withdrawn");
    assert_eq!(withdrawn.unwrap().detail["families_ended"], 2);
    browser
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await
        .page(QUESTION);
    // Pressed twice: there is nothing any more.
    let again = browser.submit(&page, "remove-app-0", &[]).await;
    assert_eq!(again.status, 404);
}

/// RT-14: signing out everywhere ends what other parties' apps have, too.
#[tokio::test]
async fn signing_out_everywhere_ends_their_tokens() {
    let world = World::new().await;
    let client = world.theirs().await;
    let (browser, token) = world.connected(&client).await;
    let page = browser.get("/account").await.page("Your account");
    browser.submit(&page, "end-all", &[]).await;
    assert_refused(&world.refresh(&client, &token).await, 400, "invalid_grant");
}

/// Consent I3: who registers the same id later was allowed nothing.
#[tokio::test]
async fn a_yes_is_not_one_to_a_later_client_of_the_same_id() {
    let world = World::new().await;
    let client = world.theirs().await;
    let (browser, _) = world.connected(&client).await;
    sqlx::query("update identity.client set created_at = created_at + '1 s' where client_id = $1")
        .bind(&client.id)
        .execute(&mut world.lab.database.superuser().await)
        .await
        .unwrap();
    browser
        .visit(&world.request(&client, &[("scope", SCOPE)]))
        .await
        .page(QUESTION);
    let page = browser.get("/account").await.page("Your account");
    assert!(page.body.contains("id=\"no-apps\""), "{}", page.body);
}
