//! Every statement of the stores, as its plane's role would run it (decision record 0008).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lanyard::db::migrate::LOGINS;
use ring::hmac;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::lab::cluster::{self, Database, tell};

/// There are more; fewer would mean that they are no longer found.
const AT_LEAST: usize = 100;
const TENANTS: u32 = 1000;

/// One statement, where it stands, and a role that runs it.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) place: String,
    role: &'static str,
    pub(crate) sql: String,
}

impl Query {
    /// `$1` to the highest one.
    fn parameters(&self) -> usize {
        let numbers = self.sql.split('$').skip(1).filter_map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit());
            rest[..digits.unwrap_or(rest.len())].parse::<usize>().ok()
        });
        numbers.max().unwrap_or(0)
    }
}

fn stores(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            stores(&path, found);
        } else if path.ends_with("store.rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path.display().to_string(), text);
        }
    }
}

/// The first string literal of `code`, which must begin with it, as the compiler reads it.
fn literal(code: &str) -> Option<String> {
    let mut characters = code.trim_start().strip_prefix('"')?.chars().peekable();
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                '\n' => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// Whose transaction the function around `before`'s end takes.
fn roles(before: &str) -> Vec<&'static str> {
    let signature = before.rfind("fn ").map_or(before, |start| &before[start..]);
    if signature.contains("Tx<Identity>") || signature.contains("Desk") {
        vec!["lanyard_identity"]
    } else if signature.contains("Tx<Tenancy>") {
        vec!["lanyard_tenant"]
    } else if signature.contains("Tx<Platform>") {
        vec!["lanyard_platform"]
    } else if signature.contains("Tx<Apps>") {
        vec!["lanyard_apps"]
    } else if signature.contains("Tx<Sequencer>") {
        vec!["lanyard_sequencer"]
    } else if signature.contains("Tx<R>") {
        vec!["lanyard_platform", "lanyard_tenant"]
    } else if signature.contains("Tx<P>") {
        let serving = LOGINS.iter().filter(|role| **role != "lanyard_keeper");
        serving.copied().collect()
    } else {
        vec!["lanyard_keeper"]
    }
}

pub(crate) fn queries() -> Vec<Query> {
    let mut files = BTreeMap::new();
    stores(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut found = Vec::new();
    for (path, text) in &files {
        let calls = text.match_indices("sqlx::query");
        for (at, _) in calls {
            let line = text[..at].matches('\n').count() + 1;
            let name = path.rsplit("/src/").next().unwrap_or(path);
            let place = format!("src/{name}:{line}");
            let call = &text[at..];
            let arguments = &call[call.find('(').expect("a call") + 1..];
            let sql = literal(arguments).unwrap_or_else(|| panic!("{place}: no literal"));
            let query = |role| Query {
                place: place.clone(),
                role,
                sql: sql.clone(),
            };
            found.extend(roles(&text[..at]).into_iter().map(query));
        }
    }
    found
}

/// All are literals, and none asks for more than its role has.
#[tokio::test]
async fn every_statement_prepares_as_the_role_that_runs_it() {
    let database = cluster::shared().await;
    let queries = queries();
    assert!(queries.len() >= AT_LEAST, "{}", queries.len());
    let mut findings = Vec::new();
    for role in LOGINS {
        let mut login = database.login(role).await;
        let own = queries.iter().filter(|query| query.role == role);
        for (number, query) in own.enumerate() {
            if let Err(error) = prepare(&mut login, number, query).await {
                findings.push(format!("{} as {role}: {error}", query.place));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

async fn prepare(
    login: &mut PgConnection,
    number: usize,
    query: &Query,
) -> Result<(), sqlx::Error> {
    let sql = format!("prepare statement_{number} as {}", query.sql);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(login).await?;
    Ok(())
}

/// What names the tenant is served from an index that begins with it, at a thousand tenants.
#[tokio::test]
async fn a_statement_that_names_the_tenant_reads_no_table_from_end_to_end() {
    let database = cluster::fresh().await;
    let mut boss = database.superuser().await;
    tell(&mut boss, &crowd()).await;
    register(&database).await;
    let tables = tenant_tables(&mut boss).await;
    assert!(tables.len() > 10, "{tables:?}");
    let (mut findings, mut judged) = (Vec::new(), 0);
    let queries = queries();
    for role in LOGINS {
        let mut login = database.login(role).await;
        let own = queries
            .iter()
            .filter(|query| query.role == role && query.sql.contains("tenant_id = $1"));
        for (number, query) in own.enumerate() {
            prepare(&mut login, number, query).await.unwrap();
            let plan = plan(&mut login, number, query.parameters()).await;
            judged += 1;
            for table in tables.iter().filter(|table| reads_all_of(table, &plan)) {
                findings.push(format!("{} reads all of {table}:\n{plan}", query.place));
            }
        }
    }
    assert!(judged > 20, "{judged}");
    let mut login = database.login("lanyard_tenant").await;
    let control = "set enable_indexscan = off; set enable_bitmapscan = off;
                   prepare statement_0 as select kind from visits.visit where visit_id <> $1";
    tell(&mut login, control).await;
    let whole = plan(&mut login, 0, 1).await;
    assert!(reads_all_of("visits.visit", &whole), "{whole}");
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn reads_all_of(table: &str, plan: &str) -> bool {
    plan.lines().any(|line| {
        let read = line.split("Seq Scan on ").nth(1);
        read.and_then(|rest| rest.split(' ').next()) == Some(table)
    })
}

/// The plan that a prepared statement settles on, with the policies in it.
async fn plan(login: &mut PgConnection, number: usize, parameters: usize) -> String {
    let context = sealed();
    let values = vec!["null"; parameters].join(", ");
    let open = format!(
        "begin; set local lanyard.context = '{context}'; set local plan_cache_mode =
         force_generic_plan"
    );
    tell(login, &open).await;
    let explain = format!("explain (verbose, costs off) execute statement_{number} ({values})");
    let lines = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *login)
        .await
        .unwrap();
    tell(login, "rollback").await;
    let lines: Vec<String> = lines.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

const SECRET: [u8; 32] = [7; 32];
const KEY_ID: &str = "00000000000000aa";

/// Registers the tests' own key, as a server registers its own.
pub(crate) async fn register(database: &Database) {
    let pad = |with: u8| -> Vec<u8> {
        let byte = |n| SECRET.get(n).copied().unwrap_or(0) ^ with;
        (0..64).map(byte).collect()
    };
    sqlx::query("select seal.register($1, $2, $3, '1 hour')")
        .bind(KEY_ID)
        .bind(pad(0x36))
        .bind(pad(0x5c))
        .execute(&mut database.login("lanyard_keeper").await)
        .await
        .unwrap();
}

/// A context made from design §3: of a member, so that every policy can be planned.
fn sealed() -> String {
    let id = uuid::Uuid::from_u128(7);
    seal(&format!("grant|{id}|{id}|{id}||{id}|operations|rw"))
}

/// A context that says this, from the class to the mode, under the tests' own key.
pub(crate) fn seal(content: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let fields = format!("1|{KEY_ID}|{content}|{}", now + 50);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let mac = hmac::sign(&key, fields.as_bytes());
    let digits = mac.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.fold(fields + "|", |text, byte| text + &byte)
}

async fn tenant_tables(boss: &mut PgConnection) -> Vec<String> {
    // A month that holds nothing yet may be read as anybody likes.
    sqlx::query_scalar(
        "select a.attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = attrelid
         where a.attname = 'tenant_id' and c.relkind = 'r' and not a.attisdropped
           and not (c.relispartition and c.reltuples = 0)",
    )
    .fetch_all(boss)
    .await
    .unwrap()
}

/// Eight rows of a thousand tenants in every tenant's table, made from the catalog; what they
/// say is nonsense, so the checks go first.
fn crowd() -> String {
    format!(
        "set session_replication_role = replica;
         create temp table crowd as
           select gen_random_uuid() id from generate_series(1, {TENANTS});
         do $$ declare r record; begin
           for r in select conrelid::regclass t, conname from pg_constraint
             where contype = 'c' and conrelid <> 0 and conislocal
               and connamespace::regnamespace::text
                 in ('identity', 'tenancy', 'visits', 'apps', 'audit', 'outbox', 'revocation')
           loop execute format('alter table %s drop constraint %I', r.t, r.conname); end loop;
           for r in select a.attrelid::regclass t,
               string_agg(quote_ident(a.attname), ', ' order by attnum) columns,
               string_agg(case
                 when a.attname = 'tenant_id' then 'crowd.id'
                 when typname = 'uuid' then 'gen_random_uuid()'
                 when typname = 'bytea' then 'uuid_send(gen_random_uuid())'
                 when typname in ('text', 'varchar') then 'gen_random_uuid()::text'
                 when typname in ('int2', 'int4', 'int8') then 'n'
                 when typname = 'bool' then 'n % 2 = 0'
                 when typname = 'timestamptz' then 'now() - n * interval ''1 hour'''
                 when typname in ('json', 'jsonb') then '''{{}}'''
                 when typcategory = 'A' then '''{{}}'''
                 else 'null' end, ', ' order by attnum) vals
             from pg_attribute a join pg_type y on y.oid = a.atttypid
             where a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
               and a.attidentity = '' and a.attrelid in (
                 select b.attrelid from pg_attribute b join pg_class c on c.oid = b.attrelid
                 where b.attname = 'tenant_id' and c.relkind in ('r', 'p')
                   and not c.relispartition and relnamespace <> pg_my_temp_schema())
             group by 1
           loop execute format('insert into %s (%s) select %s from crowd,
             generate_series(1, 8) n on conflict do nothing', r.t, r.columns, r.vals); end loop;
         end $$;
         analyze"
    )
}
