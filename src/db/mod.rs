//! The database: one pool a plane, and transactions that can be had only with an [`Authority`].
//!
//! Invariants
//! 1. Every transaction of a serving role begins with a sealed context, in one message with BEGIN
//!    (where the host allows it: [`keeper::Opening`]).
//! 2. The pools are private: no code without an authority reaches a row.
//! 3. `Ok` commits, whatever it says; `Err` rolls back; a dropped future rolls back too.

mod authority;
pub mod backup;
mod connect;
mod context;
mod crowd;
mod desk;
pub mod embedded;
mod error;
mod gather;
mod keeper;
mod listening;
mod logins;
pub mod migrate;
mod opening;
pub mod outbox;
mod pool;
mod pooler;
mod pools;
pub mod standing;

use std::marker::PhantomData;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use sqlx::{Connection as _, PgConnection};

pub(crate) use authority::Proved;
pub use authority::{
    AccessClass, Apps, Authority, Identity, Job, Plane, Platform, Purpose, Sequencer, Tenancy,
};
pub use connect::{Connect, Login};
use context::{Context, SealKey};
use desk::Desks;
pub(crate) use desk::{Desk, SealedBundle, SealedClaims, each, in_places};
pub use error::StoreError;
pub(crate) use error::chain;
pub(crate) use gather::{Foretold, Gathered, Pieces, Tally, firsts};
use keeper::Opening;
pub(crate) use listening::Listening;
pub use logins::Logins;
use opening::Opened;
use pool::Pool;
pub use pools::PoolStanding;
use pools::Waits;

use crate::env::Env;
use crate::fault::{Point, Trail};
use crate::ids::{SubjectId, TenantId};

/// The pools of all planes and the key that seals their contexts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Pool,
    tenancy: Pool,
    platform: Pool,
    apps: Pool,
    sequencer: Pool,
    desks: Desks,
    seal: RwLock<Arc<SealKey>>,
    opening: Opening,
    connect: Connect,
    waits: [Waits; 5],
}

/// A plane's pool among [`Inner`]'s.
pub trait Pooled: Plane {
    #[doc(hidden)]
    fn pool(db: &Db) -> &Pool;
    #[doc(hidden)]
    fn waits(db: &Db) -> &Waits;
}

impl Pooled for Identity {
    fn pool(db: &Db) -> &Pool {
        &db.inner.identity
    }

    fn waits(db: &Db) -> &Waits {
        &db.inner.waits[0]
    }
}
impl Pooled for Tenancy {
    fn pool(db: &Db) -> &Pool {
        &db.inner.tenancy
    }

    fn waits(db: &Db) -> &Waits {
        &db.inner.waits[1]
    }
}
impl Pooled for Platform {
    fn pool(db: &Db) -> &Pool {
        &db.inner.platform
    }

    fn waits(db: &Db) -> &Waits {
        &db.inner.waits[2]
    }
}
impl Pooled for Apps {
    fn pool(db: &Db) -> &Pool {
        &db.inner.apps
    }

    fn waits(db: &Db) -> &Waits {
        &db.inner.waits[3]
    }
}
impl Pooled for Sequencer {
    fn pool(db: &Db) -> &Pool {
        &db.inner.sequencer
    }

    fn waits(db: &Db) -> &Waits {
        &db.inner.waits[4]
    }
}

impl Db {
    /// Opens the pools, registers a fresh seal key and sets the clock by the database's. Whether
    /// the database may be served from is another question: [`Db::standing`].
    ///
    /// - `connections`: at most so many for the identity plane, half as many for each other.
    pub async fn open(connect: Connect, env: &Env, connections: u32) -> Result<Self, StoreError> {
        let mut keeper = pooler::session(&connect, keeper::ROLE).await?;
        let (seal, now) = keeper::register(&mut keeper, env).await?;
        env.clock.follow(now);
        let opening = keeper::opening(&mut keeper).await?;
        keeper.close().await?;
        let pool = |role, most| Pool::new(&connect, role, most);
        Ok(Self {
            inner: Arc::new(Inner {
                identity: pool(Identity::ROLE, connections),
                tenancy: pool(Tenancy::ROLE, connections / 2),
                platform: pool(Platform::ROLE, 2),
                apps: pool(Apps::ROLE, connections / 2),
                sequencer: pool(Sequencer::ROLE, 2),
                desks: Desks::new(&connect),
                seal: RwLock::new(Arc::new(seal)),
                opening,
                connect,
                waits: Default::default(),
            }),
        })
    }

    /// Takes a new seal key, daily; contexts under the old one stay good until they expire, and
    /// then the database forgets it.
    pub async fn renew_seal_key(&self, env: &Env) -> Result<(), StoreError> {
        let mut keeper = keeper::log_in(&self.inner.connect).await?;
        let (fresh, _) = keeper::register(&mut keeper, env).await?;
        keeper.close().await?;
        let old = {
            let mut seal = self
                .inner
                .seal
                .write()
                .expect("no panic happens under this lock");
            std::mem::replace(&mut *seal, Arc::new(fresh))
        };
        keeper::retire(&self.inner.connect, &old).await
    }

    /// Sets the clock by the database's, so that all replicas agree. Repeat it: clocks drift.
    pub async fn learn_clock(&self, env: &Env) -> Result<(), StoreError> {
        let mut keeper = keeper::log_in(&self.inner.connect).await?;
        env.clock.follow(keeper::clock(&mut keeper).await?);
        keeper.close().await?;
        Ok(())
    }

    /// Whether every plane's login can open a transaction.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let first = self.failing().await.into_iter().next();
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// What keeps the planes' logins from opening a transaction, by part; empty: all can.
    pub async fn failing(&self) -> Vec<(&'static str, StoreError)> {
        let opened = tokio::join!(
            self.run(Authority::<Identity>::job(Job::CheckReadiness), answer),
            self.run(Authority::<Tenancy>::job(Job::CheckReadiness), answer),
            self.run(Authority::<Platform>::job(Job::CheckReadiness), answer),
            self.run(Authority::<Apps>::job(Job::CheckReadiness), answer),
            self.run(Authority::<Sequencer>::job(Job::CheckReadiness), answer),
        );
        let parts = [
            ("database.identity", opened.0),
            ("database.tenancy", opened.1),
            ("database.platform", opened.2),
            ("database.apps", opened.3),
            ("database.sequencer", opened.4),
        ];
        let failing = parts.into_iter().filter_map(|(part, opened)| {
            let error = opened.err()?;
            // The database answers, and does not take the context: its key is not there.
            let is_the_seal = error.sqlstate().as_deref() == Some("42501");
            Some((if is_the_seal { "seal" } else { part }, error))
        });
        failing.collect()
    }

    /// How the pools stand.
    pub fn pools(&self) -> [PoolStanding; 5] {
        let Inner {
            identity,
            tenancy,
            platform,
            apps,
            sequencer,
            waits,
            ..
        } = &*self.inner;
        let [of_identity, of_tenancy, of_platform, of_apps, of_sequencer] = waits;
        [
            PoolStanding::of("identity", identity, of_identity),
            PoolStanding::of("tenancy", tenancy, of_tenancy),
            PoolStanding::of("platform", platform, of_platform),
            PoolStanding::of("apps", apps, of_apps),
            PoolStanding::of("sequencer", sequencer, of_sequencer),
        ]
    }

    /// Closes the pools; waits until their connections are given back. Retires the seal key.
    pub async fn close(&self) {
        let all = [
            Identity::pool(self),
            Tenancy::pool(self),
            Platform::pool(self),
            Apps::pool(self),
            Sequencer::pool(self),
        ];
        for pool in all {
            pool.close().await;
        }
        self.inner.desks.close().await;
        // If the database is gone, the key ends by itself within 25 hours.
        let _ = keeper::retire(&self.inner.connect, &self.seal()).await;
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
        tx.trail.pass(Point::Recorded);
        tx.inner.commit().await.map_err(StoreError::from)?;
        tx.trail.pass(Point::Committed);
        Ok(value)
    }

    /// Runs a read that is an event itself: what `read` finds is given when `record` has put on the
    /// record that it was read. In one transaction, unless the authority can't write: then the
    /// statements of `read` run in one that is READ ONLY, and the event is committed by one of its
    /// own before anything is given.
    ///
    /// # Errors
    /// What `read` and `record` return; [`StoreError`] if opening or committing failed.
    pub async fn read_on_record<T, E: From<StoreError>>(
        &self,
        authority: Authority<Tenancy>,
        read: impl AsyncFnOnce(&mut Tx<Tenancy>) -> Result<T, E>,
        record: impl AsyncFnOnce(&mut Tx<Tenancy>, &T) -> Result<(), E>,
    ) -> Result<T, E> {
        if !authority.is_read_only() {
            let work = async |tx: &mut Tx<Tenancy>| {
                let found = read(tx).await?;
                record(tx, &found).await?;
                Ok(found)
            };
            return self.run(authority, work).await;
        }
        let of_its_record = authority.of_its_record();
        let found = self.run(authority, read).await?;
        let work = async |tx: &mut Tx<Tenancy>| record(tx, &found).await;
        self.run(of_its_record, work).await?;
        Ok(found)
    }

    async fn begin<P: Pooled>(&self, authority: Authority<P>) -> Result<Tx<P>, StoreError> {
        let context = authority.context;
        let seal = self.seal();
        let opening = self.inner.opening;
        let waits = P::waits(self);
        let asked_at = Instant::now();
        let waiting = waits.wait();
        let sealed = seal.seal(&context);
        let begun = opening::begin(P::pool(self), opening, context.mode, &sealed).await;
        drop(waiting);
        waits.count(asked_at.elapsed(), begun.is_ok());
        let inner = begun?;
        Ok(Tx {
            inner,
            context,
            seal,
            opening,
            trail: Trail::default(),
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

async fn answer<P: Plane>(tx: &mut Tx<P>) -> Result<(), StoreError> {
    sqlx::query("select seal.class()")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// One transaction of plane `P`, under one sealed context.
#[derive(Debug)]
pub struct Tx<P> {
    inner: Opened,
    context: Context,
    seal: Arc<SealKey>,
    opening: Opening,
    trail: Trail,
    plane: PhantomData<P>,
}

impl<P: Plane> Tx<P> {
    /// The connection, for `store.rs` files.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.inner.conn()
    }

    /// What was recorded in it, for tests that end the process.
    pub(crate) const fn trail(&mut self) -> &mut Trail {
        &mut self.trail
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
        opening::replace(self.inner.conn(), self.opening, &sealed).await?;
        self.context = authority.context;
        Ok(())
    }
}
