//! Contexts of authentication: what a client asks for, and what its tokens say.

use lanyard::cli::Operator;
use lanyard::identity::Login;
use serde_json::json;
use time::Duration;

use crate::lab::cluster::tell;

use super::{Answer, World, assert_refused, claims, code_of, parameter};

const MFA: &str = "urn:lanyard:acr:mfa";
const PASSWORD: &str = "urn:lanyard:acr:password";

/// AUTHZ-15: who asks for a second factor gets one, or an error; never a token that says less, or
/// something that was not proved.
#[tokio::test]
async fn a_context_that_is_asked_for_is_given_or_refused() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let plain = world.sign_in(&browser, &world.request(&client, &[])).await;
    let tokens = world.redeem(&client, &code_of(&plain)).await.json();
    for token in ["id_token", "access_token"] {
        let said = claims(&tokens[token]);
        assert_eq!(said["acr"], PASSWORD);
        assert_eq!(said["amr"], json!(["pwd"]));
    }
    let essential = format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":["{MFA}"]}}}}}}"#);
    for (name, value) in [("acr_values", MFA), ("claims", essential.as_str())] {
        let silent = world.request(&client, &[(name, value), ("prompt", "none")]);
        let back = browser.get(&silent).await.location().unwrap();
        let said = parameter(&back, "error");
        assert_eq!(said.as_deref(), Some("login_required"), "{name}");
        let asked = browser
            .visit(&world.request(&client, &[(name, value)]))
            .await;
        let asked = asked.page("Set up sign-in codes");
        assert!(!asked.body.contains("postpone-form"), "no grace for an acr");
    }
    let unknown = world.request(&client, &[("acr_values", "phr")]);
    let back = browser.get(&unknown).await.location().unwrap();
    let said = parameter(&back, "error");
    assert_eq!(said.as_deref(), Some("unmet_authentication_requirements"));
    // Any of several would do: the password is proved.
    let either = world.request(&client, &[("acr_values", &format!("phr {MFA} {PASSWORD}"))]);
    code_of(&browser.get(&either).await.location().unwrap());
}

/// What was proved stands in the tokens, with its instant, and stays so at a refresh.
#[tokio::test]
async fn tokens_say_what_was_proved_and_when() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let (browser, tokens) = world.tokens(&client).await;
    let first = claims(&tokens["id_token"]);
    assert_eq!(first["acr"], MFA);
    assert_eq!(first["amr"], json!(["pwd", "otp", "mfa"]));
    let signed_in_at = world.lab.now().unix_timestamp();
    assert_eq!(first["auth_time"], signed_in_at);
    world.lab.clock.advance(Duration::minutes(4));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refreshed = world.refresh(&client, refresh).await.json();
    let later = claims(&refreshed["access_token"]);
    assert_eq!(later["acr"], MFA);
    assert_eq!(
        later["auth_time"], signed_in_at,
        "refreshing proves nothing"
    );
    // A step-up moves the instant: the code alone, in the session that goes on.
    let step_up = world.request(&client, &[("acr_values", MFA), ("max_age", "60")]);
    let page = browser.visit(&step_up).await.page("Enter your code");
    let sent = browser
        .submit(&page, "code-form", &[("code", &world.lab.code())])
        .await;
    let back = browser.follow(sent).await.location().unwrap();
    let fresh = world.redeem(&client, &code_of(&back)).await.json();
    let fresh = claims(&fresh["access_token"]);
    assert_eq!(fresh["auth_time"], world.lab.now().unix_timestamp());
    assert_eq!(fresh["sid"], first["sid"], "one session");
}

/// LOGIN-10: no way of asking gets a code for a session that owes a factor.
#[tokio::test]
async fn half_a_sign_in_has_no_subject_for_any_client() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let elsewhere = world.lab.clinic("Harbor Clinic").await;
    world
        .lab
        .join(&world.person, elsewhere.id, &["patient"])
        .await;
    let browser = world.lab.browser();
    let at = |slug: &str, more: &[(&str, &str)]| {
        let all: Vec<_> = [("organization", slug)]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        world.request(&client, &all)
    };
    let page = browser.visit(&at(&world.clinic.slug, &[])).await;
    let answer = browser
        .sign_in_at(page, &world.person.login, super::PASSWORD)
        .await;
    let resume = answer.goes_to("/authorize/resume");
    for _ in 0..2 {
        browser.get(&resume).await.goes_to("/sign-in/code");
    }
    for slug in [&world.clinic.slug, &elsewhere.slug] {
        browser.get(&at(slug, &[])).await.goes_to("/sign-in/code");
        let silent = browser.get(&at(slug, &[("prompt", "none")])).await;
        let said = parameter(&silent.location().unwrap(), "error");
        assert_eq!(said.as_deref(), Some("login_required"), "{slug}");
        let chosen = [("prompt", "select_account")];
        browser
            .get(&at(slug, &chosen))
            .await
            .goes_to("/sign-in/code");
    }
}

/// The sign-in of grace is for what a clinic requires, and its tokens claim no factor; another
/// sign-in in the same session is another sign-in.
#[tokio::test]
async fn grace_lets_in_and_claims_nothing() {
    let world = World::new().await;
    let client = world.web().await;
    let strict = world.lab.clinic("Strict Clinic").await;
    world
        .lab
        .join_bare(&world.person, strict.id, &["clinician"])
        .await;
    let at_strict = [("organization", strict.slug.as_str())];
    let browser = world.lab.browser();
    let usual = [("organization", world.clinic.slug.as_str())];
    let back = world
        .sign_in(&browser, &world.request(&client, &usual))
        .await;
    code_of(&back); // where she is a patient nothing is asked
    let page = browser.visit(&world.request(&client, &at_strict)).await;
    let page = page.page("Set up sign-in codes");
    let later = browser.submit(&page, "postpone-form", &[]).await;
    let back = browser.follow(later).await.location().unwrap();
    let tokens = world.redeem(&client, &code_of(&back)).await.json();
    let said = claims(&tokens["access_token"]);
    assert_eq!(
        (&said["acr"], &said["amr"]),
        (&json!(PASSWORD), &json!(["pwd"]))
    );
    assert_eq!(said["tid"], strict.id.to_string());
    let again = [at_strict[0], ("prompt", "login")];
    let page = browser.visit(&world.request(&client, &again)).await;
    let answer = browser
        .sign_in_at(page, &world.person.login, super::PASSWORD)
        .await;
    let page = browser.follow(answer).await.page("Set up sign-in codes");
    assert!(!page.body.contains("postpone-form"));
}

/// `prompt=login` wants both: a code alone is no answer to it, nor is a password.
#[tokio::test]
async fn a_new_sign_in_wants_the_password_and_the_code() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let (browser, _) = world.tokens(&client).await;
    world.lab.clock.advance(Duration::MINUTE);
    let request = world.request(&client, &[("prompt", "login")]);
    let page = browser.visit(&request).await.page("Sign in to continue");
    let flow = page.hidden("flow");
    let beside = browser.get(&format!("/sign-in/code?flow={flow}")).await;
    let code = world.lab.code();
    let sent = browser
        .submit(&beside, "code-form", &[("code", &code)])
        .await;
    let page = browser.follow(sent).await.page("Sign in to continue");
    let answer = browser
        .sign_in_at(page, &world.person.login, super::PASSWORD)
        .await;
    let page = browser.follow(answer).await.page("Enter your code");
    let sent = browser
        .submit(&page, "code-form", &[("code", &world.lab.code())])
        .await;
    code_of(&browser.follow(sent).await.location().unwrap());
}

/// RT-13: taking somebody's factors away ends every grant of hers.
#[tokio::test]
async fn after_a_reset_of_factors_no_token_is_refreshed() {
    let world = World::with_roles(&["nurse"]).await;
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    let app = &world.lab.app;
    let operator = Operator::new(&app.db, &app.env, &app.keys);
    let login = Login::parse(&world.person.login).unwrap();
    operator.reset_factors(&login).await.unwrap().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refused = world.refresh(&client, refresh).await;
    assert_refused(&refused, 400, "invalid_grant");
}

/// Issue 3: a role that always asks for a second factor asks a session that is there already, at
/// its next refresh; who proves one goes on with the grant she has.
#[tokio::test]
async fn a_role_that_asks_for_a_factor_is_felt_at_the_next_refresh() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let first = world.refresh(&client, refresh).await.json();
    let refresh = first["refresh_token"].as_str().unwrap();
    let mut owner = world.lab.database.superuser().await;
    let subject = world.subject;
    let appointed = format!(
        "insert into identity.membership_role (tenant_id, subject_id, role)
         select tenant_id, subject_id, 'nurse' from identity.membership
         where subject_id = '{subject}'"
    );
    tell(&mut owner, &appointed).await;
    let refused = world.refresh(&client, refresh).await;
    assert_refused(&refused, 400, "invalid_grant");
    let account = world.person.account;
    let proved = "update identity.session set factor_proved_at = proved_at where account_id";
    tell(&mut owner, &format!("{proved} = '{account}'")).await;
    let refreshed = world.refresh(&client, refresh).await.json();
    let roles = claims(&refreshed["access_token"])["roles"].clone();
    assert!(roles.as_array().unwrap().contains(&json!("nurse")));
}

/// Discovery says which contexts there are.
#[tokio::test]
async fn both_contexts_are_announced() {
    let world = World::new().await;
    let path = "/.well-known/openid-configuration";
    let said = world.lab.browser().get(path).await.json();
    assert_eq!(said["acr_values_supported"], json!([PASSWORD, MFA]));
}

/// LOGIN-30, RFC 9470: what a route of the API asks for is asked of every token. One that is too
/// old or too weak, or whose session has proved something else since, gets the challenge.
#[tokio::test]
async fn the_api_asks_every_token_for_what_its_route_wants() {
    let world = World::with_roles(&["clinic_admin"]).await;
    let platform = world.lab.platform().await;
    let client = world
        .register(platform, |client| {
            client.scopes.push("tenancy:write".to_owned());
        })
        .await;
    let scope = [("scope", "openid tenancy:write")];
    let announce = async |token: &serde_json::Value| {
        let machine = world.lab.browser_in(9);
        let path = "/api/v1/announcement";
        let request = machine.request(http::Method::POST, path);
        let request = request.bearer_auth(token.as_str().unwrap());
        machine
            .send(path, request.json(&json!({ "text": "We are open." })))
            .await
    };
    let is_challenged = |answer: &Answer| {
        let challenge = answer.header("www-authenticate");
        answer.status == 401
            && challenge.contains("error=\"insufficient_user_authentication\"")
            && challenge.contains(&format!("acr_values=\"{MFA}\""))
            && challenge.contains("max_age=\"300\"")
    };
    let sign_in = async |more: &[(&str, &str)]| {
        let browser = world.lab.browser();
        let all: Vec<_> = scope.iter().chain(more).copied().collect();
        let back = world.sign_in(&browser, &world.request(&client, &all)).await;
        let tokens = world.redeem(&client, &code_of(&back)).await.json();
        (browser, tokens)
    };
    let (browser, tokens) = sign_in(&[]).await;
    assert_eq!(announce(&tokens["access_token"]).await.status, 200);
    world.lab.clock.advance(Duration::seconds(299));
    assert_eq!(announce(&tokens["access_token"]).await.status, 200);
    // Another session's fresh proof is none of this one's.
    world.lab.clock.advance(Duration::seconds(2));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refreshed = world.refresh(&client, refresh).await.json();
    sign_in(&[]).await;
    let stale = announce(&refreshed["access_token"]).await;
    assert!(is_challenged(&stale), "{stale:?}");
    // The same session, after its password alone: the proof began anew, this token did not.
    let page = browser
        .visit(&world.request(&client, &[scope[0], ("prompt", "login")]))
        .await;
    browser
        .sign_in_at(page, &world.person.login, super::PASSWORD)
        .await;
    let stale = announce(&refreshed["access_token"]).await;
    assert!(is_challenged(&stale), "{stale:?}");
}
