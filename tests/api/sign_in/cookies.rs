use super::waiting_request;
use crate::lab::world::PASSWORD;
use crate::lab::{Answer, Browser, Lab};

const SESSION: &str = "__Host-lanyard_session";
const BROWSER: &str = "__Host-lanyard_browser";

#[track_caller]
fn is_locked(answer: &Answer, name: &str) {
    let line = answer
        .cookie_line(name)
        .unwrap_or_else(|| panic!("no {name}"));
    let attributes: Vec<String> = line
        .split(';')
        .skip(1)
        .map(|part| part.trim().to_ascii_lowercase())
        .collect();
    for wanted in ["secure", "httponly", "path=/", "samesite=lax"] {
        assert!(
            attributes.iter().any(|attribute| attribute == wanted),
            "{wanted}: {line}"
        );
    }
    assert!(
        !attributes
            .iter()
            .any(|attribute| attribute.starts_with("domain")),
        "{line}"
    );
}

/// Says whether the cookie opens the account page.
async fn opens(lab: &Lab, cookie: &str) -> bool {
    let browser = lab.browser();
    browser.set_cookie(SESSION, Some(cookie));
    browser.get("/account").await.status == 200
}

/// WEB-01.
#[tokio::test]
async fn each_cookie_is_of_this_host_alone_and_out_of_scripts_reach() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser();
    let first = browser.get("/account").await;
    is_locked(&first, BROWSER);
    assert!(first.cookie_line(SESSION).is_none());
    let page = browser.follow(first).await;
    let entered = browser.sign_in_at(page, &ada.login, PASSWORD).await;
    is_locked(&entered, SESSION);
    is_locked(&entered, BROWSER);
    // 16 bytes that name it, 32 that prove it.
    assert_eq!(browser.cookie(SESSION).unwrap().len(), 64);
    assert_eq!(browser.cookie(BROWSER).unwrap().len(), 43);
    let page = browser.get("/account").await;
    let over = browser.submit(&page, "end-all", &[]).await;
    is_locked(&over, SESSION);
    assert!(browser.cookie(SESSION).is_none());
}

/// LOGIN-25: a planted session is not taken over, and each proof brings a new secret.
#[tokio::test]
async fn a_sign_in_never_keeps_the_cookie_that_the_browser_had() {
    let lab = Lab::new().await;
    let (ada, mallory) = (
        lab.person("Ada Byron").await,
        lab.person("Mallory Doe").await,
    );
    let planted = lab.signed_in(&mallory).await.cookie(SESSION).unwrap();
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    browser.set_cookie(SESSION, Some(&planted));
    browser
        .sign_in_at(page, &ada.login, PASSWORD)
        .await
        .goes_to("/account");
    let first = browser.cookie(SESSION).unwrap();
    assert_ne!(first, planted);
    assert!(
        !opens(&lab, &planted).await,
        "what was planted ended with her sign-in"
    );

    // A second proof in the same session: the session goes on under a new secret.
    let flow = waiting_request(&lab, &browser, None).await;
    let page = browser.get(&format!("/sign-in?flow={flow}")).await;
    let answer = browser.sign_in_at(page, &ada.login, PASSWORD).await;
    answer.goes_to("/authorize/resume");
    let second = browser.cookie(SESSION).unwrap();
    assert_ne!(first, second);
    assert!(!opens(&lab, &first).await);
    assert!(opens(&lab, &second).await);
    assert_eq!(live_sessions(&browser).await, 1);
}

async fn live_sessions(browser: &Browser) -> usize {
    let page = browser.get("/account").await.page("Your account");
    page.body.matches("name=\"session\"").count()
}

/// A random or truncated cookie, or one with another session's id, is nobody's.
#[tokio::test]
async fn a_cookie_that_is_not_exactly_right_is_nobodys() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let one = lab.signed_in(&ada).await.cookie(SESSION).unwrap();
    let two = lab.signed_in(&ada).await.cookie(SESSION).unwrap();
    assert!(opens(&lab, &one).await);
    let crossed = format!("{}{}", &one[..22], &two[22..]);
    let flipped = format!(
        "{}{}",
        &one[..63],
        if one.ends_with('A') { 'B' } else { 'A' }
    );
    for wrong in [
        "",
        "A",
        &one[..63],
        &one[1..],
        &crossed,
        &flipped,
        &format!("{one}A"),
    ] {
        assert!(!opens(&lab, wrong).await, "{wrong}");
    }
    assert!(opens(&lab, &one).await && opens(&lab, &two).await);
}

/// LOUT-09: the next person at the same browser gets nothing of the one before.
#[tokio::test]
async fn another_persons_sign_in_ends_the_session_before_it() {
    let lab = Lab::new().await;
    let (alice, dave) = (lab.person("Alice Doe").await, lab.person("Dave Roe").await);
    let browser = lab.browser();
    let flow = waiting_request(&lab, &browser, None).await;
    let page = browser.get(&format!("/sign-in?flow={flow}")).await;
    browser
        .sign_in_at(page, &alice.login, PASSWORD)
        .await
        .goes_to("/authorize/resume");
    let hers = browser.cookie(SESSION).unwrap();

    let another = waiting_request(&lab, &browser, None).await;
    let page = browser.get(&format!("/sign-in?flow={another}")).await;
    browser
        .sign_in_at(page, &dave.login, PASSWORD)
        .await
        .goes_to("/authorize/resume");
    let his = browser.cookie(SESSION).unwrap();
    assert!(!opens(&lab, &hers).await);
    let page = browser.get("/account").await.page("Your account");
    assert!(page.body.contains(&dave.login) && !page.body.contains(&alice.login));
    let ended: Vec<_> = lab
        .events_of(&alice)
        .await
        .into_iter()
        .filter(|event| event.kind == "session.ended")
        .map(|event| event.detail["reason"].clone())
        .collect();
    assert_eq!(ended, ["replaced"]);

    // Her old flow, restarted in his browser, leads to whoever proves who he is, and he is dave.
    let page = browser.get(&format!("/sign-in?flow={flow}")).await;
    browser
        .sign_in_at(page, &dave.login, PASSWORD)
        .await
        .goes_to("/authorize/resume");
    assert_ne!(browser.cookie(SESSION).unwrap(), his);
    let page = browser.get("/account").await.page("Your account");
    assert!(!page.body.contains(&alice.login));

    // With cookies partly deleted: no session is found by the rest.
    browser.set_cookie(SESSION, None);
    browser.get("/account").await.goes_to("/sign-in");
    let other = lab.browser();
    other.set_cookie(SESSION, Some(&hers));
    other.get("/account").await.goes_to("/sign-in");
}
