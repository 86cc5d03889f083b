//! How many sessions one person may have at a time.

use crate::lab::world::PASSWORD;
use crate::lab::{Browser, Lab};

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/session").await.json()["signed_in"] == true
}

/// WEB-16: one more than the documented limit ends the one that was idle longest, on the record;
/// twice round.
#[tokio::test]
async fn one_session_too_many_ends_the_one_that_was_idle_longest() {
    let lab = Lab::with(|config| config.session.most_per_person = 2).await;
    let ada = lab.person("Ada Bound").await;
    let mut browsers = Vec::new();
    for _ in 0..2 {
        browsers.push(lab.signed_in(&ada).await);
        lab.clock.advance(time::Duration::MINUTE);
    }
    // The first is used again, so the second is idle longest.
    browsers[0].get("/account").await.page("Your account");
    for (ended, round) in [(1, 1), (0, 2)] {
        lab.clock.advance(time::Duration::MINUTE);
        browsers.push(lab.signed_in(&ada).await);
        assert!(!is_signed_in(&browsers[ended]).await, "round {round}");
        let events = lab.events_of(&ada).await;
        let displaced = events
            .iter()
            .filter(|event| event.kind == "session.ended")
            .filter(|event| event.detail["reason"] == "displaced");
        assert_eq!(displaced.count(), round);
    }
}

/// WEB-16: sign-ins at the same moment do not add up beyond the limit.
#[tokio::test]
async fn sign_ins_at_once_keep_to_the_limit() {
    let lab = Lab::with(|config| config.session.most_per_person = 2).await;
    let ada = lab.person("Ada Crowd").await;
    // Whether she gets to see her page is open: another may have ended the session by then.
    let sign_in = async || {
        let browser = lab.browser();
        let entered = browser.sign_in(&ada.login, PASSWORD).await;
        entered.goes_to("/account");
        browser
    };
    let all: [Browser; 4] = tokio::join!(sign_in(), sign_in(), sign_in(), sign_in()).into();
    let mut live = 0;
    for browser in &all {
        live += u32::from(is_signed_in(browser).await);
    }
    assert_eq!(live, 2);
}
