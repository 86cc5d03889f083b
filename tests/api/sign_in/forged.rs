use reqwest::Method;

use crate::lab::Lab;
use crate::lab::world::PASSWORD;

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// Every form of the issuer's own pages, with fields that would do something.
fn forms(flow: &str) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let flow = || ("flow", flow.to_owned());
    let new = "another river under seven bridges".to_owned();
    vec![
        (
            "/sign-in",
            vec![flow(), ("login", "ada@example.test".to_owned())],
        ),
        (
            "/sign-in/password",
            vec![flow(), ("password", PASSWORD.to_owned())],
        ),
        (
            "/sign-in/clinic",
            vec![flow(), ("organization", "juniper".to_owned())],
        ),
        ("/sign-in/decline", vec![flow()]),
        ("/account/sessions/end", vec![]),
        ("/account/sessions/end-all", vec![]),
        (
            "/account/password",
            vec![
                ("current_password", PASSWORD.to_owned()),
                ("new_password", new),
            ],
        ),
        ("/session/activity", vec![]),
    ]
}

/// WEB-03: without the page's token, with another browser's, or from another site: 403, and
/// nothing happened.
#[tokio::test]
async fn a_form_that_is_not_from_our_own_page_changes_nothing() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let own = browser.get("/account").await.hidden("csrf");
    let other = lab.browser().visit("/account").await.hidden("csrf");
    let before = lab.events_of(&ada).await.len();
    let cases: [(Option<&str>, Headers); 8] = [
        (None, &[("sec-fetch-site", "same-origin")]),
        (Some(""), &[("sec-fetch-site", "same-origin")]),
        (Some("AAAA"), &[("sec-fetch-site", "same-origin")]),
        (Some(&other), &[("sec-fetch-site", "same-origin")]),
        (Some(&own), &[("sec-fetch-site", "cross-site")]),
        (Some(&own), &[("sec-fetch-site", "same-site")]),
        (Some(&own), &[("origin", "https://evil.test")]),
        (None, &[("origin", "null")]),
    ];
    for (path, fields) in forms("00000000-0000-4000-8000-000000000000") {
        for (token, headers) in cases {
            let mut all = fields.clone();
            all.extend(token.map(|token| ("csrf", token.to_owned())));
            let mut request = browser.request(Method::POST, path).form(&all);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = browser.send(path, request).await;
            answer.shows(403, "Something went wrong");
        }
        // A body that no form of a page has.
        let plain = browser
            .request(Method::POST, path)
            .header("content-type", "text/plain")
            .body(format!("csrf={own}"));
        browser
            .send(path, plain)
            .await
            .shows(400, "Something went wrong");
        // And nothing by merely following a link.
        let followed = browser.get(path).await;
        assert!(!followed.status.is_server_error(), "{path}");
    }
    browser.get("/account").await.page("Your account");
    let after = lab.events_of(&ada).await;
    assert_eq!(after.len(), before, "{after:?}");
}

/// WEB-03: old browsers that send neither header are held to the token alone.
#[tokio::test]
async fn a_browser_without_fetch_metadata_is_served_with_its_token() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let csrf = browser.get("/account").await.hidden("csrf");
    let path = "/account/sessions/end-all";
    let request = browser.request(Method::POST, path).form(&[("csrf", csrf)]);
    browser.send(path, request).await.goes_to("/signed-out");
}
