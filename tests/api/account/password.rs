use time::Duration;

use crate::lab::world::{PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab};

const SESSION: &str = "__Host-lanyard_session";
const NEW: &str = "nine lanterns on the harbor wall";

async fn change(browser: &Browser, current: &str, new: &str) -> Answer {
    let page = browser
        .get("/account/password")
        .await
        .page("Change your password");
    let fields = [("current_password", current), ("new_password", new)];
    browser.submit(&page, "change-password-form", &fields).await
}

#[track_caller]
fn says(answer: Answer, status: u16, words: &str) {
    let answer = answer.shows(status, "Change your password");
    assert!(answer.body.contains(words), "{words}: {}", answer.body);
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/session").await.json()["signed_in"] == true
}

async fn mails_to(lab: &Lab, who: &Person) -> Vec<String> {
    sqlx::query_scalar("select kind from outbox.message where account_id = $1 order by created_at")
        .bind(who.account)
        .fetch_all(&mut lab.database.superuser().await)
        .await
        .unwrap()
}

/// LOGIN-25: the other sessions end, this one goes on under a new secret, and she is told; twice
/// round.
#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_renews_this_one() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let here = lab.signed_in(&ada).await;
    let mut passwords = vec![PASSWORD, NEW, "eleven swans along the mill pond"];
    for _round in 0..2 {
        let current = passwords.remove(0);
        let there = lab.browser();
        there.sign_in(&ada.login, current).await.goes_to("/account");
        let before = here.cookie(SESSION).unwrap();
        let answer = change(&here, current, passwords[0]).await;
        answer.goes_to("/account");
        let page = here.follow(answer).await.page("Your account");
        assert!(
            page.body.contains("Your password is changed"),
            "{}",
            page.body
        );
        assert!(!is_signed_in(&there).await);
        let after = here.cookie(SESSION).unwrap();
        assert_ne!(before, after);
        let thief = lab.browser();
        thief.set_cookie(SESSION, Some(&before));
        assert!(!is_signed_in(&thief).await);
        lab.browser()
            .sign_in(&ada.login, current)
            .await
            .shows(403, "Enter your password");
        lab.browser()
            .sign_in(&ada.login, passwords[0])
            .await
            .goes_to("/account");
    }
    let events = lab.events_of(&ada).await;
    let changed: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "password.changed")
        .collect();
    let ended: Vec<_> = changed
        .iter()
        .map(|e| e.detail["sessions_ended"].as_i64())
        .collect();
    assert_eq!(ended, [Some(1), Some(2)]);
    let told = mails_to(&lab, &ada).await;
    assert_eq!(
        told.iter()
            .filter(|kind| *kind == "password_changed")
            .count(),
        2
    );
}

/// LOGIN-24: each rule in words, and nothing is changed by a refusal.
#[tokio::test]
async fn a_password_that_breaks_a_rule_is_refused_in_words() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let clinic = lab.clinic("Juniper Health").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let browser = lab.signed_in(&ada).await;
    let common = "easy to guess";
    for (new, words) in [
        ("grass over cla", "too short"),
        ("password1", "too short"),
        ("", "too short"),
        ("passwordpassword1", common),
        ("Juniper Health 2026", common),
        (ada.login.as_str(), common),
        (&"x".repeat(1025), "too long"),
        (PASSWORD, "the same as the current one"),
    ] {
        says(change(&browser, PASSWORD, new).await, 400, words);
    }
    let events = lab.events_of(&ada).await;
    let refused = events
        .iter()
        .filter(|event| event.kind == "password.refused");
    let reasons: Vec<_> = refused
        .map(|e| e.detail["reason"].as_str().unwrap())
        .collect();
    let expected = [
        "too_short",
        "too_short",
        "too_short",
        "too_common",
        "too_common",
        "too_common",
        "too_long",
        "unchanged",
    ];
    assert_eq!(reasons, expected);
    lab.browser()
        .sign_in(&ada.login, PASSWORD)
        .await
        .goes_to("/account");
}

/// LOGIN-24: nothing is trimmed, cut or folded, and one text in two Unicode forms is one password.
#[tokio::test]
async fn a_password_is_kept_as_it_was_typed() {
    let lab = Lab::new().await;
    for (chosen, also, not) in [
        (
            " leading space and tail ".to_owned(),
            None,
            "leading space and tail",
        ),
        (
            "caf\u{e9} au lait at dawn".to_owned(),
            Some("cafe\u{301} au lait at dawn"),
            "cafe au lait at dawn",
        ),
        (
            "🐌 slow snails climb 🌱 stems".to_owned(),
            None,
            "🐌 slow snails climb 🌱 stem",
        ),
        (PASSWORD.repeat(20), None, "quiet river under seven bridges"),
    ] {
        let ada = lab.person("Ada Byron").await;
        let browser = lab.signed_in(&ada).await;
        change(&browser, PASSWORD, &chosen)
            .await
            .goes_to("/account");
        lab.browser()
            .sign_in(&ada.login, &chosen)
            .await
            .goes_to("/account");
        if let Some(also) = also {
            lab.browser()
                .sign_in(&ada.login, also)
                .await
                .goes_to("/account");
        }
        lab.browser()
            .sign_in(&ada.login, not)
            .await
            .shows(403, "Enter your password");
    }
}

/// Whoever finds an open session can't guess the password with it for long.
#[tokio::test]
async fn guesses_at_the_current_password_are_throttled() {
    let lab = Lab::with(|config| config.throttle.account_attempts = 3).await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    for _ in 0..3 {
        says(
            change(&browser, "wrong", NEW).await,
            403,
            "That is not your current password",
        );
    }
    let hashes = lab.app.hasher.computed();
    let answer = change(&browser, PASSWORD, NEW).await;
    let wait: i64 = answer.header("retry-after").parse().unwrap();
    says(answer, 429, "Too many attempts");
    assert_eq!(lab.app.hasher.computed(), hashes);
    // She is not kept from signing in elsewhere, and here not for long.
    lab.browser()
        .sign_in(&ada.login, PASSWORD)
        .await
        .goes_to("/account");
    lab.clock.advance(Duration::seconds(wait));
    change(&browser, PASSWORD, NEW).await.goes_to("/account");
}

/// A person who searches for a good password is no guesser.
#[tokio::test]
async fn refused_new_passwords_do_not_count_as_guesses() {
    let lab = Lab::with(|config| config.throttle.account_attempts = 2).await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    for _ in 0..4 {
        says(
            change(&browser, PASSWORD, "too short").await,
            400,
            "too short",
        );
    }
    change(&browser, PASSWORD, NEW).await.goes_to("/account");
}

/// Two tabs change it at once: one does, and the other is told something true.
#[tokio::test]
async fn two_changes_at_once_are_one() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let other = "eleven swans along the mill pond";
    let (one, two) = tokio::join!(
        change(&browser, PASSWORD, NEW),
        change(&browser, PASSWORD, other)
    );
    let done = [&one, &two].map(|answer| answer.header("location").starts_with("/account"));
    assert_ne!(done[0], done[1], "{} {}", one.status, two.status);
    let now = if done[0] { NEW } else { other };
    lab.browser()
        .sign_in(&ada.login, now)
        .await
        .goes_to("/account");
}
