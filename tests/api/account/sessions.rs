use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

/// The ids in the forms of the account page, this device's first.
fn listed(page: &Answer) -> Vec<String> {
    let forms = page.body.split("<form id=\"end-").skip(1);
    let ids = forms.map(|form| form.split('"').next().unwrap().to_owned());
    ids.filter(|id| id != "all").collect()
}

async fn account_page(browser: &Browser) -> Answer {
    browser.get("/account").await.page("Your account")
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/session").await.json()["signed_in"] == true
}

async fn ends_of(lab: &Lab, who: &Person) -> Vec<String> {
    let events = lab.events_of(who).await;
    let ended = events.iter().filter(|event| event.kind == "session.ended");
    ended
        .map(|event| event.detail["reason"].as_str().unwrap().to_owned())
        .collect()
}

/// WEB-13: a person sees her sessions and ends one, which then opens nothing.
#[tokio::test]
async fn a_person_sees_her_sessions_and_ends_another() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let here = lab.signed_in(&ada).await;
    let there = lab.browser().calling_itself(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
    );
    lab.sign_in(&there, &ada).await;
    let page = account_page(&here).await;
    assert!(page.body.contains("Safari on iPhone"), "{}", page.body);
    assert!(page.body.contains("Firefox on Linux"), "{}", page.body);
    let ids = listed(&page);
    assert_eq!(ids.len(), 2);
    let answer = here.submit(&page, &format!("end-{}", ids[1]), &[]).await;
    answer.goes_to("/account");
    let page = here.follow(answer).await.page("Your account");
    assert!(
        page.body.contains("That device is signed out."),
        "{}",
        page.body
    );
    assert_eq!(listed(&page), ids[..1]);
    assert!(!is_signed_in(&there).await);
    assert!(is_signed_in(&here).await);
    assert_eq!(ends_of(&lab, &ada).await, ["ended_elsewhere"]);
    // Pressed twice: it is over, and said so.
    let again = [("csrf", page.hidden("csrf")), ("session", ids[1].clone())];
    let again: Vec<_> = again
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    here.post("/account/sessions/end", &again)
        .await
        .goes_to("/account");
    assert_eq!(ends_of(&lab, &ada).await, ["ended_elsewhere"]);
}

#[tokio::test]
async fn ending_this_session_signs_out_here() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let (here, there) = (lab.signed_in(&ada).await, lab.signed_in(&ada).await);
    let page = account_page(&here).await;
    let answer = here
        .submit(&page, &format!("end-{}", listed(&page)[0]), &[])
        .await;
    answer.goes_to("/signed-out");
    here.follow(answer).await.page("You are signed out");
    assert!(here.cookie("__Host-lanyard_session").is_none());
    assert!(is_signed_in(&there).await);
    assert_eq!(ends_of(&lab, &ada).await, ["signed_out"]);
    // The warning's form names no session: this one.
    let page = account_page(&there).await;
    there
        .submit(&page, "session-sign-out", &[])
        .await
        .goes_to("/signed-out");
    assert_eq!(ends_of(&lab, &ada).await, ["signed_out", "signed_out"]);
}

/// WEB-13.
#[tokio::test]
async fn ending_all_sessions_ends_every_one_of_hers_and_nobody_elses() {
    let lab = Lab::new().await;
    let (ada, eve) = (lab.person("Ada Byron").await, lab.person("Eve Clark").await);
    let here = lab.signed_in(&ada).await;
    let others = [lab.signed_in(&ada).await, lab.signed_in(&ada).await];
    let foreign = lab.signed_in(&eve).await;
    let page = account_page(&here).await;
    here.submit(&page, "end-all", &[])
        .await
        .goes_to("/signed-out");
    for over in others.iter().chain([&here]) {
        assert!(!is_signed_in(over).await);
        over.get("/account").await.goes_to("/sign-in");
    }
    assert!(is_signed_in(&foreign).await);
    let mut reasons = ends_of(&lab, &ada).await;
    reasons.sort();
    assert_eq!(
        reasons,
        ["ended_elsewhere", "ended_elsewhere", "signed_out"]
    );
}

/// WEB-13: another person's session is as one that is not there.
#[tokio::test]
async fn anothers_session_id_is_not_found() {
    let lab = Lab::new().await;
    let (ada, eve) = (lab.person("Ada Byron").await, lab.person("Eve Clark").await);
    let (hers, foreign) = (lab.signed_in(&ada).await, lab.signed_in(&eve).await);
    let id = listed(&account_page(&foreign).await).remove(0);
    let csrf = account_page(&hers).await.hidden("csrf");
    let nobodys = "00000000-0000-4000-8000-000000000000";
    for wrong in [id.as_str(), nobodys, "none", ""] {
        let fields = [("csrf", csrf.as_str()), ("session", wrong)];
        let answer = hers.post("/account/sessions/end", &fields).await;
        answer.shows(404, "Something went wrong");
    }
    assert!(is_signed_in(&foreign).await && is_signed_in(&hers).await);
    assert!(ends_of(&lab, &eve).await.is_empty());
}

/// A person without a session is asked to sign in, on every page and form.
#[tokio::test]
async fn nobody_sees_or_changes_an_account_without_a_session() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    browser.get("/account").await.goes_to("/sign-in");
    browser.get("/account/password").await.goes_to("/sign-in");
    let csrf = browser.visit("/account").await.hidden("csrf");
    for path in [
        "/account/sessions/end",
        "/account/sessions/end-all",
        "/account/password",
    ] {
        browser
            .post(path, &[("csrf", &csrf)])
            .await
            .goes_to("/sign-in");
    }
}

/// A disabled account's sessions open nothing.
#[tokio::test]
async fn a_disabled_account_is_signed_out_at_once() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    assert!(is_signed_in(&browser).await);
    sqlx::query("update identity.account set status = 'disabled' where account_id = $1")
        .bind(ada.account)
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    assert!(!is_signed_in(&browser).await);
    browser.get("/account").await.goes_to("/sign-in");
}

/// Sessions that ran out, though nobody came back to them, are not listed.
#[tokio::test]
async fn a_session_that_ran_out_is_not_listed() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let _left = lab.signed_in(&ada).await;
    lab.clock.advance(lab.app.config.session.idle);
    let here = lab.signed_in(&ada).await;
    assert_eq!(listed(&account_page(&here).await).len(), 1);
}
