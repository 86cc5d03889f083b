use reqwest::Method;
use time::Duration;

use super::{ask, catching, links};
use crate::lab::Lab;

/// What an answer shows, without what was typed and what is random.
fn shown(body: &str, login: &str) -> String {
    let body = body.replace(login, "LOGIN");
    let parts = body.split("flow=").enumerate();
    let kept = parts.map(|(n, part)| match n {
        0 => part.to_owned(),
        _ => part.split_once('"').map_or("", |(_, rest)| rest).to_owned(),
    });
    let body: String = kept.collect();
    let (before, after) = body.split_once("Request <code>").unwrap();
    format!("{before}{}", after.split_once("</code>").unwrap().1)
}

async fn written(lab: &Lab) -> (i64, i64) {
    sqlx::query_as(
        "select (select count(*) from identity.recovery_link),
                (select count(*) from outbox.message where kind = 'password_recovery')",
    )
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap()
}

/// LOGIN-02: known, unknown and disabled addresses get one answer; mail goes by the outbox alone,
/// so nothing of it is in the answer's time.
#[tokio::test]
async fn whether_an_address_is_known_shows_nowhere() {
    let lab = catching().await;
    let ada = lab.person("Ada Known").await;
    let gone = lab.person("Gone Known").await;
    sqlx::query("update identity.account set status = 'disabled' where account_id = $1")
        .bind(gone.account)
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    let mut bodies = Vec::new();
    for login in [ada.login.as_str(), "nobody@example.test", &gone.login] {
        let answer = ask(&lab.browser(), login).await;
        let answer = answer.page("Look into your mail");
        bodies.push(shown(&answer.body, login));
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    assert_eq!(written(&lab).await, (1, 1), "for the one who is somebody");
    assert_eq!(links(&lab, &ada).await.len(), 1);
    let log: Vec<(String, serde_json::Value)> =
        sqlx::query_as("select type, detail from audit.event where type like 'recovery.%'")
            .fetch_all(&mut lab.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(log.len(), 3);
    assert!(!format!("{log:?}").contains("nobody@"), "{log:?}");
}

/// DOS-11: five an hour for an address, whoever asks and from wherever; the same answer.
#[tokio::test]
async fn an_address_gets_five_links_an_hour() {
    let lab = catching().await;
    let ada = lab.person("Ada Bombed").await;
    for n in 0..8_u8 {
        ask(&lab.browser_in(1 + n), &ada.login)
            .await
            .page("Look into your mail");
    }
    assert_eq!(links(&lab, &ada).await.len(), 5);
    lab.clock.advance(Duration::HOUR);
    ask(&lab.browser(), &ada.login)
        .await
        .page("Look into your mail");
    assert_eq!(links(&lab, &ada).await.len(), 6);
}

/// DOS-11: a network asks for thirty an hour, for whatever addresses; the same answer.
#[tokio::test]
async fn a_network_gets_thirty_links_an_hour() {
    let lab = catching().await;
    let browser = lab.browser();
    let page = browser.get("/recovery").await.page("Choose a new password");
    for n in 0..30 {
        let login = format!("nobody{n}@example.test");
        browser
            .submit(&page, "recovery-form", &[("login", &login)])
            .await
            .page("Look into your mail");
    }
    let ada = lab.person("Ada Late").await;
    browser
        .submit(&page, "recovery-form", &[("login", &ada.login)])
        .await
        .page("Look into your mail");
    assert!(links(&lab, &ada).await.is_empty());
    ask(&lab.browser_in(7), &ada.login).await;
    assert_eq!(links(&lab, &ada).await.len(), 1, "another network's own");
}

/// LOGIN-14: the link is of the configured issuer, whatever a request calls us.
#[tokio::test]
async fn a_request_does_not_choose_the_host_of_the_link() {
    let lab = catching().await;
    let ada = lab.person("Ada Host").await;
    let browser = lab.browser();
    let page = browser.get("/recovery").await.page("Choose a new password");
    let (_, hidden) = page.form("recovery-form");
    let mut fields = hidden.clone();
    fields.push(("login".to_owned(), ada.login.clone()));
    let poisoned = [
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "host=evil.test;proto=http"),
        ("x-forwarded-proto", "http"),
        ("x-original-host", "evil.test"),
    ];
    for (name, value) in poisoned {
        let request = browser
            .request(Method::POST, "/recovery")
            .header("sec-fetch-site", "same-origin")
            .header(name, value)
            .form(&fields);
        browser
            .send("/recovery", request)
            .await
            .page("Look into your mail");
    }
    let misnamed = browser
        .request_naming("evil.test", Method::POST, "/recovery")
        .form(&fields);
    assert_eq!(browser.send("/recovery", misnamed).await.status, 421);
    let mailed = links(&lab, &ada).await;
    assert_eq!(mailed.len(), poisoned.len());
    let own = format!("{}/recovery/link?key=", lab.issuer());
    assert!(
        mailed.iter().all(|link| link.starts_with(&own)),
        "{mailed:?}"
    );
}

/// Where no mail leaves, nobody is promised any.
#[tokio::test]
async fn without_mail_no_page_offers_a_link() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Offline").await;
    let browser = lab.browser();
    let first = browser.visit("/account").await.page("Sign in to continue");
    let sent = browser
        .submit(&first, "identifier-form", &[("login", &ada.login)])
        .await;
    let page = browser.follow(sent).await.page("Enter your password");
    assert!(!page.body.contains("/recovery"), "{}", page.body);
    assert!(page.body.contains("front desk"), "{}", page.body);
}
