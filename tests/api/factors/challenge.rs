//! The code after the password: never skipped, good once, guessed slowly.

use http::StatusCode;
use time::Duration;

use super::{enter_password, halfway, nurse, type_code};
use crate::lab::world::PASSWORD;
use crate::sign_in::waiting_request;

const SESSION: &str = "__Host-lanyard_session";

/// LOGIN-10: half a proof opens nothing, whichever way one goes.
#[tokio::test]
async fn between_password_and_code_every_way_leads_to_the_code() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let page = page.page("Enter your code");
    for path in [
        "/account",
        "/account/password",
        "/account/codes",
        "/account/codes/add",
        "/account?done=password_changed",
    ] {
        browser.get(path).await.goes_to("/sign-in/code");
    }
    let csrf = page.hidden("csrf");
    let flow = page.hidden("flow");
    for (path, field) in [
        ("/account/password", "new_password"),
        ("/account/sessions/end-all", "session"),
        ("/account/codes/add", "code"),
        ("/account/codes/recovery", "device"),
        ("/account/codes/remove", "device"),
    ] {
        let value = uuid::Uuid::nil().to_string();
        let fields = [("csrf", csrf.as_str()), (field, value.as_str())];
        browser.post(path, &fields).await.goes_to("/sign-in/code");
    }
    // The pages beside it: nothing to set up, nothing to put off, no clinic to choose.
    let beside = |path: &str| format!("{path}?flow={flow}");
    let enroll = browser.get(&beside("/sign-in/enroll")).await;
    enroll.goes_to("/sign-in/code");
    let fields = [("csrf", csrf.as_str()), ("flow", flow.as_str())];
    let later = browser.post("/sign-in/enroll/later", &fields).await;
    browser.follow(later).await.page("Enter your code");
    browser
        .get(&beside("/sign-in/clinic"))
        .await
        .goes_to("/sign-in/code");
    // Another tab, and the form once more without a code.
    let tab = browser.clone();
    tab.get("/account").await.goes_to("/sign-in/code");
    type_code(&tab, &page, "")
        .await
        .shows(400, "Enter your code");
    let right = type_code(&browser, &page, &lab.code()).await;
    browser.follow(right).await.page("Your account");
}

/// LOGIN-25: the proof gives the session a new secret, and the old one is dead.
#[tokio::test]
async fn proving_a_code_changes_the_cookie() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let before = browser.cookie(SESSION).unwrap();
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    assert_ne!(browser.cookie(SESSION).unwrap(), before);
    browser.set_cookie(SESSION, Some(&before));
    browser.get("/account").await.goes_to("/sign-in");
}

/// LOGIN-08: in one step once, here and elsewhere, and never an older one after it.
#[tokio::test]
async fn a_code_is_good_once() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let code = lab.code();
    type_code(&browser, &page, &code).await.goes_to("/account");
    let (other, page) = halfway(&lab, &grace).await;
    let replayed = type_code(&other, &page, &code).await;
    let wrong = type_code(&other, &page, "000000").await;
    replayed.clone().shows(403, "Enter your code");
    let plain = |body: &str| body.split("<footer").next().unwrap().to_owned();
    assert_eq!(plain(&replayed.body), plain(&wrong.body), "one answer");
    lab.clock.advance(Duration::seconds(-30));
    type_code(&other, &page, &lab.code())
        .await
        .shows(403, "Enter your code");
    lab.clock.advance(Duration::seconds(60));
    type_code(&other, &page, &lab.code())
        .await
        .goes_to("/account");
}

/// LOGIN-08: of twenty at once, on two nodes, one gets in.
#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_posts_of_one_code_one_is_taken() {
    let (lab, _, grace) = nurse(1).await;
    let second = lab.second_node().await;
    let code = lab.code();
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..20_u8 {
        let browser = lab.browser_in(10 + number);
        let page = enter_password(&browser, &grace).await;
        let (code, address) = (code.clone(), second.address);
        posts.spawn(async move {
            let node = if number % 2 == 0 {
                browser
            } else {
                browser.through(address)
            };
            type_code(&node, &page, &code).await.status
        });
    }
    let answers = posts.join_all().await;
    let taken = answers
        .iter()
        .filter(|status| **status == StatusCode::SEE_OTHER);
    assert_eq!(taken.count(), 1, "{answers:?}");
}

/// LOGIN-09: one step to either side by the server's clock, whatever the client says of its own.
#[tokio::test]
async fn a_code_of_two_steps_ago_or_ahead_is_none() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    for away in [-60_i64, 60] {
        lab.clock.advance(Duration::seconds(away));
        let code = lab.code();
        lab.clock.advance(Duration::seconds(-away));
        let fields = [("code", code.as_str()), ("time", "1"), ("now", "1")];
        let request = browser.submit(&page, "code-form", &fields).await;
        request.shows(403, "Enter your code");
    }
    for typed in [
        "12345",
        "1234567",
        "12345678",
        "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
    ] {
        type_code(&browser, &page, typed)
            .await
            .shows(403, "Enter your code");
    }
    let code = lab.code();
    lab.clock.advance(Duration::seconds(30));
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    type_code(&browser, &page, &spaced)
        .await
        .goes_to("/account");
}

/// LOGIN-03, LOGIN-04: guesses are counted before they are judged; a right code after too many
/// waits like a wrong one, and signing in by password again does not empty the counter.
#[tokio::test]
async fn codes_are_guessed_slowly() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let limit = lab.app.config.throttle.account_attempts;
    for _ in 0..limit {
        type_code(&browser, &page, "000000")
            .await
            .shows(403, "Enter your code");
    }
    browser.set_cookie(SESSION, None);
    let page = enter_password(&browser, &grace).await;
    let throttled = type_code(&browser, &page, &lab.code()).await;
    assert!(!throttled.header("retry-after").is_empty());
    throttled.shows(429, "Enter your code");
    // Another browser of the same network is no way round.
    let (other, there) = halfway(&lab, &grace).await;
    type_code(&other, &there, &lab.code())
        .await
        .shows(429, "Enter your code");
    let events = lab.events_of(&grace).await;
    let of = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!(of("factor.refused"), usize::try_from(limit).unwrap());
    assert_eq!(of("factor.throttled"), 2);
    lab.clock.advance(lab.app.config.throttle.account_window);
    browser.set_cookie(SESSION, None);
    let page = enter_password(&browser, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
}

/// LOGIN-28: there is no cookie that stands for a factor. Everything that a browser holds but its
/// session, copied to another one, skips nothing.
#[tokio::test]
async fn no_cookie_stands_in_for_a_code() {
    let (lab, _, grace) = nurse(2).await;
    let (browser, page) = halfway(&lab, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    let copy = lab.browser();
    let known = "__Host-lanyard_browser";
    let value = browser.cookie(known).expect("the browser's cookie");
    copy.set_cookie(known, Some(&value));
    enter_password(&copy, &grace).await.page("Enter your code");
    // The same person in the very same browser, once more.
    browser.set_cookie(SESSION, None);
    enter_password(&browser, &grace)
        .await
        .page("Enter your code");
}

/// A code that was asked for one session is none for another: the session behind the form's own
/// browser is what it proves (LOGIN-30).
#[tokio::test]
async fn a_code_proves_the_session_of_its_own_browser_alone() {
    let (lab, _, grace) = nurse(2).await;
    let (one, page) = halfway(&lab, &grace).await;
    let (two, own) = halfway(&lab, &grace).await;
    // The first one's flow, posted by the second.
    let (csrf, flow, code) = (own.hidden("csrf"), page.hidden("flow"), lab.code());
    let crossed = [
        ("csrf", csrf.as_str()),
        ("flow", flow.as_str()),
        ("code", code.as_str()),
    ];
    two.post("/sign-in/code", &crossed)
        .await
        .shows(400, "Something went wrong");
    one.get("/account").await.goes_to("/sign-in/code");
    two.get("/account").await.goes_to("/sign-in/code");
}

/// The password of someone else in the same browser ends her session, proved factor and all.
#[tokio::test]
async fn a_proof_does_not_pass_on_to_who_signs_in_next() {
    let (lab, clinic, grace) = nurse(2).await;
    let next = lab.person("Hal Later").await;
    lab.join(&next, clinic.id, &["nurse"]).await;
    let (browser, page) = halfway(&lab, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    for who in [&grace, &next] {
        let flow = waiting_request(&lab, &browser, None).await;
        let page = browser.get(&format!("/sign-in?flow={flow}")).await;
        // Her own password again begins her own proof anew, too.
        browser.sign_in_at(page, &who.login, PASSWORD).await;
        browser.get("/account").await.goes_to("/sign-in/code");
    }
}
