//! `lanyard audit verify`: an export against the keys that an auditor trusts, and nothing else.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::audit::format::Vkey;
use crate::audit::format::export::{Finding, Report, Verdict, verify};
use crate::cli::args::Verify;
use crate::cli::output::{Failure, Output, Reply};

/// Enough for a disk to be read in large pieces.
const BUFFER: usize = 1 << 18;
/// Entries between two words about how far it is.
const STEP: u64 = 1 << 14;

pub(super) fn run(asked: &Verify) -> Result<Reply, Failure> {
    let keys = keys(asked)?;
    let source = open(&asked.file)?;
    let anchor = asked.anchor.as_deref().map(file).transpose()?;
    let mut next = STEP;
    let progress = |count: u64| {
        if count >= next {
            Output::progress(&format!("{count} entries"));
            next = count + STEP;
        }
    };
    let verdict = verify(source, &keys, anchor, progress);
    Output::progress("");
    match verdict.map_err(|e| unreadable(&asked.file, &e))? {
        Verdict::Whole(report) => Ok(whole(&report)),
        Verdict::Broken(finding) => Ok(broken(&finding)),
    }
}

#[derive(Deserialize)]
struct WellKnown {
    keys: Vec<Published>,
}

#[derive(Deserialize)]
struct Published {
    verifier_key: String,
}

fn keys(asked: &Verify) -> Result<Vec<Vkey>, Failure> {
    let mut texts = asked.key.clone();
    if let Some(path) = &asked.keys {
        let text = fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
        match serde_json::from_str::<WellKnown>(&text) {
            Ok(known) => texts.extend(known.keys.into_iter().map(|key| key.verifier_key)),
            Err(_) => texts.extend(text.lines().map(|line| line.trim().to_owned())),
        }
    }
    texts.retain(|text| !text.is_empty());
    let parsed = texts.iter().map(|text| {
        Vkey::parse(text).ok_or_else(|| {
            Failure::usage(
                format!("not a key: {text}"),
                "A key is name+id+key, as /.well-known/lanyard-audit gives it as verifier_key.",
            )
        })
    });
    let keys = parsed.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(Failure::usage(
            "no key is given",
            "Name a file that has one with --keys, or one with --key.",
        ));
    }
    Ok(keys)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, io::stdin())));
    }
    Ok(Box::new(file(path)?))
}

fn file(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    Ok(BufReader::with_capacity(BUFFER, file))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(
        format!("{} can't be read: {error}", path.display()),
        "Nothing can be said about the log.",
    )
}

fn whole(report: &Report) -> Reply {
    let facts = json!({
        "verdict": "whole",
        "log": report.log,
        "origin": report.origin,
        "made_at": report.made_at,
        "selection": report.selection,
        "from": report.from,
        "to": report.to,
        "entries": report.entries,
        "disclosed": report.disclosed,
        "size": report.size,
        "root": report.root.to_base64(),
        "key": report.key.to_text(),
        "compared": report.compared.map(|compared| json!({
            "checkpoints": compared.checkpoints,
            "entries": compared.entries,
            "beyond": compared.beyond,
        })),
    });
    Reply::new(&facts, words(report))
}

fn words(report: &Report) -> String {
    let Report {
        log,
        made_at,
        from,
        to,
        entries,
        size,
        ..
    } = report;
    let counted = |count: u64| match count {
        1 => "1 entry".to_owned(),
        more => format!("{more} entries"),
    };
    let range = match (to - from, report.selection) {
        (0, _) => "no entries".to_owned(),
        (_, false) => format!("{}, {from} to {}", counted(*entries), to - 1),
        (_, true) => format!("{} chosen from {from} to {}", counted(*entries), to - 1),
    };
    let mut lines = vec![
        format!("Whole: {range}, each as it was recorded."),
        format!(
            "Log        {log}, of {} when it was exported at {made_at}",
            counted(*size)
        ),
        format!("Root       {}", report.root.to_base64()),
        format!("Signed by  {}", report.key.to_text()),
    ];
    if report.disclosed > 0 {
        lines.push(format!(
            "Disclosed  erasable values of {}, as they were recorded",
            counted(report.disclosed)
        ));
    }
    if let Some(compared) = report.compared {
        let beyond = match compared.beyond {
            0 => String::new(),
            beyond => format!("; {beyond} more are of sizes this export says nothing about"),
        };
        lines.push(format!(
            "Anchor     agrees, by {} of its checkpoints and the hashes of {}{beyond}",
            compared.checkpoints,
            counted(compared.entries)
        ));
    }
    lines.join("\n")
}

fn broken(finding: &Finding) -> Reply {
    let words = finding.words();
    let facts = json!({
        "verdict": "broken",
        "kind": finding.kind.name(),
        "index": finding.index,
        "until": finding.until,
        "words": words,
    });
    Reply::new(&facts, format!("Broken: {words}")).refused()
}
