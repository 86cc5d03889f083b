use time::Duration;
use tokio::task::JoinSet;

use crate::lab::world::PASSWORD;
use crate::lab::{Answer, Browser, Lab};

/// Tries a password once in a fresh browser at `host`.
async fn guess(lab: &Lab, host: u8, login: &str, password: &str) -> Answer {
    lab.browser_in(host).sign_in(login, password).await
}

/// The password page of one flow, to be posted again and again.
async fn password_page(browser: &Browser, login: &str) -> Answer {
    let page = browser.visit("/account").await;
    let sent = browser
        .submit(&page, "identifier-form", &[("login", login)])
        .await;
    browser.follow(sent).await.page("Enter your password")
}

/// LOGIN-03: a hundred wrong passwords in an hour; most never reach the hash, each is recorded.
#[tokio::test]
async fn guesses_at_one_account_are_throttled_and_recorded() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser_in(2);
    let page = password_page(&browser, &ada.login).await;
    let form = page.form("password-form");
    let (mut refused, mut throttled) = (0, 0);
    for attempt in 0..100 {
        if attempt % 10 == 0 {
            // The flow itself would expire.
            password_page(&browser, &ada.login).await;
        }
        let answer = guess(&lab, 2, &ada.login, "wrong").await;
        match answer.status.as_u16() {
            403 => refused += 1,
            429 => throttled += 1,
            other => panic!("{other}"),
        }
        lab.clock.advance(Duration::seconds(35));
    }
    assert_eq!(
        (refused, throttled),
        (40, 60),
        "ten in each quarter of an hour"
    );
    assert_eq!(lab.app.hasher.computed(), 40);
    let right = guess(&lab, 2, &ada.login, PASSWORD)
        .await
        .shows(429, "Enter your password");
    let wait: i64 = right.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait));
    let told = match wait {
        ..120 => format!("try again in {wait} seconds"),
        _ => format!("try again in {} minutes", (wait + 59) / 60),
    };
    assert!(right.body.contains(&told), "{told}: {}", right.body);
    lab.clock.advance(Duration::seconds(wait));
    guess(&lab, 2, &ada.login, PASSWORD)
        .await
        .goes_to("/account");
    let counted: i64 = sqlx::query_scalar(
        "select count(*) from audit.event
         where type in ('sign_in.refused', 'sign_in.throttled') and detail ->> 'account' = $1",
    )
    .bind(ada.account.to_string())
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(counted, 101);
    drop(form);
}

/// LOGIN-03: one second before its end the window holds, at its end it does not.
#[tokio::test]
async fn a_window_ends_on_its_second() {
    let lab = Lab::with(|config| config.throttle.account_attempts = 2).await;
    let ada = lab.person("Ada Byron").await;
    let window = lab.app.config.throttle.account_window;
    for _round in 0..2 {
        for _ in 0..2 {
            guess(&lab, 2, &ada.login, "wrong")
                .await
                .shows(403, "Enter your password");
        }
        lab.clock.advance(window - Duration::SECOND);
        let early = guess(&lab, 2, &ada.login, "wrong")
            .await
            .shows(429, "Enter your password");
        assert_eq!(early.header("retry-after"), "1");
        lab.clock.advance(Duration::SECOND);
    }
    guess(&lab, 2, &ada.login, PASSWORD)
        .await
        .goes_to("/account");
}

/// LOGIN-04: counted before it is judged, so that no crowd on any number of servers outruns it.
#[tokio::test]
async fn parallel_guesses_on_two_servers_do_not_outrun_the_count() {
    let lab = Lab::with(|config| config.password.queue = 200).await;
    let second = lab.second_node().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser_in(2);
    let page = password_page(&browser, &ada.login).await;
    let mut crowd = JoinSet::new();
    for number in 0..100 {
        let node = if number % 2 == 0 {
            lab.address
        } else {
            second.address
        };
        let (tab, page) = (browser.clone().through(node), page.clone());
        crowd.spawn(async move {
            let wrong = format!("guess number {number}");
            let fields = [("password", wrong.as_str())];
            tab.submit(&page, "password-form", &fields)
                .await
                .status
                .as_u16()
        });
    }
    let statuses = crowd.join_all().await;
    let judged = statuses.iter().filter(|status| **status == 403).count();
    assert!(judged <= 10, "{statuses:?}");
    assert!(lab.app.hasher.computed() + second.app.hasher.computed() <= 10);
    let known = [403, 429, 503];
    assert!(
        statuses.iter().all(|status| known.contains(status)),
        "{statuses:?}"
    );
}

/// LOGIN-06: strangers' guesses, even from her own network, leave her browser alone.
#[tokio::test]
async fn a_victim_gets_in_with_her_browser_and_from_her_network() {
    let lab = Lab::with(|config| config.throttle.account_attempts = 3).await;
    let ada = lab.person("Ada Byron").await;
    let hers = lab.signed_in(&ada).await;
    // From one place elsewhere, until it is refused.
    for _ in 0..8 {
        guess(&lab, 2, &ada.login, "wrong").await;
    }
    guess(&lab, 2, &ada.login, PASSWORD)
        .await
        .shows(429, "Enter your password");
    // A new browser of hers in the network where she is known.
    guess(&lab, 1, &ada.login, PASSWORD)
        .await
        .goes_to("/account");
    // From within her network, until it is refused.
    for _ in 0..8 {
        guess(&lab, 1, &ada.login, "wrong").await;
    }
    guess(&lab, 1, &ada.login, PASSWORD)
        .await
        .shows(429, "Enter your password");
    // Her browser, wherever she takes it.
    hers.set_cookie("__Host-lanyard_session", None);
    lab.sign_in(&hers, &ada).await;
}

/// LOGIN-06: many places at once slow strangers down; one a minute still gets in, and she does.
#[tokio::test]
async fn guesses_from_many_places_slow_strangers_and_lock_nobody_out() {
    let lab = Lab::with(|config| config.throttle.account_attempts = 1).await;
    let ada = lab.person("Ada Byron").await;
    let hers = lab.signed_in(&ada).await;
    let mut admitted = 0;
    for host in 10..20 {
        let answer = guess(&lab, host, &ada.login, "wrong").await;
        admitted += u32::from(answer.status == 403);
    }
    assert_eq!(admitted, 6, "five freely, then one a minute");
    let slowed = guess(&lab, 30, &ada.login, PASSWORD)
        .await
        .shows(429, "Enter your password");
    assert_eq!(slowed.header("retry-after"), "60");
    hers.set_cookie("__Host-lanyard_session", None);
    lab.sign_in(&hers, &ada).await;
    lab.clock.advance(Duration::MINUTE);
    guess(&lab, 31, &ada.login, PASSWORD)
        .await
        .goes_to("/account");
}

/// One network guessing at many accounts; signing in to one's own does not empty its counter.
#[tokio::test]
async fn a_network_that_guesses_at_many_accounts_waits() {
    let lab = Lab::with(|config| config.throttle.network_attempts = 4).await;
    let mallory = lab.person("Mallory Doe").await;
    for number in 0..4 {
        let login = format!("somebody.{number}@example.test");
        guess(&lab, 2, &login, "wrong")
            .await
            .shows(403, "Enter your password");
        if number == 1 {
            guess(&lab, 2, &mallory.login, PASSWORD)
                .await
                .goes_to("/account");
        }
    }
    guess(&lab, 2, &mallory.login, PASSWORD)
        .await
        .shows(429, "Enter your password");
    guess(&lab, 3, &mallory.login, PASSWORD)
        .await
        .goes_to("/account");
}

/// DOS-01: with all seats taken the answer is to come back, and nothing was checked.
#[tokio::test]
async fn more_passwords_than_there_are_seats_are_told_to_come_back() {
    let lab = Lab::apart(|config| {
        (config.password.parallelism, config.password.queue) = (1, 0);
        config.throttle.account_attempts = 100;
    })
    .await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser();
    let page = password_page(&browser, &ada.login).await;
    let mut crowd = JoinSet::new();
    for _ in 0..20 {
        let (tab, page) = (browser.clone(), page.clone());
        crowd.spawn(async move {
            tab.submit(&page, "password-form", &[("password", "wrong")])
                .await
        });
    }
    let answers = crowd.join_all().await;
    let busy: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 503)
        .collect();
    assert!(!busy.is_empty());
    assert!(
        busy.iter()
            .all(|answer| answer.header("retry-after") == "1")
    );
    assert!(
        busy.iter()
            .all(|answer| answer.sentence() == "Enter your password")
    );
    // What was not judged was no guess.
    let counted: i32 = sqlx::query_scalar("select max(hits) from identity.throttle")
        .fetch_one(&mut lab.database.superuser().await)
        .await
        .unwrap();
    let judged = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!(usize::try_from(counted).unwrap(), judged);
}
