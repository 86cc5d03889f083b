use time::Duration;

use super::{NEW, ask, catching, follow, link, links, set};
use crate::lab::world::PASSWORD;

const DEAD: &str = "This link no longer works";

/// LOGIN-13: a new password, every session ended, the person told, and nobody signed in by it.
#[tokio::test]
async fn a_link_sets_a_password_and_ends_every_session() {
    let lab = catching().await;
    let ada = lab.person("Ada Forgot").await;
    let clinic = lab.clinic("Juniper Clinic").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let elsewhere = lab.signed_in(&ada).await;
    let mailed = link(&lab, &ada).await;
    let browser = lab.browser();
    let form = follow(&browser, &mailed)
        .await
        .page("Set your new password");
    assert!(form.body.contains(&ada.login), "{}", form.body);
    assert_eq!(form.header("referrer-policy"), "no-referrer");
    assert_eq!(form.header("cache-control"), "no-store");
    // Too short: the link is as it was.
    set(&browser, &form, "short")
        .await
        .shows(400, "Set your new password");
    set(&browser, &form, NEW)
        .await
        .page("Your new password is set");
    assert_eq!(browser.cookie("__Host-lanyard_recovery"), None);
    assert_eq!(browser.cookie("__Host-lanyard_session"), None);
    assert_eq!(elsewhere.get("/session").await.json()["signed_in"], false);
    lab.browser()
        .sign_in(&ada.login, PASSWORD)
        .await
        .shows(403, "Enter your password");
    lab.browser()
        .sign_in(&ada.login, NEW)
        .await
        .goes_to("/account");
    let events = lab.events_of(&ada).await;
    let done = events.iter().find(|e| e.kind == "recovery.completed");
    assert_eq!(done.unwrap().detail["sessions_ended"], 1);
    lanyard::mail::deliver(&lab.app).await.unwrap();
    let told = lanyard::mail::caught(&lab.app, 50).await.unwrap();
    let notice = |m: &&lanyard::mail::Caught| m.letter.subject == "Your password was changed";
    assert_eq!(told.iter().filter(notice).count(), 1);
}

/// LOGIN-13: once; a scanner's look spends nothing.
#[tokio::test]
async fn a_link_works_once_and_looking_spends_nothing() {
    let lab = catching().await;
    let ada = lab.person("Ada Once").await;
    let mailed = link(&lab, &ada).await;
    for _ in 0..3 {
        let scanner = lab.browser_in(5);
        follow(&scanner, &mailed)
            .await
            .page("Set your new password");
    }
    let browser = lab.browser();
    let form = follow(&browser, &mailed)
        .await
        .page("Set your new password");
    let late = lab.browser();
    let late_form = follow(&late, &mailed).await.page("Set your new password");
    set(&browser, &form, NEW)
        .await
        .page("Your new password is set");
    set(&late, &late_form, "another quite long password of hers")
        .await
        .shows(410, DEAD);
    follow(&lab.browser(), &mailed).await.shows(410, DEAD);
    lab.browser()
        .sign_in(&ada.login, NEW)
        .await
        .goes_to("/account");
}

/// LOGIN-13: two at the same moment are one.
#[tokio::test]
async fn of_two_uses_at_once_one_sets_the_password() {
    let lab = catching().await;
    let ada = lab.person("Ada Twice").await;
    let mailed = link(&lab, &ada).await;
    let (one, two) = (lab.browser(), lab.browser());
    let (first, second) = (follow(&one, &mailed).await, follow(&two, &mailed).await);
    let other = "eleven candles under the old bridge";
    let (a, b) = tokio::join!(set(&one, &first, NEW), set(&two, &second, other));
    let sentences = [a.sentence(), b.sentence()];
    let done = sentences
        .iter()
        .filter(|s| **s == "Your new password is set");
    assert_eq!(done.count(), 1, "{sentences:?}");
    assert!(sentences.contains(&DEAD), "{sentences:?}");
}

/// LOGIN-13: the newest alone, for fifteen minutes, and not past a change of password or address.
#[tokio::test]
async fn a_link_dies_by_a_newer_one_by_age_and_by_what_it_was_bound_to() {
    let lab = catching().await;
    let ada = lab.person("Ada Many").await;
    let is_dead = async |mailed: &str| follow(&lab.browser(), mailed).await.status == 410;

    let older = link(&lab, &ada).await;
    lab.clock.advance(Duration::SECOND);
    let newer = link(&lab, &ada).await;
    assert!(is_dead(&older).await && !is_dead(&newer).await);

    lab.clock.advance(Duration::minutes(15) - Duration::SECOND);
    assert!(!is_dead(&newer).await, "a second before");
    lab.clock.advance(Duration::SECOND);
    assert!(is_dead(&newer).await, "at its end");

    let before_change = link(&lab, &ada).await;
    let browser = lab.signed_in(&ada).await;
    let page = browser.get("/account/password").await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW)];
    browser
        .submit(&page, "change-password-form", &fields)
        .await
        .goes_to("/account");
    assert!(is_dead(&before_change).await, "the password was changed");

    lab.clock.advance(Duration::SECOND);
    let before_move = link(&lab, &ada).await;
    let moved = format!("moved.{}", ada.login);
    sqlx::query("update identity.account set login = $2, login_locator = $3 where account_id = $1")
        .bind(ada.account)
        .bind(&moved)
        .bind(lab.app.keys.locator("login", &moved))
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    assert!(is_dead(&before_move).await, "her address is another one");
}

/// LOGIN-13: 256 random bits; what is near a link, or planted in the table, is none.
#[tokio::test]
async fn a_forged_link_opens_nothing() {
    let lab = catching().await;
    let ada = lab.person("Ada Forged").await;
    let mailed = link(&lab, &ada).await;
    let (address, key) = mailed.split_once("?key=").unwrap();
    let flipped = if key.ends_with('A') { "B" } else { "A" };
    for forged in [
        String::new(),
        "x".to_owned(),
        key[..63].to_owned(),
        format!("{}{flipped}", &key[..63]),
        format!("{key}{key}"),
    ] {
        let answer = lab.browser().get(&format!("{address}?key={forged}")).await;
        answer.goes_to("/recovery/new");
        let browser = lab.browser();
        follow(&browser, &format!("{address}?key={forged}"))
            .await
            .shows(410, DEAD);
    }
    // A row that says it lives on: its digest covers the end.
    sqlx::query(
        "update identity.recovery_link set expires_at = expires_at + interval '30 minutes'",
    )
    .execute(&mut lab.database.superuser().await)
    .await
    .unwrap();
    follow(&lab.browser(), &mailed).await.shows(410, DEAD);
}

/// Design §5, RT-18: neither the table nor the outbox holds a link; once it is sent, not even as
/// ciphertext.
#[tokio::test]
async fn a_link_is_nowhere_at_rest() {
    let directory = std::env::temp_dir().join(format!("lanyard-link-{}", std::process::id()));
    let lab = crate::lab::Lab::apart(|config| {
        config.mail.delivery = lanyard::config::MailDelivery::Directory;
        config.mail.directory = Some(directory.clone());
    })
    .await;
    let ada = lab.person("Ada Atrest").await;
    ask(&lab.browser(), &ada.login)
        .await
        .page("Look into your mail");
    let kept = async || -> (String, bool) {
        sqlx::query_as(
            "select l::text || m::text, m.parameters ? 'sealed'
             from identity.recovery_link l, outbox.message m",
        )
        .fetch_one(&mut lab.database.superuser().await)
        .await
        .unwrap()
    };
    let (before, is_sealed) = kept().await;
    assert!(is_sealed, "{before}");
    lanyard::mail::deliver(&lab.app).await.unwrap();
    let file = std::fs::read_dir(&directory).unwrap().next().unwrap();
    let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
    let key = text.split("?key=").nth(1).unwrap().split("\r\n").next();
    let key = key.unwrap();
    assert_eq!(key.len(), 64, "{text}");
    let (after, is_sealed) = kept().await;
    assert!(!is_sealed, "{after}");
    assert!(!before.contains(key) && !after.contains(key));
    assert!(links(&lab, &ada).await.is_empty(), "nothing is caught here");
    std::fs::remove_dir_all(directory).unwrap();
}
