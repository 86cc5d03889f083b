//! The database: one pool a plane, and transactions that can be had only with an [`Authority`].
//!
//! Invariants
//! 1. Every transaction of a serving role begins with a sealed context, in one message with BEGIN.
//! 2. The pools are private: no code without an authority reaches a row.
//! 3. `Ok` commits, whatever it says; `Err` rolls back; a dropped future rolls back too.

mod authority;
mod connect;
mod context;
pub mod embedded;
mod error;
pub mod migrate;

use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, Postgres};

pub(crate) use authority::Proved;
pub use authority::{AccessClass, Apps, Authority, Identity, Job, Plane, Platform, Tenancy};
pub use connect::{Connect, Login};
use context::{Context, Mode, SealKey};
pub use error::StoreError;

use crate::env::Env;
use crate::ids::{SubjectId, TenantId};

/// How long a seal key is registered for; renewed daily.
const SEAL_KEY_HOURS: i32 = 25;

/// The pools of all planes and the key that seals their contexts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: PgPool,
    tenancy: PgPool,
    platform: PgPool,
    apps: PgPool,
    seal: RwLock<Arc<SealKey>>,
    connect: Connect,
}

/// A plane's pool among [`Inner`]'s.
pub trait Pooled: Plane {
    #[doc(hidden)]
    fn pool(db: &Db) -> &PgPool;
}

impl Pooled for Identity {
    fn pool(db: &Db) -> &PgPool {
        &db.inner.identity
    }
}
impl Pooled for Tenancy {
    fn pool(db: &Db) -> &PgPool {
        &db.inner.tenancy
    }
}
impl Pooled for Platform {
    fn pool(db: &Db) -> &PgPool {
        &db.inner.platform
    }
}
impl Pooled for Apps {
    fn pool(db: &Db) -> &PgPool {
        &db.inner.apps
    }
}

impl Db {
    /// Opens the pools and registers a fresh seal key.
    ///
    /// - `connections`: at most so many for the identity plane, half as many for each other.
    pub async fn open(connect: Connect, env: &Env, connections: u32) -> Result<Self, StoreError> {
        let pool = |role: &str, most: u32| {
            PgPoolOptions::new()
                .max_connections(most.max(2))
                .acquire_timeout(std::time::Duration::from_secs(1))
                .max_lifetime(std::time::Duration::from_mins(30))
                .test_before_acquire(false)
                .connect_lazy_with(connect.options(role))
        };
        let seal = register_seal_key(&connect, env).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                identity: pool(Identity::ROLE, connections),
                tenancy: pool(Tenancy::ROLE, connections / 2),
                platform: pool(Platform::ROLE, 2),
                apps: pool(Apps::ROLE, connections / 2),
                seal: RwLock::new(Arc::new(seal)),
                connect,
            }),
        })
    }

    /// Takes a new seal key; contexts under the old one stay good until they expire.
    pub async fn renew_seal_key(&self, env: &Env) -> Result<(), StoreError> {
        let fresh = Arc::new(register_seal_key(&self.inner.connect, env).await?);
        *self
            .inner
            .seal
            .write()
            .expect("no panic happens under this lock") = fresh;
        Ok(())
    }

    /// Closes the pools; waits until their connections are given back.
    pub async fn close(&self) {
        let all = [
            Identity::pool(self),
            Tenancy::pool(self),
            Platform::pool(self),
            Apps::pool(self),
        ];
        for pool in all {
            pool.close().await;
        }
    }

    /// Runs `work` in one transaction of plane `P`, for whom `authority` says.
    ///
    /// `Ok` commits, whatever it says: a refusal that revokes a family must be kept.
    /// `Err` rolls back: nothing happened. Dropping the future rolls back too.
    ///
    /// # Errors
    /// What `work` returns; [`StoreError`] if opening or committing failed.
    pub async fn run<P: Pooled, T, E: From<StoreError>>(
        &self,
        authority: Authority<P>,
        work: impl AsyncFnOnce(&mut Tx<P>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = self.begin(authority).await?;
        let value = work(&mut tx).await?;
        tx.inner.commit().await.map_err(StoreError::from)?;
        Ok(value)
    }

    async fn begin<P: Pooled>(&self, authority: Authority<P>) -> Result<Tx<P>, StoreError> {
        let context = authority.context;
        let seal = self.seal();
        let begin = match context.mode {
            Mode::ReadWrite => "begin",
            Mode::ReadOnly => "begin read only",
        };
        // Only characters of our own making stand in the context: see `SealKey::seal`.
        let message = format!(
            "{begin}; set local lanyard.context = '{}'",
            seal.seal(&context)
        );
        let pool = P::pool(self).clone();
        // In a task of its own: a canceled `begin` of sqlx 0.9.0 gives a connection with an open
        // transaction back to the pool (transact-rs/sqlx 4393). Remove when 4394 is released.
        let inner = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(message)).await })
            .await
            .expect("begin does not panic")?;
        Ok(Tx {
            inner,
            context,
            seal,
            plane: PhantomData,
        })
    }

    fn seal(&self) -> Arc<SealKey> {
        Arc::clone(
            &self
                .inner
                .seal
                .read()
                .expect("no panic happens under this lock"),
        )
    }
}

async fn register_seal_key(connect: &Connect, env: &Env) -> Result<SealKey, StoreError> {
    use sqlx::Connection as _;
    let key = SealKey::random(env.entropy.as_ref());
    let mut keeper = PgConnection::connect_with(&connect.options("lanyard_keeper")).await?;
    let (inner_pad, outer_pad) = key.pads();
    sqlx::query("select seal.register($1, $2, $3, make_interval(hours => $4))")
        .bind(key.key_id())
        .bind(inner_pad)
        .bind(outer_pad)
        .bind(SEAL_KEY_HOURS)
        .execute(&mut keeper)
        .await?;
    keeper.close().await?;
    Ok(key)
}

/// One transaction of plane `P`, under one sealed context.
#[derive(Debug)]
pub struct Tx<P> {
    inner: sqlx::Transaction<'static, Postgres>,
    context: Context,
    seal: Arc<SealKey>,
    plane: PhantomData<P>,
}

impl<P: Plane> Tx<P> {
    /// The connection, for `store.rs` files.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// The tenant this transaction is for.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is for no tenant: a mistake of ours.
    pub fn tenant(&self) -> Result<TenantId, StoreError> {
        self.context.tenant.ok_or(StoreError::Corrupt {
            table: "seal.context",
            what: "no tenant in a transaction that needs one",
        })
    }

    /// The subject this transaction is for, if it is for one.
    pub fn subject(&self) -> Option<SubjectId> {
        self.context.subject
    }

    /// Goes on under another authority in the same transaction: after a claim, for example.
    pub(crate) async fn proceed(&mut self, authority: Authority<P>) -> Result<(), StoreError> {
        let sealed = self.seal.seal(&authority.context);
        sqlx::raw_sql(AssertSqlSafe(format!(
            "set local lanyard.context = '{sealed}'"
        )))
        .execute(&mut *self.inner)
        .await?;
        self.context = authority.context;
        Ok(())
    }
}
