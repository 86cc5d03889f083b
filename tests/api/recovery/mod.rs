//! A forgotten password: the link in the mail, and what it does.

mod asking;
mod links;

use lanyard::config::MailDelivery;
use lanyard::mail;

use crate::lab::world::Person;
use crate::lab::{Answer, Browser, Lab};

const NEW: &str = "nine lanterns on the harbor wall";

/// A lab of its own whose mail is caught.
async fn catching() -> Lab {
    Lab::apart(|config| config.mail.delivery = MailDelivery::Catcher).await
}

/// Asks for a link as a person would, from the password page.
async fn ask(browser: &Browser, login: &str) -> Answer {
    let first = browser.visit("/account").await.page("Sign in to continue");
    let sent = browser
        .submit(&first, "identifier-form", &[("login", login)])
        .await;
    let page = browser.follow(sent).await.page("Enter your password");
    let href = page.body.split("href=\"/recovery?flow=").nth(1).unwrap();
    let flow = href.split('"').next().unwrap();
    let page = browser.get(&format!("/recovery?flow={flow}")).await;
    let page = page.page("Choose a new password");
    assert!(page.body.contains(login), "filled in: {}", page.body);
    browser
        .submit(&page, "recovery-form", &[("login", login)])
        .await
}

/// The links in what was mailed to someone, newest first.
async fn links(lab: &Lab, who: &Person) -> Vec<String> {
    mail::deliver(&lab.app).await.unwrap();
    let caught = mail::caught(&lab.app, 100).await.unwrap();
    caught
        .into_iter()
        .filter(|message| message.to == who.login)
        .filter_map(|message| {
            let words = message.letter.body;
            let link = words.split_whitespace().find(|w| w.contains("?key="))?;
            Some(link.to_owned())
        })
        .collect()
}

/// Asks for a link and takes it out of the mail.
async fn link(lab: &Lab, who: &Person) -> String {
    ask(&lab.browser(), &who.login)
        .await
        .page("Look into your mail");
    let mut all = links(lab, who).await;
    assert!(!all.is_empty(), "no link was mailed");
    all.remove(0)
}

/// Follows a link to its form, or to where it says that it is dead.
async fn follow(browser: &Browser, link: &str) -> Answer {
    let answer = browser.get(link).await;
    assert!(!answer.goes_to("/recovery/new").contains("key"));
    browser.follow(answer).await
}

async fn set(browser: &Browser, form: &Answer, password: &str) -> Answer {
    let fields = [("new_password", password)];
    let answer = browser.submit(form, "new-password-form", &fields).await;
    browser.follow(answer).await
}
