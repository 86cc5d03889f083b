//! Asking, answering, starting.

use lanyard::ids::{SubjectId, TenantId};
use lanyard::impersonation::{ASKS_WITHIN, MOST_ASKS, Rule};
use serde_json::json;
use time::Duration;

use super::{Help, assert_problem};

/// Design §7: off for every clinic that said nothing; a clinic's no is a no.
#[tokio::test]
async fn a_clinic_that_said_nothing_forbids_it() {
    let help = Help::new(Rule::Forbidden).await;
    let sam = help.seat(&help.sam).await;
    assert_problem(&help.ask(&sam).await, 403, "impersonation_refused");
    let other = help.world.lab.clinic("Harbor Clinic").await;
    let hal = help.world.lab.person("Hal Reed").await;
    let hals = help.world.lab.join(&hal, other.id, &["patient"]).await;
    let asked = help.post(&sam, "", Some(&Help::wish(other.id, hals))).await;
    assert_problem(&asked, 403, "impersonation_refused");
    assert!(help.list(&sam).await.is_empty());
    let denied = help.told("denied").await;
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0].detail["reason"], "forbidden");
    assert_eq!(denied[0].actor_id, Some(help.sams));
    assert_eq!(denied[0].subject_id, Some(help.world.subject));
}

/// The whole way where a clinic allows it, with both identities in each event, and the letter.
#[tokio::test]
async fn an_allowed_grant_is_started_by_its_actor_and_the_person_is_told() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    for kind in ["requested", "started"] {
        let told = help.told(kind).await;
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0].actor_id, Some(help.sams), "{kind}");
        assert_eq!(told[0].subject_id, Some(help.world.subject), "{kind}");
        assert_eq!(told[0].detail["impersonation"], json!(id), "{kind}");
    }
    assert_eq!(help.letters().await, ["support_acts"]);
    let again = help.post(&sam, &format!("/{id}/start"), None).await;
    assert_problem(&again, 409, "wrong_state");
    let mine = help.list(&sam).await;
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0]["state"], "active");
    assert_eq!(mine[0]["actor_name"], "Sam Porter");
    // The clinic sees it; another of support does not.
    let tina = help.seat(&help.tina).await;
    assert_eq!(help.list(&tina).await[0]["id"], json!(id));
    let lab = &help.world.lab;
    let pat = lab.person("Pat Lane").await;
    lab.join(&pat, TenantId::PLATFORM, &["platform_support"])
        .await;
    let pat = help.seat(&pat).await;
    assert!(help.list(&pat).await.is_empty());
    let ended = help.post(&pat, &format!("/{id}/end"), None).await;
    assert_problem(&ended, 404, "not_found");
}

/// IMP-01: nobody stronger, no colleague, not himself, no service, nobody disabled; each no is on
/// the record. IMP-03: a member is named by clinic and `sub`, both of which must be right.
#[tokio::test]
async fn nobody_acts_as_who_may_not_be_acted_as() {
    let help = Help::new(Rule::Allowed).await;
    let (lab, clinic) = (&help.world.lab, help.world.clinic.id);
    let sam = help.seat(&help.sam).await;
    let mut as_whom = Vec::new();
    for roles in [
        &["clinic_admin"][..],
        &["compliance_lead"],
        &["executive"],
        &["patient", "clinic_admin"],
    ] {
        let person = lab.person("Strong Soul").await;
        let subject = lab.join(&person, clinic, roles).await;
        as_whom.push((clinic, subject, "too_strong"));
    }
    let himself = lab.join_bare(&help.sam, clinic, &["patient"]).await;
    as_whom.push((clinic, himself, "himself"));
    let gone = lab.person("Gone Soul").await;
    let gones = lab.join(&gone, clinic, &["patient"]).await;
    sqlx::query("update identity.account set status = 'disabled' where account_id = $1")
        .bind(gone.account)
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    as_whom.push((clinic, gones, "subject_inactive"));
    for (tenant, subject, reason) in &as_whom {
        let asked = help
            .post(&sam, "", Some(&Help::wish(*tenant, *subject)))
            .await;
        assert_problem(&asked, 403, "impersonation_refused");
        let told = help.told("denied").await;
        assert_eq!(told.last().unwrap().detail["reason"], json!(reason));
    }
    assert_eq!(help.told("denied").await.len(), as_whom.len());
    let colleague = lab.person("Pat Lane").await;
    let colleague = lab
        .join(&colleague, TenantId::PLATFORM, &["platform_support"])
        .await;
    let staff = Help::wish(TenantId::PLATFORM, colleague);
    let asked = help.post(&sam, "", Some(&staff)).await;
    assert_problem(&asked, 403, "impersonation_refused");
    // A service's subject, a person of another clinic, a clinic that is none.
    let other = lab.clinic("Harbor Clinic").await;
    let nobody = SubjectId::from_uuid(lab.app.env.random_uuid());
    let nowhere = TenantId::from_uuid(lab.app.env.random_uuid());
    for (tenant, subject) in [
        (clinic, nobody),
        (other.id, help.world.subject),
        (nowhere, help.world.subject),
    ] {
        let asked = help
            .post(&sam, "", Some(&Help::wish(tenant, subject)))
            .await;
        assert_problem(&asked, 404, "not_found");
    }
    assert!(help.list(&sam).await.is_empty());
}

/// IMP-12: a reason, a case, and thirty minutes at most.
#[tokio::test]
async fn a_request_says_why_and_for_how_long() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let usual = Help::wish(help.world.clinic.id, help.world.subject);
    for (field, value) in [
        ("reason", json!("")),
        ("reason", json!("x")),
        ("reason", json!(" ".repeat(40))),
        ("reason", json!("a line\nand one of its own")),
        ("reason", json!("x".repeat(501))),
        ("ticket", json!("")),
        ("ticket", json!("no ticket")),
        ("preset", json!("everything")),
        ("minutes", json!(0)),
        ("minutes", json!(31)),
        ("minutes", json!(480)),
    ] {
        let mut wish = usual.clone();
        wish[field] = value;
        let asked = help.post(&sam, "", Some(&wish)).await;
        assert_problem(&asked, 400, "invalid_request");
        assert_eq!(asked.json()["field"], json!(field));
    }
    let mut more = usual.clone();
    more["approved_at"] = json!("2026-03-02T14:00:00Z");
    let asked = help.post(&sam, "", Some(&more)).await;
    assert_problem(&asked, 400, "invalid_request");
    assert!(help.list(&sam).await.is_empty());
}

/// IMP-12: where an administrator has to say yes, support's own start is none; and one who was
/// given a second hat does not say yes to himself.
#[tokio::test]
async fn an_administrator_of_the_clinic_says_yes_or_no() {
    let help = Help::new(Rule::ApprovalByAdmin).await;
    let sam = help.seat(&help.sam).await;
    let asked = help.ask(&sam).await.json();
    assert_eq!(asked["state"], "requested");
    let id = asked["id"].as_str().unwrap();
    let path = |verb: &str| format!("/{id}/{verb}");
    assert_problem(
        &help.post(&sam, &path("start"), None).await,
        409,
        "wrong_state",
    );
    let own = help.post(&sam, &path("approve"), None).await;
    assert_eq!(own.status, 403, "support has no such permission");
    // Sam administers the clinic too: the same human.
    let lab = &help.world.lab;
    lab.join_bare(&help.sam, help.world.clinic.id, &["clinic_admin"])
        .await;
    let browser = lab.browser();
    let organization = [
        ("organization", help.world.clinic.slug.as_str()),
        ("scope", super::SCOPES),
    ];
    let request = help.world.request(&help.console, &organization);
    let page = browser.visit(&request).await;
    let answer = browser
        .sign_in_at(page, &help.sam.login, crate::lab::world::PASSWORD)
        .await;
    let seen = lab.prove_factor(&browser, answer).await;
    let back = seen.location().expect("back to the app");
    let tokens = help
        .world
        .redeem(&help.console, &super::code_of(&back))
        .await
        .json();
    let hat = super::Seat {
        browser,
        token: tokens["access_token"].as_str().unwrap().to_owned(),
    };
    let own = help.post(&hat, &path("approve"), None).await;
    assert_problem(&own, 403, "impersonation_refused");
    let tina = help.seat(&help.tina).await;
    let said = help.post(&tina, &path("approve"), None).await;
    assert_eq!(said.json()["state"], "approved", "{}", said.body);
    assert_eq!(help.told("approved").await.len(), 1);
    assert_eq!(
        help.told("approved").await[0].detail["actor"],
        json!(help.sams)
    );
    let twice = help.post(&tina, &path("approve"), None).await;
    assert_problem(&twice, 409, "wrong_state");
    let late = help.post(&tina, &path("refuse"), None).await;
    assert_problem(&late, 409, "wrong_state");
    let started = help.post(&sam, &path("start"), None).await;
    assert_eq!(started.json()["state"], "active", "{}", started.body);
    // Another one is refused, for good.
    let second = help.ask(&sam).await.json();
    let second = second["id"].as_str().unwrap();
    let refused = help.post(&tina, &format!("/{second}/refuse"), None).await;
    assert_eq!(refused.json()["state"], "refused");
    let start = help.post(&sam, &format!("/{second}/start"), None).await;
    assert_problem(&start, 409, "wrong_state");
    assert_eq!(help.told("refused").await.len(), 1);
}

/// IMP-17, design §7: a start asks for a second factor that was proved within five minutes.
#[tokio::test]
async fn a_start_asks_for_a_fresh_factor() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.granted(&sam).await;
    help.world.lab.clock.advance(Duration::minutes(6));
    let sam = super::Seat {
        // The same session, a token that is good: only the proof is old.
        token: renewed(&help, &sam).await,
        browser: sam.browser,
    };
    let late = help.post(&sam, &format!("/{id}/start"), None).await;
    assert_problem(&late, 401, "insufficient_user_authentication");
    assert_eq!(help.stored(&id).await.0, "approved");
    let fresh = help.seat(&help.sam).await;
    let started = help.post(&fresh, &format!("/{id}/start"), None).await;
    assert_eq!(started.json()["state"], "active", "{}", started.body);
}

/// A token of the same session, by a silent authorization.
async fn renewed(help: &Help, seat: &super::Seat) -> String {
    let silent = [("prompt", "none"), ("scope", super::SCOPES)];
    let request = help.world.request(&help.console, &silent);
    let back = seat.browser.get(&request).await.location().unwrap();
    let tokens = help
        .world
        .redeem(&help.console, &super::code_of(&back))
        .await
        .json();
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// A request that nobody answers is over after a day, on the record.
#[tokio::test]
async fn what_nobody_answers_is_over_after_a_day() {
    let help = Help::new(Rule::ApprovalByAdmin).await;
    let sam = help.seat(&help.sam).await;
    let id = help.ask(&sam).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    help.world.lab.clock.advance(Duration::hours(24));
    let tina = help.seat(&help.tina).await;
    let late = help.post(&tina, &format!("/{id}/approve"), None).await;
    assert_problem(&late, 409, "wrong_state");
    lanyard::impersonation::upkeep::settle(&help.world.lab.app)
        .await
        .unwrap();
    let (state, cause, is_recorded) = help.stored(&id).await;
    assert_eq!(
        (state.as_str(), cause.as_deref(), is_recorded),
        ("expired", Some("unanswered"), true)
    );
    assert_eq!(help.told("expired").await.len(), 1);
}

/// Each request is a letter to whoever is asked: one of support has so many of them, whatever came
/// of them, and another has his own.
#[tokio::test]
async fn one_of_support_asks_so_often_and_no_more() {
    let help = Help::new(Rule::ConsentOfUser).await;
    let lab = &help.world.lab;
    let sam = help.seat(&help.sam).await;
    for _ in 0..MOST_ASKS {
        let asked = help.ask(&sam).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let id = asked.json()["id"].as_str().unwrap().to_owned();
        let ended = help.post(&sam, &format!("/{id}/end"), None).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
    }
    lab.clock.advance(Duration::seconds(10));
    let refused = help.ask(&sam).await;
    assert_problem(&refused, 429, "too_many_requests");
    let again_in: i64 = refused.header("retry-after").parse().unwrap();
    let whole = ASKS_WITHIN.whole_seconds();
    assert!((whole - 20..whole).contains(&again_in), "{again_in}");
    assert_eq!(help.letters().await.len(), MOST_ASKS as usize);
    let denied: Vec<String> = sqlx::query_scalar(
        "select detail ->> 'reason' from audit.event
         where tenant_id = $1 and type = 'impersonation.denied'",
    )
    .bind(TenantId::PLATFORM)
    .fetch_all(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(denied, ["asked_too_often"]);

    let pat = lab.person("Pat Lane").await;
    lab.join(&pat, TenantId::PLATFORM, &["platform_support"])
        .await;
    let pat = help.seat(&pat).await;
    assert_eq!(help.ask(&pat).await.status, 200);
    lab.clock.advance(Duration::seconds(again_in));
    let sam = help.seat(&help.sam).await;
    assert_eq!(help.ask(&sam).await.status, 200);
}
