//! A grant for a token under `act` (RFC 8693).

use lanyard::ids::TenantId;
use lanyard::impersonation::Rule;
use lanyard::oidc::client::ClientKind;
use serde_json::json;
use time::Duration;

use super::super::{assert_refused, claims};
use super::{ACCESS_TOKEN, GRANT_TYPE, Help, IMPERSONATION_GRANT};

/// Design §7: both identities, the roles and scopes that are lent, a `sid` of its own, no refresh
/// token, no ID token; her session and its clocks are as they were.
#[tokio::test]
async fn a_token_under_act_names_both_and_opens_what_is_lent() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let ada = help.world.person.clone();
    let hers = help.seat(&ada).await;
    let before = sessions_of(&help).await;
    help.world.lab.clock.advance(Duration::seconds(30));
    let id = help.started(&sam).await;
    let answer = help.exchange(&sam, &id, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["issued_token_type"], ACCESS_TOKEN);
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    assert_eq!(tokens["scope"], "profile:read visits:read");
    assert_eq!(tokens["expires_in"], 300);
    let said = claims(&tokens["access_token"]);
    assert_eq!(said["sub"], json!(help.world.subject));
    assert_eq!(said["tid"], json!(help.world.clinic.id));
    assert_eq!(
        said["act"],
        json!({ "sub": help.sams, "grant": id, "preset": "read-only" })
    );
    assert_eq!(said["sid"], json!(id));
    assert_eq!(said["roles"], json!(["patient"]));
    let token = tokens["access_token"].as_str().unwrap();
    // The impersonation's `sid` is no session: userinfo knows nobody.
    assert_eq!(help.world.call("/userinfo", token).await.status, 403);
    assert_eq!(sessions_of(&help).await, before, "her clocks stand still");
    let own = claims(&json!(hers.token));
    assert_ne!(own["sid"], said["sid"]);
    assert!(own.get("act").is_none());
    let issued = help.told("token_issued").await;
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0].actor_id, Some(help.sams));
    assert_eq!(issued[0].subject_id, Some(help.world.subject));
}

async fn sessions_of(help: &Help) -> Vec<(time::OffsetDateTime, time::OffsetDateTime)> {
    sqlx::query_as(
        "select active_at, proved_at from identity.session where account_id = $1 order by 1",
    )
    .bind(help.world.person.account)
    .fetch_all(&mut help.world.lab.database.superuser().await)
    .await
    .unwrap()
}

/// IMP-09: what is asked for beyond both parties.
#[tokio::test]
async fn an_exchange_widens_nothing() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    for (name, value, word) in [
        ("scope", "tenancy:read", "invalid_scope"),
        ("scope", "visits:read tenancy:write", "invalid_scope"),
        ("scope", "openid", "invalid_scope"),
        ("scope", "impersonation:write", "invalid_scope"),
        (
            "audience",
            "https://elsewhere.example.test",
            "invalid_target",
        ),
        (
            "resource",
            "https://elsewhere.example.test",
            "invalid_target",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:refresh_token",
            "invalid_request",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:id_token",
            "invalid_request",
        ),
    ] {
        let answer = help.exchange(&sam, &id, &[(name, value)]).await;
        assert_refused(&answer, 400, word);
    }
    assert!(help.told("token_issued").await.is_empty());
    let long = help
        .exchange(
            &sam,
            &id,
            &[("expires_in", "86400"), ("scope", "visits:read")],
        )
        .await
        .json();
    assert_eq!(long["expires_in"], 300);
    assert_eq!(long["scope"], "visits:read");
}

/// IMP-09: five minutes, and never past the grant's end or the actor's session.
#[tokio::test]
async fn no_token_outlives_the_grant() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let mut wish = Help::wish(help.world.clinic.id, help.world.subject);
    wish["minutes"] = json!(6);
    let asked = help.post(&sam, "", Some(&wish)).await.json();
    let id = asked["id"].as_str().unwrap();
    help.post(&sam, &format!("/{id}/start"), None).await;
    help.world.lab.clock.advance(Duration::seconds(290));
    let token = help.exchange(&sam, id, &[]).await.json();
    assert_eq!(token["expires_in"], 70);
    help.world.lab.clock.advance(Duration::seconds(70));
    let sam = help.seat(&help.sam).await;
    let over = help.exchange(&sam, id, &[]).await;
    assert_refused(&over, 400, "invalid_grant");
}

/// IMP-10: of a clinician what is lent, and of that what the preset wants.
#[tokio::test]
async fn rights_are_the_subjects_that_are_lent() {
    let help = Help::new(Rule::Allowed).await;
    let (lab, clinic) = (&help.world.lab, help.world.clinic.id);
    let doctor = lab.person("Doctor Vale").await;
    let doctor = lab.join(&doctor, clinic, &["clinician"]).await;
    let sam = help.seat(&help.sam).await;
    for (preset, scope) in [
        ("read-only", "profile:read visits:read"),
        ("assist", "profile:read visits:read"),
        ("technical", "profile:read"),
    ] {
        let mut wish = Help::wish(clinic, doctor);
        wish["preset"] = json!(preset);
        let asked = help.post(&sam, "", Some(&wish)).await.json();
        let id = asked["id"].as_str().unwrap();
        let started = help.post(&sam, &format!("/{id}/start"), None).await;
        assert_eq!(started.status, 200, "{}", started.body);
        let tokens = help.exchange(&sam, id, &[]).await.json();
        assert_eq!(tokens["scope"], scope, "{preset}");
        let said = claims(&tokens["access_token"]);
        assert_eq!(said["roles"], json!(["clinician"]));
        assert_eq!(said["act"]["preset"], json!(preset));
        let machine = lab.browser_in(9);
        let path = "/api/v1/announcement";
        let request = machine
            .request(http::Method::POST, path)
            .bearer_auth(tokens["access_token"].as_str().unwrap())
            .header("content-type", "application/json")
            .body(r#"{"text":"Closed today"}"#);
        assert_eq!(machine.send(path, request).await.status, 403);
    }
    assert!(
        lab.events_in(clinic)
            .await
            .iter()
            .all(|event| event.kind != "announcement.changed")
    );
}

/// IMP-02: no chain: a token under `act` is no actor's and no subject's.
#[tokio::test]
async fn nothing_is_exchanged_out_of_an_exchange() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let tokens = help.exchange(&sam, &id, &[]).await.json();
    let acting = tokens["access_token"].as_str().unwrap();
    let chain = help.exchange(&sam, &id, &[("actor_token", acting)]).await;
    assert_refused(&chain, 400, "invalid_request");
    for more in [
        &[("subject_token", acting)][..],
        &[
            ("subject_token", acting),
            ("subject_token_type", ACCESS_TOKEN),
        ],
        &[("subject_token_type", ACCESS_TOKEN)],
        &[("actor_token_type", IMPERSONATION_GRANT)],
        &[("subject_token", "")],
        &[("actor_token", "")],
        &[("actor_token_type", "")],
    ] {
        let answer = help.exchange(&sam, &id, more).await;
        let word = if more == [("subject_token", acting)] {
            "invalid_grant"
        } else {
            "invalid_request"
        };
        assert_refused(&answer, 400, word);
    }
    let seat = super::Seat {
        browser: sam.browser,
        token: acting.to_owned(),
    };
    let asked = help.ask(&seat).await;
    assert!(asked.status == 403 || asked.status == 401, "{}", asked.body);
}

/// IMP-15: `act` comes from a grant alone; whatever a client sends beside it is nothing.
#[tokio::test]
async fn a_client_can_t_say_who_acts() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let forged = r#"{"sub":"00000000-0000-0000-0000-000000000009"}"#;
    let tokens = help
        .exchange(&sam, &id, &[("act", forged), ("requested_subject", "x")])
        .await
        .json();
    assert_eq!(
        claims(&tokens["access_token"])["act"]["sub"],
        json!(help.sams)
    );
    let asked = help.world.request(&help.console, &[("act", forged)]);
    let back = sam.browser.get(&asked).await.location();
    let back = back.expect("an unknown parameter is ignored");
    let tokens = help
        .world
        .redeem(&help.console, &super::code_of(&back))
        .await
        .json();
    assert!(claims(&tokens["access_token"]).get("act").is_none());
}

/// IMP-03: a grant is its actor's, through the app that he signed in to, which proves who it is.
#[tokio::test]
async fn a_grant_is_exchanged_by_its_actor_through_his_own_app() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let lab = &help.world.lab;
    let pat = lab.person("Pat Lane").await;
    lab.join(&pat, TenantId::PLATFORM, &["platform_support"])
        .await;
    let pat = help.seat(&pat).await;
    let answer = help.exchange(&pat, &id, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    let hers = help.seat(&help.world.person).await;
    let answer = help.exchange(&hers, &id, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    let other = help.world.web().await;
    let answer = help.exchange_by(&other, &sam, &id, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    let spa = help.world.spa().await;
    let answer = help.exchange_by(&spa, &sam, &id, &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
    let clinics = help.world.register(help.world.clinic.id, |_| ()).await;
    let answer = help.exchange_by(&clinics, &sam, &id, &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
    let service = help
        .world
        .register(TenantId::PLATFORM, |client| {
            client.kind = ClientKind::Service;
        })
        .await;
    let answer = help.exchange_by(&service, &sam, &id, &[]).await;
    assert_refused(&answer, 400, "unauthorized_client");
    let nobody = [("grant_type", GRANT_TYPE)];
    let machine = lab.browser_in(9);
    let request = machine.request(http::Method::POST, "/token").form(&nobody);
    let answer = machine.send("/token", request).await;
    assert_refused(&answer, 401, "invalid_client");
    // Approved, not started.
    let waiting = help.granted(&sam).await;
    let answer = help.exchange(&sam, &waiting, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    let reasons: Vec<_> = help.told("denied").await;
    assert_eq!(reasons.last().unwrap().detail["reason"], "wrong_state");
}

/// IMP-01: what was right at the start is asked again at each token: her new role is too strong.
#[tokio::test]
async fn who_became_stronger_is_no_target_any_more() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let mut boss = help.world.lab.database.superuser().await;
    // Without the trigger that would have ended the grant: the check stands by itself.
    sqlx::raw_sql("set session_replication_role = replica")
        .execute(&mut boss)
        .await
        .unwrap();
    sqlx::query(
        "insert into identity.membership_role (tenant_id, subject_id, role)
         values ($1, $2, 'clinic_admin')",
    )
    .bind(help.world.clinic.id)
    .bind(help.world.subject)
    .execute(&mut boss)
    .await
    .unwrap();
    let answer = help.exchange(&sam, &id, &[]).await;
    assert_refused(&answer, 400, "invalid_target");
    let denied = help.told("denied").await;
    assert_eq!(denied.last().unwrap().detail["reason"], "too_strong");
}

/// IMP-13: if the event can't be written, nothing starts and no token is given.
#[tokio::test]
async fn without_its_event_nothing_happens() {
    let lab = crate::lab::Lab::apart(|_| ()).await;
    let help = Help::on(lab, Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let waiting = help.granted(&sam).await;
    let break_log = "create function audit.full() returns trigger language plpgsql as $$
         begin raise exception 'disk full' using errcode = '53100'; end $$;
       create trigger full_disk before insert on audit.event
         for each row execute function audit.full()";
    sqlx::raw_sql(break_log)
        .execute(&mut help.world.lab.database.superuser().await)
        .await
        .unwrap();
    let token = help.exchange(&sam, &id, &[]).await;
    assert_eq!(token.status, 503, "{}", token.body);
    assert!(!token.body.contains("access_token"));
    let start = help.post(&sam, &format!("/{waiting}/start"), None).await;
    assert_eq!(start.status, 503, "{}", start.body);
    assert_eq!(help.stored(&waiting).await.0, "approved");
    let ask = help.ask(&sam).await;
    assert_eq!(ask.status, 503, "{}", ask.body);
}
