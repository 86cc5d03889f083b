//! What a person is told by mail: written with its cause, delivered once.

mod relay;

use lanyard::config::MailDelivery;
use lanyard::mail;
use time::Duration;

use crate::lab::Lab;
use crate::lab::world::{PASSWORD, Person};

async fn waiting(lab: &Lab, who: &Person) -> i64 {
    sqlx::query_scalar(
        "select count(*) from outbox.message where account_id = $1 and delivered_at is null",
    )
    .bind(who.account)
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap()
}

/// The files of a directory, with their text.
fn letters(directory: &std::path::Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// A lab of its own whose mail goes to a fresh directory.
async fn posting_lab() -> (Lab, std::path::PathBuf) {
    let name = format!("lanyard-mail-{}", lanyard::env::Env::system().random_uuid());
    let directory = std::env::temp_dir().join(name);
    let lab = Lab::apart(|config| {
        config.mail.delivery = MailDelivery::Directory;
        config.mail.directory = Some(directory.clone());
    })
    .await;
    (lab, directory)
}

#[tokio::test]
async fn a_sign_in_with_an_unseen_browser_is_told_once() {
    let (lab, directory) = posting_lab().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    assert_eq!(waiting(&lab, &ada).await, 1);
    // The same browser again, after its session ended: seen.
    browser.set_cookie("__Host-lanyard_session", None);
    lab.sign_in(&browser, &ada).await;
    assert_eq!(waiting(&lab, &ada).await, 1);
    // The same make of browser elsewhere: unseen, whatever it calls itself.
    lab.browser_in(9)
        .sign_in(&ada.login, PASSWORD)
        .await
        .goes_to("/account");
    assert_eq!(waiting(&lab, &ada).await, 2);
    // A wrong password is no sign-in.
    lab.browser()
        .sign_in(&ada.login, "wrong")
        .await
        .shows(403, "Enter your password");
    assert_eq!(waiting(&lab, &ada).await, 2);

    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 2);
    assert_eq!(waiting(&lab, &ada).await, 0);
    let told = letters(&directory);
    assert_eq!(told.len(), 2);
    for (name, text) in &told {
        assert!(
            std::path::Path::new(name)
                .extension()
                .is_some_and(|e| e == "eml"),
            "{name}"
        );
        assert!(text.contains(&format!("To: {}\r\n", ada.login)), "{text}");
        assert!(
            text.contains("Subject: A new sign-in to your account\r\n"),
            "{text}"
        );
        assert!(text.contains("Browser: Firefox on Linux"), "{text}");
        assert!(text.contains("Mon, Mar 2, 2026, 2:00 PM UTC"), "{text}");
        assert!(
            !text.contains(PASSWORD) && !text.contains("flow="),
            "{text}"
        );
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_changed_password_is_told() {
    let (lab, directory) = posting_lab().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    mail::deliver(&lab.app).await.unwrap();
    let page = browser.get("/account/password").await;
    let new = "nine lanterns on the harbor wall";
    let fields = [("current_password", PASSWORD), ("new_password", new)];
    browser
        .submit(&page, "change-password-form", &fields)
        .await
        .goes_to("/account");
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 1);
    let told = letters(&directory);
    let about = told
        .iter()
        .filter(|(_, text)| text.contains("Subject: Your password was changed"));
    assert_eq!(about.count(), 1);
    assert!(
        told.iter()
            .all(|(_, text)| !text.contains(new) && !text.contains(PASSWORD))
    );
    std::fs::remove_dir_all(directory).unwrap();
}

/// Two servers look at once; each message has one effect, and a worker that died is made good.
#[tokio::test]
async fn each_message_is_delivered_once_by_any_number_of_servers() {
    let (lab, directory) = posting_lab().await;
    let second = lab.second_node().await;
    let ada = lab.person("Ada Byron").await;
    for _ in 0..6 {
        lab.signed_in(&ada).await;
    }
    // A server took one and died before it handed it over.
    sqlx::query(
        "update outbox.message set taken_at = $1
         where message_id = (select min(message_id::text)::uuid from outbox.message)",
    )
    .bind(lab.now())
    .execute(&mut lab.database.superuser().await)
    .await
    .unwrap();
    let (one, two) = tokio::join!(mail::deliver(&lab.app), mail::deliver(&second.app));
    assert_eq!(one.unwrap() + two.unwrap(), 5);
    assert_eq!(letters(&directory).len(), 5);
    lab.clock.advance(Duration::minutes(5) - Duration::SECOND);
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
    lab.clock.advance(Duration::SECOND);
    assert_eq!(mail::deliver(&second.app).await.unwrap(), 1);
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
    assert_eq!(letters(&directory).len(), 6);
    assert_eq!(waiting(&lab, &ada).await, 0);
    std::fs::remove_dir_all(directory).unwrap();
}

/// A directory that can't be written loses nothing.
#[tokio::test]
async fn mail_that_can_not_be_handed_over_waits() {
    let (lab, directory) = posting_lab().await;
    let ada = lab.person("Ada Byron").await;
    lab.signed_in(&ada).await;
    std::fs::write(&directory, "in the way").unwrap();
    let refused = mail::deliver(&lab.app).await.unwrap_err();
    assert!(
        matches!(refused, mail::MailError::Directory { .. }),
        "{refused:?}"
    );
    assert_eq!(waiting(&lab, &ada).await, 1);
    std::fs::remove_file(&directory).unwrap();
    lab.clock.advance(Duration::minutes(5));
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 1);
    assert_eq!(letters(&directory).len(), 1);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn the_catcher_shows_what_was_delivered_and_without_one_mail_stays() {
    let lab = Lab::apart(|config| config.mail.delivery = MailDelivery::None).await;
    let ada = lab.person("Ada Byron").await;
    lab.signed_in(&ada).await;
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
    assert_eq!(waiting(&lab, &ada).await, 1);
    let catching = lab
        .second_node_with(|config| config.mail.delivery = MailDelivery::Catcher)
        .await;
    assert!(mail::caught(&catching.app, 10).await.unwrap().is_empty());
    assert_eq!(mail::deliver(&catching.app).await.unwrap(), 1);
    let caught = mail::caught(&catching.app, 10).await.unwrap();
    assert_eq!(caught.len(), 1);
    assert_eq!(caught[0].to, ada.login);
    assert_eq!(caught[0].letter.subject, "A new sign-in to your account");
    assert!(mail::caught(&lab.app, 10).await.unwrap().is_empty());
}

/// The message exists if and only if its cause does.
#[tokio::test]
async fn a_refused_sign_in_posts_nothing() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    for _ in 0..3 {
        lab.browser()
            .sign_in(&ada.login, "wrong")
            .await
            .shows(403, "Enter your password");
    }
    assert_eq!(waiting(&lab, &ada).await, 0);
}
