//! The table, for people, as JSON, and in docs/PERFORMANCE.md.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use lanyard::env::DatabaseClock;
use serde_json::json;

use crate::figure::Figure;
use crate::place::said;
use crate::postgres::Postgres;
use crate::{peer, plot, say};

const END: &str = "<!-- end -->";

/// Before what a run of these rows has written.
fn begin(rows: &[String]) -> String {
    format!("<!-- begin: written by {} -->", command(rows))
}

/// What repeats a run.
fn command(rows: &[String]) -> String {
    let mut words = vec!["cargo bench"];
    if !rows.is_empty() {
        words.push("--");
    }
    words.extend(rows.iter().map(String::as_str));
    words.join(" ")
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PERFORMANCE.md")
}

/// The machine and the day, in one line each.
pub(crate) fn machine(postgres: &Postgres) -> Result<Vec<(&'static str, String)>> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]));
    Ok(vec![
        ("day", DatabaseClock::machine_now().date().to_string()),
        ("processor", format!("{model}, {cores} cores")),
        (
            "kernel",
            read("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("database", postgres.version()?),
        ("peer", peer::versions()?),
        ("load at the start", load.join(" ")),
        ("commit", commit.unwrap_or_else(|_| "unknown".to_owned())),
    ])
}

/// Three digits that mean something.
fn digits(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn bound(value: f64, unit: &str) -> String {
    format!("{value}{unit}")
}

/// To standard output.
pub(crate) fn print(figures: &[Figure]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for figure in figures {
        let (least, most) = figure.range();
        let (unit, measured) = (figure.unit, digits(figure.median()));
        writeln!(
            out,
            "{:<9} {}: {measured}{unit} ({} to {}); must {}, aim {}: {}\n          {}",
            figure.row,
            figure.what,
            digits(least),
            digits(most),
            bound(figure.must, unit),
            bound(figure.aim, unit),
            figure.verdict().word().trim_matches('*'),
            figure.detail,
        )?;
    }
    Ok(())
}

/// Beside the build.
pub(crate) fn save(machine: &[(&str, String)], figures: &[Figure]) -> Result<()> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("speed.json");
    let of = |figure: &Figure| {
        let mut value = json!(figure);
        value["median"] = json!(figure.median());
        value["verdict"] = json!(figure.verdict());
        value
    };
    let facts: serde_json::Map<_, _> = machine
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let all: Vec<_> = figures.iter().map(of).collect();
    let text = serde_json::to_string_pretty(&json!({ "machine": facts, "figures": all }))?;
    std::fs::write(&path, text)?;
    say(&format!("written: {}", path.display()));
    draw(path.parent().context("a folder")?, figures)
}

/// A picture of each figure that has one, named after its row.
fn draw(folder: &Path, figures: &[Figure]) -> Result<()> {
    for figure in figures {
        if let Some(picture) = plot::spread(figure) {
            let path = folder.join(format!("{}.svg", figure.row));
            std::fs::write(&path, picture)?;
            say(&format!("written: {}", path.display()));
        }
    }
    Ok(())
}

/// Between the marks that docs/PERFORMANCE.md has for a run of these rows; says nothing if it has
/// none.
///
/// - `rows`: as they were asked for; none: all of them
pub(crate) fn publish(
    rows: &[String],
    machine: &[(&str, String)],
    figures: &[Figure],
) -> Result<()> {
    let (text, mark) = (std::fs::read_to_string(page())?, begin(rows));
    let Some((before, rest)) = text.split_once(&mark) else {
        return Ok(());
    };
    let (_, after) = rest.split_once(END).context("no end mark")?;
    let block = block(machine, figures)?;
    std::fs::write(page(), format!("{before}{mark}\n\n{block}\n{END}{after}"))?;
    say("written: docs/PERFORMANCE.md");
    draw(page().parent().context("a folder")?, figures)
}

fn block(machine: &[(&str, String)], figures: &[Figure]) -> Result<String> {
    let mut text = String::new();
    for (name, value) in machine {
        writeln!(text, "- {name}: {value}")?;
    }
    text.push_str(
        "\n| what | must | aim | measured | rounds | reached | behind it | again |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for figure in figures {
        let (least, most) = figure.range();
        writeln!(
            text,
            "| {} | {} | {} | **{}{}** | {} to {} | {} | {} | `cargo bench -- {}` |",
            figure.what,
            bound(figure.must, figure.unit),
            bound(figure.aim, figure.unit),
            digits(figure.median()),
            figure.unit,
            digits(least),
            digits(most),
            figure.verdict().word(),
            figure.detail,
            figure.row,
        )?;
    }
    for figure in figures.iter().filter(|figure| !figure.spread.is_empty()) {
        writeln!(text, "\n![{}]({}.svg)", figure.what, figure.row)?;
    }
    Ok(text)
}
