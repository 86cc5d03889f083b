//! How fast we are, as ratios measured in alternation on the machine that runs this.
//!
//! `cargo bench` runs every row and writes docs/PERFORMANCE.md; `cargo bench -- ROW...` runs some;
//! `cargo test --bench speed` runs each for a few operations and measures nothing. See
//! benches/README.md.

#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the browser of the tests; here it signs people in and no more"
)]
#[path = "../../tests/api/lab/browser.rs"]
mod browser;
mod figure;
mod load;
mod peer;
mod place;
mod plan;
mod plot;
mod postgres;
mod report;
mod rows;
mod site;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Parser;

use figure::Verdict;
use place::Place;
use plan::{Depth, Plan};
use postgres::Postgres;
use rows::{ROWS, Run};

/// Measures Lanyard.
#[derive(Debug, Parser)]
struct Asked {
    /// Rows to run; all of them if none is named
    rows: Vec<String>,
    /// Names the rows and ends
    #[arg(long)]
    list: bool,
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// A folder on a real disk for database and processes
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Given by `cargo bench`; without it nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the server that does nothing but answer (used by the row `documents`)
    #[arg(long, hide = true)]
    hello: Option<u16>,
}

fn main() -> ExitCode {
    let asked = Asked::parse();
    let outcome = match asked.hello {
        Some(port) => rows::documents::be_hello(port),
        None => measure(&asked),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One thread generates all load: what it uses of the cores stands beside the figures.
fn measure(asked: &Asked) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(asked))
}

/// Progress, for who waits.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

async fn run(asked: &Asked) -> Result<()> {
    if asked.list {
        for row in ROWS {
            writeln!(std::io::stdout(), "{:<10} {}", row.name, row.what)?;
        }
        return Ok(());
    }
    let wanted: Vec<_> = ROWS
        .iter()
        .filter(|row| asked.rows.is_empty() || asked.rows.iter().any(|name| name == row.name))
        .collect();
    if let Some(name) = asked
        .rows
        .iter()
        .find(|n| !ROWS.iter().any(|row| row.name == **n))
    {
        bail!("there is no row `{name}`: see --list");
    }
    let depth = match (asked.bench, asked.quick) {
        (false, _) => Depth::Smoke,
        (true, true) => Depth::Quick,
        (true, false) => Depth::Full,
    };
    let base = asked.folder.clone().unwrap_or_else(std::env::temp_dir);
    let place = Place::new(&base)?;
    let postgres = Postgres::start(&place).await?;
    let machine = report::machine(&postgres)?;
    let mut run = Run::new(Plan { depth }, &place, &postgres);
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for row in &wanted {
        say(&format!("{}: {}", row.name, row.what));
        match rows::measure(row.name, &mut run).await {
            Ok(measured) => figures.extend(measured),
            // The others are worth their time all the same.
            Err(error) => {
                say(&format!("  failed: {error:#}"));
                failed.push(row.name);
            }
        }
    }
    drop(run);
    if depth == Depth::Smoke {
        // As `cargo test` says it, so that whoever counts tests counts these.
        let (word, bad) = (
            if failed.is_empty() { "ok" } else { "FAILED" },
            failed.len(),
        );
        let good = wanted.len() - bad;
        writeln!(
            std::io::stdout(),
            "test result: {word}. {good} passed; {bad} failed"
        )?;
        return refuse_failed(&failed);
    }
    report::print(&figures)?;
    report::save(&machine, &figures)?;
    if depth == Depth::Full && failed.is_empty() {
        report::publish(&asked.rows, &machine, &figures)?;
    }
    let missed = figures.iter().filter(|f| f.verdict() == Verdict::Missed);
    say(&format!(
        "{} figures, {} missed",
        figures.len(),
        missed.count()
    ));
    refuse_failed(&failed)
}

fn refuse_failed(rows: &[&str]) -> Result<()> {
    ensure!(
        rows.is_empty(),
        "rows that could not be measured: {}",
        rows.join(", ")
    );
    Ok(())
}
