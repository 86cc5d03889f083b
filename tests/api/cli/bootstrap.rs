//! The platform's first administrator (attacks CFG-08).

use std::sync::Arc;

use lanyard::env::{Clock, Env, SystemEntropy};
use lanyard::identity::bootstrap::model::LIFETIME;
use lanyard::identity::bootstrap::{BootstrapSecret, RedeemOutcome};
use lanyard::identity::model::NewAccount;
use lanyard::identity::{AccountName, Login};
use lanyard::ids::TenantId;
use secrecy::ExposeSecret as _;
use time::{Duration, OffsetDateTime};

use super::Desk;

const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                   ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0MTI";

fn account(login: &str) -> NewAccount {
    NewAccount {
        login: Login::parse(login).unwrap(),
        name: AccountName::parse("Root").unwrap(),
    }
}

/// Stands where it is put.
struct Stopped(OffsetDateTime);

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        self.0
    }

    fn follow(&self, _: OffsetDateTime) {}
}

fn at(instant: OffsetDateTime) -> Env {
    Env {
        clock: Arc::new(Stopped(instant)),
        entropy: Arc::new(SystemEntropy::new()),
    }
}

async fn redeem(desk: &Desk, secret: &BootstrapSecret, login: &str) -> RedeemOutcome {
    let redeemed = desk
        .operator()
        .redeem_bootstrap(secret, &account(login), PHC)
        .await;
    redeemed.unwrap()
}

/// CFG-08: there is no default account; the secret is good once.
#[tokio::test]
async fn a_one_time_secret_makes_one_administrator() {
    let desk = Desk::open().await;
    let secret = desk.operator().issue_bootstrap().await.unwrap().secret;
    let first = redeem(&desk, &secret, "root@example.com").await;
    assert!(matches!(first, RedeemOutcome::Redeemed(..)));
    assert_eq!(
        redeem(&desk, &secret, "other@example.com").await,
        RedeemOutcome::Refused
    );
    assert!(desk.operator().has_administrator().await.unwrap());
    let events = desk.events(TenantId::PLATFORM).await;
    for event in ["issued", "redeemed", "refused"].map(|word| format!("bootstrap.{word}")) {
        assert_eq!(events.iter().filter(|e| **e == event).count(), 1, "{event}");
    }
}

/// CFG-08: on use means on the first use, also at the same moment.
#[tokio::test]
async fn two_who_redeem_at_once_make_one_administrator() {
    let desk = Desk::open().await;
    let secret = desk.operator().issue_bootstrap().await.unwrap().secret;
    let (one, two) = tokio::join!(
        redeem(&desk, &secret, "one@example.com"),
        redeem(&desk, &secret, "two@example.com"),
    );
    let made = [one, two]
        .iter()
        .filter(|o| matches!(o, RedeemOutcome::Redeemed(..)))
        .count();
    assert_eq!(made, 1);
}

/// CFG-08: it expires in an hour, to the second.
#[tokio::test]
async fn a_one_time_secret_is_good_for_an_hour_and_until_the_next() {
    let mut desk = Desk::open().await;
    let issued_at = desk.env.now();
    desk.env = at(issued_at);
    let old = desk.operator().issue_bootstrap().await.unwrap().secret;
    let issued = desk.operator().issue_bootstrap().await.unwrap();
    assert_eq!(issued.expires_at, issued_at + LIFETIME);
    assert_eq!(
        redeem(&desk, &old, "root@example.com").await,
        RedeemOutcome::Refused
    );
    desk.env = at(issued.expires_at);
    let late = redeem(&desk, &issued.secret, "root@example.com").await;
    assert_eq!(late, RedeemOutcome::Refused);
    desk.env = at(issued.expires_at - Duration::seconds(1));
    let in_time = redeem(&desk, &issued.secret, "root@example.com").await;
    assert!(matches!(in_time, RedeemOutcome::Redeemed(..)));
}

#[tokio::test]
async fn a_login_that_is_taken_costs_no_secret() {
    let desk = Desk::open().await;
    let taken = account("root@example.com");
    desk.operator().create_account(&taken, PHC).await.unwrap();
    let secret = desk.operator().issue_bootstrap().await.unwrap().secret;
    assert_eq!(
        redeem(&desk, &secret, "Root@example.com").await,
        RedeemOutcome::LoginTaken
    );
    let other = redeem(&desk, &secret, "other@example.com").await;
    assert!(matches!(other, RedeemOutcome::Redeemed(..)));
}

/// CFG-04's spirit: what the database holds makes nobody an administrator.
#[tokio::test]
async fn the_database_holds_no_secret_that_could_be_redeemed() {
    let desk = Desk::open().await;
    let secret = desk.operator().issue_bootstrap().await.unwrap().secret;
    let mut boss = desk.database.superuser().await;
    let row: String = sqlx::query_scalar("select b::text from identity.bootstrap b")
        .fetch_one(&mut boss)
        .await
        .unwrap();
    assert!(!row.contains(&secret.secret().expose_secret()[4..]));
}
