//! The reviewed lists: what stands outside a rule and why, and what PUBLIC should not have.

/// Tables that stand outside row-level security, each for a reason.
pub(super) const WITHOUT_ROW_SECURITY: [&str; 2] = [
    // Read by seal.context() alone; no role but the owner has a right on it.
    "seal.mac_key",
    // The migrator's own; the keeper counts its rows.
    "lanyard._sqlx_migrations",
];

/// What PUBLIC has in `pg_catalog` by default and should not, by what it would cost.
/// `migrations/bootstrap/revocations.sql` takes it away where the host allows it.
pub(super) const REVOKED: [(&[&str], &str); 7] = [
    (
        &["set_config"],
        "a SELECT alone can put another text in the context's place. The seal still refuses it; \
         each transaction takes one more round trip",
    ),
    (
        &[
            "pg_stat_get_activity",
            "pg_stat_get_backend_activity",
            "pg_stat_activity",
        ],
        "one session can see when others work, and the text of their statements unless \
         track_activities is off for the serving roles",
    ),
    (
        &["pg_terminate_backend", "pg_cancel_backend"],
        "an injected statement can end other transactions: availability, no data",
    ),
    (
        &[
            "pg_advisory_lock",
            "pg_advisory_lock_shared",
            "pg_try_advisory_lock",
            "pg_try_advisory_lock_shared",
            "pg_advisory_xact_lock",
            "pg_advisory_xact_lock_shared",
            "pg_try_advisory_xact_lock",
            "pg_try_advisory_xact_lock_shared",
            "pg_lock_status",
            "pg_notify",
            "setseed",
            "pg_prepared_xact",
        ],
        "two injected statements in two tenants could speak to each other, or block a migration",
    ),
    (
        &[
            "lo_create",
            "lo_creat",
            "lo_from_bytea",
            "lo_open",
            "lo_get",
            "lo_put",
            "lo_unlink",
        ],
        "an injected statement can store bytes outside all policies; Lanyard keeps none there",
    ),
    (
        &["pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"],
        "the planner's samples are one right further away from an injected statement; Postgres \
         itself hides those of tables under row-level security",
    ),
    (
        &["query_to_xml", "database_to_xml"],
        "an injected SELECT can run another as text; the policies hold for that one too",
    ),
];
