//! Whose word on a client's address is taken.

use http::Method;

use crate::lab::world::PASSWORD;
use crate::lab::{Browser, Lab};

/// Tries wrong passwords for people that are not there until the network is throttled; says how
/// many went through, of at most `most`.
async fn guesses(browser: &Browser, forwarded: &dyn Fn(usize) -> String, most: usize) -> usize {
    for n in 0..most {
        let page = browser.visit("/account").await;
        let login = format!("nobody{n}@example.test");
        let (action, hidden) = page.form("identifier-form");
        let mut fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.push(("login", &login));
        let sent = browser
            .post(page.url.join(&action).unwrap().as_str(), &fields)
            .await;
        let page = browser.follow(sent).await;
        let (action, hidden) = page.form("password-form");
        let to = page.url.join(&action).unwrap();
        let mut fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.push(("password", PASSWORD));
        let request = browser
            .request(Method::POST, to.as_str())
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", forwarded(n))
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-prefix", "//evil.test")
            .header("forwarded", "for=\"_x\";host=evil.test;proto=http")
            .form(&fields);
        let answer = browser.send(to.as_str(), request).await;
        assert!(!answer.body.contains("evil.test"));
        if answer.status == 429 {
            return n;
        }
    }
    most
}

/// HTTP-08: a client that says of itself who it is, is who it is: ten networks' worth of guesses
/// are one network's. Behind a declared proxy each client has its own, and what stands left of
/// the proxy's word changes nothing.
#[tokio::test]
async fn only_a_declared_proxy_says_who_a_client_is() {
    let few = |config: &mut lanyard::config::Config| config.throttle.network_attempts = 6;
    let lab = Lab::with(few).await;
    let made_up = |n| format!("198.51.100.{n}");
    assert_eq!(guesses(&lab.browser(), &made_up, 10).await, 6);

    let behind = Lab::with(|config| {
        few(config);
        config.proxy.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let unique = behind.app.env.random_uuid().as_bytes()[..2].to_vec();
    let client = |n: usize| format!("203.{}.{}.{n}", unique[0], unique[1]);
    let each_its_own = |n| format!("192.0.2.1, {}", client(n));
    assert_eq!(guesses(&behind.browser(), &each_its_own, 10).await, 10);
    let same_one = |n| format!("192.0.2.{n}, {}", client(200));
    assert_eq!(guesses(&behind.browser(), &same_one, 10).await, 6);
}
