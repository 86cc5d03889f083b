//! Bringing a database up to the schema of this build; the only code that uses the administrator.

use secrecy::ExposeSecret as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::connect::{Connect, Login};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
const ROLES: &str = include_str!("../../migrations/bootstrap/roles.sql");
const REVOCATIONS: &str = include_str!("../../migrations/bootstrap/revocations.sql");

/// The logins, each of which gets a password on a server of one's own.
pub const LOGINS: [&str; 6] = [
    "lanyard_identity",
    "lanyard_tenant",
    "lanyard_platform",
    "lanyard_apps",
    "lanyard_sequencer",
    "lanyard_keeper",
];

/// What `migrate` did.
#[derive(Debug)]
pub struct Migrated {
    /// How many migrations were applied now.
    pub applied: usize,
    /// Revocations that the host did not allow its administrator, with its reason.
    pub not_revoked: Vec<(String, String)>,
}

/// A migration failed; nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The administrator can't be reached or lacks a right.
    #[error("the administrator's part failed")]
    Administrator(#[from] sqlx::Error),
    /// The operator's: the logins of this server have passwords from another master key. Giving
    /// them ours would shut out whatever serves with that one.
    #[error("the logins of this server were made with another master key")]
    OtherMasterKey,
    /// A migration itself failed, or the database knows others than this build.
    #[error("a migration failed")]
    Migration(#[from] MigrateError),
}

/// Makes roles, revokes what PUBLIC may not, and applies what is not yet applied. Repeatable.
pub async fn migrate(connect: &Connect) -> Result<Migrated, MigrationError> {
    let mut admin = PgConnection::connect_with(&connect.administrator()).await?;
    make_roles(connect, &mut admin).await?;
    let not_revoked = revoke(&mut admin).await?;
    prepare_database(&mut admin).await?;
    sqlx::raw_sql("set role lanyard_owner; set search_path = lanyard")
        .execute(&mut admin)
        .await?;
    let before = applied_versions(&mut admin).await?;
    MIGRATIONS.run(&mut admin).await?;
    let after = applied_versions(&mut admin).await?;
    sqlx::raw_sql("reset role; reset search_path")
        .execute(&mut admin)
        .await?;
    grant_fallback(&mut admin).await?;
    admin.close().await?;
    Ok(Migrated {
        applied: after - before,
        not_revoked,
    })
}

/// Makes the cluster's roles, with our passwords.
pub(super) async fn make_roles(
    connect: &Connect,
    admin: &mut PgConnection,
) -> Result<(), MigrationError> {
    refuse_other_master_key(connect, admin).await?;
    sqlx::raw_sql(ROLES).execute(&mut *admin).await?;
    if let Login::Password(logins) = connect.login() {
        for role in LOGINS {
            let verifier = logins.scram_verifier(role);
            let statement = format!("alter role {role} password '{}'", verifier.expose_secret());
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *admin)
                .await?;
        }
    }
    Ok(())
}

/// How many of this build's migrations the database lacks. Zero: it is up to date.
pub async fn pending(connect: &Connect) -> Result<usize, MigrationError> {
    let mut login = PgConnection::connect_with(&connect.options(super::keeper::ROLE)).await?;
    let pending = pending_for(&mut login).await?;
    login.close().await?;
    Ok(pending)
}

/// The same, asked through a connection of the keeper's.
pub(super) async fn pending_for(keeper: &mut PgConnection) -> Result<usize, sqlx::Error> {
    let applied = applied_versions(keeper).await?;
    Ok(MIGRATIONS.iter().count().saturating_sub(applied))
}

/// A login that is there and does not take our password has another key's.
async fn refuse_other_master_key(
    connect: &Connect,
    admin: &mut PgConnection,
) -> Result<(), MigrationError> {
    if matches!(connect.login(), Login::Peer) {
        return Ok(());
    }
    let is_there: bool = sqlx::query_scalar(
        "select exists (select from pg_catalog.pg_roles where rolname = 'lanyard_keeper')",
    )
    .fetch_one(admin)
    .await?;
    if !is_there {
        return Ok(());
    }
    match PgConnection::connect_with(&connect.options("lanyard_keeper")).await {
        Ok(login) => Ok(login.close().await?),
        // 28P01: the password is wrong. Anything else is not about the key.
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("28P01") => {
            Err(MigrationError::OtherMasterKey)
        }
        Err(_) => Ok(()),
    }
}

async fn revoke(admin: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    let mut refused = Vec::new();
    for statement in REVOCATIONS
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with("--"))
    {
        let outcome = sqlx::raw_sql(statement).execute(&mut *admin).await;
        match outcome {
            // 42883, 42P01: this major version has no such function or view.
            Err(sqlx::Error::Database(e))
                if matches!(e.code().as_deref(), Some("42883" | "42P01")) => {}
            Err(sqlx::Error::Database(e)) => {
                refused.push((statement.to_owned(), e.message().to_owned()));
            }
            other => {
                other?;
            }
        }
    }
    Ok(refused)
}

async fn prepare_database(admin: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "do $$
         begin
           execute format('grant create, connect on database %I to lanyard_owner',
             current_database());
           execute format('revoke temporary, connect on database %I from public',
             current_database());
           execute format('grant connect on database %I to lanyard_identity, lanyard_tenant, '
             'lanyard_platform, lanyard_apps, lanyard_sequencer, lanyard_keeper',
             current_database());
           if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
             execute format('grant lanyard_owner to %I', current_user);
           end if;
         end $$;
         grant execute on function pg_catalog.pg_advisory_lock(bigint) to lanyard_owner;
         grant execute on function pg_catalog.set_config(text, text, boolean)
           to lanyard_clerk, lanyard_owner;
         create schema if not exists lanyard authorization lanyard_owner;
         grant usage on schema lanyard to lanyard_keeper;",
    )
    .execute(admin)
    .await?;
    Ok(())
}

async fn applied_versions(conn: &mut PgConnection) -> Result<usize, sqlx::Error> {
    let known: Option<bool> =
        sqlx::query_scalar("select to_regclass('lanyard._sqlx_migrations') is not null")
            .fetch_one(&mut *conn)
            .await?;
    if known != Some(true) {
        return Ok(0);
    }
    let count: i64 =
        sqlx::query_scalar("select count(*) from lanyard._sqlx_migrations where success")
            .fetch_one(conn)
            .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Lets the keeper count migrations; opens `seal.open` only where others may read a statement's
/// text or set a context by a function anyway.
async fn grant_fallback(admin: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "grant select on lanyard._sqlx_migrations to lanyard_keeper;
         do $$
         begin
           if has_function_privilege('lanyard_keeper',
               'pg_catalog.set_config(text, text, boolean)', 'execute')
             or has_function_privilege('lanyard_keeper',
               'pg_catalog.pg_stat_get_activity(integer)', 'execute') then
             grant execute on function seal.open(text)
               to lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
                 lanyard_sequencer;
           else
             revoke execute on function seal.open(text)
               from lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
                 lanyard_sequencer;
           end if;
         end $$;",
    )
    .execute(admin)
    .await?;
    Ok(())
}
