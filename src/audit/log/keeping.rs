//! How long entries are kept: holds, archives, and what goes after six years.

use std::ops::Range;

use serde_json::json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::service::Logs;
use super::store;
use crate::audit::format::export::Digests;
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, Platform, StoreError};
use crate::ids::TenantId;

/// What keeps a tenant's entries from being dropped, whatever their age.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Hold {
    /// Its id.
    pub hold_id: Uuid,
    /// Whose entries.
    pub tenant_id: TenantId,
    /// Who asked for it: a reference, such as a docket's number.
    pub matter: Option<String>,
    /// Since when it holds.
    pub placed_at: OffsetDateTime,
    /// Until when it held; `None`: it does still.
    pub lifted_at: Option<OffsetDateTime>,
}

/// Why entries are not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// 45 CFR 164.316(b)(2)(i).
    #[error("entries are kept for six years")]
    Young,
    /// Somebody asked for it.
    #[error("a legal hold keeps these entries")]
    Held,
    /// They would be nowhere.
    #[error("these entries are not archived")]
    NotArchived,
}

impl Kept {
    /// What the database says when it refuses (`audit.expire_before`).
    pub(super) fn of_refusal(words: &str) -> Option<Self> {
        let all = [Self::Young, Self::Held, Self::NotArchived];
        all.into_iter().find(|kept| kept.to_string() == words)
    }
}

impl Logs<'_> {
    /// Keeps a tenant's entries until the hold is lifted; gives its id. On the record.
    ///
    /// - `matter`: 64 letters, digits and `._/:-` at most; another one is a conflict with
    ///   `hold_matter_check`
    pub async fn place_hold(
        &self,
        tenant: TenantId,
        matter: Option<&str>,
    ) -> Result<Uuid, StoreError> {
        let (id, now) = (self.env.random_uuid(), self.env.now());
        let detail = json!({ "hold": id });
        let authority = Authority::<Platform>::job_in(Job::KeepLog, tenant);
        let placed = self.db.run(authority, async |tx| {
            store::place_hold(tx, (tenant, id), matter, now).await?;
            audit::append(tx, self.env, self.keys, EventType::HoldPlaced, detail).await
        });
        placed.await?;
        Ok(id)
    }

    /// Lifts one; `false` if none of that id holds. On the record.
    pub async fn lift_hold(&self, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
        let now = self.env.now();
        let detail = json!({ "hold": id });
        let authority = Authority::<Platform>::job_in(Job::KeepLog, tenant);
        let lifted = self.db.run(authority, async |tx| {
            if !store::lift_hold(tx, tenant, id, now).await? {
                return Ok(false);
            }
            audit::append(tx, self.env, self.keys, EventType::HoldLifted, detail).await?;
            Ok(true)
        });
        lifted.await
    }

    /// A tenant's holds, or all, also those that were lifted.
    pub async fn holds(&self, tenant: Option<TenantId>) -> Result<Vec<Hold>, StoreError> {
        let authority = Authority::<Platform>::job(Job::KeepLog).read_only();
        let holds = self
            .db
            .run(authority, async |tx| store::holds(tx, tenant).await);
        holds.await
    }

    /// Where in each log, or in one, entries stand that were recorded before `month` begins.
    pub async fn older_than(
        &self,
        tenant: Option<TenantId>,
        month: Date,
    ) -> Result<Vec<(TenantId, Range<u64>)>, StoreError> {
        let authority = Authority::<Platform>::job(Job::KeepLog).read_only();
        let until = month.midnight().assume_utc();
        let older = self.db.run(authority, async |tx| {
            store::older_than(tx, tenant, until).await
        });
        older.await
    }

    /// Says that these entries stand in a file that was verified; `false` if its hashes are not the
    /// log's. On the record.
    pub async fn record_archive(
        &self,
        tenant: TenantId,
        entries: Range<u64>,
        digests: &Digests,
    ) -> Result<bool, StoreError> {
        let detail = json!({ "from": entries.start, "to": entries.end });
        let authority = Authority::<Platform>::job(Job::KeepLog);
        let recorded = self.db.run(authority, async |tx| {
            if !store::record_archive(tx, tenant, &entries, digests).await? {
                return Ok(false);
            }
            // The event is the tenant's own.
            tx.proceed(Authority::job_in(Job::KeepLog, tenant)).await?;
            audit::append(tx, self.env, self.keys, EventType::AuditArchived, detail).await?;
            Ok(true)
        });
        recorded.await
    }

    /// Drops the months that ended when `month` begins, of all logs; says which, or what keeps
    /// them. On the record of the platform.
    pub async fn expire(&self, month: Date) -> Result<Result<Vec<String>, Kept>, StoreError> {
        let authority = Authority::<Platform>::job(Job::KeepLog);
        let expired = self.db.run(authority, async |tx| {
            let dropped = match store::expire_before(tx, month).await? {
                Err(kept) => return Ok(Err(kept)),
                Ok(dropped) => dropped,
            };
            if !dropped.is_empty() {
                let detail = json!({ "months": dropped.len(), "before": month.to_string() });
                audit::append(tx, self.env, self.keys, EventType::AuditExpired, detail).await?;
            }
            Ok(Ok(dropped))
        });
        expired.await
    }
}
