//! The command line and what it may do.

mod accounts;
mod audit;
mod bootstrap;
mod clients;
mod command;
mod configuration;
mod drill;
mod ending;
mod erasing;
pub(crate) mod folder;
mod honest;
mod keeping;
mod log;
mod server;
mod sinks;
mod tenants;

use std::sync::Arc;

use lanyard::cli::Operator;
use lanyard::db::Db;
use lanyard::env::Env;
use lanyard::ids::TenantId;
use lanyard::keys::{self, MasterKey, MasterKeys};
use lanyard::secret::Keys;
use lanyard::tenancy::service::CreateOutcome;
use lanyard::tenancy::{NewTenant, Slug, TenantName};
use sqlx::PgConnection;

use crate::lab::cluster::{Database, fresh};

/// A database of this test's own, with an operator's means.
struct Desk {
    database: Database,
    db: Db,
    env: Env,
    keys: Keys,
}

impl Desk {
    async fn open() -> Self {
        let (database, env) = (fresh().await, Env::system());
        let db = database.open(&env, 4).await;
        let master = Arc::new(MasterKeys::only(MasterKey::random(&env)));
        let keys = keys::open(&db, &env, master).await.unwrap();
        let desk = Self {
            database,
            db,
            env,
            keys,
        };
        desk.operator().ensure_platform().await.unwrap();
        desk
    }

    fn operator(&self) -> Operator<'_> {
        Operator::new(&self.db, &self.env, &self.keys)
    }

    async fn clinic(&self, slug: &str) -> TenantId {
        match self.operator().create_tenant(&clinic(slug)).await.unwrap() {
            CreateOutcome::Created(id) => id,
            CreateOutcome::SlugTaken => panic!("{slug} is taken"),
        }
    }

    /// The types of the events in a tenant's log, oldest first, as the superuser sees them.
    async fn events(&self, tenant: TenantId) -> Vec<String> {
        let mut boss: PgConnection = self.database.superuser().await;
        sqlx::query_scalar(
            "select type from audit.event where tenant_id = $1 order by recorded_at, type",
        )
        .bind(tenant)
        .fetch_all(&mut boss)
        .await
        .unwrap()
    }
}

fn clinic(slug: &str) -> NewTenant {
    NewTenant {
        slug: Slug::parse(slug).unwrap(),
        name: TenantName::parse("Juniper Family Clinic").unwrap(),
        accent: "juniper",
    }
}
