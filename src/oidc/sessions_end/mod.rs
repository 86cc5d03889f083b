//! Ending everything of one clinic at once: its sessions as it sees them, its grants, its codes,
//! what support may do there, and every token from before.
//!
//! Invariants
//! 1. One clinic's alone: a session that is open elsewhere goes on there, and its person stays
//!    signed in.
//! 2. What is done is done in batches, each with its event: it may be interrupted anywhere, and
//!    begun again.
//! 3. Nothing that begins afterwards is touched: whoever signs in anew is let in.
//! 4. It is complete when the database, asked last, has nothing left, and nobody writes any more
//!    who had not seen the end; that is the proof.

mod store;

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, EventType};
use crate::db::{Authority, Db, Identity, Job, StoreError, Tx};
use crate::env::Env;
use crate::ids::{SessionId, TenantId};
use crate::impersonation::upkeep as impersonation;
use crate::oidc::code::service as codes;
use crate::oidc::family::{ending, model::EndReason};
use crate::secret::Keys;
use crate::sessions::administration as sessions;
use store::Left;

/// How long a transaction that was under way when the end began is waited for. None of a server's
/// takes half as long; an administrator's may.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Why, as the log says it: a word, since what is typed may name somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else may have been in.
    SuspectedBreach,
    /// Passwords, devices or tokens are in others' hands.
    StolenCredentials,
    /// The clinic asked for it.
    ClinicRequest,
    /// An exercise.
    Drill,
}

impl Reason {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::SuspectedBreach,
        Self::StolenCredentials,
        Self::ClinicRequest,
        Self::Drill,
    ];

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// As it stands in the table and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuspectedBreach => "suspected_breach",
            Self::StolenCredentials => "stolen_credentials",
            Self::ClinicRequest => "clinic_request",
            Self::Drill => "drill",
        }
    }
}

/// So many sessions of a clinic are ended by one transaction: a fraction of a second, and far from
/// the statement timeout.
pub const SESSIONS_A_BATCH: i64 = 1000;

/// How much was ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions, as the clinic sees them.
    pub sessions: u64,
    /// Token families.
    pub families: u64,
    /// Codes that nobody had redeemed.
    pub codes: u64,
}

/// What was done, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// No token that was issued before is good.
    pub until: OffsetDateTime,
    /// What was ended.
    pub ended: Counts,
    /// Sessions, families and grants of support's from before that still lived, counted last.
    pub left: u64,
    /// Whether nothing is left, and nothing from before can come to be seen any more.
    pub is_complete: bool,
}

/// The means of the job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) db: &'a Db,
    pub(crate) env: &'a Env,
    pub(crate) keys: &'a Keys,
}

/// One order to end everything of a clinic.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) reason: Reason,
    pub(crate) until: OffsetDateTime,
}

impl Order {
    /// One of this moment.
    pub(crate) fn new(env: &Env, tenant: TenantId, reason: Reason) -> Self {
        Self {
            id: env.random_uuid(),
            tenant,
            reason,
            until: env.now(),
        }
    }

    fn authority(&self) -> Authority<Identity> {
        Authority::job_in(Job::EndSessions, self.tenant)
    }
}

/// An order from before whose tokens nothing is good any more, and whose sessions are still to be
/// ended.
#[derive(Debug)]
pub(crate) struct Begun {
    order: Order,
    horizon: String,
}

/// An order as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) reason: String,
    pub(crate) until: OffsetDateTime,
    /// When nothing was left, and what was ended until then.
    pub(crate) completed: Option<(OffsetDateTime, Counts)>,
}

/// The newest orders of all clinics, newest first; under [`Authority::overseer`].
pub(crate) async fn list(tx: &mut Tx<Identity>) -> Result<Vec<Standing>, StoreError> {
    store::list(tx).await
}

/// Ends everything that a clinic had when this began.
///
/// - `most`: sessions a batch, each batch one transaction
/// - `told`: hears after each batch how much was ended
///
/// # Errors
/// [`StoreError`]: what was ended so far stays so; begin again.
pub(crate) async fn end_all(
    means: Means<'_>,
    tenant: TenantId,
    reason: Reason,
    most: i64,
    told: impl FnMut(Counts),
) -> Result<Proof, StoreError> {
    let order = Order::new(means.env, tenant, reason);
    let begun = means.begin(order).await?;
    means.finish(&begun, most, told).await
}

impl Means<'_> {
    /// From here on no token from before is good, a service's neither, no grant of support's, which
    /// a trigger ends, and no session that begins without having seen this.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was ended.
    pub(crate) async fn begin(self, order: Order) -> Result<Begun, StoreError> {
        self.run(&order, async |tx| {
            let reason = order.reason.name();
            store::insert(tx, order.tenant, order.id, order.until, reason).await?;
            self.record(tx, &order, "begun", Counts::default()).await
        })
        .await?;
        let horizon = self
            .run(&order, async |tx| store::horizon(tx).await)
            .await?;
        Ok(Begun { order, horizon })
    }

    /// Ends, batch after batch, what an order found; as [`end_all`].
    ///
    /// # Errors
    /// [`StoreError`]: what was ended so far stays so; begin again.
    pub(crate) async fn finish(
        self,
        begun: &Begun,
        most: i64,
        mut told: impl FnMut(Counts),
    ) -> Result<Proof, StoreError> {
        let Begun { order, horizon } = begun;
        let mut ended = Counts::default();
        let mut waited = std::time::Duration::ZERO;
        loop {
            let mut after = SessionId::from_uuid(Uuid::nil());
            while let Some(last) = self.batch(order, after, most, &mut ended).await? {
                told(ended);
                after = last;
            }
            let left = self.look(order, horizon, ended).await?;
            if left.is_nothing() || waited >= PATIENCE {
                return Ok(Proof {
                    until: order.until,
                    ended,
                    left: left.count(),
                    is_complete: left.is_nothing(),
                });
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    /// Ends the next sessions after this one, with all that hangs on them; `None` if there are no
    /// more, else where to go on.
    async fn batch(
        self,
        order: &Order,
        after: SessionId,
        most: i64,
        ended: &mut Counts,
    ) -> Result<Option<SessionId>, StoreError> {
        let now = self.env.now();
        let (last, counts) = self
            .run(order, async |tx| {
                let page = sessions::end_page(tx, order.until, after, most).await?;
                let families =
                    ending::end_all_of_sessions(tx, &page.sessions, EndReason::Administrative, now)
                        .await?;
                let counts = Counts {
                    sessions: page.ended.len() as u64,
                    families,
                    codes: codes::count_unspent(tx, &page.ended, now).await?,
                };
                if counts != Counts::default() {
                    self.record(tx, order, "ended", counts).await?;
                }
                Ok((page.sessions.last().copied(), counts))
            })
            .await?;
        ended.sessions += counts.sessions;
        ended.families += counts.families;
        ended.codes += counts.codes;
        Ok(last)
    }

    /// What is left; when nothing is, table and record say so.
    async fn look(self, order: &Order, horizon: &str, ended: Counts) -> Result<Left, StoreError> {
        self.run(order, async |tx| {
            let mut left = store::count_left(tx, order.tenant, order.until, horizon).await?;
            // Those that were being asked for as the order came; after the count, so that who was
            // under way no more has committed what is looked for.
            left.impersonations =
                impersonation::end_asked_until(tx, order.tenant, order.until).await?;
            tx.proceed(order.authority()).await?;
            if left.is_nothing() {
                store::insert_proof(tx, (order.tenant, order.id), ended, self.env.now()).await?;
                self.record(tx, order, "completed", ended).await?;
            }
            Ok(left)
        })
        .await
    }

    async fn record(
        self,
        tx: &mut Tx<Identity>,
        order: &Order,
        step: &'static str,
        counts: Counts,
    ) -> Result<(), StoreError> {
        let detail = json!({
            "order": order.id,
            "step": step,
            "reason": order.reason.name(),
            "until": order.until.unix_timestamp(),
            "sessions": counts.sessions,
            "families": counts.families,
            "codes": counts.codes,
        });
        audit::append(
            tx,
            self.env,
            self.keys,
            EventType::TenantSessionsEnded,
            detail,
        )
        .await
    }

    async fn run<T>(
        self,
        order: &Order,
        work: impl AsyncFnOnce(&mut Tx<Identity>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.db.run(order.authority(), work).await
    }
}
