//! A real browser through the three apps and the issuer's pages (issue 2 §4, §8). Each scene is a
//! script in `tests/browser`; every page it meets is looked at in light and dark, wide and at
//! phone's width: axe, nothing loaded from elsewhere, nothing in the console, a screenshot in
//! `target/screenshots`.

mod staff;

use std::net::Ipv4Addr;
use std::path::Path;

use lanyard::config::{Config, MailDelivery};
use lanyard::demo::world::{CLINICS, RUTH};
use lanyard::demo::{self, state};
use lanyard::ids::SubjectId;
use time::Duration;
use tokio::net::TcpListener;

use crate::lab::apps::AppsOfALab;
use crate::lab::script::Interpreter;
use crate::lab::world::{Clinic, PASSWORD};
use crate::lab::{Lab, attend};

/// Two clinics with their apps. Mara works in one, where she is a patient as well, and is a patient
/// in the other; Ada is a patient in the first, and Nell starts there.
struct Town {
    lab: Lab,
    juniper: Clinic,
    /// Ada's membership there.
    ada: SubjectId,
    /// What a scene is told, by name.
    given: Vec<(&'static str, String)>,
}

impl Town {
    async fn build(change: impl FnOnce(&mut Config)) -> Self {
        let apps = AppsOfALab::bind().await;
        let lab = Lab::in_real_time(|config| {
            apps.configure(config);
            change(config);
        })
        .await;
        let juniper = lab.clinic("Juniper Family Clinic").await;
        let birch = lab.clinic("Birch Street Pediatrics").await;
        apps.serve(&lab, &[&juniper.slug, &birch.slug]).await;
        let mara = lab.person("Mara Lindqvist").await;
        let roles = ["patient", "clinician", "clinic_admin"];
        let at_work = lab.join(&mara, juniper.id, &roles).await;
        lab.join(&mara, birch.id, &["patient"]).await;
        let ada = lab.person("Ada Quill").await;
        let at_clinic = lab.join(&ada, juniper.id, &["patient"]).await;
        for days in [-20, 1, 9] {
            lab.visit(&juniper, at_clinic, at_work, days).await;
        }
        lab.visit(&juniper, at_work, at_work, 2).await;
        let nell = lab.person("Nell Starting").await;
        lab.join_bare(&nell, juniper.id, &["clinic_admin"]).await;
        let urls = &lab.app.config.apps;
        let given = vec![
            ("PASSWORD", PASSWORD.to_owned()),
            ("MARA", mara.login),
            ("ADA", ada.login),
            ("NELL", nell.login),
            ("JUNIPER", juniper.slug.clone()),
            ("BIRCH", birch.slug),
            ("PATIENT", urls.patient.url.to_string()),
            ("CLINICIAN", urls.clinician.url.to_string()),
            ("CONSOLE", urls.console.url.to_string()),
            ("PLATFORM", urls.platform.url.to_string()),
            ("SCREENSHOTS", screenshots()),
        ];
        Self {
            lab,
            juniper,
            ada: at_clinic,
            given,
        }
    }

    async fn play(&self, scene: &str, arguments: &[&str]) {
        let given = self.given.iter();
        let given: Vec<_> = given.map(|(name, value)| (*name, value.as_str())).collect();
        let script = format!("browser/{scene}.mjs");
        self.lab
            .run(Interpreter::Node, &script, arguments, &given)
            .await;
    }
}

/// Plays a scene in a town of its own.
async fn play(scene: &str, arguments: &[&str], change: impl FnOnce(&mut Config)) {
    Town::build(change).await.play(scene, arguments).await;
}

/// Where the scenes leave what they saw.
fn screenshots() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    folder.to_str().unwrap().to_owned()
}

impl Lab {
    /// A visit so many days from now; past ones are done.
    async fn visit(
        &self,
        clinic: &Clinic,
        patient: SubjectId,
        practitioner: SubjectId,
        in_days: i64,
    ) {
        sqlx::query(
            "insert into visits.visit
               (tenant_id, visit_id, patient_id, practitioner_id, starts_at, kind, state)
             values ($1, $2, $3, $4, $5, 'video', $6)",
        )
        .bind(clinic.id)
        .bind(self.app.env.random_uuid())
        .bind(patient)
        .bind(practitioner)
        .bind(self.now() + Duration::days(in_days))
        .bind(if in_days < 0 {
            "completed"
        } else {
            "scheduled"
        })
        .execute(&mut self.database.superuser().await)
        .await
        .unwrap();
    }
}

fn as_it_is(_: &mut Config) {}

#[tokio::test(flavor = "multi_thread")]
async fn one_sign_in_opens_three_apps_and_one_logout_closes_them() {
    play("three_apps", &["with-script"], as_it_is).await;
}

/// Issue 3: sign-in codes put off, set up, and asked for once more where it matters.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_sets_her_codes_up_and_confirms_with_one() {
    play("step_up", &["with-script"], as_it_is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn she_does_the_same_without_javascript() {
    play("step_up", &["without-script"], as_it_is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_without_javascript() {
    play("three_apps", &["without-script"], as_it_is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_ends_sessions_and_changes_her_password() {
    play("account", &[], as_it_is).await;
}

/// Issue 3: a worried patient finds her way back in.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_forgot_her_password_finds_her_way_back_in() {
    play("recovery", &[], |config| {
        config.mail.delivery = MailDelivery::Catcher;
    })
    .await;
}

/// Issue 3: what another party's app may see is asked, kept and taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_an_app_see_her_visits_and_takes_it_back() {
    play("consent", &[], as_it_is).await;
}

/// WCAG 2.2.1, design §4.
#[tokio::test(flavor = "multi_thread")]
async fn a_warning_comes_before_the_idle_end_in_every_tab_and_app() {
    play("idle", &[], as_it_is).await;
}

/// An end that no activity moves is told once, and then it comes.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_is_told_before_it_comes() {
    play("absolute_end", &[], |config| {
        config.session.idle = Duration::minutes(15);
        config.session.absolute = Duration::minutes(20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_and_people_that_share_a_browser_do_not_mix() {
    play("shared_browser", &[], as_it_is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_an_idle_page_leaves_by_itself() {
    play("idle_without_script", &[], |config| {
        config.session.idle = Duration::seconds(8);
    })
    .await;
}

/// WCAG 2.1.1, 2.4.7.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_the_keyboard_alone() {
    play("keyboard", &[], as_it_is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_that_says_no_is_a_page() {
    play("refusals", &[], as_it_is).await;
}

/// What a newcomer sees: from the demo's front page into an app, and to the mail it caught.
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_front_page_leads_into_the_apps_and_to_the_mail() {
    let folder = std::env::temp_dir().join(format!("lanyard-demo-seen-{}", std::process::id()));
    let apps = AppsOfALab::bind().await;
    let lab = Lab::in_real_time(|config| {
        apps.configure(config);
        config.state_dir.clone_from(&folder);
        *config = state::configure(config.clone()).unwrap();
    })
    .await;
    state::make_folder(&lab.app.config, &lab.app.env).unwrap();
    lab.platform().await;
    let world = demo::prepare(&lab.app, &mut |_| ()).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let slugs = CLINICS.each_ref().map(|clinic| clinic.slug);
    apps.serve(&lab, &slugs).await;
    // The command serves these pages beside the issuer's; here the script leads there.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let pages = format!("http://{}", listener.local_addr().unwrap());
    let router = demo::routes::router(&lab.app, &world);
    attend(&lab.app, "demo", router, listener);
    let app = lab.app.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            ticks.tick().await;
            lanyard::mail::deliver(&app).await.unwrap();
        }
    });
    let shots = screenshots();
    let given = [
        ("PAGES", pages.as_str()),
        ("RUTH", RUTH),
        ("RUTHS_PHONE", world.code_secrets[RUTH].as_str()),
        ("SCREENSHOTS", shots.as_str()),
    ];
    lab.run(Interpreter::Node, "browser/demo.mjs", &[], &given)
        .await;
}
