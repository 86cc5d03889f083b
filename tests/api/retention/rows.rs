//! Rows of every kind that is purged, planted as of an instant.

use lanyard::ids::SubjectId;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::lab::Lab;
use crate::lab::world::{Clinic, Person};

/// A server on a database of its own, with one person of one clinic.
pub(super) struct Yard {
    pub(super) lab: Lab,
    clinic: Clinic,
    person: Person,
    subject: SubjectId,
}

/// A table that is purged, and how one of its rows comes to be at an instant.
pub(super) struct Kind {
    pub(super) table: &'static str,
    /// How long after that instant the row goes.
    pub(super) kept: Duration,
    /// $1 the instant, $2 a fresh id, $3 tenant, $4 account, $5 subject; $6 32 bytes.
    insert: &'static str,
}

const WEEK_AND_DAY: Duration = Duration::days(8);

/// A sign-in brings a session, the clinic's, a code and a family with two tokens.
pub(super) const KINDS: [Kind; 15] = [
    Kind {
        table: "identity.session",
        kept: WEEK_AND_DAY,
        insert: "insert into identity.session (session_id, account_id, secret_digest,
             password_epoch, amr, authenticated_at, proved_at, active_at, device_label,
             agent_digest, network_digest)
           select $2, $4, $6, 0, '{pwd}', $1, $1, $1, '', $6, $6
           where $3::uuid is not null and $5::uuid is not null",
    },
    Kind {
        table: "identity.tenant_session",
        kept: WEEK_AND_DAY,
        insert: "insert into identity.tenant_session
             (tenant_id, session_id, subject_id, sid, auth_time, opened_at)
           select $3, $2, $5, $2, $1, $1 where $4::uuid is not null and $6::bytea is not null",
    },
    Kind {
        table: "identity.authorization_code",
        kept: WEEK_AND_DAY,
        insert: "insert into identity.authorization_code (tenant_id, code_id, code_digest,
             client_id, session_id, subject_id, account_id, redirect_uri, scopes, audience,
             created_at, expires_at)
           values ($3, $2, $6, 'an-app', $2, $5, $4, 'https://app.example/callback', '{openid}',
             'https://api.example', $1, $1::timestamptz + interval '1 minute')",
    },
    Kind {
        table: "identity.token_family",
        kept: WEEK_AND_DAY,
        insert: "insert into identity.token_family (tenant_id, family_id, client_id, account_id,
             subject_id, session_id, scopes, audience, started_at, absolute_end_at,
             current_generation, redeemed_at, redeemed_network_digest, redeemed_agent_digest,
             access_ends_at)
           values ($3, $2, 'an-app', $4, $5, $2, '{openid}', 'https://api.example', $1,
             $1::timestamptz + interval '24 hours', 1, $1, $6, $6, $1)",
    },
    Kind {
        table: "identity.refresh_token",
        kept: WEEK_AND_DAY,
        insert: "insert into identity.refresh_token
             (tenant_id, family_id, generation, token_digest, issued_at)
           select $3, $2, n, $6, $1 from generate_series(0, 1) n
           where $4::uuid is not null and $5::uuid is not null",
    },
    Kind {
        table: "identity.handover",
        kept: Duration::days(1),
        insert: "with own as (
             insert into identity.impersonation (tenant_id, impersonation_id, subject_id,
               account_id, actor_id, actor_account_id, actor_name, client_id, reason, ticket,
               preset, minutes, rule, state, requested_at, start_by)
             values ($3, $2, $5, $4, $2, $2, 'Sam', 'a-desk', 'a reason to look', 'T-1',
               'read-only', 15, 'allowed', 'requested', $1, $1::timestamptz + interval '1 day')
             returning impersonation_id)
           insert into identity.handover (tenant_id, handover_id, impersonation_id, client_id,
             actor_sid, transfer_digest, created_at, expires_at)
           select $3, $2, impersonation_id, 'an-app', $2, $6,
             $1::timestamptz - interval '1 minute', $1 from own",
    },
    Kind {
        table: "identity.handover_code",
        kept: Duration::days(1),
        insert: "insert into identity.handover_code (tenant_id, code_id, handover_id, code_digest,
             client_id, redirect_uri, scopes, audience, created_at, expires_at)
           select $3, $2, $2, $6, 'an-app', 'https://app.example/callback', '{openid}',
             'https://api.example', $1, $1 where coalesce($4::uuid, $5::uuid) is not null",
    },
    Kind {
        table: "identity.interaction",
        kept: Duration::hours(2),
        insert: "insert into identity.interaction
             (interaction_id, browser_digest, request, created_at, expires_at)
           select $2, $6, '{}', $1, $1
           where coalesce($3::uuid, $4::uuid, $5::uuid) is not null",
    },
    Kind {
        table: "identity.throttle",
        kept: Duration::hours(25),
        insert: "insert into identity.throttle (bucket, window_started_at, hits)
           select sha256($6 || uuid_send($2::uuid)), $1, 3
           where coalesce($3::uuid, $4::uuid, $5::uuid) is not null",
    },
    Kind {
        table: "identity.known_place",
        kept: Duration::days(180),
        insert: "insert into identity.known_place
             (account_id, kind, digest, first_seen_at, last_seen_at)
           select $4, 'browser', sha256($6 || uuid_send($2::uuid)), $1, $1
           where coalesce($3::uuid, $5::uuid) is not null",
    },
    Kind {
        table: "outbox.message",
        kept: Duration::days(30),
        insert: "insert into outbox.message (tenant_id, message_id, account_id, kind, parameters,
             created_at, taken_at, delivered_at)
           select $3, $2, $4, 'password_changed', '{}', $1, $1, $1
           where $5::uuid is not null and $6::bytea is not null",
    },
    Kind {
        table: "revocation.published",
        kept: Duration::days(1),
        insert: "insert into revocation.published (tenant_id, position, event_id, kind, reason,
             occurred_at, issued_until, published_at)
           select $3, 1 + (random() * 1e15)::bigint, $2, 'session', 'idle', $1, $1, $1
           where coalesce($4::uuid, $5::uuid) is not null and $6::bytea is not null",
    },
    Kind {
        table: "revocation.standing",
        kept: Duration::days(1),
        insert: "with own as (
             insert into identity.client (tenant_id, client_id, client_locator, name, kind,
               profile, auth_method, id_token_alg, status, created_at)
             values ($3, 'api-' || $2, $2, 'API', 'resource', 'strict', 'client_secret_basic',
               'RS256', 'active', $1)
             returning client_id)
           insert into revocation.standing
             (tenant_id, client_id, instance, version, keys_age_seconds, reported_at)
           select $3, client_id, '', '1', 0, $1 from own
           where coalesce($4::uuid, $5::uuid) is not null and $6::bytea is not null",
    },
    Kind {
        table: "apps.session",
        kept: Duration::days(2),
        insert: "insert into apps.session (session_id, app, secret_digest, sealed, told_at,
             idle_ends_at, session_ends_at, idle_limit_seconds, active_at, created_at)
           select $2, 'patient', $6, '', $1, $1, $1, 900, $1, $1
           where coalesce($3::uuid, $4::uuid, $5::uuid) is not null",
    },
    Kind {
        table: "apps.login",
        kept: Duration::hours(2),
        insert: "insert into apps.login (login_id, state_digest, sealed, created_at, expires_at)
           select $2, $6, '', $1, $1 where coalesce($3::uuid, $4::uuid, $5::uuid) is not null",
    },
];

impl Yard {
    pub(super) async fn on(lab: Lab) -> Self {
        let clinic = lab.clinic("Juniper Clinic").await;
        let person = lab.person("Ada Quill").await;
        let subject = lab.join(&person, clinic.id, &["patient"]).await;
        Self {
            lab,
            clinic,
            person,
            subject,
        }
    }

    /// One row of each kind, `off` from the instant at which it goes now.
    pub(super) async fn plant(&self, off: Duration) {
        let now = self.lab.now();
        self.plant_as_of(|kind| now - kind.kept + off).await;
    }

    /// One row of each kind, as of an instant.
    pub(super) async fn plant_as_of(&self, at: impl Fn(&Kind) -> OffsetDateTime) {
        let mut boss = self.lab.database.superuser().await;
        let id = self.lab.app.env.random_uuid();
        for kind in &KINDS {
            self.insert(&mut boss, kind, at(kind), id).await;
        }
    }

    async fn insert(&self, boss: &mut PgConnection, kind: &Kind, at: OffsetDateTime, id: Uuid) {
        let done = sqlx::query(kind.insert)
            .bind(at)
            .bind(id)
            .bind(self.clinic.id)
            .bind(self.person.account)
            .bind(self.subject)
            .bind([7_u8; 32].as_slice())
            .execute(boss)
            .await;
        let done = done.unwrap_or_else(|error| panic!("{}: {error}", kind.table));
        assert!(done.rows_affected() > 0, "{}", kind.table);
    }

    /// How many sign-ins' worth of rows each table holds.
    pub(super) async fn counts(&self) -> Vec<(&'static str, i64)> {
        let mut boss = self.lab.database.superuser().await;
        let mut counts = Vec::new();
        for kind in &KINDS {
            let query = format!("select count(*) from {}", kind.table);
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .fetch_one(&mut boss)
                .await
                .unwrap();
            let is_pair = kind.table == "identity.refresh_token";
            counts.push((kind.table, if is_pair { rows / 2 } else { rows }));
        }
        counts
    }

    pub(super) async fn assert_each(&self, wanted: i64) {
        for (table, count) in self.counts().await {
            assert_eq!(count, wanted, "{table}");
        }
    }
}
