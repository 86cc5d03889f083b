//! Codes for the day when no phone is at hand (LOGIN-20).

use http::StatusCode;

use super::{codes_on, enter_password, halfway, nurse, set_up};
use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

/// Someone who has just set a device up, and her codes.
async fn with_codes() -> (Lab, Person, Browser, Vec<String>) {
    let (lab, _, grace) = nurse(0).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let (_, shown) = set_up(&lab, &browser, &page).await;
    let codes = codes_on(&shown);
    (lab, grace, browser, codes)
}

/// From the page that asks for a code to the one that asks for a recovery code.
pub(super) async fn instead(browser: &Browser, page: &Answer) -> Answer {
    let path = format!("/sign-in/recovery-code?flow={}", page.hidden("flow"));
    browser.get(&path).await.page("Enter a recovery code")
}

pub(super) async fn type_code(browser: &Browser, page: &Answer, code: &str) -> Answer {
    browser
        .submit(page, "recovery-form", &[("code", code)])
        .await
}

#[tokio::test]
async fn each_is_good_once_and_the_person_is_told() {
    let (lab, grace, _, codes) = with_codes().await;
    let (browser, page) = halfway(&lab, &grace).await;
    let page = instead(&browser, &page).await;
    let loud = codes[0].to_uppercase().replace('-', " ");
    let entered = type_code(&browser, &page, &loud).await;
    entered.goes_to("/account");
    let account = browser.follow(entered).await.page("Your account");
    assert!(account.body.contains("Recovery codes left: 9"));
    let (other, page) = halfway(&lab, &grace).await;
    let page = instead(&other, &page).await;
    let spent = type_code(&other, &page, &codes[0]).await;
    let wrong = type_code(&other, &page, "aaaa-aaaa-aaaa-aaaa").await;
    let no_code = type_code(&other, &page, "nothing like it").await;
    let plain = |answer: &Answer| answer.body.split("<footer").next().unwrap().to_owned();
    assert_eq!(plain(&spent), plain(&wrong));
    assert_eq!(plain(&spent), plain(&no_code));
    spent.shows(403, "Enter a recovery code");
    let mut boss = lab.database.superuser().await;
    let told: Vec<String> = sqlx::query_scalar(
        "select kind from outbox.message where account_id = $1 and kind <> 'new_device'
         order by created_at, kind",
    )
    .bind(grace.account)
    .fetch_all(&mut boss)
    .await
    .unwrap();
    assert_eq!(told, ["factor_added", "recovery_code_used"]);
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select code_digest from identity.recovery_code where account_id = $1")
            .bind(grace.account)
            .fetch_all(&mut boss)
            .await
            .unwrap();
    assert_eq!(stored.len(), 10);
    assert!(stored.iter().all(|digest| digest.len() == 32));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_uses_at_once_one_is_taken() {
    let (lab, grace, _, codes) = with_codes().await;
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..20_u8 {
        let browser = lab.browser_in(10 + number);
        let page = enter_password(&browser, &grace).await;
        let page = instead(&browser, &page).await;
        let code = codes[3].clone();
        posts.spawn(async move { type_code(&browser, &page, &code).await.status });
    }
    let answers = posts.join_all().await;
    let taken = answers
        .iter()
        .filter(|status| **status == StatusCode::SEE_OTHER);
    assert_eq!(taken.count(), 1, "{answers:?}");
}

/// New ones end the old ones; another person's are nothing; none is shown a second time.
#[tokio::test]
async fn they_are_hers_the_newest_and_shown_once() {
    let (lab, grace, browser, old) = with_codes().await;
    let page = browser
        .get("/account/codes")
        .await
        .page("Your sign-in codes");
    assert!(page.body.contains("You have 10 recovery codes left."));
    assert!(!page.body.contains(&old[0]), "shown once");
    let renewed = browser.submit(&page, "codes-form", &[]).await;
    let new = codes_on(&renewed.page("Keep these recovery codes"));
    assert!(new.iter().all(|code| !old.contains(code)));
    let (_, eve, _, hers) = with_codes().await;
    let (other, page) = halfway(&lab, &grace).await;
    let page = instead(&other, &page).await;
    for bad in [&old[0], &hers[0]] {
        type_code(&other, &page, bad)
            .await
            .shows(403, "Enter a recovery code");
    }
    type_code(&other, &page, &new[0]).await.goes_to("/account");
    assert_ne!(eve.account, grace.account);
}

/// Guesses of them are in the same counters as guesses of codes.
#[tokio::test]
async fn they_are_guessed_as_slowly_as_codes() {
    let (lab, grace, _, codes) = with_codes().await;
    let (browser, page) = halfway(&lab, &grace).await;
    let page = instead(&browser, &page).await;
    for _ in 0..lab.app.config.throttle.account_attempts {
        type_code(&browser, &page, "aaaa-aaaa-aaaa-aaaa").await;
    }
    type_code(&browser, &page, &codes[0])
        .await
        .shows(429, "Enter a recovery code");
}
