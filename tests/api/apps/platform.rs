//! The platform's own console: who is let in, who acts for whom, and what an emergency ends.

use lanyard::apps::Kind;
use lanyard::audit::log::Logs;
use lanyard::ids::TenantId;
use lanyard::impersonation::upkeep;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::Everywhere as _;
use super::stage::{ACTING, HOME, Platform, REASON};
use crate::revocation::until;

const ENDINGS: &str = "In an emergency";
const LOG: &str = "What is on the platform&#39;s record";

fn over() -> (String, Option<String>) {
    ("ended".to_owned(), Some("by_operator".to_owned()))
}

#[tokio::test]
async fn the_platforms_own_staff_sign_in_and_nobody_else() {
    let platform = Platform::new().await;
    let sam = platform.seat(&platform.sam).await;
    let home = platform.page(&sam, "/", HOME).await;
    assert!(home.body.contains("support-link"));
    assert!(!home.body.contains("endings-link"), "support runs nothing");
    let dana = platform.seat(&platform.dana).await;
    let home = platform.page(&dana, "/", HOME).await;
    for link in ["support-link", "verifiers-link", "log-link", "endings-link"] {
        assert!(home.body.contains(link), "{link}");
    }
    let clerk = platform.lab().person("Carl Other").await;
    platform
        .lab()
        .join(&clerk, TenantId::PLATFORM, &["billing_staff"])
        .await;
    for stranger in [&platform.apps.ruth, &clerk] {
        let browser = platform.lab().browser();
        let refused = platform.sign_in(&browser, stranger).await;
        let refused = refused.shows(403, "Something went wrong");
        assert!(
            refused.body.contains("for those who run the platform"),
            "{}",
            refused.body
        );
        let nothing = browser.get(&platform.at("/session")).await.json();
        assert_eq!(nothing["signed_in"], false);
        for path in ["/support", "/verifiers", "/endings", "/log"] {
            let asked = browser.get(&platform.at(path)).await;
            assert_eq!(asked.goes_to("/"), "/", "{path}");
        }
    }
}

#[tokio::test]
async fn the_console_has_no_clinics_host_and_its_pages_no_other_app() {
    let platform = Platform::new().await;
    let browser = platform.apps.ruths_browser().await;
    let clinics = platform.apps.at(Kind::Platform, "/");
    assert_eq!(browser.get(&clinics).await.status, 421);
    for kind in [Kind::Patient, Kind::Clinician, Kind::Console] {
        for path in ["/support", "/verifiers", "/endings"] {
            let there = browser.get(&platform.apps.at(kind, path)).await;
            if (kind, path) == (Kind::Console, "/support") {
                // A clinic's own page of that name.
                assert_eq!(there.status, 303);
            } else {
                assert_eq!(there.status, 404, "{path} of {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn support_asks_starts_with_a_fresh_factor_and_stops() {
    let platform = Platform::new().await;
    let sam = platform.seat(&platform.sam).await;
    let page = platform.page(&sam, "/support", ACTING).await;
    let typed = [
        ("clinic", "no-such-clinic"),
        ("subject", "nobody"),
        ("reason", REASON),
        ("ticket", "HELP-4711"),
        ("preset", "technical"),
        ("minutes", "31"),
    ];
    let unfit = platform.send(&sam, &page, "ask", &typed).await.page(ACTING);
    assert!(
        unfit.body.contains("No clinic that is served"),
        "{}",
        unfit.body
    );
    assert!(unfit.body.contains(REASON) && unfit.body.contains("value=\"31\""));
    let (page, id) = platform.asked(&sam).await;
    assert!(page.body.contains(REASON) && page.body.contains("Allowed. May begin until"));
    platform.lab().clock.advance(Duration::minutes(6));
    let page = platform.page(&sam, "/support", ACTING).await;
    let asked = platform
        .send(&sam, &page, &format!("start-{id}"), &[])
        .await;
    let asked = asked.page("Enter your code");
    assert_eq!(platform.stored(&id).await.0, "approved");
    let code = platform.lab().code();
    let started = platform
        .send(&sam, &asked, "code-form", &[("code", &code)])
        .await;
    let started = started.page(ACTING);
    assert!(started.body.contains("It began."), "{}", started.body);
    assert!(
        started.body.contains(">in 15 minutes</span>"),
        "{}",
        started.body
    );
    let enter = format!("{}/impersonation/{id}/enter", platform.lab().issuer());
    assert!(started.body.contains(&enter));
    let stopped = platform
        .send(&sam, &started, &format!("stop-{id}"), &[])
        .await;
    assert!(stopped.page(ACTING).body.contains("support ended it"));
    assert_eq!(platform.stored(&id).await.1.as_deref(), Some("by_actor"));
}

/// Who does not confirm has started nothing, then or later.
#[tokio::test]
async fn who_does_not_confirm_starts_nothing() {
    let platform = Platform::new().await;
    let sam = platform.seat(&platform.sam).await;
    let (_, id) = platform.asked(&sam).await;
    platform.lab().clock.advance(Duration::minutes(6));
    let page = platform.page(&sam, "/support", ACTING).await;
    let asked = platform
        .send(&sam, &page, &format!("start-{id}"), &[])
        .await;
    let asked = asked.page("Enter your code");
    let declined = platform.send(&sam, &asked, "decline-form", &[]).await;
    let declined = declined.page(ACTING);
    assert!(
        declined.body.contains("so nothing was done"),
        "{}",
        declined.body
    );
    assert_eq!(platform.stored(&id).await.0, "approved");
}

#[tokio::test]
async fn who_oversees_sees_the_trail_but_not_why_and_stops_one_or_all() {
    let platform = Platform::new().await;
    let (sam, dana) = (
        platform.seat(&platform.sam).await,
        platform.seat(&platform.dana).await,
    );
    let (_, first) = platform.started(&sam).await;
    platform.opened(&first, "/api/v1/visits").await;
    let page = platform.page(&dana, "/support", ACTING).await;
    assert!(
        page.body.contains("Sam Porter at Juniper Clinic"),
        "{}",
        page.body
    );
    assert!(page.body.contains("GET /api/v1/visits, 2 times"));
    assert!(!page.body.contains(REASON), "it is for her and her clinic");
    assert!(!page.body.contains("Ada Quill"), "{}", page.body);
    let stopped = platform
        .send(&dana, &page, &format!("stop-{first}"), &[])
        .await;
    assert!(stopped.page(ACTING).body.contains("the platform ended it"));
    assert_eq!(platform.stored(&first).await, over());

    let (_, second) = platform.started(&sam).await;
    let (_, third) = platform.asked(&sam).await;
    let page = platform.page(&dana, "/support", ACTING).await;
    let none = platform
        .send(&dana, &page, "stop-all", &[])
        .await
        .page(ACTING);
    assert!(none.body.contains("All are over."), "{}", none.body);
    assert!(none.body.contains("nobody-acts") && none.body.contains("nothing-waits"));
    for id in [&second, &third] {
        assert_eq!(platform.stored(id).await, over());
    }
    // In the clinic's log each end once, at once; on the platform's record who ordered it.
    upkeep::settle(&platform.lab().app).await.unwrap();
    let events = platform.lab().events_in(platform.apps.clinic.id).await;
    let ends = events
        .iter()
        .filter(|event| event.kind == "impersonation.ended");
    let ends: Vec<_> = ends.map(|event| &event.detail["impersonation"]).collect();
    assert_eq!(ends.len(), 3);
    for id in [&first, &second, &third] {
        assert!(ends.contains(&&json!(id)));
    }
    let told = platform.told("impersonation.stopped").await;
    let who: Vec<_> = told.iter().map(|(who, _)| *who).collect();
    assert_eq!(who, [Some(platform.danas); 2]);
    assert_eq!(told[0].1, json!({ "impersonation": first, "count": 1 }));
    assert_eq!(told[1].1, json!({ "impersonation": null, "count": 2 }));
}

/// What is confirmed for one thing does no other that was kept meanwhile in another tab.
#[tokio::test]
async fn who_confirms_one_thing_does_no_other() {
    let platform = Platform::new().await;
    let dana = platform.seat(&platform.dana).await;
    let keys = platform.lab().browser().get("/jwks").await.json();
    let kid = keys["keys"][0]["kid"].as_str().unwrap().to_owned();
    platform.lab().clock.advance(Duration::minutes(6));
    let page = platform.page(&dana, "/endings", ENDINGS).await;
    let slug = platform.apps.clinic.slug.as_str();
    let drill = [("clinic", slug), ("again", slug), ("reason", "drill")];
    let first = platform.send(&dana, &page, "end-sessions", &drill).await;
    let first = first.page("Enter your code");
    let key = format!("withdraw-{kid}");
    let second = platform.send(&dana, &page, &key, &[("sure", "yes")]).await;
    second.page("Enter your code");
    let code = platform.lab().code();
    platform
        .send(&dana, &first, "code-form", &[("code", &code)])
        .await
        .page(HOME);
    assert!(platform.told("keys.revocation_ordered").await.is_empty());
    let ordered = platform.told("tenant.sessions_end_ordered").await;
    assert!(ordered.is_empty(), "it was given up for the other");
}

/// Support stops its own, and nobody else's: the API says no, whatever the form says.
#[tokio::test]
async fn support_can_not_oversee() {
    let platform = Platform::new().await;
    let sam = platform.seat(&platform.sam).await;
    let (page, id) = platform.started(&sam).await;
    let csrf = page.hidden("csrf");
    let no = "You may not do that, or it is not there. Nothing was done.";
    for (path, fields) in [
        ("/support/stop-all", vec![("csrf", csrf.as_str())]),
        (
            "/support/stop",
            vec![("csrf", csrf.as_str()), ("grant", &id), ("as", "overseer")],
        ),
    ] {
        let sent = sam.post(&platform.at(path), &fields).await;
        let said = sam.onward(sent).await.page(ACTING);
        assert!(said.body.contains(no), "{path}: {}", said.body);
    }
    for path in ["/verifiers", "/endings", "/log"] {
        let seen = sam.everywhere(&platform.at(path)).await;
        assert!(
            seen.body.contains("your role does not open"),
            "{path}: {}",
            seen.body
        );
    }
    assert_eq!(platform.stored(&id).await.0, "active");
    let forged = [("csrf", "x"), ("grant", &id)];
    let sent = sam.post(&platform.at("/support/stop"), &forged).await;
    sent.shows(403, "Something went wrong");
}

#[tokio::test]
async fn everything_of_a_clinic_is_ended_with_proof() {
    let platform = Platform::new().await;
    let ruth = platform.apps.ruths_browser().await;
    let dana = platform.seat(&platform.dana).await;
    let slug = platform.apps.clinic.slug.as_str();
    let page = platform.page(&dana, "/endings", ENDINGS).await;
    let twice = |again| [("clinic", slug), ("again", again), ("reason", "drill")];
    let unsure = platform
        .send(&dana, &page, "end-sessions", &twice("other"))
        .await;
    assert!(
        unsure
            .page(ENDINGS)
            .body
            .contains("type the same short name twice")
    );
    platform.lab().clock.advance(Duration::minutes(6));
    let page = platform.page(&dana, "/endings", ENDINGS).await;
    let asked = platform
        .send(&dana, &page, "end-sessions", &twice(slug))
        .await;
    let asked = asked.page("Enter your code");
    assert!(
        platform
            .told("tenant.sessions_end_ordered")
            .await
            .is_empty()
    );
    let code = platform.lab().code();
    let ordered = platform
        .send(&dana, &asked, "code-form", &[("code", &code)])
        .await;
    assert!(ordered.page(ENDINGS).body.contains("Ordered."));
    until("it is complete, and so recorded", async || {
        !platform.told("tenant.sessions_ended").await.is_empty()
    })
    .await;
    let page = platform.page(&dana, "/endings", ENDINGS).await;
    assert!(page.body.contains("Complete</span>"), "{}", page.body);
    assert!(
        page.body.contains("1 sessions, 1 token families"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Counted last: 0 left."));
    platform.lab().clock.advance(Duration::seconds(2));
    let hers = ruth.everywhere(&platform.apps.at(Kind::Patient, "/")).await;
    hers.page("Your session was ended elsewhere");
    // The order, and then that it is complete, on the platform's record.
    let ordered = platform.told("tenant.sessions_end_ordered").await;
    assert_eq!(ordered[0].0, Some(platform.danas));
    assert_eq!(ordered[0].1["tenant"], json!(platform.apps.clinic.id));
    let completed = platform.told("tenant.sessions_ended").await;
    let detail = &completed[0].1;
    assert_eq!(
        (&detail["step"], &detail["left"]),
        (&json!("completed"), &json!(0))
    );
    assert_eq!(detail["order"], ordered[0].1["order"]);

    // Who looks for a clinic finds what is about it, by short name and by id.
    Logs::of(&platform.lab().app).sequence().await.unwrap();
    let log = async |clinic: &str| {
        let path = format!("/log?type=tenant.*&clinic={clinic}");
        platform.page(&dana, &path, LOG).await
    };
    let id = platform.apps.clinic.id.to_string();
    for clinic in [slug, &id] {
        let about = log(clinic).await;
        for event in ["tenant.sessions_end_ordered", "tenant.sessions_ended"] {
            assert!(about.body.contains(event), "{clinic}: {}", about.body);
        }
    }
    let other = platform.lab().clinic("Other Clinic").await;
    let about = log(&other.slug).await;
    assert!(about.body.contains("Nothing like that is recorded."));
    let about = log("nowhere").await;
    assert!(
        about
            .body
            .contains("No clinic that is served has the short name nowhere."),
        "{}",
        about.body
    );
}

/// What happens before a clinic is known is of an account: who looks for one finds that, and what
/// it did as a member of the platform.
#[tokio::test]
async fn the_record_is_searched_by_account() {
    let platform = Platform::new().await;
    let dana = platform.seat(&platform.dana).await;
    platform.apps.ruths_browser().await;
    Logs::of(&platform.lab().app).sequence().await.unwrap();
    let mut boss = platform.lab().database.superuser().await;
    let accounts: Vec<Uuid> = sqlx::query_scalar(
        "select account_id from audit.entry
         where tenant_id = $1 and subject_id is null and account_id is not null
         group by account_id order by count(*) desc",
    )
    .bind(TenantId::PLATFORM.as_uuid())
    .fetch_all(&mut boss)
    .await
    .unwrap();
    assert!(accounts.len() > 1, "others sign in, too");
    for account in accounts {
        let path = format!("/log?person={account}");
        let found = platform.page(&dana, &path, LOG).await.body;
        let rows = found.matches("class=\"who\"").count();
        assert!(rows > 0, "{found}");
        let who = format!("class=\"who\"><span>{account}");
        assert_eq!(found.matches(&who).count(), rows, "{found}");
    }
}

#[tokio::test]
async fn a_key_is_withdrawn_and_published_no_more() {
    let platform = Platform::new().await;
    let dana = platform.seat(&platform.dana).await;
    let published = async || {
        let jwks = platform.lab().browser().get("/jwks").await.json();
        let keys = jwks["keys"].as_array().unwrap().clone();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    let kid = published().await[0].clone();
    let page = platform.page(&dana, "/endings", ENDINGS).await;
    let form = format!("withdraw-{kid}");
    let unsure = platform.send(&dana, &page, &form, &[]).await.page(ENDINGS);
    assert!(unsure.body.contains("tick the box"));
    assert!(published().await.contains(&kid));
    let gone = platform.send(&dana, &page, &form, &[("sure", "yes")]).await;
    let gone = gone.page(ENDINGS);
    assert!(gone.body.contains("Withdrawn."), "{}", gone.body);
    assert!(!gone.body.contains(&kid));
    assert!(!published().await.contains(&kid));
    let told = platform.told("keys.revocation_ordered").await;
    assert_eq!(told, [(Some(platform.danas), json!({ "kid": kid }))]);
    assert_eq!(platform.told("keys.revoked").await[0].1["kid"], json!(kid));
}

#[tokio::test]
async fn the_fleet_is_shown_and_who_is_behind_is_marked() {
    let platform = Platform::new().await;
    let dana = platform.seat(&platform.dana).await;
    let empty = platform
        .page(&dana, "/verifiers", "Who checks our tokens")
        .await;
    assert!(empty.body.contains("No verifier has reported"));
    let now = platform.lab().now();
    for (instance, heard) in [("here", now), ("gone", now - Duration::minutes(5))] {
        sqlx::query(
            "insert into revocation.standing (tenant_id, client_id, instance, version,
               keys_age_seconds, position, lag_milliseconds, reported_at)
             values ($1, 'lanyard-patient', $2, '0.1.0', 12, 7, 120, $3)",
        )
        .bind(TenantId::PLATFORM)
        .bind(instance)
        .bind(heard)
        .execute(&mut platform.lab().database.superuser().await)
        .await
        .unwrap();
    }
    let fleet = platform
        .page(&dana, "/verifiers", "Who checks our tokens")
        .await;
    assert!(
        fleet.body.contains("1 of 2 are behind or silent."),
        "{}",
        fleet.body
    );
    for words in ["Keeps up", "Silent", "12 s old", "120 ms", "0.1.0"] {
        assert!(fleet.body.contains(words), "{words}");
    }
    let home = platform.page(&dana, "/", HOME).await;
    assert!(
        home.body
            .contains("2 heard within a day, 1 of them behind or silent.")
    );
}

/// 45 CFR 164.308(a)(5)(ii)(C): guesses are made before a clinic is known; they wait for who runs
/// the platform, who signs them off once, on the record.
#[tokio::test]
async fn guesses_wait_for_who_runs_the_platform() {
    let platform = Platform::new().await;
    let lab = platform.lab();
    for _ in 0..11 {
        let guesser = lab.browser();
        guesser
            .sign_in(&platform.apps.ruth.login, "a wrong password")
            .await;
    }
    Logs::of(&lab.app).sequence().await.unwrap();
    let dana = platform.seat(&platform.dana).await;
    let queue = "What waits for your eyes";
    let page = platform.page(&dana, "/reviews", queue).await;
    assert!(
        page.body.contains("Somebody guesses: nobody known"),
        "{}",
        page.body
    );
    let form = format!("sign-{}", page.hidden("index"));
    let verdict = [("verdict", "incident")];
    let signed = platform
        .send(&dana, &page, &form, &verdict)
        .await
        .page(queue);
    assert!(signed.body.contains("Signed off."), "{}", signed.body);
    assert!(!signed.body.contains(&form));
    let told = platform.told("review.signed").await;
    assert_eq!(told[0].0, Some(platform.danas));
    assert_eq!(told[0].1["verdict"], "incident");

    // Support looks at nobody's guesses.
    let sam = platform.seat(&platform.sam).await;
    let seen = sam.everywhere(&platform.at("/reviews")).await;
    assert!(
        seen.body.contains("your role does not open"),
        "{}",
        seen.body
    );
}
