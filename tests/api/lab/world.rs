//! Synthetic clinics and people, planted as the superuser, and what the database says happened.

use lanyard::identity::password::Hasher;
use lanyard::identity::totp::{TotpSecret, place};
use lanyard::ids::{AccountId, SubjectId, TenantId, TotpId};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::browser::{Answer, Browser};
use super::server::Lab;

/// Everyone's password.
pub(crate) const PASSWORD: &str = "quiet river under seven bridges";

/// What every planted device makes its codes from.
pub(super) const SHARED_SECRET: [u8; 20] = *b"exactly twenty bytes";
/// So many planted devices has who works at a clinic. A lab's clock stands still, and of each
/// device a code is good once.
const DEVICES: usize = 8;

/// A clinic.
#[derive(Clone, Debug)]
pub(crate) struct Clinic {
    pub(crate) id: TenantId,
    pub(crate) slug: String,
    pub(crate) name: String,
}

/// A person with an account, whose password is [`PASSWORD`].
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) login: String,
    pub(crate) name: String,
}

/// An event of the log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Event {
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) account_id: Option<AccountId>,
    pub(crate) detail: Value,
}

impl Lab {
    /// A clinic of that name, with a slug that no other has.
    pub(crate) async fn clinic(&self, name: &str) -> Clinic {
        let id = self.app.env.random_uuid();
        let word = name.split(' ').next().unwrap().to_ascii_lowercase();
        let slug = format!("{word}-{}", &id.simple().to_string()[..8]);
        self.plant_tenant(id, &slug, name).await;
        Clinic {
            id: TenantId::from_uuid(id),
            slug,
            name: name.to_owned(),
        }
    }

    /// The reserved tenant of the platform, which owns the apps that all clinics share.
    pub(crate) async fn platform(&self) -> TenantId {
        self.plant_tenant(TenantId::PLATFORM.as_uuid(), "platform", "Platform")
            .await;
        TenantId::PLATFORM
    }

    async fn plant_tenant(&self, id: Uuid, slug: &str, name: &str) {
        sqlx::query(
            "insert into tenancy.tenant
               (tenant_id, slug, slug_locator, name, accent, status, created_at)
             values ($1, $2, $3, $4, 'juniper', 'active', $5)
             on conflict do nothing",
        )
        .bind(id)
        .bind(slug)
        .bind(self.app.keys.locator("slug", slug))
        .bind(name)
        .bind(self.now())
        .execute(&mut self.database.superuser().await)
        .await
        .unwrap();
    }

    /// A person of that name who belongs to no clinic yet.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let id = self.app.env.random_uuid();
        let word = name.split(' ').next().unwrap().to_ascii_lowercase();
        let login = format!("{word}.{}@example.test", &id.simple().to_string()[..8]);
        let mut boss = self.database.superuser().await;
        sqlx::query(
            "insert into identity.account
               (account_id, login, login_locator, display_name, status, created_at)
             values ($1, $2, $3, $4, 'active', $5)",
        )
        .bind(id)
        .bind(&login)
        .bind(self.app.keys.locator("login", &login))
        .bind(name)
        .bind(self.now())
        .execute(&mut boss)
        .await
        .unwrap();
        sqlx::query(
            "insert into identity.password (account_id, phc, changed_at) values ($1, $2, $3)",
        )
        .bind(id)
        .bind(phc().await)
        .bind(self.now())
        .execute(&mut boss)
        .await
        .unwrap();
        Person {
            account: AccountId::from_uuid(id),
            login,
            name: name.to_owned(),
        }
    }

    /// A fresh browser in which someone has signed in, for the account page.
    pub(crate) async fn signed_in(&self, who: &Person) -> Browser {
        let browser = self.browser();
        self.sign_in(&browser, who).await;
        browser
    }

    /// Someone signs in, for the account page.
    pub(crate) async fn sign_in(&self, browser: &Browser, who: &Person) {
        let answer = browser.sign_in(&who.login, PASSWORD).await;
        answer.goes_to("/account");
        let shown = self.prove_factor(browser, answer).await;
        assert_eq!(shown.sentence(), "Your account", "{}", shown.body);
    }

    /// What everybody's device shows now.
    pub(crate) fn code(&self) -> String {
        TotpSecret::new(SHARED_SECRET).code_at(self.now())
    }

    /// Follows an answer to a password, and types the code if it is asked for.
    pub(crate) async fn prove_factor(&self, browser: &Browser, answer: Answer) -> Answer {
        let page = browser.follow(answer).await;
        if page.sentence() != "Enter your code" {
            return page;
        }
        let sent = browser
            .submit(&page, "code-form", &[("code", &self.code())])
            .await;
        browser.follow(sent).await
    }

    /// Gives someone so many devices, whose codes are all [`Lab::code`].
    pub(crate) async fn plant_devices(&self, who: &Person, count: usize) {
        for number in 0..count {
            let id = TotpId::from_uuid(self.app.env.random_uuid());
            let keys = &self.app.keys;
            sqlx::query(
                "insert into identity.totp
                   (totp_id, account_id, name, secret_sealed, created_at, confirmed_at)
                 values ($1, $2, $3, $4, $5, $5)",
            )
            .bind(id)
            .bind(who.account)
            .bind(format!("Phone {number}"))
            .bind(keys.wrap(&self.app.env, &place(id), &SHARED_SECRET))
            .bind(self.now())
            .execute(&mut self.database.superuser().await)
            .await
            .unwrap();
        }
    }

    /// Makes a person a member of a clinic, with roles; who works there gets devices.
    pub(crate) async fn join(&self, who: &Person, to: TenantId, roles: &[&str]) -> SubjectId {
        if roles.iter().any(|&role| role != "patient") {
            self.plant_devices(who, DEVICES).await;
        }
        self.join_bare(who, to, roles).await
    }

    /// The same without devices: whoever works there has to set one up.
    pub(crate) async fn join_bare(&self, who: &Person, to: TenantId, roles: &[&str]) -> SubjectId {
        let subject = self.app.env.random_uuid();
        let mut boss = self.database.superuser().await;
        sqlx::query(
            "insert into identity.membership
               (tenant_id, subject_id, account_id, display_name, status, created_at)
             values ($1, $2, $3, $4, 'active', $5)",
        )
        .bind(to)
        .bind(subject)
        .bind(who.account)
        .bind(&who.name)
        .bind(self.now())
        .execute(&mut boss)
        .await
        .unwrap();
        for role in roles {
            sqlx::query(
                "insert into identity.membership_role (tenant_id, subject_id, role)
                 values ($1, $2, $3)",
            )
            .bind(to)
            .bind(subject)
            .bind(role)
            .execute(&mut boss)
            .await
            .unwrap();
        }
        SubjectId::from_uuid(subject)
    }

    /// A session of a member's, by that `sid`, as if she had proved who she is and done something
    /// at that instant; its id.
    pub(crate) async fn plant_session(
        &self,
        account: AccountId,
        (tenant, subject): (TenantId, SubjectId),
        sid: Uuid,
        at: OffsetDateTime,
    ) -> Uuid {
        let session = self.app.env.random_uuid();
        let mut boss = self.database.superuser().await;
        sqlx::query(
            "insert into identity.session (session_id, account_id, secret_digest, password_epoch,
               amr, authenticated_at, proved_at, active_at, device_label, agent_digest,
               network_digest)
             select $1, account_id, $3, password_epoch, '{pwd}', $4, $4, $4, '', $3, $3
             from identity.account where account_id = $2",
        )
        .bind(session)
        .bind(account)
        .bind([0_u8; 32].as_slice())
        .bind(at)
        .execute(&mut boss)
        .await
        .unwrap();
        sqlx::query(
            "insert into identity.tenant_session
               (tenant_id, session_id, subject_id, sid, auth_time, opened_at)
             values ($1, $2, $3, $4, $5, $5)",
        )
        .bind(tenant)
        .bind(session)
        .bind(subject)
        .bind(sid)
        .bind(at)
        .execute(&mut boss)
        .await
        .unwrap();
        session
    }

    /// What the log says of an account, oldest first.
    pub(crate) async fn events_of(&self, who: &Person) -> Vec<Event> {
        sqlx::query_as(
            "select type, account_id, detail - 'trace' as detail from audit.event
             where account_id = $1 order by recorded_at",
        )
        .bind(who.account)
        .fetch_all(&mut self.database.superuser().await)
        .await
        .unwrap()
    }

    /// What the log says of one tenant, oldest first.
    pub(crate) async fn events_in(&self, tenant: TenantId) -> Vec<Event> {
        sqlx::query_as(
            "select type, account_id, detail - 'trace' as detail from audit.event
             where tenant_id = $1 order by recorded_at",
        )
        .bind(tenant)
        .fetch_all(&mut self.database.superuser().await)
        .await
        .unwrap()
    }
}

/// The stored form of [`PASSWORD`], computed once a process.
async fn phc() -> &'static str {
    static PHC: OnceCell<String> = OnceCell::const_new();
    let hash = async || {
        Hasher::new(1, 1)
            .hash(&PASSWORD.into(), [9; 16])
            .await
            .unwrap()
    };
    PHC.get_or_init(hash).await
}
