//! A record that can't be kept: its disk is full, or the database takes no writes.

use std::collections::BTreeMap;

use lanyard::audit::log;
use lanyard::cli::Operator;
use lanyard::config::Config;
use lanyard::db::StoreError;
use lanyard::oidc::client::ClientKind;
use lanyard::tenancy::TenantStatus;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::log::auditor;
use super::{Client, World, code_of};
use crate::lab::apps::AppsOfALab;
use crate::lab::cluster::tell;
use crate::lab::world::PASSWORD;
use crate::lab::{Answer, Browser, Lab, some_id};

/// Of every clinic's and the platform's tables but these, which a refusal may change: attempts are
/// counted, whatever comes of them; a server's own key.
const COUNTS: [&str; 2] = ["identity.throttle", "seal.mac_key"];

/// Somebody who may do much, and what she and an app have in their hands.
struct Scene {
    world: World,
    client: Client,
    service: Client,
    browser: Browser,
    access: String,
    refresh: String,
    code: String,
    /// Another browser, and the page on which she types her password.
    typing: (Browser, Answer),
}

fn anchored(config: &mut Config) {
    let name = format!("lanyard-anchor-{}", some_id());
    config.audit.anchor = Some(std::env::temp_dir().join(name));
}

impl Scene {
    async fn on(lab: Lab) -> Self {
        let world = World::on(lab, &["clinic_admin", "compliance_lead"]).await;
        let (client, _) = auditor(&world).await;
        let service = world
            .register(world.clinic.id, |client| {
                client.kind = ClientKind::Service;
                client.scopes = vec!["visits:read".to_owned()];
            })
            .await;
        let browser = world.lab.browser();
        let all = "openid visits:read profile:read tenancy:read audit:read";
        let request = world.request(&client, &[("scope", all)]);
        let back = world.sign_in(&browser, &request).await;
        let tokens = world.redeem(&client, &code_of(&back)).await.json();
        let again = browser.visit(&request).await.location();
        let other = world.lab.browser();
        let page = other.visit(&request).await;
        let login = [("login", world.person.login.as_str())];
        let answer = other.submit(&page, "identifier-form", &login).await;
        let page = other.follow(answer).await.page("Enter your password");
        // Nothing waits to be sequenced, and there is a key that signs.
        log::keep(&world.lab.app).await.unwrap();
        log::Logs::of(&world.lab.app).sequence().await.unwrap();
        log::keep(&world.lab.app).await.unwrap();
        Self {
            code: code_of(&again.expect("at once")),
            access: tokens["access_token"].as_str().unwrap().to_owned(),
            refresh: tokens["refresh_token"].as_str().unwrap().to_owned(),
            typing: (other, page),
            world,
            client,
            service,
            browser,
        }
    }

    /// All rows there are, by table.
    async fn rows(&self) -> BTreeMap<String, String> {
        let mut boss = self.world.lab.database.superuser().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select n.nspname || '.' || c.relname
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind = 'r' and n.nspname in
               ('identity', 'tenancy', 'visits', 'apps', 'outbox', 'audit', 'revocation', 'seal')",
        )
        .fetch_all(&mut boss)
        .await
        .unwrap();
        let mut rows = BTreeMap::new();
        for table in tables {
            let sql = format!(
                "select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} t"
            );
            let digest = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut boss)
                .await
                .unwrap();
            rows.insert(table, digest);
        }
        rows.retain(|table, _| !COUNTS.contains(&table.as_str()));
        assert!(rows.len() > 20, "{rows:?}");
        rows
    }

    /// What is asked for in vain, in each protocol's own form.
    async fn is_refused(&self) {
        let world = &self.world;
        let (browser, page) = &self.typing;
        let password = [("password", PASSWORD)];
        let typed = browser.submit(page, "password-form", &password).await;
        assert_eq!(typed.status, 503, "{}", typed.body);
        assert!(typed.body.contains("Nothing is lost"), "{}", typed.body);
        let asked = self.browser.visit(&world.request(&self.client, &[])).await;
        assert_eq!(asked.status, 503, "{}", asked.body);

        let grant = [("grant_type", "client_credentials")];
        for answer in [
            world.redeem(&self.client, &self.code).await,
            world.refresh(&self.client, &self.refresh).await,
            world.ask_token(&self.service, &grant).await,
        ] {
            assert_eq!(answer.status, 503, "{}", answer.body);
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
            assert_eq!(answer.header("retry-after"), "1");
        }
        for path in [
            "visits",
            "members",
            "audit/events",
            "audit/events?after=-1",
            "audit/export",
        ] {
            let answer = world.call(&format!("/api/v1/{path}"), &self.access).await;
            assert_eq!(answer.status, 503, "{path}: {}", answer.body);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let problem: Value = answer.json();
            assert_eq!(problem["code"], "temporarily_unavailable", "{path}");
        }
        let app = &world.lab.app;
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        let slug = &world.clinic.slug;
        let suspended = operator
            .set_tenant_status(slug, TenantStatus::Suspended)
            .await;
        assert!(
            matches!(suspended, Err(StoreError::Unavailable(_))),
            "{suspended:?}"
        );
    }

    /// Everything is still good for what it was good for.
    async fn goes_on(&self) {
        let world = &self.world;
        let redeemed = world.redeem(&self.client, &self.code).await;
        assert_eq!(redeemed.status, 200, "{}", redeemed.body);
        assert_eq!(world.refresh(&self.client, &self.refresh).await.status, 200);
        let read = world.call("/api/v1/members", &self.access).await;
        assert_eq!(read.status, 200, "{}", read.body);
        let (browser, page) = &self.typing;
        let typed = browser
            .submit(page, "password-form", &[("password", PASSWORD)])
            .await;
        let seen = world.lab.prove_factor(browser, typed).await;
        code_of(&seen.location().expect("back to the client"));
    }
}

/// AUD-04: the disk of the record is full: nothing is done, on any plane, and who asks is told to
/// come back; when there is room again everything goes on.
#[tokio::test]
async fn nothing_is_done_while_the_disk_of_the_record_is_full() {
    let scene = Scene::on(Lab::apart(anchored).await).await;
    let mut boss = scene.world.lab.database.superuser().await;
    tell(
        &mut boss,
        "create function public.disk_is_full() returns trigger language plpgsql as $$
         begin
           raise exception 'could not extend file: No space left on device'
             using errcode = 'disk_full';
         end $$;
         create trigger disk_is_full before insert on audit.event
           for each statement execute function public.disk_is_full()",
    )
    .await;
    let before = scene.rows().await;
    scene.is_refused().await;
    assert_eq!(scene.rows().await, before);
    tell(&mut boss, "drop trigger disk_is_full on audit.event").await;
    scene.goes_on().await;
}

/// AUD-04: the database takes no writes, as a standby does: the same, also in our apps, whose
/// sign-in begins with a row.
#[tokio::test]
async fn nothing_is_done_while_the_database_takes_no_writes() {
    let apps = AppsOfALab::bind().await;
    let lab = Lab::apart(|config| {
        anchored(config);
        apps.configure(config);
    })
    .await;
    let mut scene = Scene::on(lab).await;
    AppsOfALab::register(&scene.world.lab, &[&scene.world.clinic.slug]).await;
    let database = scene.world.lab.database.clone();
    let mut boss = database.superuser().await;
    let every = async |boss: &mut sqlx::PgConnection, what: &str| {
        for plane in ["identity", "tenant", "platform", "apps", "sequencer"] {
            let name = &database.name;
            let sql = format!("alter role lanyard_{plane} in database {name} {what}");
            tell(boss, &sql).await;
        }
    };
    let before = scene.rows().await;
    every(&mut boss, "set default_transaction_read_only = on").await;
    // The pools of this one have sessions from before.
    let standby = scene.world.lab.second_node().await;
    let (first, address) = (scene.world.lab, standby.address);
    scene.world.lab = standby;
    scene.browser = scene.browser.through(address);
    scene.typing.0 = scene.typing.0.through(address);
    apps.attend(&scene.world.lab).await;
    scene.is_refused().await;
    let portal = &first.app.config.apps.patient.url;
    let port = portal.port().unwrap();
    let address = format!(
        "http://{}.localhost:{port}/sign-in",
        scene.world.clinic.slug
    );
    let home = scene.world.lab.browser().visit(&address).await;
    assert_eq!(home.status, 503, "{}", home.body);
    assert_eq!(scene.rows().await, before);

    every(&mut boss, "reset default_transaction_read_only").await;
    scene.world.lab = first;
    let address = scene.world.lab.address;
    scene.browser = scene.browser.through(address);
    scene.typing.0 = scene.typing.0.through(address);
    scene.goes_on().await;
}
