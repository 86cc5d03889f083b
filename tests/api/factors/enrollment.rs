//! Who has no device yet: the one sign-in of grace, then setting one up.

use time::Duration;

use super::{codes_on, enter_password, halfway, nurse, onward_from, secret_on, set_up, type_code};
use crate::lab::Lab;

const SESSION: &str = "__Host-lanyard_session";
const ASKED: &str = "Set up sign-in codes";

/// Issue 3: required of staff, with one sign-in of grace; the next must enroll.
#[tokio::test]
async fn setting_a_device_up_is_put_off_once() {
    let (lab, _, grace) = nurse(0).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let later = browser
        .submit(&page.page(ASKED), "postpone-form", &[])
        .await;
    browser.follow(later).await.page("Your account");
    // As long as that session goes on, and no longer.
    browser.get("/account").await.page("Your account");
    let (next, page) = halfway(&lab, &grace).await;
    assert!(!page.body.contains("postpone-form"), "{}", page.body);
    let (csrf, flow) = (page.hidden("csrf"), page.hidden("flow"));
    let fields = [("csrf", csrf.as_str()), ("flow", flow.as_str())];
    let insisted = next.post("/sign-in/enroll/later", &fields).await;
    next.follow(insisted).await.page(ASKED);
    next.get("/account").await.goes_to("/sign-in/enroll");
    let events = lab.events_of(&grace).await;
    let graced = events.iter().filter(|e| e.kind == "factor.grace_used");
    assert_eq!(graced.count(), 1);
}

/// The grace is one, however many ask for it at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_put_it_off_at_once_one_may() {
    let (lab, _, grace) = nurse(0).await;
    let mut pages = Vec::new();
    for number in 0..20_u8 {
        let browser = lab.browser_in(10 + number);
        let page = enter_password(&browser, &grace).await;
        pages.push((browser, page));
    }
    let mut posts = tokio::task::JoinSet::new();
    for (browser, page) in pages {
        posts.spawn(async move {
            let answer = browser.submit(&page, "postpone-form", &[]).await;
            browser.follow(answer).await.sentence() == "Your account"
        });
    }
    let graced = posts.join_all().await.into_iter().filter(|is_in| *is_in);
    assert_eq!(graced.count(), 1);
}

/// The whole of it: a wrong code first, then ten recovery codes shown once, and in.
#[tokio::test]
async fn a_device_counts_from_its_first_right_code_on() {
    let (lab, _, grace) = nurse(0).await;
    let (browser, page) = halfway(&lab, &grace).await;
    let wrong = browser
        .submit(&page, "enroll-form", &[("code", "000000")])
        .await
        .shows(400, ASKED);
    assert_eq!(
        secret_on(&wrong).text(),
        secret_on(&page).text(),
        "the same key, since she has typed it in"
    );
    browser.get("/account").await.goes_to("/sign-in/enroll");
    let before = browser.cookie(SESSION);
    let (secret, shown) = set_up(&lab, &browser, &wrong).await;
    let shown = shown.page("Keep these recovery codes");
    assert_eq!(shown.header("cache-control"), "no-store");
    assert_eq!(codes_on(&shown).len(), 10);
    assert_ne!(browser.cookie(SESSION), before, "LOGIN-25");
    assert_eq!(onward_from(&shown), "/account");
    let account = browser.get("/account").await.page("Your account");
    assert!(account.body.contains("Recovery codes left: 10"));
    // Its first code is spent with that.
    let (next, page) = halfway(&lab, &grace).await;
    let code = secret.code_at(lab.now());
    type_code(&next, &page, &code)
        .await
        .shows(403, "Enter your code");
    lab.clock.advance(Duration::seconds(30));
    let code = secret.code_at(lab.now());
    type_code(&next, &page, &code).await.goes_to("/account");
    let events = lab.events_of(&grace).await;
    for kind in ["factor.added", "recovery_code.made", "factor.proved"] {
        assert!(events.iter().any(|event| event.kind == kind), "{kind}");
    }
}

/// LOGIN-16: who finds a session whose password was proved long ago sets nothing up in it, and
/// one session's key is never shown to another.
#[tokio::test]
async fn a_device_is_begun_only_after_a_fresh_password_and_in_one_session() {
    let (lab, _, grace) = nurse(0).await;
    let (one, page) = halfway(&lab, &grace).await;
    let (two, other) = halfway(&lab, &grace).await;
    assert_ne!(secret_on(&page).text(), secret_on(&other).text());
    // The later one is the one under way: the first one's key is good no longer.
    let code = secret_on(&page).code_at(lab.now());
    let late = one.submit(&page, "enroll-form", &[("code", &code)]).await;
    one.follow(late).await.page(ASKED);
    drop(two);
    let (three, _) = halfway(&lab, &grace).await;
    lab.clock.advance(Duration::minutes(6));
    let page = one.visit("/account").await;
    page.page("Enter your password");
    // Begun while it was fresh, it may take its time.
    three.visit("/account").await.page(ASKED);
}

/// Issue 3: a clinic may ask it of everybody; who is a patient elsewhere is not asked there.
#[tokio::test]
async fn a_clinic_may_ask_its_patients_too() {
    let lab = Lab::new().await;
    let clinic = lab.clinic("Strict Clinic").await;
    let ada = lab.person("Ada Byron").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let (app, id) = (&lab.app, clinic.id);
    let operator = lanyard::cli::Operator::new(&app.db, &app.env, &app.keys);
    let (_, page) = halfway(&lab, &ada).await;
    page.page("Your account");
    assert!(operator.require_factor(id, true).await.unwrap());
    assert!(!operator.require_factor(id, true).await.unwrap());
    let (_, page) = halfway(&lab, &ada).await;
    page.page(ASKED);
    assert!(operator.require_factor(id, false).await.unwrap());
    let (_, page) = halfway(&lab, &ada).await;
    page.page("Your account");
    let events = lab.events_in(id).await;
    let changed = events.iter().filter(|e| e.kind == "factor.policy_changed");
    assert_eq!(changed.count(), 2);
}

/// The migration's roles: every one but patient.
#[tokio::test]
async fn every_staff_role_asks_for_a_device() {
    let lab = Lab::new().await;
    let clinic = lab.clinic("Juniper Health").await;
    let roles: Vec<(String, bool)> = sqlx::query_as("select role, is_platform from identity.role")
        .fetch_all(&mut lab.database.superuser().await)
        .await
        .unwrap();
    assert!(roles.len() > 10);
    for (role, is_platform) in roles {
        let who = lab.person("Somebody There").await;
        let tenant = if is_platform {
            lab.platform().await
        } else {
            clinic.id
        };
        lab.join_bare(&who, tenant, &[&role]).await;
        let (_, page) = halfway(&lab, &who).await;
        let asked = page.sentence() == ASKED;
        assert_eq!(asked, role != "patient", "{role}");
    }
}

/// An operator takes everything away from who lost it: sessions end, and grace begins anew.
#[tokio::test]
async fn after_a_reset_the_password_gets_in_once() {
    let (lab, _, grace) = nurse(1).await;
    let (browser, page) = halfway(&lab, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    let app = &lab.app;
    let operator = lanyard::cli::Operator::new(&app.db, &app.env, &app.keys);
    let login = lanyard::identity::Login::parse(&grace.login).unwrap();
    let (_, taken) = operator.reset_factors(&login).await.unwrap().unwrap();
    assert_eq!((taken.devices, taken.recovery_codes), (1, 0));
    browser.get("/account").await.goes_to("/sign-in");
    let (next, page) = halfway(&lab, &grace).await;
    let later = next.submit(&page.page(ASKED), "postpone-form", &[]).await;
    next.follow(later).await.page("Your account");
    let told: i64 = sqlx::query_scalar(
        "select count(*) from outbox.message where account_id = $1 and kind = 'factors_reset'",
    )
    .bind(grace.account)
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(told, 1);
}
