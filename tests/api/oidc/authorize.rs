//! `/authorize`: what is refused on a page, what by redirect, and what leads to a code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;
use time::Duration;
use url::Url;

use super::{REDIRECT, World, code_of, parameter};
use crate::lab::Answer;

const ERROR_PAGE: &str = "Something went wrong";

fn redirect(answer: &Answer) -> Url {
    answer
        .location()
        .unwrap_or_else(|| panic!("no redirect: {} {}", answer.status, answer.body))
}

/// RFC 6749 §4.1.2, RFC 9207 §2, OIDC Core §3.1.2.5.
#[tokio::test]
async fn a_person_who_signs_in_is_sent_back_with_code_state_and_iss() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    for state in ["a state", "x&y=1 \"<ü>"] {
        let request = world.request(&client, &[("state", state), ("prompt", "login")]);
        let back = world.sign_in(&browser, &request).await;
        assert!(back.as_str().starts_with(REDIRECT));
        assert_eq!(parameter(&back, "state").as_deref(), Some(state));
        assert_eq!(
            parameter(&back, "iss").as_deref(),
            Some(world.lab.issuer()),
            "AUTHZ-19"
        );
        assert!(code_of(&back).starts_with("lac_"));
    }
}

/// The second app opens without signing in again, by a page or silently; POST is as good as GET.
#[tokio::test]
async fn a_second_app_is_opened_without_signing_in_again() {
    let world = World::new().await;
    let (first, second) = (world.web().await, world.spa().await);
    let browser = world.lab.browser();
    world.sign_in(&browser, &world.request(&first, &[])).await;
    for more in [&[][..], &[("prompt", "none")][..]] {
        let back = redirect(&browser.get(&world.request(&second, more)).await);
        code_of(&back);
    }
    let request = Url::parse(&world.request(&second, &[])).unwrap();
    let fields: Vec<(String, String)> = request.query_pairs().into_owned().collect();
    let form: Vec<(&str, &str)> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let posted = browser.request(Method::POST, "/authorize").form(&form);
    code_of(&redirect(&browser.send("/authorize", posted).await));
}

/// AUTHZ-01, AUTHZ-03, AUTHZ-04, AUTHZ-05, AUTHZ-10: never a redirect to what is not registered,
/// byte for byte.
#[tokio::test]
async fn only_an_exactly_registered_address_is_ever_redirected_to() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    for address in [
        "https://app.example.test/cb/",
        "https://app.example.test/cb?x=1",
        "https://app.example.test/cb#f",
        "https://app.example.test/CB",
        "https://APP.example.test/cb",
        "https://app.example.test:443/cb",
        "http://app.example.test/cb",
        "https://app.example.test.evil.test/cb",
        "https://evil.test/app.example.test/cb",
        "https://app.example.test/cb/..",
        "https://app.example.test/cb%00",
        "https://appXexample.test/cb",
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "",
    ] {
        let request = world.request(&client, &[("redirect_uri", address)]);
        let answer = browser.get(&request).await.shows(400, ERROR_PAGE);
        assert!(answer.location().is_none(), "{address}");
    }
    let twice = format!("{}&redirect_uri={REDIRECT}", world.request(&client, &[]));
    browser.get(&twice).await.shows(400, ERROR_PAGE);
    let other = format!("{}&client_id=another", world.request(&client, &[]));
    browser.get(&other).await.shows(400, ERROR_PAGE);
    let unknown = world.request(&client, &[("client_id", "nobody")]);
    browser.get(&unknown).await.shows(400, ERROR_PAGE);
}

/// AUTHZ-06, AUTHZ-08, AUTHZ-10, AUTHZ-11, AUTHZ-14, AUTHZ-15: said to the client, with state and
/// iss, and without a code.
#[tokio::test]
async fn a_malformed_request_is_told_to_the_client_by_its_word() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let essential = r#"{"id_token":{"acr":{"essential":true,"values":["phr"]}}}"#;
    for (more, word) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "id_token"), "unsupported_response_type"),
        (("response_type", "code token"), "unsupported_response_type"),
        (("response_type", "none"), "unsupported_response_type"),
        (("response_type", "code code"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("response_mode", "form_post"), "invalid_request"),
        (("response_mode", "query.jwt"), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
        (("prompt", "surprise"), "invalid_request"),
        (("max_age", "-1"), "invalid_request"),
        (("max_age", "99999999999999999999"), "invalid_request"),
        (("max_age", "+5"), "invalid_request"),
        (("scope", ""), "invalid_scope"),
        (("scope", "admin:all"), "invalid_scope"),
        (("resource", "https://other.example.test"), "invalid_target"),
        (("request", "eyJ"), "request_not_supported"),
        (("request_uri", "urn:x"), "request_uri_not_supported"),
        (("acr_values", "phr"), "unmet_authentication_requirements"),
        (("claims", essential), "unmet_authentication_requirements"),
        (("prompt", "none"), "login_required"),
    ] {
        let back = redirect(&browser.get(&world.request(&client, &[more])).await);
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        assert_eq!(parameter(&back, "error").as_deref(), Some(word), "{more:?}");
        assert_eq!(
            parameter(&back, "state").as_deref(),
            Some("a state"),
            "{more:?}"
        );
        assert_eq!(parameter(&back, "iss").as_deref(), Some(world.lab.issuer()));
        assert_eq!(parameter(&back, "code"), None);
        assert_eq!(back.fragment(), None, "AUTHZ-08");
    }
    for name in ["scope", "state", "nonce", "code_challenge"] {
        let twice = format!("{}&{name}=again", world.request(&client, &[]));
        let back = redirect(&browser.get(&twice).await);
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{name}"
        );
    }
}

/// AUTHZ-14: to the second, by the lab's clock, and twice round.
#[tokio::test]
async fn max_age_asks_again_when_it_has_passed_and_moves_auth_time() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    world.sign_in(&browser, &world.request(&client, &[])).await;
    for _ in 0..2 {
        let fresh = world.request(&client, &[("max_age", "600")]);
        code_of(&redirect(&browser.get(&fresh).await));
        world.lab.clock.advance(Duration::seconds(600));
        let back = world.sign_in(&browser, &fresh).await;
        let tokens = world.redeem(&client, &code_of(&back)).await.json();
        let auth_time = super::claims(&tokens["id_token"])["auth_time"].as_i64();
        assert_eq!(auth_time, Some(world.lab.now().unix_timestamp()));
    }
    let zero = world.request(&client, &[("max_age", "0")]);
    world.sign_in(&browser, &zero).await;
}

/// TEN-15, TEN-06: a session is good where its person is a member, and nowhere else.
#[tokio::test]
async fn a_clinic_that_she_is_no_member_of_gives_her_nothing() {
    let world = World::new().await;
    let client = world.web().await;
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let browser = world.lab.browser();
    world.sign_in(&browser, &world.request(&client, &[])).await;
    for organization in [
        harbor.slug.as_str(),
        &harbor.id.to_string(),
        "no-such-clinic",
    ] {
        let silent = [("organization", organization), ("prompt", "none")];
        let back = redirect(&browser.get(&world.request(&client, &silent)).await);
        assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
        let loud = [("organization", organization)];
        let back = redirect(&browser.get(&world.request(&client, &loud)).await);
        assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    }
}

/// Design §2: with two memberships and no clinic named the person is asked, and what she chose
/// is what the tokens say.
#[tokio::test]
async fn a_member_of_two_clinics_chooses_and_gets_a_subject_for_each() {
    let world = World::new().await;
    let client = world.web().await;
    let harbor = world.lab.clinic("Harbor Clinic").await;
    let there = world.lab.join(&world.person, harbor.id, &["patient"]).await;
    let browser = world.lab.browser();
    let back = {
        let named = world.request(&client, &[("organization", &world.clinic.slug)]);
        world.sign_in(&browser, &named).await
    };
    let here = world.redeem(&client, &code_of(&back)).await.json();
    world.lab.clock.advance(Duration::SECOND);
    let page = browser
        .visit(&world.request(&client, &[]))
        .await
        .page("Choose your clinic");
    let choice = [("organization", harbor.slug.as_str())];
    let answer = browser.submit(&page, "clinic-form", &choice).await;
    let back = browser.follow(answer).await.location().unwrap();
    let chosen = world.redeem(&client, &code_of(&back)).await.json();
    let (here, chosen) = (
        super::claims(&here["id_token"]),
        super::claims(&chosen["id_token"]),
    );
    assert_eq!(here["sub"], world.subject.to_string());
    assert_eq!(chosen["sub"], there.to_string());
    assert_eq!(chosen["tid"], harbor.id.to_string());
    for claim in ["sub", "sid", "auth_time", "tid"] {
        assert_ne!(
            here[claim], chosen[claim],
            "{claim} would join two clinics' tokens"
        );
    }
}

/// AUTHZ-16: a hint at someone else is never answered with this browser's session.
#[tokio::test]
async fn a_hint_at_another_person_is_not_answered_with_this_session() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, hers) = world.tokens(&client).await;
    let hint = hers["id_token"].as_str().unwrap();
    let other = world.lab.person("Ben Moss").await;
    world.lab.join(&other, world.clinic.id, &["patient"]).await;
    let his = World {
        person: other,
        ..world
    };
    let browser = his.lab.browser();
    his.sign_in(&browser, &his.request(&client, &[])).await;
    let silent = [("prompt", "none"), ("id_token_hint", hint)];
    let back = redirect(&browser.get(&his.request(&client, &silent)).await);
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
    let foreign = [
        ("prompt", "none"),
        ("id_token_hint", "eyJhbGciOiJub25lIn0.e30."),
    ];
    code_of(&redirect(
        &browser.get(&his.request(&client, &foreign)).await,
    ));
    // One that says somebody acts, by a key that is published no more: no session answers for it.
    let payload = json!({ "iss": his.lab.issuer(), "sub": "x", "act": { "sub": "y" } });
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let unproven = format!(
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.{payload}.{}",
        "A".repeat(86)
    );
    let unproven = ("id_token_hint", unproven.as_str());
    for more in [vec![("prompt", "none"), unproven], vec![unproven]] {
        let back = redirect(&browser.get(&his.request(&client, &more)).await);
        let error = parameter(&back, "error");
        assert_eq!(error.as_deref(), Some("login_required"), "{more:?}");
    }
}

/// AUTHZ-17: what is typed into a request never comes back as markup.
#[tokio::test]
async fn hostile_values_come_back_as_text_or_not_at_all() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let hostile = r#""><svg onload=alert(1)>{{7*7}}"#;
    for name in [
        "login_hint",
        "ui_locales",
        "error_description",
        "error_hint",
    ] {
        let page = browser
            .visit(&world.request(&client, &[(name, hostile)]))
            .await;
        assert!(!page.body.contains("<svg onload"), "{name}");
    }
    let page = browser
        .get(&world.request(&client, &[("client_id", hostile)]))
        .await;
    assert!(!page.body.contains("<svg onload"));
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    let long = "x".repeat(9000);
    let answer = browser
        .get(&world.request(&client, &[("state", &long)]))
        .await;
    assert!(answer.status == 400 || parameter(&redirect(&answer), "code").is_none());
}
