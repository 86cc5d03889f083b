use time::Duration;

use super::waiting_request;
use crate::lab::Lab;
use crate::lab::world::PASSWORD;

/// The whole way, twice round: account page, identifier, password, account page.
#[tokio::test]
async fn a_person_signs_in_for_her_account_page() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let clinic = lab.clinic("Juniper Health").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    for _ in 0..2 {
        let browser = lab.browser();
        let answer = browser.sign_in(&ada.login, PASSWORD).await;
        assert_eq!(answer.goes_to("/account"), "/account");
        let page = browser.follow(answer).await.page("Your account");
        for shown in [
            &ada.login,
            "Juniper Health",
            "Patient",
            "Firefox on Linux",
            "This device",
        ] {
            assert!(page.body.contains(shown), "{shown}: {}", page.body);
        }
    }
    let kinds: Vec<_> = lab
        .events_of(&ada)
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let once = ["session.device_first_seen", "session.signed_in"];
    assert_eq!(kinds, [once, once].concat());
}

/// An identifier is the same however it is typed; a password is taken as it is (LOGIN-24).
#[tokio::test]
async fn an_identifier_is_trimmed_and_lowered_but_a_password_is_not() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let typed = format!("  {} ", ada.login.to_uppercase());
    lab.browser()
        .sign_in(&typed, PASSWORD)
        .await
        .goes_to("/account");
    let spaced = format!(" {PASSWORD}");
    let answer = lab.browser().sign_in(&ada.login, &spaced).await;
    answer.shows(403, "Enter your password");
}

#[tokio::test]
async fn a_page_for_an_app_names_it_and_its_clinic_and_leads_back_to_it() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let clinic = lab.clinic("Juniper Health").await;
    let browser = lab.browser();
    let flow = waiting_request(&lab, &browser, Some(clinic.id)).await;
    let page = browser
        .get(&format!("/sign-in?flow={flow}"))
        .await
        .page("Sign in to continue");
    for shown in ["Patient portal", "Juniper Health", "hinted@example.test"] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let sent = browser
        .submit(&page, "identifier-form", &[("login", &ada.login)])
        .await;
    let page = browser.follow(sent).await.page("Enter your password");
    assert!(page.body.contains("Juniper Health"));
    // Browsers hold the redirect after a form's post to this list as well.
    let policy = page.header("content-security-policy");
    assert!(
        policy.ends_with("form-action 'self' https://app.example.test"),
        "{policy}"
    );
    let sent = browser
        .submit(&page, "password-form", &[("password", PASSWORD)])
        .await;
    assert_eq!(
        sent.goes_to("/authorize/resume"),
        format!("/authorize/resume?flow={flow}")
    );
}

#[tokio::test]
async fn a_flow_is_good_in_its_own_browser_until_it_expires() {
    let lab = Lab::new().await;
    let (own, other) = (lab.browser(), lab.browser());
    let first = own.visit("/account").await.page("Sign in to continue");
    other.visit("/account").await.page("Sign in to continue");
    let flow = first.hidden("flow");
    let paths = ["/sign-in", "/sign-in/password", "/sign-in/clinic"];
    for path in paths {
        other
            .get(&format!("{path}?flow={flow}"))
            .await
            .shows(400, "Something went wrong");
        let nobodys = "00000000-0000-4000-8000-000000000000";
        for wrong in ["", "none", nobodys, &format!("{flow}&flow={flow}")] {
            own.get(&format!("{path}?flow={wrong}"))
                .await
                .shows(400, "Something went wrong");
        }
    }
    let csrf = other.visit("/account").await.hidden("csrf");
    let stolen = [
        ("csrf", csrf.as_str()),
        ("flow", &flow),
        ("login", "ada@example.test"),
    ];
    other
        .post("/sign-in", &stolen)
        .await
        .shows(400, "Something went wrong");

    lab.clock
        .advance(lab.app.config.lifetimes.interaction - Duration::SECOND);
    own.get(&format!("/sign-in?flow={flow}"))
        .await
        .page("Sign in to continue");
    lab.clock.advance(Duration::SECOND);
    for path in paths {
        own.get(&format!("{path}?flow={flow}"))
            .await
            .shows(400, "Something went wrong");
    }
}

#[tokio::test]
async fn a_form_says_what_is_missing_or_malformed_and_keeps_what_was_typed() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    for (typed, words) in [
        ("", "Type the email address"),
        ("   ", "Type the email address"),
        ("ab", "does not look like"),
        ("two words@example.test", "does not look like"),
        (&"x".repeat(300), "does not look like"),
    ] {
        let answer = browser
            .submit(&page, "identifier-form", &[("login", typed)])
            .await;
        let answer = answer.shows(400, "Sign in to continue");
        assert!(answer.body.contains(words), "{typed:?}: {}", answer.body);
    }
    // The password page asks for an identifier first.
    let flow = page.hidden("flow");
    let early = browser.get(&format!("/sign-in/password?flow={flow}")).await;
    assert_eq!(early.goes_to("/sign-in"), format!("/sign-in?flow={flow}"));
    let sent = browser
        .submit(&page, "identifier-form", &[("login", "ada@example.test")])
        .await;
    let page = browser.follow(sent).await.page("Enter your password");
    let answer = browser
        .submit(&page, "password-form", &[("password", "")])
        .await;
    assert!(
        answer
            .shows(400, "Enter your password")
            .body
            .contains("Type your password.")
    );
}

/// AUTHZ-17 of these pages: nothing typed is markup.
#[tokio::test]
async fn what_is_typed_is_shown_as_text() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    let typed = "\"><svg/onload=alert(1)>{{7*7}}@example.test";
    let sent = browser
        .submit(&page, "identifier-form", &[("login", typed)])
        .await;
    let page = browser.follow(sent).await.page("Enter your password");
    assert!(!page.body.contains("<svg/onload"), "{}", page.body);
    assert!(!page.body.contains("49@example.test"), "{}", page.body);
}

/// WEB-08: no parameter of a request leads anywhere.
#[tokio::test]
async fn only_stored_flows_lead_on() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    for evil in [
        "//evil.test",
        "/\\evil.test",
        "https:evil.test",
        "/%09/evil.test",
    ] {
        let browser = lab.browser();
        let names = ["return_to", "next", "redirect_uri", "continue"];
        let query: Vec<_> = names.iter().map(|name| format!("{name}={evil}")).collect();
        let answer = browser.get(&format!("/account?{}", query.join("&"))).await;
        answer.goes_to("/sign-in");
        let page = browser.follow(answer).await;
        let login = [("login", ada.login.as_str()), ("return_to", evil)];
        let sent = browser.submit(&page, "identifier-form", &login).await;
        let page = browser.follow(sent).await.page("Enter your password");
        let password = [("password", PASSWORD), ("return_to", evil)];
        let sent = browser.submit(&page, "password-form", &password).await;
        assert_eq!(sent.goes_to("/account"), "/account");
    }
}

/// WEB-10, WEB-05, WEB-15: on pages, redirects, refusals and errors.
#[tokio::test]
async fn no_page_of_a_flow_or_of_someone_signed_in_is_kept_or_framed() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser();
    let redirect = browser.get("/account").await;
    let first = browser.follow(redirect.clone()).await;
    let login = [("login", ada.login.as_str())];
    let second = browser.submit(&first, "identifier-form", &login).await;
    let second_page = browser.follow(second.clone()).await;
    let wrong = browser
        .submit(&second_page, "password-form", &[("password", "wrong")])
        .await;
    let entered = browser
        .submit(&second_page, "password-form", &[("password", PASSWORD)])
        .await;
    let account = browser.follow(entered.clone()).await.page("Your account");
    let password = browser
        .get("/account/password")
        .await
        .page("Change your password");
    let facts = browser.get("/session").await;
    let over = browser.get("/signed-out").await;
    let error = browser.get("/sign-in?flow=none").await;
    let forged = browser.post("/account/sessions/end-all", &[]).await;
    for answer in [
        redirect,
        first,
        second,
        second_page,
        wrong,
        entered,
        account,
        password,
        facts,
        over,
        error,
        forged,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.url);
        assert!(answer.header("etag").is_empty(), "{}", answer.url);
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{}: {policy}",
            answer.url
        );
        assert!(!policy.contains("unsafe"), "{}: {policy}", answer.url);
        assert_eq!(answer.header("x-frame-options"), "DENY", "{}", answer.url);
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{}",
            answer.url
        );
        assert_eq!(
            answer.header("referrer-policy"),
            "no-referrer",
            "{}",
            answer.url
        );
    }
}
