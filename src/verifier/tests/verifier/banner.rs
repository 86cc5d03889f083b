//! What an app shows under impersonation.

use lanyard_verifier::{Banner, Basis, DelegationId, GrantId, Preset, SubjectId, SupportSession};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::lab::{Lab, NOW};

const ACTOR: SubjectId = SubjectId::from_uuid(Uuid::from_u128(7));
const PATIENT: SubjectId = SubjectId::from_uuid(Uuid::from_u128(8));
const GRANT: GrantId = GrantId::from_uuid(Uuid::from_u128(9));

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW).expect("in range")
}

async fn banner(end_url: &str) -> Banner {
    let lab = Lab::new();
    let token = lab.token().subject(PATIENT);
    let token = token.acted(ACTOR, GRANT, Preset::ReadOnly).mint();
    let principal = lab.verifier.verify(&token).await.expect("good");
    principal.banner(end_url, now()).expect("somebody acts")
}

#[tokio::test]
async fn nobody_acts_and_nothing_is_shown() {
    let lab = Lab::new();
    let principal = lab.verifier.verify(&lab.token().mint()).await;
    let principal = principal.expect("good");
    assert!(principal.banner("/end", now()).is_none());
}

/// WAI-ARIA 1.2 `status`; no script, no style, no handler: any Content-Security-Policy takes it.
#[tokio::test]
async fn the_banner_says_who_as_whom_and_how_long() {
    let until = now() + time::Duration::seconds(601);
    let banner = banner("https://id.example/account/impersonation").await;
    let banner = banner
        .names("Sam <support>", "Ada \"Q\" & 'x'")
        .until(until);
    let html = banner.html();
    assert_eq!(
        html,
        "<div class=\"lanyard-banner lanyard-banner-read-only\" role=\"status\" \
         data-grant=\"00000000-0000-0000-0000-000000000009\"><p>\
         <strong>Sam &lt;support&gt;</strong> is acting as \
         <strong>Ada &quot;Q&quot; &amp; &#39;x&#39;</strong> (read-only) until 14:23 UTC. \
         <span class=\"lanyard-banner-left\">11 minutes left.</span> \
         <a class=\"lanyard-banner-end\" href=\"https://id.example/account/impersonation\" \
         rel=\"noreferrer\">End now</a></p></div>"
    );
    assert_eq!(
        serde_json::to_value(&banner).expect("JSON"),
        json!({
            "actor": ACTOR, "subject": PATIENT, "grant": GRANT, "preset": "read-only",
            "actor_name": "Sam <support>", "subject_name": "Ada \"Q\" & 'x'",
            "until": NOW + 601, "minutes_left": 11,
            "end_url": "https://id.example/account/impersonation",
        })
    );
}

/// For an app's own session, with a form in place of the link: a link must end nothing.
#[test]
fn the_banner_of_a_session_ends_by_a_form() {
    let session = SupportSession {
        actor: ACTOR,
        subject: PATIENT,
        grant: GRANT,
        preset: Preset::Technical,
        until: now() + time::Duration::minutes(3),
    };
    let banner = Banner::of_session(session, "/sign-out", now()).ends_by_form("a\"token");
    let html = banner.html();
    assert!(html.contains("(technical) until 14:16 UTC. "), "{html}");
    assert!(html.contains("3 minutes left.</span></p>"), "{html}");
    assert!(
        html.ends_with(
            "<form id=\"lanyard-banner-form\" method=\"post\" action=\"/sign-out\">\
             <input type=\"hidden\" name=\"csrf\" value=\"a&quot;token\">\
             <button type=\"submit\" class=\"lanyard-banner-end\">End now</button></form></div>"
        ),
        "{html}"
    );
    assert!(
        !serde_json::to_string(&banner)
            .expect("JSON")
            .contains("token")
    );
}

/// A proxy's says as what she acts, and names the delegation.
#[tokio::test]
async fn the_banner_of_a_proxy_says_as_what_she_acts() {
    let lab = Lab::new();
    let delegation = DelegationId::from_uuid(Uuid::from_u128(10));
    let token = lab.token().subject(PATIENT);
    let token = token.proxied(ACTOR, delegation, Basis::PowerOfAttorney);
    let principal = lab.verifier.verify(&token.mint()).await.expect("good");
    let banner = principal.banner("/end", now()).expect("somebody acts");
    let banner = banner.names("Pat Quill", "Ada Quill");
    let html = banner.html();
    assert!(html.contains(
        "lanyard-banner-power_of_attorney\" role=\"status\" \
         data-delegation=\"00000000-0000-0000-0000-00000000000a\""
    ));
    assert!(html.contains("<strong>Ada Quill</strong> (agent under a power of attorney)."));
    let json = serde_json::to_value(&banner).expect("JSON");
    assert_eq!(json["delegation"], json!(delegation));
    assert_eq!(json["basis"], "power_of_attorney");
    assert!(json.get("grant").is_none() && json.get("preset").is_none());
}

/// By id and by the token's end, if the app says no more; and never below zero.
#[tokio::test]
async fn a_banner_needs_no_names() {
    let plain = banner("/end").await;
    let html = plain.html();
    assert!(html.contains(&format!(
        "<strong>{ACTOR}</strong> is acting as <strong>{PATIENT}</strong>"
    )));
    assert!(html.contains("5 minutes left."), "{html}");
    let last = plain.clone().until(now() + time::Duration::seconds(1));
    assert!(last.html().contains("1 minute left."));
    let over = plain.until(now() - time::Duration::HOUR);
    assert!(over.html().contains("0 minutes left."));
}

/// What becomes a link runs nothing and leads to nobody else by a trick.
#[tokio::test]
async fn a_link_is_an_address_or_a_path() {
    for (given, shown) in [
        ("/end?grant=1", "/end?grant=1"),
        ("https://id.example/end", "https://id.example/end"),
        ("http://127.0.0.1:8080/end", "http://127.0.0.1:8080/end"),
        ("javascript:alert(1)", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("http://evil.example", "/"),
        ("data:text/html,x", "/"),
        ("/a b", "/"),
        ("", "/"),
    ] {
        let html = banner(given).await.html();
        assert!(
            html.contains(&format!("href=\"{shown}\"")),
            "{given}: {html}"
        );
    }
}
