//! A database in which every table holds rows of two clinics, of the platform, and of a person
//! who is a member of both. Made from the catalog, so that tomorrow's tables are planted too.

use std::fmt::Write as _;

use sqlx::PgConnection;
use tokio::sync::OnceCell;

use crate::lab::cluster::{self, Database, tell};

/// Whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The clinic whose transaction is attacked from.
    A,
    /// The clinic of which nothing may come back.
    B,
    /// The platform's reserved tenant: of it, only the apps that all share.
    Platform,
    /// The person with a membership in both.
    Both,
}

/// Of everything that B, the platform or nobody but the server owns: text, ids, bytes, instants
/// and numbers. Compared without case.
pub(super) const CANARIES: [&str; 6] = [
    "canarybee",
    "b0b0cafe",
    "63616e617279626565",
    "2077-07-07",
    "770077",
    "c0dec0de",
];

/// The same for all, not planted: reference data, and what the build says of itself.
const REFERENCE: [&str; 7] = [
    "identity.role",
    "identity.permission",
    "identity.role_permission",
    "audit.erasable_detail",
    "identity.lent_permission",
    "audit.event_type",
    "lanyard._sqlx_migrations",
];

/// A row is all that a tenant has there.
const ONE_A_TENANT: [&str; 2] = ["tenancy.tenant", "audit.log"];

impl Owner {
    fn prefix(self) -> &'static str {
        match self {
            Self::A => "a1a1a1a1",
            Self::B => "b0b0cafe",
            Self::Platform => "c0dec0de",
            Self::Both => "5a5a5a5a",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::A => "alphadog",
            Self::B => "canarybee",
            Self::Platform => "platform-canarybee",
            Self::Both => "sharedperson",
        }
    }

    /// The tenant's id.
    pub(super) fn tenant(self) -> String {
        match self {
            Self::Platform => "00000000-0000-0000-0000-000000000001".to_owned(),
            _ => format!("{}-0000-4000-8000-000000000000", self.prefix()),
        }
    }

    /// The id that stands in every column of this name in its `n`th rows.
    pub(super) fn id(self, column: &str, n: u32) -> String {
        let name = match column {
            "patient_id" | "practitioner_id" | "clinician_id" | "actor_id" | "proxy_id" => {
                "subject_id"
            }
            other => other,
        };
        let hash = name
            .bytes()
            .fold(5381_u64, |h, b| h.wrapping_mul(33) ^ u64::from(b));
        let hash = hash & 0xffff_ffff;
        format!("{}-0000-4000-8000-{hash:08x}{n:04x}", self.prefix())
    }

    fn literal(self, column: &Column, n: u32) -> String {
        let text = format!("{}-{}-{n}", self.word(), column.name);
        let is_foreign = matches!(self, Self::B | Self::Platform);
        let number = if is_foreign { 7_700_770 + n } else { 1000 + n };
        let year = if is_foreign { 2077 } else { 2026 };
        match column.kind.as_str() {
            "date" => format!("'{year}-07-07'"),
            "uuid" if column.name == "tenant_id" => format!("'{}'", self.tenant()),
            "uuid" => format!("'{}'", self.id(&column.name, n)),
            "text" => format!("'{text}'"),
            "text[]" => format!("array['{text}']"),
            "jsonb" => format!("'{{\"{text}\": \"{text}\"}}'"),
            // Some digests must be 32 bytes long; so are all.
            "bytea" => format!("convert_to(rpad('{text}', 32, '{n}'), 'UTF8')"),
            "integer" | "bigint" => format!("{number}"),
            "bigint[]" => format!("array[{number}::bigint]"),
            "smallint" => format!("{n}"), // too small to be known again
            "boolean" => "true".to_owned(),
            "timestamp with time zone" => format!("'{year}-07-07 07:07:0{}Z'", n % 10),
            other => panic!("teach the planter the type {other} of {}", column.name),
        }
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: String,
}

/// The planted database, made once a process. Tests roll back what they do in it.
pub(super) async fn planted() -> &'static Database {
    static PLANTED: OnceCell<Database> = OnceCell::const_new();
    PLANTED.get_or_init(plant).await
}

/// The same, the caller's own.
pub(super) async fn plant() -> Database {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    // Rows are of every tenant at once and words stand where the checks want others: what is
    // attacked is who sees them. The checks hold again for every later row.
    tell(&mut boss, "set session_replication_role = replica").await;
    // The platform's log is there from the beginning.
    tell(&mut boss, "delete from audit.log").await;
    for table in tables(&mut boss).await {
        let checks = checks(&mut boss, &table).await;
        for (name, _) in &checks {
            tell(
                &mut boss,
                &format!("alter table {table} drop constraint {name}"),
            )
            .await;
        }
        let columns = columns(&mut boss, &table).await;
        for row in rows(&table, &columns) {
            tell(&mut boss, &row).await;
        }
        for (name, definition) in &checks {
            let add = format!("alter table {table} add constraint {name} {definition} not valid");
            tell(&mut boss, &add).await;
        }
    }
    tell(&mut boss, "analyze").await;
    database
}

/// Two rows for each owner, and in tables of tenants a third for the person whom both share.
fn rows(table: &str, columns: &[Column]) -> Vec<String> {
    let is_tenants = columns.iter().any(|column| column.name == "tenant_id");
    let is_person = columns.iter().any(|column| column.name == "account_id");
    let mut rows = Vec::new();
    let mut push = |tenant: Owner, person: Owner, n: u32| {
        let mut names = String::new();
        let mut values = String::new();
        for column in columns {
            let owner = match column.name.as_str() {
                "account_id" | "session_id" => person,
                _ if table.starts_with("identity.client") && tenant == Owner::Platform => {
                    if column.name == "tenant_id" {
                        tenant
                    } else {
                        Owner::Both
                    }
                }
                _ => tenant,
            };
            write!(names, ", {}", column.name).unwrap();
            write!(values, ", {}", owner.literal(column, n)).unwrap();
            // Out of it the database reads which tenant the entry is about.
            if (table, column.name.as_str()) == ("audit.entry", "line") {
                let id = columns.iter().find(|column| column.name == "tenant_id");
                let id = tenant.literal(id.expect("each entry has one"), n);
                write!(values, " || '\"tenant\":\"' || {id} || '\"'").unwrap();
            }
        }
        let (names, values) = (&names[2..], &values[2..]);
        rows.push(format!("insert into {table} ({names}) values ({values})"));
    };
    // What stands before any tenant and belongs to no person is nobody's to see.
    let owners: &[Owner] = match (is_tenants, is_person) {
        (true, _) => &[Owner::A, Owner::B, Owner::Platform],
        (false, true) => &[Owner::A, Owner::B],
        (false, false) => &[Owner::B],
    };
    for owner in owners {
        push(*owner, *owner, 1);
        if !ONE_A_TENANT.contains(&table) {
            push(*owner, *owner, 2);
        }
    }
    if is_tenants && !ONE_A_TENANT.contains(&table) {
        push(Owner::A, Owner::Both, 9);
        push(Owner::B, Owner::Both, 9);
    } else if is_person {
        push(Owner::Both, Owner::Both, 9);
    }
    rows
}

/// Every table of ours, schema-qualified. What is planted in partitions comes there by the whole.
pub(super) async fn tables(boss: &mut PgConnection) -> Vec<String> {
    let names: Vec<String> = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and not c.relispartition
           and n.nspname not in ('pg_catalog', 'information_schema')
           and n.nspname not like 'pg\\_t%'
         order by 1",
    )
    .fetch_all(boss)
    .await
    .unwrap();
    names
        .into_iter()
        .filter(|name| !REFERENCE.contains(&name.as_str()))
        .collect()
}

async fn checks(boss: &mut PgConnection, table: &str) -> Vec<(String, String)> {
    let found = sqlx::query_as(
        "select quote_ident(conname), pg_get_constraintdef(oid) from pg_constraint
         where contype = 'c' and conrelid = $1::text::regclass",
    );
    found.bind(table).fetch_all(boss).await.unwrap()
}

async fn columns(boss: &mut PgConnection, table: &str) -> Vec<Column> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "select attname::text, format_type(atttypid, atttypmod) from pg_attribute
         where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
           and attgenerated = '' and attidentity = ''
         order by attnum",
    )
    .bind(table)
    .fetch_all(boss)
    .await
    .unwrap();
    found
        .into_iter()
        .map(|(name, kind)| Column { name, kind })
        .collect()
}

/// One digest over all rows that are not A's: whether anything of others was written.
pub(super) async fn digest_of_others(database: &Database) -> String {
    let mut boss = database.superuser().await;
    let mut all = String::new();
    for table in tables(&mut boss).await {
        // The text of an A row holds A's word; whatever does not is another's.
        let sql = format!(
            "select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} t
             where t::text like any (array['%canarybee%', '%b0b0cafe%', '%c0dec0de%', \
               '%63616e617279626565%', '%sharedperson%'])"
        );
        let digest: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut boss)
            .await
            .unwrap();
        writeln!(all, "{table} {digest}").unwrap();
    }
    all
}
