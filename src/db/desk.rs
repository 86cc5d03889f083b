//! The clerk's desk: functions of the schema `clerk`, which open the seal themselves
//! (docs/decisions/0020).
//!
//! Its connections are its own. Nothing else is said on them, so nothing of one clinic's can remain
//! on one for the next, and they are not cleaned between two turns.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use super::connect::Connect;
use super::context::SealKey;
use super::error::StoreError;
use super::{Authority, Db, Identity, Plane as _, Proved};
use crate::ids::{SessionId, SubjectId, TenantId};

/// As long as a pool's connection is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a session keeps grows with time: after so many turns it is another one.
const MOST_TURNS: u32 = 100_000;
/// A transaction that has waited longer for its turn is begun anew: PostgreSQL ends sessions that
/// do nothing in one.
const FRESH: Duration = Duration::from_secs(1);

/// Those whom one call of a function is for, and the text that vouches for them: arguments for a
/// `store.rs` to bind. The n-th of each list is the n-th one's.
#[derive(Default)]
pub(crate) struct SealedBundle {
    context: String,
    tenants: Vec<Uuid>,
    accounts: Vec<Uuid>,
    subjects: Vec<Uuid>,
}

impl fmt::Debug for SealedBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedBundle(***)")
    }
}

impl SealedBundle {
    /// The sealed text.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    /// Each one's tenant.
    pub(crate) fn tenants(&self) -> &[Uuid] {
        &self.tenants
    }

    /// Each one's account; of values that were only presented there are none.
    pub(crate) fn accounts(&self) -> &[Uuid] {
        &self.accounts
    }

    /// As `accounts`.
    pub(crate) fn subjects(&self) -> &[Uuid] {
        &self.subjects
    }

    fn sealed_by(mut self, key: &SealKey) -> Self {
        let digest = digest_of(&[&self.tenants, &self.accounts, &self.subjects]);
        self.context = key.seal(&Authority::bundle(digest).context);
        self
    }
}

/// Sessions that cookies name, not yet believed, and the text that vouches for the list.
pub(crate) struct SealedClaims {
    context: String,
    sessions: Vec<Uuid>,
}

impl fmt::Debug for SealedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedClaims(***)")
    }
}

impl SealedClaims {
    /// The sealed text.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    /// The sessions.
    pub(crate) fn sessions(&self) -> &[Uuid] {
        &self.sessions
    }
}

fn digest_of(lists: &[&[Uuid]]) -> String {
    let lists: String = lists.iter().map(|ids| as_array(ids)).collect();
    hex::encode(digest(&SHA256, lists.as_bytes()))
}

/// As Postgres writes an array of ids.
fn as_array(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

/// One part of each, as a list to bind.
pub(crate) fn each<'a, I, T>(items: &'a [I], part: impl Fn(&'a I) -> T) -> Vec<T> {
    items.iter().map(part).collect()
}

/// What the rows of a function say, each in the place that it names, counted from one; `None` in
/// the others.
pub(crate) fn in_places<R, T>(
    places: usize,
    rows: Vec<R>,
    number: impl Fn(&R) -> i64,
    read: impl Fn(usize, R) -> Result<T, StoreError>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut said: Vec<Option<T>> = (0..places).map(|_| None).collect();
    for row in rows {
        let at = usize::try_from(number(&row) - 1).unwrap_or(usize::MAX);
        if let Some(place) = said.get_mut(at) {
            *place = Some(read(at, row)?);
        }
    }
    Ok(said)
}

/// A connection for calls of the clerk's functions, one after the other.
#[derive(Debug)]
pub(crate) struct Desk {
    connection: PgConnection,
    turns: u32,
    /// When a transaction began that no turn has had yet. It has seen nothing.
    begun_at: Option<Instant>,
}

impl Desk {
    /// Begins a transaction of calls; no row of any tenant's is seen in it but by the clerk's
    /// functions. A desk that is not put back with [`Db::rest`] takes it back.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        match self.begun_at.take() {
            Some(at) if at.elapsed() < FRESH => {}
            Some(_) => {
                self.connection.execute("rollback; begin").await?;
            }
            None => {
                self.connection.execute("begin").await?;
            }
        }
        Ok(())
    }

    /// Commits it; if another turn follows at once, its transaction begins with the same message.
    pub(crate) async fn commit(&mut self, is_followed: bool) -> Result<(), StoreError> {
        if is_followed {
            self.connection.execute("commit and chain").await?;
            self.begun_at = Some(Instant::now());
        } else {
            self.connection.execute("commit").await?;
        }
        Ok(())
    }

    /// The connection, for `store.rs` files.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// The desks that wait for their next call. Who calls bounds how many there are at a time.
///
/// No pool: sqlx's asks Postgres at each return whether it is still there, one round trip and more
/// for what takes four. A connection that has failed is not kept.
#[derive(Debug)]
pub(super) struct Desks {
    options: PgConnectOptions,
    resting: Mutex<Vec<Desk>>,
}

impl Desks {
    pub(super) fn new(connect: &Connect) -> Self {
        Self {
            options: connect.options(Identity::ROLE),
            resting: Mutex::default(),
        }
    }

    pub(super) async fn close(&self) {
        let resting = std::mem::take(&mut *self.resting());
        for desk in resting {
            // If the database is gone, so is the session.
            let _ = desk.connection.close().await;
        }
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Desk>> {
        self.resting
            .lock()
            .expect("no panic happens under this lock")
    }
}

impl Db {
    /// A desk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database can't be reached.
    pub(crate) async fn desk(&self) -> Result<Desk, StoreError> {
        let desks = &self.inner.desks;
        let resting = desks.resting().pop();
        if let Some(desk) = resting {
            return Ok(desk);
        }
        let connect = PgConnection::connect_with(&desks.options);
        let connection = tokio::time::timeout(PATIENCE, connect).await;
        let connection = connection.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(Desk {
            connection,
            turns: 0,
            begun_at: None,
        })
    }

    /// Keeps a desk whose turn went well, to its commit, for the next one.
    pub(crate) fn rest(&self, mut desk: Desk) {
        desk.turns += 1;
        if desk.turns < MOST_TURNS {
            self.inner.desks.resting().push(desk);
        }
    }

    /// For values that were presented, each in the tenant that it names:
    /// [`Authority::presented_in`] of many.
    pub(crate) fn seal_presented(&self, tenants: impl Iterator<Item = TenantId>) -> SealedBundle {
        let tenants = tenants.map(TenantId::as_uuid).collect();
        let bundle = SealedBundle {
            tenants,
            ..SealedBundle::default()
        };
        bundle.sealed_by(&self.seal())
    }

    /// For sessions that cookies name: [`Authority::claim`] of many.
    pub(crate) fn seal_claims(&self, sessions: impl Iterator<Item = SessionId>) -> SealedClaims {
        let sessions: Vec<Uuid> = sessions.map(SessionId::as_uuid).collect();
        let authority = Authority::claims(digest_of(&[&sessions]));
        SealedClaims {
            context: self.seal().seal(&authority.context),
            sessions,
        }
    }

    /// For members whose grants were just proved: [`Authority::member`] of many.
    pub(crate) fn seal_members(
        &self,
        members: impl Iterator<Item = (Proved, TenantId, SubjectId)>,
    ) -> SealedBundle {
        let mut bundle = SealedBundle::default();
        for (proved, tenant, subject) in members {
            bundle.tenants.push(tenant.as_uuid());
            bundle.accounts.push(proved.account().as_uuid());
            bundle.subjects.push(subject.as_uuid());
        }
        bundle.sealed_by(&self.seal())
    }
}
