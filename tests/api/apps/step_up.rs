//! Step-up end to end (RFC 9470): the API refuses, the app asks, the person confirms, the call
//! succeeds, and nothing that was typed is lost.

use lanyard::apps::Kind;
use time::Duration;

use super::{AppsLab, Everywhere as _};
use crate::lab::{Answer, Browser};

const TEXT: &str = "The lab is closed on Friday.\r\nCall us: \"555\" <b>";
const SHOWN: &str = "The lab is closed on Friday.\nCall us: &#34;555&#34; &#60;b&#62;";
const CONSOLE: &str = "Your clinic at a glance";

/// Ruth's console, six minutes after she proved her second factor, and her browser.
async fn console() -> (AppsLab, Browser, Answer) {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    let at = lab.at(Kind::Console, "/");
    browser.everywhere(&at).await.page(CONSOLE);
    lab.lab.clock.advance(Duration::minutes(6));
    let console = browser.everywhere(&at).await.page(CONSOLE);
    (lab, browser, console)
}

/// Sends the form; where that leads.
async fn tell(browser: &Browser, console: &Answer, text: &str) -> Answer {
    let sent = browser
        .submit(console, "announcement-form", &[("text", text)])
        .await;
    browser.onward(sent).await
}

/// What patients see of it.
async fn portal(lab: &AppsLab, browser: &Browser) -> String {
    let portal = browser.everywhere(&lab.at(Kind::Patient, "/")).await;
    portal.page("Your visits").body
}

#[tokio::test]
async fn what_was_typed_is_said_after_she_has_confirmed() {
    let (lab, browser, console) = console().await;
    let asked = tell(&browser, &console, TEXT).await.page("Enter your code");
    assert!(asked.body.contains("Clinic console"), "who asks, and why");
    assert!(!portal(&lab, &browser).await.contains("Friday"));
    let sent = browser
        .submit(&asked, "code-form", &[("code", &lab.lab.code())])
        .await;
    let home = browser.onward(sent).await.page(CONSOLE);
    assert!(
        home.body
            .contains("Everybody at your clinic sees this now.")
    );
    assert!(home.body.contains(SHOWN), "{}", home.body);
    let left = home.body.split("<textarea").nth(1).unwrap();
    assert!(!left.contains("Friday"), "nothing is left to be sent");
    assert!(portal(&lab, &browser).await.contains(SHOWN));
    // Just confirmed: the next one goes at once.
    lab.lab.clock.advance(Duration::SECOND);
    let again = tell(&browser, &home, "We are open.").await.page(CONSOLE);
    assert!(again.body.contains("We are open."));
    let events = lab.lab.events_in(lab.clinic.id).await;
    let said = events.iter().filter(|e| e.kind == "announcement.changed");
    assert_eq!(said.count(), 2);
    let log = serde_json::to_string(&events.iter().map(|e| &e.detail).collect::<Vec<_>>());
    assert!(!log.unwrap().contains("Friday"));
}

/// Who does not confirm finds the text where she typed it, and nobody else has seen it.
#[tokio::test]
async fn who_does_not_confirm_keeps_what_she_typed() {
    let (lab, browser, console) = console().await;
    tell(&browser, &console, TEXT).await.page("Enter your code");
    let back = browser.everywhere(&lab.at(Kind::Console, "/")).await;
    let back = back.page(CONSOLE);
    let field = back.body.split("<textarea").nth(1).unwrap();
    assert!(field.contains("&#34;555&#34; &#60;b&#62;"), "{field}");
    assert!(!portal(&lab, &browser).await.contains("Friday"));
    // At rest it is ciphertext.
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("select draft from apps.session where draft is not null")
            .fetch_all(&mut lab.lab.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].windows(6).any(|seen| seen == b"Friday"));
}

/// Going back by the page's own button is a no that the console takes for what it is.
#[tokio::test]
async fn who_goes_back_finds_what_she_typed_and_can_send_it_later() {
    let (lab, browser, console) = console().await;
    let asked = tell(&browser, &console, TEXT).await.page("Enter your code");
    let declined = browser.submit(&asked, "decline-form", &[]).await;
    let home = browser.onward(declined).await.page(CONSOLE);
    let said = "This is not shown to anybody yet. Your text is kept below";
    assert!(home.body.contains(said), "{}", home.body);
    let field = home.body.split("<textarea").nth(1).unwrap();
    assert!(field.contains("&#34;555&#34; &#60;b&#62;"), "{field}");
    assert!(!portal(&lab, &browser).await.contains("Friday"));
    let asked = tell(&browser, &home, TEXT).await.page("Enter your code");
    let sent = browser
        .submit(&asked, "code-form", &[("code", &lab.lab.code())])
        .await;
    browser.onward(sent).await.page(CONSOLE);
    assert!(portal(&lab, &browser).await.contains(SHOWN));
}

/// A text is no reason to look at another person's: hers is gone with her session.
#[tokio::test]
async fn who_signs_in_next_does_not_send_what_another_typed() {
    let (lab, browser, console) = console().await;
    let next = lab.lab.person("Tom Ahead").await;
    lab.lab.join(&next, lab.clinic.id, &["clinic_admin"]).await;
    let asked = tell(&browser, &console, TEXT).await.page("Enter your code");
    let to_sign_in = browser
        .visit(&format!("/sign-in?flow={}", asked.hidden("flow")))
        .await;
    let seen = lab.prove(&browser, to_sign_in, &next).await.page(CONSOLE);
    assert!(seen.body.contains("Tom Ahead"));
    assert!(!seen.body.contains("Friday"), "{}", seen.body);
}

/// What can't be said as it is comes back with a word, not lost either.
#[tokio::test]
async fn a_text_that_is_too_long_comes_back() {
    let (lab, browser, console) = console().await;
    let long = "x".repeat(501);
    let asked = tell(&browser, &console, &long)
        .await
        .page("Enter your code");
    let sent = browser
        .submit(&asked, "code-form", &[("code", &lab.lab.code())])
        .await;
    let home = browser.onward(sent).await.page(CONSOLE);
    assert!(home.body.contains("Type 1 to 500 characters."));
    assert!(home.body.contains(&long), "still in the field");
    let forged = [("csrf", "x"), ("text", "y")];
    let at = lab.at(Kind::Console, "/announcement");
    browser
        .post(&at, &forged)
        .await
        .shows(403, "Something went wrong");
    let elsewhere = lab.at(Kind::Patient, "/announcement");
    assert_eq!(browser.post(&elsewhere, &forged).await.status, 404);
}
