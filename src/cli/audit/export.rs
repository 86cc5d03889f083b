//! `lanyard audit export`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;

use super::unread;
use crate::audit::log::{ExportError, Wanted};
use crate::cli::args::Export;
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, Reply};
use crate::cli::site::Site;
use crate::cli::tenant;
use crate::http::chain;

pub(super) fn run(asked: &Export, site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| export(asked, site, operator).await)
}

async fn export(asked: &Export, site: &Site, operator: &Operator<'_>) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, &asked.tenant).await?;
    let wanted = Wanted {
        tenant: owner.id,
        from: asked.from,
        to: asked.to,
        disclose: asked.disclose,
    };
    // Another's to read as little as the database is.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&asked.file);
    let file = file.map_err(|e| unwritable(&asked.file, &e))?;
    let mut out = BufWriter::new(file);
    let logs = operator.logs(&site.config.issuer);
    let key_lifetime = site.config.audit.key_lifetime;
    let written = async {
        let entries = logs.export(wanted, key_lifetime, &mut out).await?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(entries)
    };
    let written: Result<_, ExportError> = written.await;
    let entries = written.map_err(|e| {
        // Half an export is none.
        let _ = std::fs::remove_file(&asked.file);
        unmade(&asked.file, &e)
    })?;
    let facts = json!({
        "file": asked.file,
        "log": owner.id,
        "from": entries.start,
        "to": entries.end,
    });
    let text = format!(
        "{} holds entries {} to {} of {}. Check it with `lanyard audit verify`, and keys from \
         {}/.well-known/lanyard-audit.",
        asked.file.display(),
        entries.start,
        entries.end.saturating_sub(1),
        owner.slug,
        site.config.issuer.as_str()
    );
    Ok(Reply::new(&facts, text))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(
        format!("{} can't be written: {error}", path.display()),
        "Name a file that is not there yet, in a folder that this user may write to.",
    )
}

pub(super) fn unmade(path: &Path, error: &ExportError) -> Failure {
    match error {
        ExportError::Log(error) => unread(error),
        ExportError::Unwritable(error) => unwritable(path, error),
        ExportError::NoSuchEntries { .. } | ExportError::Gone { .. } => {
            Failure::refused(error.to_string(), "Ask for others with --from and --to.")
        }
        ExportError::Missing(_) => Failure::failed(
            chain(error),
            "The log was changed in the database. Compare it with its anchor and earlier exports.",
        ),
    }
}
