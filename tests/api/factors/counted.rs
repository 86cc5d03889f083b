//! What operators see of second factors: how many, and what became of them.

use time::Duration;

use super::account::removals;
use super::recovery_codes::{instead, type_code as type_recovery_code};
use super::{codes_on, halfway, nurse, secret_on, set_up, type_code};
use crate::lab::Lab;

/// The lines of `/metrics` about factors, as `name{labels}` and count.
fn counted(lab: &Lab) -> Vec<(String, u64)> {
    let text = lab.app.metrics.text(&lab.app);
    let lines = text.lines().filter_map(|line| {
        let (series, count) = line.strip_prefix("lanyard_factor_")?.split_once(' ')?;
        Some((series.to_owned(), count.parse().unwrap()))
    });
    let mut counted: Vec<_> = lines.collect();
    counted.sort();
    counted
}

fn proofs(method: &str, outcome: &str) -> String {
    format!("proofs_total{{method=\"{method}\",outcome=\"{outcome}\"}}")
}

fn enrollments(outcome: &str) -> String {
    format!("enrollments_total{{outcome=\"{outcome}\"}}")
}

/// Issue 3: each code that is typed is counted once, by what it is of and what became of it.
#[tokio::test]
async fn each_typed_code_is_counted_by_what_became_of_it() {
    let (lab, _, grace) = nurse(0).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let key = secret_on(&page);
    let again = browser
        .submit(&page, "enroll-form", &[("code", "000000")])
        .await;
    let (_, shown) = set_up(&lab, &browser, &again).await;
    let recovery = codes_on(&shown);

    let (other, page) = halfway(&lab, &grace).await;
    type_code(&other, &page, "").await;
    type_code(&other, &page, &key.code_at(lab.now())).await;
    type_code(&other, &page, "no code").await;
    lab.clock.advance(Duration::seconds(30));
    type_code(&other, &page, &key.code_at(lab.now()))
        .await
        .goes_to("/account");

    let (third, page) = halfway(&lab, &grace).await;
    let page = instead(&third, &page).await;
    type_recovery_code(&third, &page, &recovery[0])
        .await
        .goes_to("/account");
    let (fourth, page) = halfway(&lab, &grace).await;
    let page = instead(&fourth, &page).await;
    type_recovery_code(&fourth, &page, &recovery[0]).await;
    type_recovery_code(&fourth, &page, "aaaa-aaaa-aaaa-aaaa").await;
    let so_far = [
        (enrollments("accepted"), 1),
        (enrollments("refused"), 1),
        (proofs("recovery_code", "accepted"), 1),
        (proofs("recovery_code", "refused"), 1),
        (proofs("recovery_code", "replayed"), 1),
        (proofs("totp", "accepted"), 1),
        (proofs("totp", "refused"), 1),
        (proofs("totp", "replayed"), 1),
        ("removals_total".to_owned(), 0),
    ];
    assert_eq!(counted(&lab), so_far);
}

/// A burst of guesses is a burst of counts, those that were not even judged too.
#[tokio::test]
async fn guesses_beyond_the_limit_are_counted_as_throttled() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let limit = lab.app.config.throttle.account_attempts;
    for _ in 0..limit + 2 {
        type_code(&browser, &page, "000000").await;
    }
    let expected = [
        (proofs("totp", "refused"), u64::from(limit)),
        (proofs("totp", "throttled"), 2),
        ("removals_total".to_owned(), 0),
    ];
    assert_eq!(counted(&lab), expected);
}

/// What was removed is counted; what stays because her work asks for it is not.
#[tokio::test]
async fn a_removal_is_counted_and_a_refused_one_is_not() {
    let (lab, _, grace) = nurse(2).await;
    let (browser, page) = halfway(&lab, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    let list = browser.get("/account/codes").await;
    for form in removals(&list) {
        browser
            .submit(&list, &form, &[])
            .await
            .goes_to("/account/codes");
    }
    let expected = [
        (proofs("totp", "accepted"), 1),
        ("removals_total".to_owned(), 1),
    ];
    assert_eq!(counted(&lab), expected);
}
