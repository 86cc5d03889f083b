//! The connections of one plane's login.
//!
//! Not sqlx's pool. That one asks Postgres at each return whether the connection is still there,
//! one round trip more for what takes five; and it gives out the one that has rested longest, so
//! that all of them, each with its plans and caches, are in use for the work of two.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::Connect;

/// As long as a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a session of Postgres' keeps grows with time: after this it is given out no more.
const LIFETIME: Duration = Duration::from_mins(30);
/// What has rested so long is not needed.
const REST: Duration = Duration::from_mins(10);

/// So many connections at most, made when they are asked for.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    most: u32,
    places: Arc<Semaphore>,
    /// The last one is given out first.
    resting: Mutex<Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    connection: PgConnection,
    opened_at: Instant,
    rests_since: Instant,
}

/// A connection in somebody's hand. Closed, if it is not given back.
#[derive(Debug)]
pub(super) struct Held {
    session: Session,
    pool: Pool,
    place: OwnedSemaphorePermit,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("most", &self.0.most)
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(connect: &Connect, role: &str, most: u32) -> Self {
        let most = most.max(2);
        Self(Arc::new(Inner {
            options: connect.options(role),
            most,
            places: Arc::new(Semaphore::new(most as usize)),
            resting: Mutex::default(),
        }))
    }

    /// The connection that was used last, or a new one.
    pub(super) async fn acquire(&self) -> Result<Held, sqlx::Error> {
        let acquiring = async {
            let place = Arc::clone(&self.0.places).acquire_owned().await;
            let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
            let session = match self.rested() {
                Some(session) => session,
                // Rare, and large: no transaction carries it along.
                None => Box::pin(self.connect()).await?,
            };
            Ok(Held {
                session,
                pool: self.clone(),
                place,
            })
        };
        let acquired = tokio::time::timeout(PATIENCE, acquiring).await;
        acquired.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Waits until all connections are given back, and closes them. Nobody gets one any more.
    pub(super) async fn close(&self) {
        // Closed already, if it can't be had.
        let all = self.0.places.acquire_many(self.0.most).await;
        self.0.places.close();
        drop(all);
        let resting = std::mem::take(&mut *self.resting());
        for session in resting {
            // If the database is gone, so is the session.
            let _ = session.connection.close().await;
        }
    }

    /// How many connections are open, and how many of them in nobody's hand.
    pub(super) fn open_and_idle(&self) -> (u32, u32) {
        let idle = u32::try_from(self.resting().len()).unwrap_or(u32::MAX);
        let free = u32::try_from(self.0.places.available_permits()).unwrap_or(u32::MAX);
        (self.0.most.saturating_sub(free) + idle, idle)
    }

    /// So many at most.
    pub(super) fn most(&self) -> u32 {
        self.0.most
    }

    fn rested(&self) -> Option<Session> {
        let mut resting = self.resting();
        while let Some(session) = resting.pop() {
            if session.opened_at.elapsed() < LIFETIME {
                return Some(session);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        let connection = PgConnection::connect_with(&self.0.options).await?;
        let now = Instant::now();
        Ok(Session {
            connection,
            opened_at: now,
            rests_since: now,
        })
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Session>> {
        let resting = self.0.resting.lock();
        resting.expect("no panic happens under this lock")
    }
}

impl Held {
    /// The connection.
    pub(super) fn conn(&mut self) -> &mut PgConnection {
        &mut self.session.connection
    }

    /// Lets the next one have it. Whoever gives it back has left nothing in its session.
    pub(super) fn give_back(self) {
        let Self {
            mut session,
            pool,
            place,
        } = self;
        session.rests_since = Instant::now();
        let mut resting = pool.resting();
        resting.push(session);
        if resting[0].rests_since.elapsed() > REST {
            resting.remove(0);
        }
        drop(resting);
        drop(place);
    }
}
