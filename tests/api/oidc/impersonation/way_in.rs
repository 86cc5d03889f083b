//! What a browser that was handed over brings, and what ends it (docs/decisions/0032).

use lanyard::impersonation::Rule;
use lanyard::oidc::client::{AuthMethod, ClientKind, RedirectUri};
use serde_json::json;
use time::Duration;
use url::Url;

use super::super::{AFTER_LOGOUT, Client, REDIRECT, assert_refused, claims, code_of, parameter};
use super::Help;
use super::handover::BEGINS;
use crate::lab::Answer;

/// As any code: its client's, its address's, proved, in time, once. A second use ends the grant.
#[tokio::test]
async fn a_code_under_act_is_redeemed_once() {
    let help = Help::new(Rule::Allowed).await;
    let (portal, other) = (help.portal().await, help.portal().await);
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let code = async || {
        let hint = help.transfer(&sam.browser, &id, &portal).await;
        let back = help
            .authorize(&sam.browser, &portal, &[("login_hint", &hint)])
            .await;
        code_of(&back)
    };
    let with = async |app: &Client, code: &str, name: &str, value: &str| -> Answer {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", super::super::VERIFIER),
        ];
        let form: Vec<_> = usual
            .map(|(n, v)| (n, if n == name { value } else { v }))
            .to_vec();
        help.world.ask_token(app, &form).await
    };
    let first = code().await;
    assert_refused(&with(&other, &first, "", "").await, 400, "invalid_grant");
    let elsewhere = with(&portal, &first, "redirect_uri", AFTER_LOGOUT).await;
    assert_refused(&elsewhere, 400, "invalid_grant");
    let forged = format!("{}AAAA", &first[..first.len() - 4]);
    assert_refused(&with(&portal, &forged, "", "").await, 400, "invalid_grant");
    let wrong = "a-verifier-of-more-than-forty-three-characters-1";
    let unproved = with(&portal, &first, "code_verifier", wrong).await;
    assert_refused(&unproved, 400, "invalid_grant");
    let late = code().await;
    help.world.lab.clock.advance(Duration::minutes(1));
    assert_refused(&with(&portal, &late, "", "").await, 400, "invalid_grant");
    assert!(help.told("token_issued").await.is_empty());

    let good = code().await;
    let (one, two) = tokio::join!(
        help.world.redeem(&portal, &good),
        help.world.redeem(&portal, &good)
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let (state, cause, _) = help.stored(&id).await;
    assert_eq!(
        (state.as_str(), cause.as_deref()),
        ("ended", Some("code_replayed"))
    );
    assert_eq!(help.told("token_issued").await.len(), 1);
}

/// What is taken from under the grant between the steps is found at the next one.
#[tokio::test]
async fn what_ends_the_grant_ends_the_way_in() {
    let help = Help::new(Rule::Allowed).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let hint = help.transfer(&sam.browser, &id, &portal).await;
    let back = help
        .authorize(&sam.browser, &portal, &[("login_hint", &hint)])
        .await;
    help.set_rule(Rule::Forbidden).await;
    let refused = help.world.redeem(&portal, &code_of(&back)).await;
    assert_refused(&refused, 400, "invalid_grant");
    let page = sam
        .browser
        .visit(&format!("/impersonation/{id}/enter"))
        .await;
    page.page("This access is over");
}

/// RP-initiated logout under act ends the grant: neither her session nor the actor's own.
#[tokio::test]
async fn the_apps_sign_out_ends_the_grant_and_no_session() {
    let help = Help::new(Rule::Allowed).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let tokens = help.go_in(&sam, &id, &portal).await;
    let identity = tokens["id_token"].as_str().unwrap();
    let mut address = Url::parse(&format!("{}/logout", help.world.lab.issuer())).unwrap();
    address
        .query_pairs_mut()
        .append_pair("id_token_hint", identity)
        .append_pair("post_logout_redirect_uri", AFTER_LOGOUT);
    let out = sam.browser.get(address.as_str()).await;
    assert_eq!(out.location().unwrap().as_str(), AFTER_LOGOUT);
    assert_eq!(sam.browser.cookie("__Host-lanyard_handover"), None);
    let (state, cause, _) = help.stored(&id).await;
    assert_eq!(
        (state.as_str(), cause.as_deref()),
        ("ended", Some("by_actor"))
    );
    let own = help
        .authorize(&sam.browser, &portal, &[("prompt", "none")])
        .await;
    assert!(parameter(&own, "code").is_some(), "{own}");
}

/// The page is the actor's alone, in the session the grant was started in; its forms are its own
/// (IMP-17), and it names what fits.
#[tokio::test]
async fn the_page_is_for_who_started_the_grant_where_he_did() {
    let help = Help::new(Rule::Allowed).await;
    let platform = help.world.lab.platform().await;
    let portal = help.portal().await;
    let begins = || Some(RedirectUri::parse(BEGINS).unwrap());
    let mut unfit = vec![help.world.web().await];
    unfit.push(
        help.world
            .register(platform, |client| {
                client.initiate_login_uri = begins();
                client.is_first_party = false;
            })
            .await,
    );
    unfit.push(
        help.world
            .register(platform, |client| {
                client.initiate_login_uri = begins();
                client.scopes = vec!["tenancy:read".to_owned()];
            })
            .await,
    );
    unfit.push(
        help.world
            .register(platform, |client| {
                client.initiate_login_uri = begins();
                client.app = Some("console".to_owned());
            })
            .await,
    );
    let spa = help
        .world
        .register(help.world.clinic.id, |client| {
            client.initiate_login_uri = begins();
            client.kind = ClientKind::Spa;
            client.auth_method = AuthMethod::None;
        })
        .await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let at = format!("/impersonation/{id}/enter");
    let page = sam.browser.visit(&at).await.page("Go in as somebody else");
    assert!(
        page.body.contains("You act as Ada Quill at "),
        "{}",
        page.body
    );
    for fits in [&portal, &spa] {
        assert!(
            page.body.contains(&format!("enter-{}", fits.id)),
            "{}",
            fits.id
        );
    }
    for client in &unfit {
        assert!(!page.body.contains(&client.id), "{}", client.id);
        let csrf = page.hidden("csrf");
        let fields = [("csrf", csrf.as_str()), ("client", client.id.as_str())];
        sam.browser.post(&at, &fields).await.goes_to(&at);
    }
    let forged = [("csrf", "x"), ("client", portal.id.as_str())];
    sam.browser
        .post(&at, &forged)
        .await
        .shows(403, "Something went wrong");
    assert!(help.told("transfer_made").await.is_empty());

    let elsewhere = help.seat(&help.sam).await;
    elsewhere
        .browser
        .visit(&at)
        .await
        .page("This access is over");
    let tina = help.seat(&help.tina).await;
    assert_eq!(tina.browser.visit(&at).await.status, 404);
    let nobody = help.world.lab.browser().visit(&at).await;
    nobody.page("Sign in to continue");

    let page = sam.browser.visit(&at).await;
    let over = sam.browser.submit(&page, "end", &[]).await;
    over.goes_to(&at);
    sam.browser.visit(&at).await.page("This access is over");
    assert_eq!(help.stored(&id).await.1.as_deref(), Some("by_actor"));
}

/// Who acts is at work: his own session goes on by what he does, and hers does not.
#[tokio::test]
async fn what_he_does_is_his_activity_and_not_hers() {
    let help = Help::new(Rule::Allowed).await;
    let ada = help.world.person.clone();
    help.seat(&ada).await;
    let portal = help.portal().await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let tokens = help.go_in(&sam, &id, &portal).await;
    let (hers, his) = (help.active_at(&ada).await, help.active_at(&help.sam).await);
    help.world.lab.clock.advance(Duration::minutes(4));
    let own = lanyard::api::audience(&help.world.lab.app);
    let api = help.api(&own).await;
    let said = claims(&tokens["access_token"]);
    let event = json!({
        "jti": said["jti"], "tid": said["tid"], "sid": said["sid"], "iat": said["iat"],
        "exp": said["exp"], "at": help.world.lab.now().unix_timestamp(),
    });
    let machine = help.world.lab.browser_in(9);
    let request = machine
        .request(http::Method::POST, "/activity")
        .basic_auth(&api.id, api.secret.as_deref())
        .json(&json!({ "events": [event] }));
    assert_eq!(machine.send("/activity", request).await.status, 204);
    assert_ne!(help.active_at(&help.sam).await, his);
    assert_eq!(help.active_at(&ada).await, hers);
}
