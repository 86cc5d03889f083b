//! The statements of a log's readers, under class `auditor`.

use sqlx::postgres::PgArguments;
use sqlx::{Postgres, query::QueryScalar};
use time::OffsetDateTime;

use super::model::Filter;
use crate::audit::log;
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::TenantId;

type Lines<'q> = QueryScalar<'q, Postgres, String, PgArguments>;

/// What every statement of a page is asked.
fn asked<'q>(
    lines: Lines<'q>,
    tenant: TenantId,
    filter: &'q Filter,
    (before, most): (i64, i64),
) -> Lines<'q> {
    lines
        .bind(tenant)
        .bind(before)
        .bind(most)
        .bind(filter.person)
        .bind(filter.actor)
        .bind(&filter.types)
        .bind(&filter.trace)
        .bind(filter.tenant)
}

/// As [`page`], of a person in the platform's log: most of what it holds is of accounts, before a
/// clinic is known.
async fn page_of_account(
    tx: &mut Tx<Tenancy>,
    filter: &Filter,
    range: (i64, i64),
) -> Result<Vec<String>, StoreError> {
    let lines = sqlx::query_scalar(
        "select e.line
         from (
           (select leaf_index, line from audit.entry
            where tenant_id = $1 and leaf_index < $2 and subject_id = $4
              and ($5::uuid is null or actor_id = $5)
              and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
              and ($8::uuid is null or about_tenant = $8)
            order by leaf_index desc limit $3)
           union all
           (select leaf_index, line from audit.entry
            where tenant_id = $1 and leaf_index < $2 and account_id = $4
              and subject_id is null and ($5::uuid is null or actor_id = $5)
              and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
              and ($8::uuid is null or about_tenant = $8)
            order by leaf_index desc limit $3)
         ) e
         order by e.leaf_index desc limit $3",
    );
    let lines = asked(lines, TenantId::PLATFORM, filter, range);
    Ok(lines.fetch_all(tx.conn()).await?)
}

/// Lines of entries before `before`, the latest first. Each filter has its index; where there are
/// several, the one that leaves least is gone by.
pub(super) async fn page(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    filter: &Filter,
    before: i64,
    most: i64,
) -> Result<Vec<String>, StoreError> {
    let lines = match filter {
        Filter { trace: Some(_), .. } => sqlx::query_scalar(
            "select line from audit.entry
             where tenant_id = $1 and leaf_index < $2 and trace = $7
               and ($4::uuid is null or subject_id = $4) and ($5::uuid is null or actor_id = $5)
               and ($6::text[] is null or type = any ($6))
               and ($8::uuid is null or about_tenant = $8)
             order by leaf_index desc limit $3",
        ),
        Filter {
            person: Some(_), ..
        } if tenant == TenantId::PLATFORM => {
            return page_of_account(tx, filter, (before, most)).await;
        }
        Filter {
            person: Some(_), ..
        } => sqlx::query_scalar(
            "select line from audit.entry
             where tenant_id = $1 and leaf_index < $2 and subject_id = $4
               and ($5::uuid is null or actor_id = $5)
               and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
               and ($8::uuid is null or about_tenant = $8)
             order by leaf_index desc limit $3",
        ),
        Filter { actor: Some(_), .. } => sqlx::query_scalar(
            "select line from audit.entry
             where tenant_id = $1 and leaf_index < $2 and actor_id = $5
               and ($4::uuid is null or subject_id = $4)
               and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
               and ($8::uuid is null or about_tenant = $8)
             order by leaf_index desc limit $3",
        ),
        Filter {
            tenant: Some(_), ..
        } => sqlx::query_scalar(
            "select line from audit.entry
             where tenant_id = $1 and leaf_index < $2 and about_tenant = $8
               and ($4::uuid is null or subject_id = $4) and ($5::uuid is null or actor_id = $5)
               and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
             order by leaf_index desc limit $3",
        ),
        Filter { types: Some(_), .. } => sqlx::query_scalar(
            "select e.line
             from unnest($6::text[]) as wanted (type) cross join lateral (
               select leaf_index, line from audit.entry
               where tenant_id = $1 and leaf_index < $2 and entry.type = wanted.type
                 and ($4::uuid is null or subject_id = $4)
                 and ($5::uuid is null or actor_id = $5) and ($7::text is null or trace = $7)
                 and ($8::uuid is null or about_tenant = $8)
               order by leaf_index desc limit $3
             ) e
             order by e.leaf_index desc limit $3",
        ),
        Filter { .. } => sqlx::query_scalar(
            "select line from audit.entry
             where tenant_id = $1 and leaf_index < $2
               and ($4::uuid is null or subject_id = $4) and ($5::uuid is null or actor_id = $5)
               and ($6::text[] is null or type = any ($6)) and ($7::text is null or trace = $7)
               and ($8::uuid is null or about_tenant = $8)
             order by leaf_index desc limit $3",
        ),
    };
    let lines = asked(lines, tenant, filter, (before, most));
    Ok(lines.fetch_all(tx.conn()).await?)
}

/// Entries after `after`, the earliest first: all of them, so that each index is one more than the
/// one before.
pub(super) async fn lines_after(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<String>, StoreError> {
    let lines = log::lines_after(tx, tenant, after, most).await?;
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// A checkpoint as it is kept.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Kept {
    pub(super) size: i64,
    pub(super) note: String,
    pub(super) anchored_at: Option<OffsetDateTime>,
}

/// The last one, if the log was ever signed.
pub(super) async fn last_checkpoint(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<Kept>, StoreError> {
    let last = sqlx::query_as(
        "select size, note, anchored_at from audit.checkpoint
         where tenant_id = $1
         order by size desc limit 1",
    );
    Ok(last.bind(tenant).fetch_optional(tx.conn()).await?)
}

/// A leaf with its path to the root of the log's first `size` entries; `None`: there is none.
pub(super) async fn inclusion(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    (index, size): (i64, i64),
) -> Result<Option<(Vec<u8>, Vec<Vec<u8>>)>, StoreError> {
    let proof = sqlx::query_as(
        "select l.leaf_hash, p.path
         from audit.leaf l cross join audit.inclusion_proof($1, $2, $3) as p (path)
         where l.tenant_id = $1 and l.leaf_index = $2 and p.path is not null",
    );
    let proof = proof.bind(tenant).bind(index).bind(size);
    Ok(proof.fetch_optional(tx.conn()).await?)
}

/// How the log's first `from` entries became its first `to`; `None`: it has no such sizes.
pub(super) async fn consistency(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    (from, to): (i64, i64),
) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
    let proof = sqlx::query_scalar("select audit.consistency_proof($1, $2, $3)");
    let proof = proof.bind(tenant).bind(from).bind(to);
    Ok(proof.fetch_one(tx.conn()).await?)
}

/// How much of a log there is.
#[derive(Debug, Default, sqlx::FromRow)]
pub(super) struct Held {
    pub(super) size: i64,
    pub(super) signed_size: i64,
    pub(super) anchored_size: i64,
    pub(super) signed_at: Option<OffsetDateTime>,
    pub(super) oldest_recorded_at: Option<OffsetDateTime>,
}

/// What is held of the clinic's log; `None` before its first entry.
pub(super) async fn held(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<Held>, StoreError> {
    let held = sqlx::query_as(
        "select l.size, l.signed_size, l.anchored_size,
                (select c.made_at from audit.checkpoint c
                 where c.tenant_id = $1 and c.size = l.signed_size) as signed_at,
                (select e.recorded_at from audit.entry e
                 where e.tenant_id = $1
                 order by e.leaf_index limit 1) as oldest_recorded_at
         from audit.log l
         where l.tenant_id = $1",
    );
    Ok(held.bind(tenant).fetch_optional(tx.conn()).await?)
}
