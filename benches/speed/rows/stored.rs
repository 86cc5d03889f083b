//! Rotations where a million families lie beside those in use.

use anyhow::Result;

use super::Run;
use super::refresh::{ratios, rotate};
use crate::figure::{Figure, median};
use crate::postgres::tell;
use crate::say;

const EMPTY: &str = "empty";
const FULL: &str = "stored";
const CLIENTS: usize = 16;
const FAMILIES_A_SESSION: u32 = 10;

/// Copies of the sessions and families that real sign-ins have made, under ids of their own: every
/// column, check and key as the product writes them.
fn copies(sessions_each: u32) -> String {
    format!(
        "create temporary table new_session as
           select t.session_id as source, gen_random_uuid() as session_id
           from identity.tenant_session t, generate_series(1, {sessions_each});
         insert into identity.session
           select r.* from new_session n
           join identity.session s on s.session_id = n.source,
           lateral jsonb_populate_record(s, jsonb_build_object('session_id', n.session_id)) r;
         insert into identity.tenant_session
           select r.* from new_session n
           join identity.tenant_session s on s.session_id = n.source,
           lateral jsonb_populate_record(s, jsonb_build_object(
             'session_id', n.session_id, 'sid', gen_random_uuid())) r;
         create temporary table new_family as
           select f.family_id as source, n.session_id, gen_random_uuid() as family_id
           from new_session n
           join identity.token_family f on f.session_id = n.source,
           generate_series(1, {FAMILIES_A_SESSION});
         insert into identity.token_family
           select r.* from new_family n
           join identity.token_family f on f.family_id = n.source,
           lateral jsonb_populate_record(f, jsonb_build_object(
             'session_id', n.session_id, 'family_id', n.family_id)) r;
         insert into identity.refresh_token
           select r.* from new_family n
           join identity.refresh_token t on t.family_id = n.source,
           lateral jsonb_populate_record(t, jsonb_build_object('family_id', n.family_id)) r;"
    )
}

/// Fills the tables and leaves nothing to be done about it in the background.
async fn plant(run: &Run<'_>, signed_in: usize) -> Result<i64> {
    let sources = u32::try_from(signed_in)?;
    let each = (run.plan.stored_families() / FAMILIES_A_SESSION / sources).max(1);
    let mut boss = run.postgres.superuser(FULL).await?;
    tell(&mut boss, &copies(each)).await?;
    for table in ["session", "tenant_session", "token_family", "refresh_token"] {
        tell(&mut boss, &format!("vacuum (analyze) identity.{table}")).await?;
    }
    tell(&mut boss, "checkpoint").await?;
    let count = sqlx::query_scalar("select count(*) from identity.token_family")
        .fetch_one(&mut boss)
        .await?;
    Ok(count)
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let (site, without) = run.serve(EMPTY).await?;
    let mut few = site.seeds(&without, clients).await?;
    let (site, with) = run.serve(FULL).await?;
    let mut many = site.seeds(&with, clients).await?;
    say("  storing families");
    let stored = plant(run, clients).await?;
    let (few_watched, many_watched) = (run.watched(&without), run.watched(&with));
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    for round in 1..=plan.rounds() {
        let outcome = rotate(&mut few, &without.endpoints, plan.turn(), &few_watched).await?;
        fast.push(outcome.rate());
        let outcome = rotate(&mut many, &with.endpoints, plan.turn(), &many_watched).await?;
        slow.push(outcome.rate());
        say(&format!(
            "  round {round}: empty {:.0}/s, {stored} stored {:.0}/s",
            fast[round - 1],
            slow[round - 1]
        ));
    }
    Ok(vec![Figure::new(
        "stored",
        format!("rotations/s with {stored} stored families against an empty table"),
        (0.8, 0.95),
        ratios(&slow, &fast),
        format!("{:.0}/s, empty {:.0}/s", median(&slow), median(&fast)),
    )])
}
