//! Going back to the app that asked, from every page of signing in.

use time::Duration;
use url::Url;

use super::{Client, PASSWORD, REDIRECT, World, code_of, parameter};
use crate::lab::{Answer, Browser};

const ASKED: &str = "Enter your code";

impl World {
    /// A nurse's browser, where a client asks for a fresh factor.
    async fn stepping_up(&self, client: &Client) -> (Browser, Answer) {
        let browser = self.lab.browser();
        self.sign_in(&browser, &self.request(client, &[])).await;
        self.lab.clock.advance(Duration::minutes(2));
        let fresh = self.request(client, &[("max_age", "60")]);
        let page = browser.visit(&fresh).await.page(ASKED);
        (browser, page)
    }
}

/// Presses "Back to …"; where that leads.
async fn go_back(browser: &Browser, page: &Answer) -> Url {
    assert!(
        page.body.contains(">Back to An app</button>"),
        "{}",
        page.body
    );
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https://app.example.test"));
    let back = browser.submit(page, "decline-form", &[]).await;
    back.location().expect("back to the client")
}

/// RFC 6749 §4.1.2.1, RFC 9207: the client hears no, with its state and who says so.
fn assert_declined(world: &World, back: &Url) {
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    let said = ["error", "state", "iss", "code"].map(|name| parameter(back, name));
    let said = said.each_ref().map(Option::as_deref);
    let issuer = world.lab.issuer();
    let expected = [Some("access_denied"), Some("a state"), Some(issuer), None];
    assert_eq!(said, expected, "{back}");
}

/// A step-up that she does not want ends the request and nothing else.
#[tokio::test]
async fn who_does_not_confirm_goes_back_and_stays_signed_in() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let (browser, page) = world.stepping_up(&client).await;
    let session = browser.cookie("__Host-lanyard_session");
    assert_declined(&world, &go_back(&browser, &page).await);
    assert_eq!(browser.cookie("__Host-lanyard_session"), session);
    let back = browser.get(&world.request(&client, &[])).await.location();
    code_of(&back.unwrap());

    // The request is over: no code of hers opens it any more, and no is said once.
    let late = [("code", world.lab.code())];
    let late = late.each_ref().map(|(name, code)| (*name, code.as_str()));
    for (form, fields) in [("code-form", &late[..]), ("decline-form", &[])] {
        let answer = browser.submit(&page, form, fields).await;
        answer.shows(400, "Something went wrong");
    }
    let said: Vec<String> = sqlx::query_scalar(
        "select detail ->> 'reason' from audit.event
         where type = 'authorize.rejected' and detail ->> 'client_id' = $1",
    )
    .bind(&client.id)
    .fetch_all(&mut world.lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(said, ["declined"]);
}

/// WEB-03, WEB-08: another browser's request is not hers to end, and one of our own pages has no
/// app to go back to.
#[tokio::test]
async fn only_the_browser_that_was_asked_says_no() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let (browser, page) = world.stepping_up(&client).await;
    let stranger = world.lab.browser();
    let own = stranger.visit("/account").await;
    assert!(!own.body.contains("decline-form"), "{}", own.body);
    let csrf = own.hidden("csrf");
    for flow in [page.hidden("flow"), own.hidden("flow"), "x".to_owned()] {
        let fields = [("csrf", csrf.as_str()), ("flow", flow.as_str())];
        let answer = stranger.post("/sign-in/decline", &fields).await;
        answer.shows(400, "Something went wrong");
    }
    assert_declined(&world, &go_back(&browser, &page).await);
}

/// Every page of a sign-in for an app has the way back, before anything is proved and after; and
/// where it is known who signs in, the way to be someone else.
#[tokio::test]
async fn every_page_of_a_sign_in_leads_back() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let starter = world.lab.person("Nell Starting").await;
    let (lab, clinic) = (&world.lab, world.clinic.id);
    lab.join_bare(&starter, clinic, &["nurse"]).await;
    let request = world.request(&client, &[]);
    let login = |who: &str| [("login", who.to_owned())];
    for (who, pages) in [
        (&world.person, [ASKED, "Enter a recovery code"].as_slice()),
        (&starter, &["Set up sign-in codes"]),
    ] {
        let browser = lab.browser();
        let page = browser.visit(&request).await.page("Sign in to continue");
        assert_declined(&world, &go_back(&browser, &page).await);

        let page = browser.visit(&request).await;
        let flow = page.hidden("flow");
        let login = login(&who.login);
        let login = login.each_ref().map(|(name, who)| (*name, who.as_str()));
        let sent = browser.submit(&page, "identifier-form", &login).await;
        let page = browser.follow(sent).await.page("Enter your password");
        assert!(page.body.contains("id=\"not-you\""));
        let sent = browser
            .submit(&page, "password-form", &[("password", PASSWORD)])
            .await;
        let mut page = browser.follow(sent).await;
        for sentence in pages {
            if page.sentence() != *sentence {
                let there = format!("/sign-in/recovery-code?flow={flow}");
                page = browser.get(&there).await;
            }
            page = page.page(sentence);
            assert!(page.body.contains("id=\"not-you\""), "{}", page.body);
            assert!(page.body.contains(&who.login));
            assert!(page.body.contains("decline-form"), "{}", page.body);
        }
        assert_declined(&world, &go_back(&browser, &page).await);
        let nothing = browser.get("/account").await;
        assert!(nothing.location().is_some(), "half a session shows nothing");
    }
}
