//! Our own apps, entered by support (docs/decisions/0032): the banner, the renewal, the end.

use lanyard::apps::Kind;
use lanyard::impersonation::Rule;
use time::Duration;

use super::super::parameter;
use super::{Help, Seat};
use crate::apps::Everywhere as _;
use crate::lab::apps::AppsOfALab;
use crate::lab::{Answer, Lab};

const OVER: &str = "This access is over";
const BANNER: &str = "<strong>Sam Porter</strong> is acting as <strong>Ada Quill</strong> \
                      (read-only) until ";

/// Support, with a grant that was started, and the three apps.
struct Desk {
    help: Help,
    sam: Seat,
    grant: String,
    portal: String,
}

impl Desk {
    async fn new() -> Self {
        let apps = AppsOfALab::bind().await;
        let lab = Lab::apart(|config| apps.configure(config)).await;
        let help = Help::on(lab, Rule::Allowed).await;
        let slug = help.world.clinic.slug.clone();
        apps.serve(&help.world.lab, &[&slug]).await;
        let config = &help.world.lab.app.config;
        let port = lanyard::apps::settings(config, Kind::Patient)
            .url
            .port()
            .unwrap();
        let sam = help.seat(&help.sam).await;
        let grant = help.started(&sam).await;
        Self {
            portal: format!("http://{slug}.localhost:{port}"),
            help,
            sam,
            grant,
        }
    }

    /// Support chooses the patient portal; where that leads.
    async fn enter(&self) -> Answer {
        let at = format!("/impersonation/{}/enter", self.grant);
        let page = self
            .sam
            .browser
            .visit(&at)
            .await
            .page("Go in as somebody else");
        assert!(
            !page.body.contains("Clinic console"),
            "not for a patient: {}",
            page.body
        );
        let sent = self
            .sam
            .browser
            .submit(&page, "enter-lanyard-patient", &[])
            .await;
        self.sam.browser.onward(sent).await
    }

    async fn visit(&self, path: &str) -> Answer {
        let at = format!("{}{path}", self.portal);
        self.sam.browser.everywhere(&at).await
    }

    fn pass(&self, time: Duration) {
        self.help.world.lab.clock.advance(time);
    }

    /// His own session at the issuer goes on.
    async fn assert_signed_in(&self) {
        let portal = self.help.portal().await;
        let own = self.help.world.request(&portal, &[("prompt", "none")]);
        let back = self.sam.browser.get(&own).await.location().unwrap();
        assert!(parameter(&back, "code").is_some(), "{back}");
    }
}

#[track_caller]
fn assert_banner(page: &Answer) {
    let (before, after) = page.body.split_once("<body").expect("a page");
    assert!(!before.contains("lanyard-banner"));
    assert!(after.contains(BANNER), "{}", page.body);
    assert!(!after.contains("account-link"), "{}", page.body);
}

/// The whole way: in at her clinic's host, every page says so, the browser fetches the next token
/// and comes back to the page that was asked for, and "End now" ends the grant.
#[tokio::test]
async fn an_app_of_ours_says_who_acts_until_it_is_ended() {
    let desk = Desk::new().await;
    let home = desk.enter().await.page("Your visits");
    assert!(
        home.url.to_string().starts_with(&desk.portal),
        "{}",
        home.url
    );
    assert_banner(&home);
    let polled = desk.visit("/session").await;
    assert_eq!(polled.json()["signed_in"], true);
    let told = desk.help.told("token_issued").await.len();
    assert_eq!(told, 1);
    desk.pass(Duration::seconds(280));
    let later = desk.visit("/accesses?before=9").await;
    assert_banner(&later);
    assert!(
        later.url.to_string().ends_with("/accesses?before=9"),
        "{}",
        later.url
    );
    assert_eq!(desk.help.told("token_issued").await.len(), 2, "renewed");
    assert_eq!(desk.help.told("entered").await.len(), 1);

    let out = desk
        .sam
        .browser
        .submit(&later, "lanyard-banner-form", &[])
        .await;
    let over = desk.sam.browser.onward(out).await.page(OVER);
    assert!(!over.body.contains("Sign in again"), "{}", over.body);
    let (state, cause, _) = desk.help.stored(&desk.grant).await;
    assert_eq!(
        (state.as_str(), cause.as_deref()),
        ("ended", Some("by_actor"))
    );
    desk.assert_signed_in().await;
}

/// The grant's minutes end it, and so does whoever ends the grant: the app has no other token.
#[tokio::test]
async fn an_app_of_ours_ends_with_the_grant() {
    let desk = Desk::new().await;
    desk.enter().await.page("Your visits");
    desk.help.set_rule(Rule::Forbidden).await;
    desk.pass(Duration::seconds(280));
    let over = desk.visit("/").await.page(OVER);
    assert!(!over.body.contains("lanyard-banner"), "nobody acts");
    desk.assert_signed_in().await;

    let timed = Desk::new().await;
    timed.enter().await.page("Your visits");
    for _ in 0..3 {
        timed.pass(Duration::minutes(4));
        assert_banner(&timed.visit("/").await);
    }
    timed.pass(Duration::minutes(4));
    timed.visit("/").await.page(OVER);
}

/// A transfer that is not good shows what went wrong, and begins no session of anybody's; a hint of
/// somebody's begins hers alone.
#[tokio::test]
async fn a_bad_transfer_begins_nothing() {
    let desk = Desk::new().await;
    desk.enter().await.page("Your visits");
    let cookie = Kind::Patient.session_cookie();
    let foreign = format!(
        "{}/sign-in?iss=https%3A%2F%2Felsewhere.test&login_hint=ada",
        desk.portal
    );
    let strange = desk.sam.browser.everywhere(&foreign).await;
    strange.shows(400, "Something went wrong");
    assert_banner(&desk.visit("/").await);

    let other = desk.help.seat(&desk.help.sam).await;
    let hint = format!("urn%3Alanyard%3Atransfer%3A{}", desk.grant);
    let address = format!("{}/sign-in?login_hint={hint}", desk.portal);
    let answer = other.browser.everywhere(&address).await;
    answer.shows(400, "Something went wrong");
    assert_eq!(other.browser.cookie(cookie), None);
}
