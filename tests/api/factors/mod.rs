//! Second factors on our own pages: proved, set up, put off once, changed.

mod account;
mod challenge;
mod counted;
mod enrollment;
mod recovery_codes;

use lanyard::identity::totp::TotpSecret;

use crate::lab::world::{Clinic, PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab};

/// A clinic, and someone who works there with so many devices.
async fn nurse(devices: usize) -> (Lab, Clinic, Person) {
    let lab = Lab::new().await;
    let clinic = lab.clinic("Juniper Health").await;
    let grace = lab.person("Grace Night").await;
    lab.join_bare(&grace, clinic.id, &["nurse"]).await;
    lab.plant_devices(&grace, devices).await;
    (lab, clinic, grace)
}

/// A browser in which the password was proved, and the page that follows.
async fn halfway(lab: &Lab, who: &Person) -> (Browser, Answer) {
    let browser = lab.browser();
    let page = enter_password(&browser, who).await;
    (browser, page)
}

/// Proves the password in this browser; the page that follows.
async fn enter_password(browser: &Browser, who: &Person) -> Answer {
    let answer = browser.sign_in(&who.login, PASSWORD).await;
    browser.follow(answer).await
}

/// Types a code on the page that asks for it.
async fn type_code(browser: &Browser, page: &Answer, code: &str) -> Answer {
    browser.submit(page, "code-form", &[("code", code)]).await
}

/// What the page that sets a device up shows.
fn secret_on(page: &Answer) -> TotpSecret {
    let shown = page.body.split("id=\"secret\">").nth(1).unwrap();
    let text = shown.split("</code>").next().unwrap();
    TotpSecret::parse(&text.replace(' ', "")).expect("a key")
}

/// What stands on the page of recovery codes.
fn codes_on(page: &Answer) -> Vec<String> {
    let list = page.body.split("id=\"recovery-codes\"").nth(1).unwrap();
    let list = list.split("</ul>").next().unwrap();
    let codes = list.split("<code>").skip(1);
    codes
        .map(|rest| rest.split("</code>").next().unwrap().to_owned())
        .collect()
}

/// Where the page of recovery codes leads.
fn onward_from(page: &Answer) -> String {
    let link = page.body.split("id=\"onward\"").next().unwrap();
    let href = link.rsplit("href=\"").next().unwrap();
    href.split('"').next().unwrap().to_owned()
}

/// Sets a device up from the page that offers it; its secret and the page of recovery codes.
async fn set_up(lab: &Lab, browser: &Browser, page: &Answer) -> (TotpSecret, Answer) {
    let secret = secret_on(page);
    let code = secret.code_at(lab.now());
    let shown = browser
        .submit(page, "enroll-form", &[("code", &code)])
        .await;
    (secret, shown)
}
