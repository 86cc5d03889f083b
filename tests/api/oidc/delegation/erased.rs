//! Erasing a person: whatever she had ends, nobody can say any more who she was, and the log is as
//! it was.

use lanyard::audit::log::Logs;
use lanyard::cli::Operator;
use lanyard::delegation::upkeep;
use lanyard::identity::erasure::{EraseOutcome, Erased};
use lanyard::identity::model::{AccountOutcome, NewAccount};
use lanyard::identity::{AccountName, Login};
use lanyard::ids::TenantId;
use serde_json::json;

use super::{ALL, Family};
use crate::lab::world::{PASSWORD, Person};

const LOGIN: &str = "pat.later@example.test";
/// The shape of a PHC string; nobody signs in with it here.
const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                   ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0MTI";

impl Family {
    fn operator(&self) -> Operator<'_> {
        let app = &self.world.lab.app;
        Operator::new(&app.db, &app.env, &app.keys)
    }

    async fn erase(&self, login: &str, even_the_last: bool) -> EraseOutcome {
        let login = Login::parse(login).unwrap();
        let outcome = self.operator().erase_account(&login, even_the_last).await;
        outcome.unwrap()
    }

    /// Gives the proxy a login that somebody tried before anybody had it.
    async fn call_by_a_login_that_was_guessed(&mut self) {
        self.refuse_sign_in(LOGIN).await;
        let keys = &self.world.lab.app.keys;
        sqlx::query(
            "update identity.account set login = $2, login_locator = $3 where account_id = $1",
        )
        .bind(self.pat.account)
        .bind(LOGIN)
        .bind(keys.locator("login", LOGIN))
        .execute(&mut self.world.lab.database.superuser().await)
        .await
        .unwrap();
        self.pat = Person {
            login: LOGIN.to_owned(),
            ..self.pat.clone()
        };
    }

    async fn refuse_sign_in(&self, login: &str) {
        let answer = self.world.lab.browser().sign_in(login, PASSWORD).await;
        answer.shows(403, "Enter your password");
    }

    /// The lines of the clinic's log and the platform's, all that waits in its place.
    async fn lines(&self) -> [Vec<String>; 2] {
        Logs::of(&self.world.lab.app).sequence().await.unwrap();
        [
            self.lines_of(self.world.clinic.id).await,
            self.lines_of(TenantId::PLATFORM).await,
        ]
    }

    async fn lines_of(&self, log: TenantId) -> Vec<String> {
        sqlx::query_scalar("select line from audit.entry where tenant_id = $1 order by leaf_index")
            .bind(log)
            .fetch_all(&mut self.world.lab.database.superuser().await)
            .await
            .unwrap()
    }

    /// How many rows a statement about the proxy counts.
    async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement)
            .bind(self.pat.account)
            .fetch_one(&mut self.world.lab.database.superuser().await)
            .await
            .unwrap()
    }

    /// Nothing in the database says who the proxy was.
    async fn assert_nothing_is_left(&self) {
        for statement in [
            "select count(*) from identity.password where account_id = $1",
            "select count(*) from identity.totp where account_id = $1",
            "select count(*) from identity.known_place where account_id = $1",
            "select count(*) from identity.recovery_link where account_id = $1",
            "select count(*) from outbox.message where account_id = $1",
            "select count(*) from identity.session
             where account_id = $1 and (ended_at is null or device_label <> '')",
            "select count(*) from identity.account
             where account_id = $1
               and (display_name like 'Pat%' or login like 'pat%' or status <> 'disabled')",
            "select count(*) from identity.membership
             where account_id = $1 and (display_name like 'Pat%' or status <> 'ended')",
            "select count(*) from audit.disclosure where $1::uuid is not null",
        ] {
            assert_eq!(self.count(statement).await, 0, "{statement}");
        }
    }

    /// What the clinic's console calls its members.
    async fn members(&mut self) -> Vec<String> {
        let platform = self.world.lab.platform().await;
        let scopes = ["openid", "tenancy:read"].map(str::to_owned);
        self.portal = self
            .world
            .register(platform, |client| client.scopes = scopes.to_vec())
            .await;
        let more = [("scope", "openid tenancy:read")];
        let tina = self.seat_with(&self.tina, &more).await;
        let listed = self.get("/api/v1/members", &tina.token).await;
        assert_eq!(listed.status, 200, "{}", listed.body);
        let members = listed.json()["members"].as_array().unwrap().clone();
        let name = |one: &serde_json::Value| one["name"].as_str().unwrap().to_owned();
        members.iter().map(name).collect()
    }
}

/// Issue 4: deleting a person pseudonymizes, and the log still verifies.
#[tokio::test]
async fn who_is_erased_is_nobody_and_the_log_is_as_it_was() {
    let mut family = Family::apart().await;
    family.call_by_a_login_that_was_guessed().await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    let acting = family.acting(&pat, &id).await;
    let api = family.world.api(|_| ()).await;
    for token in [&acting, &pat.token] {
        assert!(family.world.holds(&api, token).await);
    }
    family.world.lab.plant_devices(&family.pat, 2).await;
    let before = family.lines().await;

    let EraseOutcome::Erased(erased) = family.erase(LOGIN, false).await else {
        panic!("she was there");
    };
    let account = family.pat.account;
    let Erased {
        memberships,
        factors,
        disclosures,
        ..
    } = erased;
    assert_eq!(erased.account, account);
    assert_eq!((memberships, factors.devices, disclosures), (1, 2, 1));
    assert!(erased.sessions > 0 && erased.messages > 0, "{erased:?}");
    family.assert_nothing_is_left().await;

    for token in [&acting, &pat.token] {
        assert!(!family.world.holds(&api, token).await);
    }
    assert_ne!(family.exchange(&pat, &id, &[]).await.status, 200);
    pat.browser
        .visit("/account")
        .await
        .page("Sign in to continue");
    upkeep::settle(&family.world.lab.app).await.unwrap();
    let ended = family.told("ended").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0].detail["cause"], "account_changed");
    assert_eq!(family.letters(&family.pat).await, Vec::<String>::new());

    let after = family.lines().await;
    for (then, now) in before.iter().zip(&after) {
        assert!(now.starts_with(then), "no line is another");
    }
    let last = after.map(|log| {
        let erased = log.into_iter().find(|l| l.contains("account.erased"));
        serde_json::from_str::<serde_json::Value>(&erased.unwrap()).unwrap()["detail"].clone()
    });
    assert_eq!(last[0], json!({ "subject_id": family.pats }));
    assert_eq!(last[1]["account_id"], account.to_string());
    assert_eq!(last[1]["disclosures"], 1);
    let members = family.members().await;
    assert!(members.contains(&"Erased person".to_owned()), "{members:?}");
    assert!(!members.contains(&"Pat Quill".to_owned()), "{members:?}");
}

/// Nothing brings the person back; who comes under the same login is another.
#[tokio::test]
async fn who_was_erased_stays_so_and_her_login_is_free() {
    let family = Family::new().await;
    let login = family.pat.login.clone();
    let account = family.pat.account;
    assert!(matches!(
        family.erase(&login, false).await,
        EraseOutcome::Erased(_)
    ));
    let pseudonym = format!("erased-{account}");
    let again = family.erase(&pseudonym, true).await;
    assert_eq!(again, EraseOutcome::Already(account));
    assert_eq!(family.erase(&login, true).await, EraseOutcome::Unknown);
    family.refuse_sign_in(&login).await;
    family.refuse_sign_in(&pseudonym).await;
    let named = Login::parse(&pseudonym).unwrap();
    let recovered = family.operator().recover_account(&named, PHC).await;
    assert_eq!(recovered.unwrap(), None);
    // The release before, which looks for no erased one.
    let revived =
        sqlx::query("update identity.account set status = 'active' where account_id = $1")
            .bind(account)
            .execute(&mut family.world.lab.database.superuser().await)
            .await;
    let refusal = revived.unwrap_err().into_database_error().unwrap();
    assert_eq!(refusal.constraint(), Some("account_erased_is_nobodys"));

    let new = NewAccount {
        login: Login::parse(&login).unwrap(),
        name: AccountName::parse("Pat Quill").unwrap(),
    };
    let made = family.operator().create_account(&new, PHC).await.unwrap();
    assert!(matches!(made, AccountOutcome::Created(other) if other != account));
}

/// A clinic that is served keeps somebody who administers it, unless the operator says otherwise.
#[tokio::test]
async fn the_last_administrator_is_erased_only_if_the_operator_says_so() {
    let family = Family::new().await;
    let tina = family.seat(&family.tina).await;
    let clinic = &family.world.clinic;
    let login = family.tina.login.clone();
    let refused = EraseOutcome::LastAdministrator(vec![clinic.slug.clone()]);
    assert_eq!(family.erase(&login, false).await, refused);
    assert_eq!(family.get(ALL, &tina.token).await.status, 200);
    let other = family.world.lab.person("Omar Reyes").await;
    let roles = ["clinic_admin"];
    family.world.lab.join(&other, clinic.id, &roles).await;
    let erased = family.erase(&login, false).await;
    assert!(matches!(erased, EraseOutcome::Erased(_)), "{erased:?}");
    assert_eq!(family.erase(&other.login, false).await, refused);
    let erased = family.erase(&other.login, true).await;
    assert!(matches!(erased, EraseOutcome::Erased(_)), "{erased:?}");
}
