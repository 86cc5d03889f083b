use lanyard::sessions::{Limits, administration};
use time::{Duration, OffsetDateTime};

use crate::lab::world::{Clinic, PASSWORD};
use crate::lab::{Browser, Lab};

/// What a clinic asks of its sessions.
async fn ask_of_sessions(lab: &Lab, clinic: &Clinic, idle: Duration, absolute: Duration) {
    let limits = Limits { idle, absolute };
    let saved = administration::save_tenant_limits(&lab.app, clinic.id, limits).await;
    saved.unwrap().unwrap();
}

fn milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/session").await.json()["signed_in"] == true
}

async fn do_something(browser: &Browser) {
    browser.get("/account").await.page("Your account");
}

/// Design §4: one second before the idle end the session lives, at it and after it it is over;
/// twice round.
/// WEB-11.
#[tokio::test]
async fn a_session_ends_at_its_idle_end_to_the_second() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let idle = lab.app.config.session.idle;
    for _round in 0..2 {
        for (offset, lives) in [(-1, true), (0, false), (1, false)] {
            let browser = lab.signed_in(&ada).await;
            // The clock counts from the last thing done, not from the sign-in.
            lab.clock.advance(idle / 2);
            do_something(&browser).await;
            lab.clock.advance(idle + Duration::seconds(offset));
            assert_eq!(is_signed_in(&browser).await, lives, "{offset}");
            if !lives {
                // Ended: no clock that goes back, and no activity, brings it to life.
                lab.clock.advance(-idle);
                assert!(!is_signed_in(&browser).await);
                lab.clock.advance(idle);
            }
        }
    }
    let events = lab.events_of(&ada).await;
    let ends: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "session.ended")
        .collect();
    assert_eq!(ends.len(), 4);
    assert!(
        ends.iter().all(|event| event.detail["reason"] == "idle"),
        "{ends:?}"
    );
}

/// Design §4: whatever is done, the absolute end stays where it was; twice round.
/// WEB-11.
#[tokio::test]
async fn a_session_ends_at_its_absolute_end_to_the_second_however_busy() {
    let lab = Lab::with(|config| {
        config.session.idle = Duration::minutes(30);
        config.session.absolute = Duration::hours(2);
    })
    .await;
    let ada = lab.person("Ada Byron").await;
    for _round in 0..2 {
        for (offset, lives) in [(-1, true), (0, false), (1, false)] {
            let browser = lab.signed_in(&ada).await;
            for _ in 0..5 {
                lab.clock.advance(Duration::minutes(20));
                do_something(&browser).await;
            }
            let facts = browser.get("/session").await.json();
            assert!(facts["idle_ends_at"].as_i64() <= facts["session_ends_at"].as_i64());
            lab.clock
                .advance(Duration::minutes(20) + Duration::seconds(offset));
            assert_eq!(is_signed_in(&browser).await, lives, "{offset}");
        }
    }
    let events = lab.events_of(&ada).await;
    let ends: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "session.ended")
        .collect();
    assert_eq!(ends.len(), 4);
    assert!(
        ends.iter()
            .all(|event| event.detail["reason"] == "absolute"),
        "{ends:?}"
    );
}

/// The page after the end says why, takes the cookie away, and leads to a new sign-in.
#[tokio::test]
async fn after_the_end_a_page_says_why() {
    let lab = Lab::with(|config| {
        config.session.idle = Duration::minutes(30);
        config.session.absolute = Duration::minutes(40);
    })
    .await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    lab.clock.advance(Duration::minutes(30));
    let over = browser.get("/account").await;
    assert_eq!(over.goes_to("/signed-out"), "/signed-out?reason=idle");
    assert!(browser.cookie("__Host-lanyard_session").is_none());
    let page = browser.follow(over).await;
    page.page("You were signed out because you were away");
    browser.get("/account").await.goes_to("/sign-in");

    let browser = lab.signed_in(&ada).await;
    lab.clock.advance(Duration::minutes(20));
    do_something(&browser).await;
    lab.clock.advance(Duration::minutes(20));
    let csrf = lab.browser().visit("/account").await.hidden("csrf");
    // A form is answered like a page, and does nothing.
    browser
        .post("/account/sessions/end-all", &[("csrf", &csrf)])
        .await
        .shows(403, "Something went wrong");
    let over = browser.get("/account/password").await;
    assert_eq!(over.goes_to("/signed-out"), "/signed-out?reason=expired");
    browser
        .follow(over)
        .await
        .page("Your session has reached its end");
}

/// A policy that the platform tightens counts for sessions that live already.
#[tokio::test]
async fn a_tightened_limit_ends_a_live_session() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    lab.clock.advance(Duration::minutes(10));
    let strict = lab
        .second_node_with(|config| config.session.idle = Duration::minutes(10))
        .await;
    assert!(is_signed_in(&browser).await);
    assert!(!is_signed_in(&browser.clone().through(strict.address)).await);
    assert!(!is_signed_in(&browser).await, "what ended once stays so");
}

/// Design §4: her own pages are about all her clinics, so the strictest limit of them all holds
/// there, one second before it and at it; and in every way in.
/// WEB-11.
#[tokio::test]
async fn the_strictest_of_her_clinics_holds_on_her_own_pages() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let (lax, strict) = (lab.clinic("Lax").await, lab.clinic("Strict").await);
    lab.join(&ada, lax.id, &["patient"]).await;
    lab.join(&ada, strict.id, &["patient"]).await;
    let (idle, absolute) = (Duration::minutes(10), Duration::hours(2));
    ask_of_sessions(&lab, &strict, idle, absolute).await;

    let browser = lab.signed_in(&ada).await;
    let began = lab.now();
    lab.clock.advance(idle - Duration::SECOND);
    let page = browser.get("/account").await.page("Your account");
    assert!(page.body.contains("after 10 minutes without activity"));
    let facts = browser.get("/session").await.json();
    assert_eq!(facts["idle_ends_at"], milliseconds(lab.now() + idle));
    assert_eq!(facts["session_ends_at"], milliseconds(began + absolute));

    lab.clock.advance(idle);
    for path in ["/account", "/account/password", "/account/codes"] {
        browser.get(path).await.goes_to("/sign-in");
    }
    let csrf = page.hidden("csrf");
    for path in ["/account/sessions/end-all", "/account/codes/recovery"] {
        let posted = browser.post(path, &[("csrf", &csrf)]).await;
        posted.goes_to("/sign-in");
    }
    let facts = browser.get("/session").await.json();
    assert_eq!(
        (&facts["signed_in"], &facts["reason"]),
        (&false.into(), &"idle".into())
    );
    browser
        .get("/signed-out?reason=idle")
        .await
        .page("You were signed out because you were away");
    let events = lab.events_of(&ada).await;
    assert!(events.iter().all(|event| event.kind != "session.ended"));

    // Signing in again begins anew: what lapsed is not gone on with.
    lab.sign_in(&browser, &ada).await;
    let events = lab.events_of(&ada).await;
    let ended = events.iter().find(|event| event.kind == "session.ended");
    assert_eq!(ended.unwrap().detail["reason"], "replaced");
    let facts = browser.get("/session").await.json();
    let ends_at = milliseconds(lab.now() + absolute);
    assert_eq!(facts["session_ends_at"], ends_at);
}

/// Design §4: of clinicians too, by their role alone.
#[tokio::test]
async fn a_clinicians_own_pages_end_as_early_as_her_work() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let clinic = lab.clinic("Juniper").await;
    lab.join(&ada, clinic.id, &["clinician", "patient"]).await;
    let browser = lab.signed_in(&ada).await;
    let facts = browser.get("/session").await.json();
    let ends = ["idle_ends_at", "session_ends_at"].map(|end| facts[end].as_i64());
    let (idle, absolute) = (Duration::minutes(15), Duration::hours(12));
    let expected = [idle, absolute].map(|limit| Some(milliseconds(lab.now() + limit)));
    assert_eq!(ends, expected);
    lab.clock.advance(idle);
    browser.get("/account").await.goes_to("/sign-in");
    // A limit that is tightened meanwhile counts at the next use; a page of signing in goes by
    // the platform's, so that its form is not lost.
    let page = browser.visit("/account").await;
    let entered = browser.sign_in_at(page, &ada.login, PASSWORD).await;
    lab.clock.advance(Duration::minutes(1));
    lab.prove_factor(&browser, entered)
        .await
        .page("Your account");
    ask_of_sessions(&lab, &clinic, Duration::minutes(2), Duration::hours(1)).await;
    lab.clock.advance(Duration::minutes(2));
    browser.get("/account").await.goes_to("/sign-in");
}
