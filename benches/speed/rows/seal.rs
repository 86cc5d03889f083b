//! A sealed transaction against plain row-level security that believes a bare setting.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanyard::env::{DatabaseClock, Env};
use ring::hmac;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use super::Run;
use super::refresh::ratios;
use crate::figure::{Figure, median};
use crate::postgres::{Postgres, tell};
use crate::say;

const DATABASE: &str = "sealed";
/// Two tables alike, of a thousand clinics with ten rows each, told apart by their policy alone.
const TABLES: &str = "\
create schema bench;
grant connect on database sealed to public;
create role bench_reader login password 'of-a-run-that-ends' nosuperuser;
grant lanyard_identity to bench_reader;
create table bench.sealed (tenant_id uuid, thing_id integer, words text,
  primary key (tenant_id, thing_id));
create table bench.plain (like bench.sealed including all);
insert into bench.sealed
  select md5((n / 10)::text)::uuid, n, md5(n::text) from generate_series(0, 9999) n;
insert into bench.plain select * from bench.sealed;
alter table bench.sealed enable row level security;
alter table bench.plain enable row level security;
create policy own on bench.sealed using (tenant_id = seal.tenant());
create policy own on bench.plain
  using (tenant_id = current_setting('bench.tenant')::uuid);
grant usage on schema bench to bench_reader;
grant select on bench.sealed, bench.plain to bench_reader;";
const SEALED: &str = "select thing_id, words from bench.sealed where tenant_id = $1";
const PLAIN: &str = "select thing_id, words from bench.plain where tenant_id = $1";

/// A key as a serving process registers one, and contexts under it (`migrations/0001_seal.sql`).
struct Sealing {
    key_id: String,
    key: hmac::Key,
}

impl Sealing {
    async fn register(boss: &mut PgConnection) -> Result<Self> {
        let env = Env::system();
        let secret: [u8; 64] = env.random_bytes();
        let key_id = format!("{:016x}", u64::from_be_bytes(env.random_bytes()));
        let pad = |with: u8| secret.map(|byte| byte ^ with).to_vec();
        sqlx::query("select seal.register($1, $2, $3, interval '1 hour')")
            .bind(&key_id)
            .bind(pad(0x36))
            .bind(pad(0x5c))
            .execute(boss)
            .await?;
        Ok(Self {
            key_id,
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        })
    }

    fn context(&self, tenant: Uuid) -> String {
        let expires = DatabaseClock::machine_now().unix_timestamp() + 15;
        let fields = format!("1|{}|grant|{tenant}||||||ro|{expires}", self.key_id);
        let mac = hmac::sign(&self.key, fields.as_bytes());
        let mut sealed = format!("{fields}|");
        for byte in mac.as_ref() {
            write!(sealed, "{byte:02x}").expect("a string grows");
        }
        sealed
    }
}

async fn reader(postgres: &Postgres) -> Result<PgConnection> {
    let options = postgres.options(DATABASE)?.username("bench_reader");
    Ok(PgConnection::connect_with(&options).await?)
}

/// One transaction, as `Db::run` makes it: the setting in one message with BEGIN.
async fn once(
    connection: &mut PgConnection,
    (setting, value): (&str, &str),
    query: &'static str,
    tenant: Uuid,
) -> Result<()> {
    let begin = format!("begin read only; set local {setting} = '{value}'");
    let mut tx = connection.begin_with(AssertSqlSafe(begin)).await?;
    let rows: Vec<(i32, String)> = sqlx::query_as(query)
        .bind(tenant)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    ensure!(rows.len() == 10, "{} rows and not 10", rows.len());
    Ok(())
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let plan = run.plan;
    // Never served from: our server refuses a database that holds such tables.
    run.site(DATABASE).await?;
    let mut boss = run.postgres.superuser(DATABASE).await?;
    tell(&mut boss, TABLES).await?;
    tell(&mut boss, "vacuum (analyze) bench.sealed, bench.plain").await?;
    let sealing = Sealing::register(&mut boss).await?;
    let tenant: Uuid = sqlx::query_scalar("select md5('7')::uuid")
        .fetch_one(&mut boss)
        .await?;
    let mut connection = reader(run.postgres).await?;
    let (mut sealed, mut bare) = (Vec::new(), Vec::new());
    // Many short turns rather than few long ones: a single connection is soon disturbed.
    for round in 1..=plan.rounds() * 5 {
        let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..plan.transactions() {
            let began = Instant::now();
            let context = sealing.context(tenant);
            once(
                &mut connection,
                ("lanyard.context", &context),
                SEALED,
                tenant,
            )
            .await?;
            ours += began.elapsed();
            let began = Instant::now();
            let text = tenant.to_string();
            once(&mut connection, ("bench.tenant", &text), PLAIN, tenant).await?;
            theirs += began.elapsed();
        }
        let each = |sum: Duration| sum.as_secs_f64() * 1e6 / f64::from(plan.transactions());
        sealed.push(each(ours));
        bare.push(each(theirs));
        if round % 5 == 0 {
            say(&format!(
                "  round {}: sealed {:.0} us, plain {:.0} us",
                round / 5,
                median(&sealed),
                median(&bare)
            ));
        }
    }
    Ok(vec![
        Figure::new(
            "seal",
            "a sealed transaction against plain row-level security",
            (1.5, 1.2),
            ratios(&sealed, &bare),
            format!("{:.0} us, plain {:.0} us", median(&sealed), median(&bare)),
        )
        .in_unit("×"),
    ])
}
