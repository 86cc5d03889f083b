//! The code grant and client authentication.

use http::Method;
use time::Duration;

use super::{REDIRECT, VERIFIER, World, assert_refused, claims, code_of};

/// RFC 9068 §2.2, design §2: every claim that the design lists, of the right kind.
#[tokio::test]
async fn the_tokens_say_what_the_design_lists() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 300);
    assert_eq!(tokens["idle_expires_in"], 1800);
    assert_eq!(tokens["session_expires_in"], 86400);
    assert_eq!(
        tokens["scope"],
        "email openid profile profile:read visits:read"
    );
    let access = claims(&tokens["access_token"]);
    assert_eq!(access["iss"], world.lab.issuer());
    assert_eq!(access["sub"], world.subject.to_string());
    assert_eq!(access["aud"], lanyard::api::audience(&world.lab.app));
    assert_eq!(access["client_id"], client.id);
    assert_eq!(access["tid"], world.clinic.id.to_string());
    assert_eq!(access["roles"], serde_json::json!(["patient"]));
    assert_eq!(access["amr"], serde_json::json!(["pwd"]));
    assert_eq!(access["acr"], "urn:lanyard:acr:password");
    assert_eq!(
        access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(),
        300
    );
    let id = claims(&tokens["id_token"]);
    assert_eq!(id["aud"], client.id);
    assert_eq!(id["nonce"], "a nonce");
    assert_eq!(id["sid"], access["sid"]);
    for token in [&access, &id] {
        assert!(
            !token.to_string().contains(&world.person.login),
            "no address in a token"
        );
        assert!(
            !token.to_string().contains(&world.person.name),
            "no name in a token"
        );
    }
}

/// TOK-02, RFC 6749 §4.1.2: a second use revokes what the first gave; and twice round.
#[tokio::test]
async fn a_code_used_twice_ends_what_it_gave() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    for seconds in [1, 31] {
        let request = world.request(&client, &[("prompt", "login")]);
        let code = code_of(&world.sign_in(&browser, &request).await);
        let first = world.redeem(&client, &code).await.json();
        let refresh = first["refresh_token"].as_str().unwrap();
        world.lab.clock.advance(Duration::seconds(seconds));
        assert_refused(&world.redeem(&client, &code).await, 400, "invalid_grant");
        assert_refused(&world.refresh(&client, refresh).await, 400, "invalid_grant");
        let events = world.lab.events_in(world.clinic.id).await;
        assert!(events.iter().any(|event| event.kind == "code.replayed"));
    }
}

/// TOK-03: of fifty at once at most one is answered, on two nodes.
#[tokio::test]
async fn of_fifty_redemptions_at_once_at_most_one_succeeds() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let code = code_of(&world.sign_in(&browser, &world.request(&client, &[])).await);
    let second = world.lab.second_node().await;
    let machine = world.lab.browser_in(9);
    let other = world.lab.browser_in(10).through(second.address);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..50 {
        let node = if number % 2 == 0 { &machine } else { &other };
        let request = node
            .request(Method::POST, "/token")
            .basic_auth(&client.id, client.secret.as_deref())
            .form(&form);
        racing.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let statuses = racing.join_all().await;
    let won = statuses.iter().filter(|status| **status == 200).count();
    assert!(won <= 1, "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| matches!(status, 200 | 400 | 503)),
        "{statuses:?}"
    );
}

/// TOK-01, TOK-05, TOK-06: bound to client, verifier and address; a wrong verifier burns it.
#[tokio::test]
async fn a_code_is_good_for_its_client_address_and_verifier_alone() {
    let world = World::new().await;
    let (client, stranger) = (world.web().await, world.web().await);
    let browser = world.lab.browser();
    let fresh = async || {
        let request = world.request(&client, &[("prompt", "login")]);
        code_of(&world.sign_in(&browser, &request).await)
    };
    let code = fresh().await;
    assert_refused(&world.redeem(&stranger, &code).await, 400, "invalid_grant");
    assert_eq!(
        world.redeem(&client, &code).await.status,
        200,
        "a stranger changed nothing"
    );
    let with = async |code: &str, address: &str, verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", address),
            ("code_verifier", verifier),
        ];
        world.ask_token(&client, &form).await
    };
    let code = fresh().await;
    assert_refused(&with(&code, "", VERIFIER).await, 400, "invalid_grant");
    assert_refused(
        &with(&code, "https://other.test/cb", VERIFIER).await,
        400,
        "invalid_grant",
    );
    for wrong in ["", "short", &"w".repeat(43), &"w".repeat(129)] {
        let code = fresh().await;
        assert_refused(&with(&code, REDIRECT, wrong).await, 400, "invalid_grant");
        assert_refused(&with(&code, REDIRECT, VERIFIER).await, 400, "invalid_grant");
    }
}

/// TOK-07: one second before its end, at it, after it.
#[tokio::test]
async fn a_code_lives_a_minute() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    for (seconds, is_good) in [(59, true), (60, false), (61, false)] {
        let request = world.request(&client, &[("prompt", "login")]);
        let code = code_of(&world.sign_in(&browser, &request).await);
        world.lab.clock.advance(Duration::seconds(seconds));
        let answer = world.redeem(&client, &code).await;
        assert_eq!(
            answer.status == 200,
            is_good,
            "{seconds} s: {}",
            answer.body
        );
    }
}

/// TOK-09, TOK-12, TOK-15, HTTP-04, HTTP-06: the endpoint's manners.
#[tokio::test]
async fn the_token_endpoint_refuses_what_it_does_not_serve() {
    let world = World::new().await;
    let client = world.web().await;
    for (grant, word) in [
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        (
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "unsupported_grant_type",
        ),
        (
            "urn:ietf:params:oauth:grant-type:device_code",
            "unsupported_grant_type",
        ),
        ("AUTHORIZATION_CODE", "unsupported_grant_type"),
        ("", "invalid_request"),
    ] {
        let answer = world.ask_token(&client, &[("grant_type", grant)]).await;
        assert_refused(&answer, 400, word);
    }
    let twice = [
        ("grant_type", "authorization_code"),
        ("grant_type", "refresh_token"),
    ];
    assert_refused(
        &world.ask_token(&client, &twice).await,
        400,
        "invalid_request",
    );
    let machine = world.lab.browser_in(9);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let answer = machine
            .send("/token", machine.request(method, "/token"))
            .await;
        assert_eq!(answer.status, 405, "HTTP-07");
    }
    let json = machine
        .request(Method::POST, "/token")
        .json(&serde_json::json!({}));
    assert_eq!(machine.send("/token", json).await.status, 415);
    let in_query = machine.request(Method::POST, "/token?grant_type=refresh_token");
    let in_query = in_query.form(&[("client_id", "x")]);
    assert_eq!(machine.send("/token", in_query).await.status, 415);
    let broken = machine
        .request(Method::POST, "/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=%zz");
    assert_refused(
        &machine.send("/token", broken).await,
        400,
        "invalid_request",
    );
}

/// TOK-10, RT-05: one way of authentication, the registered one, exactly.
#[tokio::test]
async fn client_authentication_is_never_confused() {
    let world = World::new().await;
    let (client, public) = (world.web().await, world.spa().await);
    let secret = client.secret.as_deref().unwrap();
    let machine = world.lab.browser_in(9);
    let grant = ("grant_type", "authorization_code");
    let ask = async |basic: Option<(&str, &str)>, form: &[(&str, &str)]| {
        let request = machine.request(Method::POST, "/token");
        let request = match basic {
            Some((id, secret)) => request.basic_auth(id, Some(secret)),
            None => request,
        };
        machine.send("/token", request.form(form)).await
    };
    let own = Some((client.id.as_str(), secret));
    assert_refused(
        &ask(own, &[grant, ("client_secret", secret)]).await,
        400,
        "invalid_request",
    );
    let challenged = ask(own, &[grant, ("client_id", &public.id)]).await;
    assert_refused(&challenged, 401, "invalid_client");
    assert!(challenged.header("www-authenticate").starts_with("Basic"));
    let wrong = Some((client.id.as_str(), "wrong"));
    assert_refused(&ask(wrong, &[grant]).await, 401, "invalid_client");
    let unknown = Some(("nobody", secret));
    assert_refused(&ask(unknown, &[grant]).await, 401, "invalid_client");
    let in_form = [
        grant,
        ("client_id", client.id.as_str()),
        ("client_secret", secret),
    ];
    assert_refused(&ask(None, &in_form).await, 401, "invalid_client");
    assert_refused(
        &ask(None, &[grant, ("client_id", &client.id)]).await,
        401,
        "invalid_client",
    );
    let shown = [
        grant,
        ("client_id", public.id.as_str()),
        ("client_secret", "any"),
    ];
    assert_refused(&ask(None, &shown).await, 401, "invalid_client");
    assert_refused(&ask(None, &[grant]).await, 401, "invalid_client");
    let events = world.lab.events_in(lanyard::ids::TenantId::PLATFORM).await;
    let rejected = events
        .iter()
        .filter(|event| event.kind == "client.rejected");
    assert!(rejected.clone().count() >= 5);
    assert!(
        rejected
            .into_iter()
            .all(|event| !event.detail.to_string().contains(secret))
    );
}

/// RFC 6749 §4.4, TOK-12, TOK-14: a service for itself, and nobody else so.
#[tokio::test]
async fn a_service_gets_its_own_scopes_and_a_person_s_client_none() {
    let world = World::new().await;
    let service = world
        .register(world.clinic.id, |client| {
            client.kind = lanyard::oidc::client::ClientKind::Service;
            client.scopes = vec!["visits:read".to_owned()];
        })
        .await;
    let grant = ("grant_type", "client_credentials");
    let answer = world.ask_token(&service, &[grant]).await;
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "visits:read");
    assert!(tokens["refresh_token"].is_null() && tokens["id_token"].is_null());
    let access = claims(&tokens["access_token"]);
    assert_eq!(access["tid"], world.clinic.id.to_string());
    assert!(access["sid"].is_null() && access["auth_time"].is_null());
    let events = world.lab.events_in(world.clinic.id).await;
    let issued = events.iter().filter(|event| event.kind == "token.issued");
    assert_eq!(issued.count(), 1, "design §8");
    let wider = [grant, ("scope", "visits:read tenancy:read")];
    assert_refused(
        &world.ask_token(&service, &wider).await,
        400,
        "invalid_scope",
    );
    let elsewhere = [grant, ("resource", "https://other.test")];
    assert_refused(
        &world.ask_token(&service, &elsewhere).await,
        400,
        "invalid_target",
    );
    let web = world.web().await;
    assert_refused(
        &world.ask_token(&web, &[grant]).await,
        400,
        "unauthorized_client",
    );
    let called = world
        .call("/api/v1/visits", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(called.status, 403, "VIS-13: a service has no role");
}
