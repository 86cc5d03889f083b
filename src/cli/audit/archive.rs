//! `lanyard audit archive` and `lanyard audit expire`.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::export::{unmade, unwritable};
use super::unread;
use crate::audit::format::Vkey;
use crate::audit::format::export::{Digests, Verdict, digests, verify};
use crate::audit::log::{ExportError, Kept, Logs, Wanted};
use crate::cli::args::{Archive, Month};
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, Reply};
use crate::cli::site::{self, Site};
use crate::cli::tenant;
use crate::ids::TenantId;

pub(super) fn run(asked: &Archive, site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| archive(asked, site, operator).await)
}

async fn archive(asked: &Archive, site: &Site, operator: &Operator<'_>) -> Result<Reply, Failure> {
    let only = match asked.tenant.as_deref() {
        Some(slug) => Some(tenant::load(operator, slug).await?.id),
        None => None,
    };
    let logs = operator.logs(&site.config.issuer);
    logs.sequence_in_turn().await.map_err(|e| unread(&e))?;
    let older = logs.older_than(only, asked.before.first_day()).await;
    let older = older.map_err(|e| site::store(&e))?;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&asked.folder);
    made.map_err(|e| unwritable(&asked.folder, &e))?;
    let (mut files, mut said) = (Vec::new(), Vec::new());
    for (log, entries) in older {
        let file = asked
            .folder
            .join(format!("{log}-{}-{}.ndjson", entries.start, entries.end));
        if !file.exists() {
            write(&logs, site, (log, &entries), &file).await?;
        }
        let digests = checked(&logs, (log, &entries), &file).await?;
        let recorded = logs.record_archive(log, entries.clone(), &digests).await;
        if !recorded.map_err(|e| site::store(&e))? {
            return Err(not_the_log(&file));
        }
        said.push(format!(
            "{}  entries {} to {}",
            file.display(),
            entries.start,
            entries.end - 1
        ));
        files.push(json!({
            "file": file, "log": log, "from": entries.start, "to": entries.end,
        }));
    }
    let text = if said.is_empty() {
        format!("No entry was recorded before {}.", asked.before)
    } else {
        said.push(
            "Each was verified. Keep them with the keys of /.well-known/lanyard-audit.".into(),
        );
        said.join("\n")
    };
    Ok(Reply::new(&json!({ "archives": files }), text))
}

/// Writes entries aside, and puts the file in its place when it is whole.
async fn write(
    logs: &Logs<'_>,
    site: &Site,
    (tenant, entries): (TenantId, &Range<u64>),
    file: &Path,
) -> Result<(), Failure> {
    let aside = aside(file);
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside);
    let mut out = BufWriter::new(opened.map_err(|e| unwritable(&aside, &e))?);
    let wanted = Wanted {
        tenant,
        from: entries.start,
        to: Some(entries.end),
        // What may have to be erased stays where it can be.
        disclose: false,
    };
    let written = async {
        let lifetime = site.config.audit.key_lifetime;
        logs.export(wanted, lifetime, &mut out).await?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&aside, file)?;
        Ok::<_, ExportError>(())
    };
    written.await.map_err(|e| unmade(file, &e))
}

fn aside(file: &Path) -> PathBuf {
    file.with_extension("part")
}

/// Verifies a file as an auditor would, by the published keys; gives what it is known by.
async fn checked(
    logs: &Logs<'_>,
    (tenant, entries): (TenantId, &Range<u64>),
    file: &Path,
) -> Result<Digests, Failure> {
    let keys = logs.published_keys().await.map_err(|e| site::store(&e))?;
    let keys: Vec<Vkey> = keys.into_iter().map(|key| key.vkey).collect();
    let unreadable = |e| unwritable(file, &e);
    let open = || Ok(BufReader::new(File::open(file)?));
    let source = open().map_err(unreadable)?;
    let verdict = verify(source, &keys, None::<BufReader<File>>, |_| ()).map_err(unreadable)?;
    match verdict {
        Verdict::Whole(report)
            if report.log == tenant.to_string()
                && (report.from..report.to) == *entries
                && !report.selection => {}
        Verdict::Whole(_) => return Err(not_the_log(file)),
        Verdict::Broken(finding) => {
            return Err(Failure::refused(
                format!(
                    "{} is no whole archive: {}",
                    file.display(),
                    finding.words()
                ),
                "Remove the file, and compare the log with its anchor.",
            ));
        }
    }
    digests(open().map_err(unreadable)?).map_err(unreadable)
}

fn not_the_log(file: &Path) -> Failure {
    Failure::refused(
        format!("{} is an archive of something else", file.display()),
        "Name another folder.",
    )
}

pub(super) fn expire(before: Month, site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| {
        let logs = operator.logs(&site.config.issuer);
        let expired = logs.expire(before.first_day()).await;
        match expired.map_err(|e| site::store(&e))? {
            Ok(months) => {
                let facts = json!({ "months": months });
                let text = match months.len() {
                    0 => format!("There is no month before {before}."),
                    count => format!(
                        "{count} months before {before} are dropped: {}.",
                        months.join(", ")
                    ),
                };
                Ok(Reply::new(&facts, text))
            }
            Err(kept) => Err(Failure::refused(kept.to_string(), remedy(kept))),
        }
    })
}

const fn remedy(kept: Kept) -> &'static str {
    match kept {
        Kept::Young => "Name a month that began at least six years ago.",
        Kept::Held => "`lanyard audit hold list` shows which.",
        Kept::NotArchived => "`lanyard audit archive FOLDER --before` the same month first.",
    }
}
