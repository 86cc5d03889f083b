use std::collections::BTreeMap;

use crate::lab::world::{PASSWORD, Person};
use crate::lab::{Answer, Lab};

/// All of an answer that an attacker can compare, without the ids that differ anyway.
fn comparable(answer: &Answer, login: &str) -> (u16, BTreeMap<String, String>, String) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let mut body = answer.body.clone();
    let ids = [answer.hidden("csrf"), answer.hidden("flow")];
    let request_id = answer.header("x-request-id");
    for id in ids.iter().map(String::as_str).chain([request_id, login]) {
        body = body.replace(id, "…");
    }
    (answer.status.as_u16(), headers, body)
}

async fn set_status(lab: &Lab, who: &Person, status: &str) {
    sqlx::query("update identity.account set status = $2 where account_id = $1")
        .bind(who.account)
        .bind(status)
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
}

/// LOGIN-01: the same bytes, headers and cookies, and the same path: one hash, one event each.
#[tokio::test]
async fn unknown_wrong_and_disabled_are_answered_alike() {
    let lab = Lab::new().await;
    let known = lab.person("Ada Byron").await;
    let disabled = lab.person("Ida Rhodes").await;
    set_status(&lab, &disabled, "disabled").await;
    let member = lab.person("Eve Clark").await;
    let clinic = lab.clinic("Borealis Care").await;
    lab.join(&member, clinic.id, &["clinician"]).await;
    // As long as the others, so that even the length of what is typed is the same.
    let nobody = known.login.replace("ada.", "bob.");
    let cases = [
        (nobody.as_str(), "not the right password"),
        (&known.login, "not the right password"),
        (&disabled.login, "not the right password"),
        (&disabled.login, PASSWORD),
        (&member.login, "not the right password"),
    ];
    let mut seen = Vec::new();
    for (login, password) in cases {
        let hashes = lab.app.hasher.computed();
        let answer = lab.browser().sign_in(login, password).await;
        let answer = answer.shows(403, "Enter your password");
        assert!(answer.body.contains("do not match"));
        assert_eq!(lab.app.hasher.computed() - hashes, 1, "{login}");
        assert!(answer.cookie_line("__Host-lanyard_session").is_none());
        seen.push(comparable(&answer, login));
    }
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:#?}");
}

/// Design §8: a refusal is on the record, and what nobody is called only as a keyed digest.
#[tokio::test]
async fn a_refusal_is_recorded_without_what_was_typed() {
    let lab = Lab::apart(|_| ()).await;
    let ada = lab.person("Ada Byron").await;
    let typed = "my secret password by mistake".replace(' ', "_");
    lab.browser()
        .sign_in(&typed, "wrong")
        .await
        .shows(403, "Enter your password");
    lab.browser()
        .sign_in(&ada.login, "wrong")
        .await
        .shows(403, "Enter your password");
    set_status(&lab, &ada, "disabled").await;
    lab.browser()
        .sign_in(&ada.login, PASSWORD)
        .await
        .shows(403, "Enter your password");
    let events = lab.events_in(lanyard::ids::TenantId::PLATFORM).await;
    let refused: Vec<_> = events
        .iter()
        .filter(|e| e.kind == "sign_in.refused")
        .collect();
    let reasons: Vec<_> = refused
        .iter()
        .map(|e| e.detail["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["unknown_login", "wrong_password", "disabled"]);
    assert_eq!(
        refused[0].detail["login_digest"].as_str().unwrap().len(),
        43
    );
    assert_eq!(refused[1].detail["account"], ada.account.to_string());
    for event in &events {
        let text = event.detail.to_string();
        assert!(
            !text.contains("secret") && !text.contains(&ada.login),
            "{text}"
        );
    }
}

/// LOGIN-27: a planted hash that would cost memory and time is never computed.
#[tokio::test]
async fn a_stored_hash_outside_the_bounds_is_not_computed() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    for phc in [
        "$argon2id$v=19$m=4194304,t=50,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$v=19$m=19456,t=2,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "$argon2id$",
    ] {
        sqlx::query("update identity.password set phc = $2 where account_id = $1")
            .bind(ada.account)
            .bind(phc)
            .execute(&mut lab.database.superuser().await)
            .await
            .unwrap();
        let answer = lab.browser().sign_in(&ada.login, PASSWORD).await;
        answer.shows(403, "Enter your password");
    }
    // The decoy's, in its place: the path of everyone else.
    assert_eq!(lab.app.hasher.computed(), 3);
}

/// LOGIN-24: beyond the cap nothing is hashed; NUL and emoji are characters like any other.
#[tokio::test]
async fn a_password_of_any_kind_is_an_answer_and_never_an_error() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    for odd in [
        "nul\u{0}inside",
        "🐌🐌🐌",
        "\u{202e}right to left",
        &"x".repeat(1024),
    ] {
        let answer = lab.browser().sign_in(&ada.login, odd).await;
        answer.shows(403, "Enter your password");
    }
    let hashes = lab.app.hasher.computed();
    let answer = lab.browser().sign_in(&ada.login, &"x".repeat(1025)).await;
    answer.shows(403, "Enter your password");
    assert_eq!(lab.app.hasher.computed(), hashes);
    let browser = lab.browser();
    let page = browser.visit("/account").await;
    let sent = browser
        .submit(&page, "identifier-form", &[("login", &ada.login)])
        .await;
    let page = browser.follow(sent).await;
    let huge = "x".repeat(1_000_000);
    let answer = browser
        .submit(&page, "password-form", &[("password", &huge)])
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(lab.app.hasher.computed(), hashes);
}
