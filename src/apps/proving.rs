//! Whether a log is what its signature says: checked here, by what anybody can check it with, and
//! not believed because the API says so (docs/AUDIT-FORMAT.md).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::RelyingParty;
use super::api::ApiError;
use crate::audit::format::{Checkpoint, CheckpointError, NoteError, TreeHash, Vkey, proof};
use crate::pages::{LogFault, LogProof, LogVerdict};

/// `GET /.well-known/lanyard-audit`.
#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    verifier_key: String,
}

/// `GET /api/v1/audit/checkpoint`.
#[derive(Deserialize)]
struct Signed {
    note: String,
}

/// `GET /api/v1/audit/proof`. What it says of the leaf is not believed: that is made of what is
/// shown.
#[derive(Deserialize)]
struct Inclusion {
    path: Vec<String>,
}

/// `GET /api/v1/audit/consistency`.
#[derive(Deserialize)]
struct Growth {
    path: Vec<String>,
}

/// An entry that is shown: its place, and the hash of its line.
pub type Leaf = (u64, TreeHash);

/// A size and a root that were proven before: `18:base64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    size: u64,
    root: TreeHash,
}

impl Proven {
    /// Reads what [`Self::text`] writes; `None`: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (size, root) = text.split_once(':')?;
        Some(Self {
            size: size.parse().ok()?,
            root: TreeHash::from_base64(root)?,
        })
    }

    fn text(self) -> String {
        format!("{}:{}", self.size, self.root.to_base64())
    }
}

/// Checks the last signature over a log, that the shown entries are under it word for word, and
/// that the log has only grown since `before`.
pub async fn check(
    rp: &RelyingParty,
    token: &str,
    (log, shown): (Uuid, &[Leaf]),
    before: Option<Proven>,
) -> LogVerdict {
    match prove(rp, token, (log, shown), before).await {
        Ok(proof) => LogVerdict::Good(proof),
        Err(fault) => LogVerdict::Bad(fault),
    }
}

async fn prove(
    rp: &RelyingParty,
    token: &str,
    (log, shown): (Uuid, &[Leaf]),
    before: Option<Proven>,
) -> Result<LogProof, LogFault> {
    let keys: Keys = rp
        .api()
        .published("/.well-known/lanyard-audit")
        .await
        .map_err(|error| silent(&error))?;
    let keys: Vec<Vkey> = keys
        .keys
        .iter()
        .filter_map(|key| Vkey::parse(&key.verifier_key))
        .collect();
    let signed: Signed = match rp.api().get("audit/checkpoint", token, false).await {
        Err(ApiError::Refused(refusal)) if refusal.status == 404 => return Err(LogFault::Unsigned),
        answer => answer.map_err(|error| silent(&error))?,
    };
    let (checkpoint, key) = Checkpoint::open(&signed.note, &keys).map_err(fault_of)?;
    if !checkpoint.origin.ends_with(&format!("/audit/{log}")) {
        return Err(LogFault::OtherLog);
    }
    let size = checkpoint.size;
    let is_covered = |(index, _): &Leaf| *index < size;
    let covered: Vec<Leaf> = shown.iter().copied().filter(is_covered).collect();
    for &(index, leaf) in &covered {
        let path = format!("audit/proof?index={index}&size={size}");
        let inclusion: Inclusion = ask(rp, token, &path, LogFault::Missing(index)).await?;
        let path = hashes(&inclusion.path);
        let root = path.and_then(|path| proof::root_by_inclusion(leaf, index, size, &path));
        if root != Some(checkpoint.root) {
            return Err(LogFault::Missing(index));
        }
    }
    let since = match before {
        Some(before) => Some(grown(rp, token, before, &checkpoint).await?),
        None => None,
    };
    let proven = Proven {
        size,
        root: checkpoint.root,
    };
    Ok(LogProof {
        size,
        key: key.to_text(),
        covered: covered.len(),
        uncovered: shown.len() - covered.len(),
        since,
        proven: proven.text(),
    })
}

/// Up to which size it was the same log before.
async fn grown(
    rp: &RelyingParty,
    token: &str,
    before: Proven,
    now: &Checkpoint,
) -> Result<u64, LogFault> {
    let forked = LogFault::Forked(before.size);
    let (old, new) = ((before.size, before.root), (now.size, now.root));
    let path = if before.size == 0 || before.size == now.size {
        Vec::new()
    } else {
        let path = format!("audit/consistency?from={}&to={}", before.size, now.size);
        let growth: Growth = ask(rp, token, &path, forked).await?;
        hashes(&growth.path).ok_or(forked)?
    };
    if proof::is_consistent(old, new, &path) {
        Ok(before.size)
    } else {
        Err(forked)
    }
}

fn hashes(path: &[String]) -> Option<Vec<TreeHash>> {
    path.iter()
        .map(|text| TreeHash::from_base64(text))
        .collect()
}

/// Asks for a proof; that there is none is a fault of the log, not of the way to it.
async fn ask<T: DeserializeOwned>(
    rp: &RelyingParty,
    token: &str,
    path: &str,
    none: LogFault,
) -> Result<T, LogFault> {
    match rp.api().get(path, token, false).await {
        Err(ApiError::Refused(refusal)) if matches!(refusal.status, 400 | 404) => Err(none),
        answer => answer.map_err(|error| silent(&error)),
    }
}

fn fault_of(error: CheckpointError) -> LogFault {
    match error {
        CheckpointError::Note(NoteError::UnknownKey) => LogFault::Untrusted,
        CheckpointError::Note(_) | CheckpointError::NotACheckpoint => LogFault::BadSignature,
    }
}

fn silent(error: &ApiError) -> LogFault {
    tracing::warn!(detail = ?error, "a log was not checked");
    LogFault::Silent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_proven_is_read_as_it_was_written() {
        let proven = Proven {
            size: 18,
            root: TreeHash::empty(),
        };
        assert_eq!(Proven::parse(&proven.text()), Some(proven));
        for no in ["", "18", "18:", "x:AAAA", "-1:47DEQpj8HBSa-_TImW-5JA=="] {
            assert_eq!(Proven::parse(no), None, "{no}");
        }
    }
}
