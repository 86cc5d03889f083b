//! What the database says, as its superuser sees it when all is over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A family with the generations that were issued.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct FamilyRow {
    pub(crate) family: Uuid,
    pub(crate) current: i64,
    pub(crate) issued: Vec<i64>,
    pub(crate) end_reason: Option<String>,
}

/// A session with the names that clinics have for it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct SessionRow {
    pub(crate) session: Uuid,
    pub(crate) login: String,
    pub(crate) sids: Vec<Uuid>,
    pub(crate) end_reason: Option<String>,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) login: Option<String>,
    pub(crate) detail: Value,
}

impl Event {
    pub(crate) fn id(&self, field: &str) -> Option<Uuid> {
        self.detail[field].as_str()?.parse().ok()
    }
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) families: Vec<FamilyRow>,
    pub(crate) sessions: Vec<SessionRow>,
    /// How often each account's password was changed.
    pub(crate) epochs: BTreeMap<String, i64>,
    pub(crate) events: Vec<Event>,
    pub(crate) kids: BTreeSet<String>,
}

impl Tables {
    pub(crate) async fn read(boss: &mut PgConnection) -> Self {
        let families = sqlx::query_as(
            "select family_id as family, current_generation as current, end_reason,
               array(select t.generation from identity.refresh_token t
                 where t.family_id = f.family_id order by 1) as issued
             from identity.token_family f",
        );
        let sessions = sqlx::query_as(
            "select session_id as session, a.login, s.end_reason,
               array(select c.sid from identity.tenant_session c
                 where c.session_id = s.session_id) as sids
             from identity.session s join identity.account a using (account_id)",
        );
        let epochs: Vec<(String, i64)> =
            sqlx::query_as("select login, password_epoch::bigint from identity.account")
                .fetch_all(&mut *boss)
                .await
                .unwrap();
        let events = sqlx::query_as(
            "select e.type as kind, a.login, e.detail from (
               select type, account_id, detail from audit.event
               union all
               select type, account_id, line::jsonb -> 'detail' from audit.entry
             ) e
             left join identity.account a using (account_id)",
        );
        let kids: Vec<String> = sqlx::query_scalar("select kid from identity.signing_key")
            .fetch_all(&mut *boss)
            .await
            .unwrap();
        Self {
            families: families.fetch_all(&mut *boss).await.unwrap(),
            sessions: sessions.fetch_all(&mut *boss).await.unwrap(),
            epochs: epochs.into_iter().collect(),
            events: events.fetch_all(&mut *boss).await.unwrap(),
            kids: kids.into_iter().collect(),
        }
    }
}

/// How many families have, at this instant, another leaf than their one current generation.
pub(crate) async fn families_with_other_leaves(
    boss: &mut PgConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from identity.token_family f
         where (select array_agg(t.generation order by t.generation)
             from identity.refresh_token t
             where t.tenant_id = f.tenant_id and t.family_id = f.family_id)
           is distinct from array(select generate_series(0, f.current_generation))",
    )
    .fetch_one(boss)
    .await
}
