//! 100,000 random statements as tenant A against B's canaries.
//!
//! `LANYARD_SEED=7 cargo test --test api seal::generator` runs others.

use std::time::Instant;

use super::attacker::{Attacker, leaks};
use super::grammar::{Catalog, Grammar, Random};
use super::planted::{Owner, digest_of_others, planted};
use crate::lab::cluster::tell;

/// The number; the first two roles have the most to say.
const STATEMENTS: [(&str, usize); 6] = [
    ("lanyard_identity", 40_000),
    ("lanyard_tenant", 34_000),
    ("lanyard_platform", 8_000),
    ("lanyard_apps", 8_000),
    ("lanyard_sequencer", 2_000),
    ("lanyard_keeper", 8_000),
];
/// Sent in one go; answers are read after.
const TRANSACTIONS_A_BATCH: usize = 12;

fn seed() -> u64 {
    let given = std::env::var_os("LANYARD_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    given.unwrap_or(20_261_122)
}

/// Runs `count` statements in `attackers`' transactions by turns; the first leak, if any.
fn run(
    catalog: &Catalog,
    attackers: &mut [Attacker],
    seed: u64,
    count: usize,
) -> Result<usize, String> {
    let mut grammar = Grammar {
        catalog,
        random: Random(seed),
    };
    let (mut done, mut answered) = (0, 0);
    let b = Owner::B.tenant();
    for turn in 0.. {
        if done >= count {
            break;
        }
        let turn = turn % attackers.len();
        let attacker = &mut attackers[turn];
        let begin = attacker.begin();
        let mut messages = Vec::new();
        for _ in 0..TRANSACTIONS_A_BATCH {
            // Several in one transaction, so that what one leaves behind meets the next.
            messages.push(begin.clone());
            for _ in 0..=grammar.random.below(4) {
                messages.push(grammar.statement());
                done += 1;
            }
            messages.push("rollback".to_owned());
        }
        messages.push(
            "close all; unlisten *; reset all; deallocate all; set statement_timeout = '1s'"
                .to_owned(),
        );
        let sent: Vec<&str> = messages.iter().map(String::as_str).collect();
        let (raw, tags) = attacker.wire.shout(&sent);
        answered += tags;
        if !leaks(&raw, &[&format!("'{b}'")]).is_empty() {
            return Err(format!(
                "seed {seed}, {}: one of {messages:#?}",
                attacker.role
            ));
        }
    }
    Ok(answered)
}

/// Design §3's claim, exactly; and nothing of others was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_random_statements_give_nothing_of_another_tenant() {
    let seed = seed();
    let database = planted().await;
    let mut boss = database.superuser().await;
    let before = digest_of_others(database).await;
    let began = Instant::now();
    let mut running = Vec::new();
    for (n, (role, count)) in STATEMENTS.into_iter().enumerate() {
        let mut attackers: Vec<Attacker> = Attacker::all().await;
        attackers.retain(|attacker| attacker.role == role);
        let catalog = Catalog::read(&mut boss, role).await;
        let (relations, functions) = catalog.size();
        assert!(relations > 25 && functions > 300, "{relations} {functions}");
        running.push(tokio::task::spawn_blocking(move || {
            let seed = seed.wrapping_mul(31).wrapping_add(n as u64);
            (role, count, run(&catalog, &mut attackers, seed, count))
        }));
    }
    for role in running {
        let (role, count, outcome) = role.await.unwrap();
        let answered = outcome.unwrap_or_else(|leak| panic!("LANYARD_SEED={seed}: {leak}"));
        println!("{role}: {count} statements, {answered} of them answered");
        assert!(answered > count / 10, "{role}: {answered} of {count}");
    }
    println!("LANYARD_SEED={seed}, {} s", began.elapsed().as_secs());
    assert_eq!(digest_of_others(database).await, before);
}

/// The generator can fail: one careless policy, or one careless view, and it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_generator_finds_a_planted_hole() {
    for hole in [
        "create policy hole on visits.visit for select to lanyard_tenant using (true)",
        "create view visits.hole as select * from identity.account;
         grant select on visits.hole to lanyard_tenant",
    ] {
        let database = super::planted::plant().await;
        let mut boss = database.superuser().await;
        tell(&mut boss, hole).await;
        let catalog = Catalog::read(&mut boss, "lanyard_tenant").await;
        let said = super::attacker::Said::member("patient");
        let attacker = Attacker::on(&database, "lanyard_tenant", Some(said));
        let found = tokio::task::spawn_blocking(move || run(&catalog, &mut [attacker], 1, 5000));
        assert!(found.await.unwrap().is_err(), "{hole}");
    }
}
