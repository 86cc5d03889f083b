//! Two servers at once, and many rows.

use lanyard::retention::service::{BATCH, purge};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::rows::{KINDS, Yard};
use crate::lab::Lab;
use crate::lab::cluster::tell;
use crate::queries::{register, seal};

/// Sign-ins of two clinics, `count` of them, that are over since a year, each with two tokens.
fn crowd(count: u32) -> String {
    let at = "timestamptz '2025-03-01 12:00Z' + n * interval '1 second'";
    let id = |what: u8| format!("md5('{what}' || n)::uuid");
    let (tenant, session, family) = ("md5('t' || n % 2)::uuid", id(1), id(2));
    let sha = "sha256(n::text::bytea)";
    format!(
        "set session_replication_role = replica;
         create temp table crowd as select n from generate_series(1, {count}) n;
         insert into identity.session (session_id, account_id, secret_digest, password_epoch, amr,
             authenticated_at, proved_at, active_at, device_label, agent_digest, network_digest)
           select {session}, {session}, {sha}, 0, '{{pwd}}', {at}, {at}, {at}, '', {sha}, {sha}
           from crowd;
         insert into identity.tenant_session
             (tenant_id, session_id, subject_id, sid, auth_time, opened_at)
           select {tenant}, {session}, {session}, {session}, {at}, {at} from crowd;
         insert into identity.authorization_code (tenant_id, code_id, code_digest, client_id,
             session_id, subject_id, account_id, redirect_uri, scopes, audience, created_at,
             expires_at)
           select {tenant}, {session}, {sha}, 'app', {session}, {session}, {session}, '', '{{}}',
             '', {at}, {at} from crowd;
         insert into identity.token_family (tenant_id, family_id, client_id, account_id,
             subject_id, session_id, scopes, audience, started_at, absolute_end_at,
             current_generation, redeemed_at, redeemed_network_digest, redeemed_agent_digest,
             access_ends_at)
           select {tenant}, {family}, 'app', {session}, {session}, {session}, '{{}}', '', {at},
             {at} + interval '1 day', 1, {at}, {sha}, {sha}, {at} from crowd;
         insert into identity.refresh_token
             (tenant_id, family_id, generation, token_digest, issued_at)
           select {tenant}, {family}, g, {sha}, {at} from crowd, generate_series(0, 1) g;
         insert into identity.handover (tenant_id, handover_id, impersonation_id, client_id,
             actor_sid, transfer_digest, created_at, expires_at)
           select {tenant}, {session}, {session}, 'app', {session}, {sha},
             {at} - interval '1 minute', {at} from crowd;
         insert into identity.handover_code (tenant_id, code_id, handover_id, code_digest,
             client_id, redirect_uri, scopes, audience, created_at, expires_at)
           select {tenant}, {session}, {session}, {sha}, 'app', '', '{{}}', '', {at}, {at}
           from crowd;
         insert into identity.interaction
             (interaction_id, browser_digest, request, created_at, expires_at)
           select {session}, {sha}, '{{}}', {at}, {at} from crowd;
         insert into identity.throttle (bucket, window_started_at, hits)
           select {sha}, {at}, 1 from crowd;
         insert into identity.known_place (account_id, kind, digest, first_seen_at, last_seen_at)
           select {session}, 'browser', {sha}, {at}, {at} from crowd;
         insert into outbox.message (tenant_id, message_id, account_id, kind, parameters,
             created_at, taken_at, delivered_at)
           select {tenant}, {session}, {session}, 'password_changed', '{{}}', {at}, {at}, {at}
           from crowd;
         insert into revocation.published (tenant_id, position, event_id, kind, reason,
             occurred_at, issued_until, published_at)
           select {tenant}, n, {session}, 'session', 'idle', {at}, {at}, {at} from crowd;
         insert into revocation.standing
             (tenant_id, client_id, instance, version, keys_age_seconds, reported_at)
           select {tenant}, 'api', n, '1', 0, {at} from crowd;
         insert into apps.session (session_id, app, secret_digest, sealed, told_at, idle_ends_at,
             session_ends_at, idle_limit_seconds, active_at, created_at)
           select {session}, 'patient', {sha}, '', {at}, {at}, {at}, 900, {at}, {at} from crowd;
         insert into apps.login (login_id, state_digest, sealed, created_at, expires_at)
           select {session}, {sha}, '', {at}, {at} from crowd;
         set session_replication_role = origin;
         analyze"
    )
}

/// Issue 3: safe on every replica at once, in bounded batches; nothing is left and none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_purge_at_once() {
    let count = 5 * BATCH / 2;
    let yard = Yard::on(Lab::apart(|_| ()).await).await;
    let second = yard.lab.second_node().await;
    let mut boss = yard.lab.database.superuser().await;
    tell(&mut boss, &crowd(count.cast_unsigned())).await;
    yard.assert_each(count.into()).await;
    let (here, there) = tokio::join!(purge(&yard.lab.app), purge(&second.app));
    let gone: i64 = [here.unwrap(), there.unwrap()]
        .iter()
        .flatten()
        .map(|(_, rows)| rows)
        .sum();
    // One may have passed by what the other had in its hands and undid nothing of: the next run's.
    let rest = purge(&yard.lab.app).await.unwrap();
    let rest: i64 = rest.iter().map(|(_, rows)| rows).sum();
    let tables = i64::try_from(KINDS.len()).unwrap();
    assert_eq!(
        gone + rest,
        i64::from(count) * (tables + 1),
        "each row once"
    );
    yard.assert_each(0).await;
}

/// Each batch is as quick at many rows: no plan reads a table from end to end.
#[tokio::test]
async fn a_batch_is_found_by_indexes_among_many_rows() {
    let lab = Lab::apart(|_| ()).await;
    let mut boss = lab.database.superuser().await;
    tell(&mut boss, &crowd(60_000)).await;
    register(&lab.database).await;
    let functions: Vec<(String, String)> = sqlx::query_as(
        "select oid::regprocedure::text, prosrc from pg_proc where proname like 'purge\\_%'",
    )
    .fetch_all(&mut boss)
    .await
    .unwrap();
    assert_eq!(functions.len(), KINDS.len());
    for (name, source) in functions {
        let plan = plan(&mut boss, &source).await;
        assert!(!plan.contains("Seq Scan"), "{name}:\n{plan}");
        assert!(plan.contains("Tid Scan"), "{name}:\n{plan}");
    }
}

/// How the function's one statement is planned for the role that it belongs to.
async fn plan(boss: &mut PgConnection, source: &str) -> String {
    let (_, statement) = source.split_once("begin\n").expect("it begins");
    let (statement, _) = statement.split_once("get diagnostics").expect("it counts");
    let statement = statement
        .replace("< before", "< timestamptz '2025-04-01'")
        .replace("limit most", &format!("limit {BATCH}"));
    let open = format!(
        "begin; set local role lanyard_retention; set local lanyard.context = '{}'",
        seal("job||||||purge|rw")
    );
    tell(boss, &open).await;
    let lines = sqlx::raw_sql(AssertSqlSafe(format!("explain (costs off) {statement}")))
        .fetch_all(&mut *boss)
        .await
        .unwrap();
    tell(boss, "rollback").await;
    let lines: Vec<String> = lines.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}
