//! What an operator does to one clinic in an incident, and what it lets support do.

use super::Operator;
use crate::db::{Authority, Job, StoreError};
use crate::ids::{ImpersonationId, TenantId};
use crate::impersonation::{Grant, Rule, upkeep as impersonation};
use crate::oidc::sessions_end::{self, Counts, Means, Proof, Reason, SESSIONS_A_BATCH};

impl Operator<'_> {
    /// Ends everything that a clinic has, for that clinic alone; hears after each batch how much.
    /// Repeatable, and safe to interrupt.
    pub async fn end_sessions(
        &self,
        tenant: TenantId,
        reason: Reason,
        told: impl FnMut(Counts),
    ) -> Result<Proof, StoreError> {
        self.end_sessions_by(SESSIONS_A_BATCH, tenant, reason, told)
            .await
    }

    /// The same in batches of another size.
    pub async fn end_sessions_by(
        &self,
        most: i64,
        tenant: TenantId,
        reason: Reason,
        told: impl FnMut(Counts),
    ) -> Result<Proof, StoreError> {
        let means = Means {
            db: self.db,
            env: self.env,
            keys: self.keys,
        };
        sessions_end::end_all(means, tenant, reason, most, told).await
    }

    /// Says what a clinic lets support do; false if it is so already. What stands under a laxer
    /// rule ends with it.
    pub async fn set_impersonation_rule(
        &self,
        tenant: TenantId,
        rule: Rule,
    ) -> Result<bool, StoreError> {
        let authority = Authority::job_in(Job::AdministerImpersonation, tenant);
        let work = async |tx: &mut _| {
            impersonation::save_rule(tx, self.env, self.keys, (tenant, rule)).await
        };
        self.db.run(authority, work).await
    }

    /// What a clinic lets support do, and its newest hundred grants.
    pub async fn find_impersonations(
        &self,
        tenant: TenantId,
    ) -> Result<(Rule, Vec<Grant>), StoreError> {
        let authority = Authority::job_in(Job::AdministerImpersonation, tenant).read_only();
        self.db
            .run(authority, async |tx| impersonation::look(tx, tenant).await)
            .await
    }

    /// Ends one grant of a clinic, or all of them; says how many were not over.
    pub async fn end_impersonations(
        &self,
        tenant: TenantId,
        id: Option<ImpersonationId>,
    ) -> Result<usize, StoreError> {
        let authority = Authority::job_in(Job::AdministerImpersonation, tenant);
        let work = async |tx: &mut _| {
            impersonation::end_by_operator(tx, self.env, self.keys, (tenant, id)).await
        };
        self.db.run(authority, work).await
    }
}
