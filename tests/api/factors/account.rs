//! Changing factors on the account page (LOGIN-16).

use time::Duration;

use super::{enter_password, halfway, nurse, set_up, type_code};
use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

const LIST: &str = "Your sign-in codes";

/// Someone with two devices who has just proved one.
async fn fresh() -> (Lab, Person, Browser) {
    let (lab, _, grace) = nurse(2).await;
    let (browser, page) = halfway(&lab, &grace).await;
    type_code(&browser, &page, &lab.code())
        .await
        .goes_to("/account");
    (lab, grace, browser)
}

/// The ids of the forms that remove devices.
pub(super) fn removals(page: &Answer) -> Vec<String> {
    let forms = page.body.split("id=\"remove-").skip(1);
    forms
        .map(|rest| format!("remove-{}", rest.split('"').next().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_stale_session_changes_nothing_until_a_code_is_proved() {
    let (lab, grace, browser) = fresh().await;
    lab.clock.advance(Duration::minutes(5));
    let list = browser.get("/account/codes").await.page(LIST);
    let remove = removals(&list);
    browser
        .submit(&list, &remove[0], &[])
        .await
        .goes_to("/sign-in/code");
    browser
        .submit(&list, "codes-form", &[])
        .await
        .goes_to("/sign-in/code");
    let rename = remove[0].replace("remove", "rename");
    browser
        .submit(&list, &rename, &[("name", "Mine")])
        .await
        .goes_to("/sign-in/code");
    let asked = browser.visit("/account/codes/add").await;
    let back = "<a href=\"/account/codes\" id=\"back\">";
    assert!(asked.body.contains(back), "{}", asked.body);
    assert_eq!(removals(&browser.get("/account/codes").await).len(), 2);
    let confirmed = type_code(&browser, &asked, &lab.code()).await;
    let list = browser.follow(confirmed).await.page(LIST);
    assert!(list.body.contains("For the next five minutes"));
    browser
        .submit(&list, &remove[0], &[])
        .await
        .goes_to("/account/codes");
    let events = lab.events_of(&grace).await;
    assert!(events.iter().any(|event| event.kind == "factor.removed"));
}

/// The last device stays while a role asks for one; for others it may go, and the codes with it.
#[tokio::test]
async fn the_last_device_stays_while_her_work_asks_for_it() {
    let (lab, grace, browser) = fresh().await;
    let list = browser.get("/account/codes").await;
    let remove = removals(&list);
    let done = browser.submit(&list, &remove[0], &[]).await;
    let list_now = browser.follow(done).await.page(LIST);
    assert!(removals(&list_now).is_empty(), "no button for the last");
    let insisted = browser.submit(&list, &remove[1], &[]).await;
    let list_now = browser.follow(insisted).await.page(LIST);
    assert!(list_now.body.contains("your last device stays"));
    let again = browser.submit(&list, &remove[0], &[]).await;
    again.shows(404, "Something went wrong");
    sqlx::query(
        "delete from identity.membership_role where role = 'nurse' and subject_id in
                 (select subject_id from identity.membership where account_id = $1)",
    )
    .bind(grace.account)
    .execute(&mut lab.database.superuser().await)
    .await
    .unwrap();
    browser
        .submit(&list, &remove[1], &[])
        .await
        .goes_to("/account/codes");
    let list = browser.get("/account/codes").await.page(LIST);
    assert!(list.body.contains("You have none yet."));
}

/// A second phone: added under a fresh proof, named, and good from then on.
#[tokio::test]
async fn a_second_device_is_added_and_named() {
    let (lab, _, browser) = fresh().await;
    let page = browser.get("/account/codes/add").await;
    let secret = super::secret_on(&page);
    let code = secret.code_at(lab.now());
    let fields = [("code", code.as_str()), ("name", "Night <phone>")];
    let added = browser.submit(&page, "enroll-form", &fields).await;
    let list = browser.follow(added).await.page(LIST);
    assert!(list.body.contains("Night &#60;phone&#62;"), "{}", list.body);
    assert_eq!(removals(&list).len(), 3);
    let rename = removals(&list)[2].replace("remove", "rename");
    let renamed = browser
        .submit(&list, &rename, &[("name", "Day phone")])
        .await;
    let list = browser.follow(renamed).await.page(LIST);
    assert!(list.body.contains("Day phone"));
    let page = browser.get("/account/codes/add").await;
    let name = "x".repeat(61);
    let fields = [("code", "000000"), ("name", name.as_str())];
    browser
        .submit(&page, "enroll-form", &fields)
        .await
        .shows(400, "Set up sign-in codes");
}

/// A patient may have one too, of her own will: from then on she is asked at every sign-in.
#[tokio::test]
async fn a_patient_sets_one_up_of_her_own_will() {
    let lab = Lab::new().await;
    let clinic = lab.clinic("Juniper Health").await;
    let ada = lab.person("Ada Byron").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let browser = lab.signed_in(&ada).await;
    lab.clock.advance(Duration::minutes(10));
    // Her password first: it was proved too long ago.
    let asked = browser.visit("/account/codes/add").await;
    let asked = asked.page("Enter your password");
    let password = [("password", crate::lab::world::PASSWORD)];
    let proved = browser.submit(&asked, "password-form", &password).await;
    browser.follow(proved).await.page(LIST);
    let page = browser.get("/account/codes/add").await;
    let (_, shown) = set_up(&lab, &browser, &page).await;
    shown.page("Keep these recovery codes");
    let next = lab.browser();
    enter_password(&next, &ada).await.page("Enter your code");
}

/// Another account's device is as one that is not there.
#[tokio::test]
async fn nobody_removes_anothers_device() {
    let (lab, _, browser) = fresh().await;
    let eve = lab.person("Eve Clark").await;
    lab.plant_devices(&eve, 1).await;
    let foreign: uuid::Uuid =
        sqlx::query_scalar("select totp_id from identity.totp where account_id = $1")
            .bind(eve.account)
            .fetch_one(&mut lab.database.superuser().await)
            .await
            .unwrap();
    let list = browser.get("/account/codes").await;
    let (csrf, device) = (list.hidden("csrf"), foreign.to_string());
    for path in ["/account/codes/remove", "/account/codes/rename"] {
        let fields = [("csrf", csrf.as_str()), ("device", &device), ("name", "x")];
        browser
            .post(path, &fields)
            .await
            .shows(404, "Something went wrong");
    }
}
