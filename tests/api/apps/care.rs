//! Emergency access and proxies on the apps' own pages: what the API offers, by form and link.

use lanyard::apps::Kind;
use lanyard::ids::{SubjectId, VisitId};
use lanyard::visits::{Visit, VisitKind, VisitState, service};
use time::Duration;

use super::{AppsLab, Everywhere as _};
use crate::lab::world::Person;
use crate::lab::{Answer, Browser};

const EMERGENCY: &str = "Open a record in an emergency";
const EMERGENCY_PATH: &str = "/emergency";
const QUEUE: &str = "Records opened in an emergency";
const RECORD: &str = "Another person&#39;s visits";
const ACTING: &str = "Acting for somebody";
const ALL: &str = "Who acts for whom";
const WHY: &str = "Found in the waiting room, not breathing";

/// Another of the clinic, and her membership.
async fn member(lab: &AppsLab, name: &str, role: &str) -> (Person, SubjectId) {
    let person = lab.lab.person(name).await;
    let subject = lab.lab.join(&person, lab.clinic.id, &[role]).await;
    (person, subject)
}

/// A patient with a visit, and so the clinic with its key.
async fn patient(lab: &AppsLab, name: &str) -> (Person, SubjectId) {
    let (person, subject) = member(lab, name, "patient").await;
    let (_, doctor) = member(lab, "Doctor Vale", "clinician").await;
    let visit = Visit {
        id: VisitId::from_uuid(lab.lab.app.env.random_uuid()),
        patient: subject,
        practitioner: doctor,
        starts_at: lab.lab.now(),
        kind: VisitKind::Video,
        state: VisitState::Scheduled,
        reason: Some("A cough that stays".to_owned()),
    };
    let visits = [visit];
    let planted = service::plant(&lab.lab.app, lab.clinic.id, &visits);
    planted.await.unwrap();
    (person, subject)
}

async fn signed_in(lab: &AppsLab, who: &Person) -> Browser {
    let browser = lab.lab.browser();
    lab.sign_in(&browser, who).await;
    browser
}

/// A page below an app's first one: that signs her in there.
async fn page(lab: &AppsLab, browser: &Browser, kind: Kind, path: &str) -> Answer {
    browser.everywhere(&lab.at(kind, "/")).await;
    browser.everywhere(&lab.at(kind, path)).await
}

/// He looks for her by a part of her name, which stands in no address.
async fn sought(browser: &Browser, form: &Answer) -> Answer {
    let name = [("name", "stone")];
    browser
        .submit(form, "seek-form", &name)
        .await
        .page(EMERGENCY)
}

/// 45 CFR 164.312(a)(2)(ii): he finds the patient, says why, confirms, and what he typed is not
/// lost; who reviews sees on her first page that something waits, and signs it off.
#[tokio::test]
async fn a_record_is_opened_in_an_emergency_and_reviewed() {
    let lab = AppsLab::new().await;
    let (_, ada) = patient(&lab, "Ada Stone").await;
    let (lena, _) = member(&lab, "Lena Ward", "compliance_lead").await;
    let browser = lab.ruths_browser().await;
    let home = browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    assert!(home.body.contains("id=\"emergency-link\""), "{}", home.body);
    lab.lab.clock.advance(Duration::minutes(6));
    let form = browser
        .everywhere(&lab.at(Kind::Clinician, EMERGENCY_PATH))
        .await;
    let found = sought(&browser, &form.page(EMERGENCY)).await;
    let fields = [
        ("patient", ada.to_string()),
        ("reason", "life_threatening".to_owned()),
        ("why", WHY.to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let sent = browser.submit(&found, "open-form", &fields).await;
    let asked = browser.onward(sent).await.page("Enter your code");
    let code = lab.lab.code();
    let sent = browser
        .submit(&asked, "code-form", &[("code", &code)])
        .await;
    let opened = browser.onward(sent).await.page(EMERGENCY);
    assert!(opened.body.contains("It is done, and on the record."));
    assert!(opened.body.contains("Ada Stone"), "{}", opened.body);
    let visits = opened.body.split("/emergency/visits?id=").nth(1).unwrap();
    let id = visits.split('"').next().unwrap().to_owned();
    let record = lab.at(Kind::Clinician, &format!("/emergency/visits?id={id}"));
    let record = browser.everywhere(&record).await.page(RECORD);
    let banner = "id=\"record-banner\" role=\"status\">You are looking at Ada Stone";
    assert!(record.body.contains(banner), "{}", record.body);
    let closed = browser.submit(&opened, &format!("close-{id}"), &[]).await;
    let closed = browser.onward(closed).await.page(EMERGENCY);
    assert!(!closed.body.contains(&id), "closed");

    let reviewer = signed_in(&lab, &lena).await;
    let console = reviewer.everywhere(&lab.at(Kind::Console, "/")).await;
    assert!(console.body.contains("1 emergency access waits for review"));
    let queue = page(&lab, &reviewer, Kind::Console, "/emergencies").await;
    let queue = queue.page(QUEUE);
    assert!(queue.body.contains(WHY), "{}", queue.body);
    let form = format!("review-{id}");
    let unexplained = [("finding", "inappropriate")];
    let refused = reviewer.submit(&queue, &form, &unexplained).await;
    let refused = reviewer.onward(refused).await.page(QUEUE);
    assert!(refused.body.contains("Something is missing"));
    let signed = [("finding", "appropriate")];
    let signed = reviewer.submit(&refused, &form, &signed).await;
    let signed = reviewer.onward(signed).await.page(QUEUE);
    assert!(signed.body.contains("Nothing waits for a review."));
    let console = reviewer.everywhere(&lab.at(Kind::Console, "/")).await;
    assert!(!console.body.contains("waits for review"));
}

/// Who does not confirm has opened nothing, and is told so.
#[tokio::test]
async fn who_does_not_confirm_has_opened_nothing() {
    let lab = AppsLab::new().await;
    let (_, ada) = patient(&lab, "Ada Stone").await;
    member(&lab, "Lena Ward", "compliance_lead").await;
    let browser = lab.ruths_browser().await;
    let form = page(&lab, &browser, Kind::Clinician, EMERGENCY_PATH).await;
    lab.lab.clock.advance(Duration::minutes(6));
    let found = sought(&browser, &form.page(EMERGENCY)).await;
    let ada = ada.to_string();
    let fields = [("patient", ada.as_str()), ("reason", "other"), ("why", WHY)];
    let sent = browser.submit(&found, "open-form", &fields).await;
    let asked = browser.onward(sent).await.page("Enter your code");
    let declined = browser.submit(&asked, "decline-form", &[]).await;
    let back = browser.onward(declined).await.page(EMERGENCY);
    assert!(back.body.contains("so nothing was done"), "{}", back.body);
    let again = sought(&browser, &back).await;
    assert!(again.body.contains(WHY), "what he typed: {}", again.body);
    assert!(again.body.contains("<option value=\"other\" selected>"));
    let events = lab.lab.events_in(lab.clinic.id).await;
    assert!(events.iter().all(|e| e.kind != "emergency_access.opened"));
}

/// 45 CFR 164.502(g): the clinic writes it down, the proxy looks under a banner, the patient sees
/// who acts for her, and it is over when he stops.
#[tokio::test]
async fn a_proxy_looks_at_what_the_clinic_let_him() {
    let lab = AppsLab::new().await;
    let (ada, adas) = patient(&lab, "Ada Stone").await;
    let (pat, pats) = member(&lab, "Pat Stone", "patient").await;
    let admin = lab.ruths_browser().await;
    let form = page(&lab, &admin, Kind::Console, "/delegations").await;
    let form = form.page(ALL);
    let ages_out = format!("{}-05-01", lab.lab.now().year() + 4);
    let (patient, proxy) = (adas.to_string(), pats.to_string());
    let fields = [
        ("patient", patient.as_str()),
        ("proxy", &proxy),
        ("basis", "parent"),
        ("document", "CUSTODY-1"),
        ("ages_out_on", &ages_out),
    ];
    let sent = admin.submit(&form, "delegation-form", &fields).await;
    let listed = admin.onward(sent).await.page(ALL);
    assert!(listed.body.contains("Pat Stone for Ada Stone"));

    let his = signed_in(&lab, &pat).await;
    let acting = page(&lab, &his, Kind::Patient, "/proxies").await;
    let acting = acting.page(ACTING);
    let link = acting.body.split("/proxies/visits?id=").nth(1).unwrap();
    let id = link.split('"').next().unwrap().to_owned();
    let record = lab.at(Kind::Patient, &format!("/proxies/visits?id={id}"));
    let seen = his.everywhere(&record).await.page(RECORD);
    let banner = "role=\"status\">You are looking at Ada Stone&#39;s record as her parent.";
    assert!(seen.body.contains(banner), "{}", seen.body);
    assert!(seen.body.contains("A cough that stays"), "{}", seen.body);

    let hers = signed_in(&lab, &ada).await;
    let own = page(&lab, &hers, Kind::Patient, "/proxies").await;
    let own = own.page(ACTING);
    assert!(own.body.contains("Pat Stone"), "{}", own.body);
    assert!(own.body.contains("To end it, ask your clinic."));
    assert!(own.body.contains(&adas.to_string()), "her number");

    let ended = his.submit(&acting, &format!("end-{id}"), &[]).await;
    let ended = his.onward(ended).await.page(ACTING);
    assert!(ended.body.contains("It is done, and on the record."));
    assert!(!ended.body.contains(&id), "{}", ended.body);
    let shut = his.everywhere(&record).await;
    assert!(!shut.body.contains("A cough that stays"));
    assert!(shut.body.contains("invalid_grant"), "{}", shut.body);
}

/// 45 CFR 164.508: she types the number that he sent her, says what and until when, confirms, and
/// sees his name; a number that is nobody's names nobody, and nothing chosen is nothing lent.
#[tokio::test]
async fn a_patient_names_her_caregiver_by_his_number() {
    let lab = AppsLab::new().await;
    let (ada, _) = patient(&lab, "Ada Stone").await;
    let (pat, _) = member(&lab, "Pat Stone", "patient").await;
    lab.lab.plant_devices(&ada, 1).await;
    let his = signed_in(&lab, &pat).await;
    let own = page(&lab, &his, Kind::Patient, "/proxies").await;
    let own = own.page(ACTING);
    let number = own.body.split("id=\"number\">").nth(1).unwrap();
    let number = number.split('<').next().unwrap();
    let typed = format!(" {} ", number.to_ascii_uppercase());
    let nobody = crate::lab::some_id().to_string();
    let until = (lab.lab.now() + Duration::days(30)).date().to_string();
    let late = (lab.lab.now() + Duration::days(740)).date().to_string();

    let hers = signed_in(&lab, &ada).await;
    let mut form = page(&lab, &hers, Kind::Patient, "/proxies").await;
    for (number, lent, until, said) in [
        (nobody.as_str(), "visits", &until, "or it is not there"),
        ("Pat Stone", "visits", &until, "Something is missing"),
        (&typed, "nothing", &until, "Something is missing"),
        (&typed, "visits", &late, "Something is missing"),
    ] {
        form = form.page(ACTING);
        let fields = [("number", number), (lent, "yes"), ("valid_until", until)];
        let sent = hers.submit(&form, "caregiver-form", &fields).await;
        form = hers.onward(sent).await;
        assert!(form.body.contains(said), "{number}, {lent}: {}", form.body);
        assert!(form.body.contains("id=\"nobody-you\""), "{}", form.body);
    }

    lab.lab.clock.advance(Duration::minutes(6));
    let form = page(&lab, &hers, Kind::Patient, "/proxies").await;
    let fields = [
        ("number", typed.as_str()),
        ("visits", "yes"),
        ("valid_until", &until),
    ];
    let sent = hers
        .submit(&form.page(ACTING), "caregiver-form", &fields)
        .await;
    let asked = hers.onward(sent).await.page("Enter your code");
    let code = [("code", &*lab.lab.code())];
    let sent = hers.submit(&asked, "code-form", &code).await;
    let named = hers.onward(sent).await.page(ACTING);
    assert!(named.body.contains("It is done, and on the record."));
    assert!(named.body.contains("Pat Stone"), "{}", named.body);
    assert!(named.body.contains("Your caregiver."), "{}", named.body);

    let acting = page(&lab, &his, Kind::Patient, "/proxies").await;
    let acting = acting.page(ACTING);
    let link = acting.body.split("/proxies/visits?id=").nth(1).unwrap();
    let id = link.split('"').next().unwrap();
    let record = lab.at(Kind::Patient, &format!("/proxies/visits?id={id}"));
    let seen = his.everywhere(&record).await.page(RECORD);
    assert!(seen.body.contains("A cough that stays"), "{}", seen.body);
    let ended = hers.submit(&named, &format!("end-{id}"), &[]).await;
    let ended = hers.onward(ended).await.page(ACTING);
    assert!(ended.body.contains("id=\"nobody-you\""), "{}", ended.body);
}
