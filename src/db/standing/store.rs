//! What the catalog and the logins say.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection};

use super::model::{Facts, Role};
use super::reviewed::{REVOKED, WITHOUT_ROW_SECURITY};
use crate::db::error::StoreError;
use crate::db::{keeper, migrate};

/// Roles that own objects and never log in.
const OWNING: [&str; 5] = [
    "lanyard_owner",
    "lanyard_report",
    "lanyard_directory",
    "lanyard_clerk",
    "lanyard_retention",
];

/// Asks the catalog as the keeper, and each login about itself.
///
/// - `sessions`: one of each login, which is known to be a session
pub(super) async fn gather(
    mut sessions: BTreeMap<&'static str, PgConnection>,
) -> Result<Facts, StoreError> {
    let tracked_logins = tracked_logins(&mut sessions).await?;
    let mut keeper = sessions.remove(keeper::ROLE).ok_or(StoreError::Corrupt {
        table: "pg_catalog.pg_roles",
        what: "the keeper is not among the logins",
    })?;
    let pending = migrate::pending_for(&mut keeper).await?;
    let (server_version, log_statement): (i32, String) = sqlx::query_as(
        "select current_setting('server_version_num')::integer, current_setting('log_statement')",
    )
    .fetch_one(&mut keeper)
    .await?;
    let facts = Facts {
        server_version,
        pending_migrations: pending,
        roles: roles(&mut keeper).await?,
        unforced_tables: unforced_tables(&mut keeper).await?,
        excessive_rights: excessive_rights(&mut keeper).await?,
        public_definers: public_definers(&mut keeper).await?,
        public_functions: public_functions(&mut keeper).await?,
        tracked_logins,
        context_is_bound: context_is_bound(&mut keeper).await?,
        extensions: extensions(&mut keeper).await?,
        log_statement,
    };
    for session in sessions.into_values().chain([keeper]) {
        session.close().await?;
    }
    Ok(facts)
}

async fn roles(conn: &mut PgConnection) -> Result<Vec<Role>, StoreError> {
    let rows: Vec<(String, Vec<String>, Vec<String>, i64)> = sqlx::query_as(
        "select r.rolname::text,
           array_remove(array[
             case when r.rolsuper then 'superuser' end,
             case when r.rolbypassrls then 'bypassrls' end,
             case when r.rolcreaterole then 'createrole' end,
             case when r.rolcreatedb then 'createdb' end,
             case when r.rolreplication then 'replication' end,
             case when r.rolcanlogin then 'login' end], null),
           array(select pg_get_userbyid(m.roleid)::text from pg_catalog.pg_auth_members m
             where m.member = r.oid),
           (select count(*) from pg_catalog.pg_shdepend d
             where d.refclassid = 'pg_catalog.pg_authid'::regclass and d.refobjid = r.oid
               and d.deptype = 'o')
         from pg_catalog.pg_roles r
         where r.rolname = any($1)
         order by r.rolname",
    )
    .bind([&migrate::LOGINS[..], &OWNING[..]].concat())
    .fetch_all(conn)
    .await?;
    let role = |(name, attributes, memberships, owned): (String, _, _, _)| Role {
        serves: migrate::LOGINS.contains(&name.as_str()),
        name,
        attributes,
        memberships,
        owned,
    };
    Ok(rows.into_iter().map(role).collect())
}

/// Partitions count as tables (RLS-02).
async fn unforced_tables(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname not in ('pg_catalog', 'information_schema')
           and n.nspname not like 'pg\\_toast%'
           and (c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
             or c.relkind in ('m', 'f'))
           and n.nspname || '.' || c.relname <> all($1)
         order by 1",
    )
    .bind(&WITHOUT_ROW_SECURITY[..])
    .fetch_all(conn)
    .await?;
    Ok(names)
}

/// Rights that pass row-level security by or make things (RLS-17, RLS-27).
async fn excessive_rights(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar(
        "with serving as (select unnest($1::text[]) as name),
         own_schema as (
           select oid, nspname from pg_catalog.pg_namespace
           where nspname not in ('pg_catalog', 'information_schema')
             and nspname not like 'pg\\_t%'
         )
         select s.name || ': ' || r.kind || ' on database ' || current_database()
           from serving s, (values ('TEMPORARY'), ('CREATE')) r (kind)
           where has_database_privilege(s.name, current_database(), r.kind)
         union all
         select s.name || ': CREATE on schema ' || n.nspname
           from serving s, own_schema n
           where has_schema_privilege(s.name, n.oid, 'CREATE')
         union all
         select s.name || ': ' || r.kind || ' on ' || n.nspname || '.' || c.relname
           from serving s, (values ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) r (kind),
             own_schema n join pg_catalog.pg_class c on c.relnamespace = n.oid
           where c.relkind in ('r', 'p', 'v', 'm', 'f')
             and has_table_privilege(s.name, c.oid, r.kind)
         order by 1",
    )
    .bind(&migrate::LOGINS[..])
    .fetch_all(conn)
    .await?;
    Ok(names)
}

/// RLS-16.
async fn public_definers(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar(
        "select n.nspname || '.' || p.proname
         from pg_catalog.pg_proc p
           join pg_catalog.pg_namespace n on n.oid = p.pronamespace,
           aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.prosecdef and a.grantee = 0
           and n.nspname not in ('pg_catalog', 'information_schema')
         order by 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(names)
}

async fn public_functions(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let wanted: Vec<&str> = REVOKED
        .iter()
        .flat_map(|(names, _)| *names)
        .copied()
        .collect();
    let names = sqlx::query_scalar(
        "select distinct p.proname::text as name
           from pg_catalog.pg_proc p, unnest($2::text[]) as serving
           where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = any($1)
             and has_function_privilege(serving, p.oid, 'execute')
         union
         select distinct c.relname::text
           from pg_catalog.pg_class c, unnest($2::text[]) as serving
           where c.relnamespace = 'pg_catalog'::regnamespace and c.relname = any($1)
             and c.relkind = 'v' and has_table_privilege(serving, c.oid, 'select')
         order by 1",
    )
    .bind(&wanted)
    .bind(&migrate::LOGINS[..])
    .fetch_all(conn)
    .await?;
    Ok(names)
}

async fn context_is_bound(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let granted: Option<bool> = sqlx::query_scalar(
        "select has_function_privilege('lanyard_identity', f.oid, 'execute')
         from pg_catalog.pg_proc f
         where f.oid = to_regprocedure('seal.open(text)')",
    )
    .fetch_optional(conn)
    .await?;
    Ok(granted == Some(true))
}

async fn extensions(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar(
        "select extname::text from pg_catalog.pg_extension where extname <> 'plpgsql' order by 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(names)
}

/// Each login asked about itself: a setting of the role and this database may say otherwise than
/// the role's alone.
async fn tracked_logins(
    sessions: &mut BTreeMap<&'static str, PgConnection>,
) -> Result<Vec<String>, StoreError> {
    let mut tracked = Vec::new();
    for (role, login) in sessions {
        let (is_tracked, session_user): (bool, String) = sqlx::query_as(
            "select current_setting('track_activities')::boolean, session_user::text",
        )
        .fetch_one(login)
        .await?;
        if session_user != *role {
            return Err(StoreError::Corrupt {
                table: "pg_catalog.pg_roles",
                what: "a login is given another role than the one it asked for",
            });
        }
        if is_tracked {
            tracked.push(session_user);
        }
    }
    Ok(tracked)
}
