//! `lanyard backup`, `lanyard restore`, `lanyard recover --restored`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::operator::RecoverError;
use super::output::{Failure, Reply, instant};
use super::site::{self, Reached, Site, runtime};
use crate::db::backup::{self, DumpError, Dumping};
use crate::db::embedded::{self, SUPERUSER};
use crate::http::chain;
use crate::keys::epoch::{self, EpochError, Mark};
use crate::keys::{KeyWrap as _, make_private_folder};
use crate::signing::service as signing;

const DUMP: &str = "database.dump";
const MANIFEST: &str = "manifest.json";

/// What a backup is of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    made_at: String,
    epoch: i32,
    checkpoint: i64,
    /// The master key that opens it, by its id.
    master_key: String,
    /// SHA-256 of the dump, base64url.
    sha256: String,
}

pub(super) fn backup(to: &Path, keys: Option<&Path>, site: &Site) -> Result<Reply, Failure> {
    for folder in [Some(to), keys].into_iter().flatten() {
        if folder.exists() {
            return Err(Failure::refused(
                format!("{} is there already", folder.display()),
                "Name a folder that is not: a backup never changes an older one.",
            ));
        }
    }
    let master = site.master()?;
    let runtime = runtime()?;
    let reached = site.attach(&master)?;
    let outcome = runtime.block_on(async {
        reached.refuse_older_schema().await?;
        let db = reached.open(site, 4).await?;
        let taken = async {
            make_private_folder(to).map_err(|e| unwritten(to, &e))?;
            let dumping = dumping(site, &reached)?;
            let dump = to.join(DUMP);
            tokio::task::block_in_place(|| dumping.dump(&dump)).map_err(|e| dumped(&e))?;
            // What the dump holds is at or before this mark.
            let at = epoch::of(&db).await.map_err(|e| site::store(&e))?;
            let manifest = Manifest {
                made_at: instant(site.env.now()),
                epoch: at.epoch,
                checkpoint: at.checkpoint,
                master_key: master.newest().await.map_err(|e| site::no_master(&e))?,
                sha256: sha256(&dump).map_err(|e| unwritten(&dump, &e))?,
            };
            let text = serde_json::to_vec(&manifest).expect("strings and numbers");
            let path = to.join(MANIFEST);
            fs::write(&path, text).map_err(|e| unwritten(&path, &e))?;
            // From here on the dump is behind: wherever it is put back, it is known for old.
            count_on(&db, &site.config.keys_dir).await?;
            Ok(manifest)
        };
        let taken = taken.await;
        db.close().await;
        taken
    });
    reached.leave();
    let manifest = outcome?;
    if let Some(keys) = keys {
        copy_keys(&site.config.keys_dir, keys).map_err(|e| unwritten(keys, &e))?;
    }
    let facts = json!({
        "folder": to, "keys": keys, "epoch": manifest.epoch, "checkpoint": manifest.checkpoint,
        "master_key": manifest.master_key,
    });
    let about_keys = match keys {
        Some(keys) => format!("Its keys are in {}: keep the two apart.", keys.display()),
        None => format!(
            "It holds no key: it is worth nothing without {}.",
            site.config.keys_dir.display()
        ),
    };
    let text = format!("Wrote {}. {about_keys}", to.display());
    Ok(Reply::new(&facts, text))
}

/// Counts where this host has a copy, and where it has none makes one.
async fn count_on(db: &crate::db::Db, keys_dir: &Path) -> Result<Mark, Failure> {
    let counted = epoch::check_in(db, keys_dir).await;
    counted.map_err(|e| behind(&e))
}

pub(super) fn restore(from: &Path, replace: bool, site: &Site) -> Result<Reply, Failure> {
    let manifest = read_manifest(from)?;
    let master = site.master()?;
    if !master.has(&manifest.master_key) {
        return Err(Failure::refused(
            format!(
                "this backup is under master key {}, which is not in {}",
                manifest.master_key,
                site.config.keys_dir.display()
            ),
            "Put the keys that were kept for it there.",
        ));
    }
    let runtime = runtime()?;
    let reached = site.attach(&master)?;
    let outcome = runtime.block_on(async {
        // Remembered first: a database that is half put back is refused as well.
        let of_backup = Mark {
            epoch: manifest.epoch,
            checkpoint: manifest.checkpoint,
        };
        let known = epoch::known(&site.config.keys_dir).map_err(|e| behind(&e))?;
        let refused = known
            .map_or(of_backup, |known| known.max(of_backup))
            .after();
        epoch::remember(&site.config.keys_dir, refused).map_err(|e| behind(&e))?;
        let room = backup::make_room(&reached.connect, replace).await;
        room.map_err(|e| dumped(&e))?;
        let dumping = dumping(site, &reached)?;
        let put_back = tokio::task::block_in_place(|| dumping.restore(&from.join(DUMP)));
        put_back.map_err(|e| dumped(&e))?;
        // What belongs to the database and not to its content: rights on it, revocations.
        let migrated = crate::db::migrate::migrate(&reached.connect).await;
        migrated.map_err(|e| site::migration(&e, &reached.name))
    });
    let name = reached.name.clone();
    reached.leave();
    outcome?;
    let facts = json!({ "database": name, "made_at": manifest.made_at });
    let text = format!(
        "Put the backup of {} back into {name}.\nIt has forgotten what came after, logouts too: \
         `lanyard serve` refuses it until `lanyard recover --restored`.",
        manifest.made_at
    );
    Ok(Reply::new(&facts, text))
}

/// `lanyard recover --restored`.
pub(super) fn recover(site: &Site) -> Result<Reply, Failure> {
    let folder = &site.config.keys_dir;
    site.operate(async |operator| {
        let begun = operator.recover_restored(folder, signing::rules(&site.config));
        let mark = begun.await.map_err(|e| match e {
            RecoverError::Ring(e) => site::ring(&e),
            RecoverError::Epoch(e) => behind(&e),
        })?;
        let text = format!(
            "Epoch {} has begun: every session, grant and one-time value from before is void, and \
             new keys sign. Everybody signs in again. On every other host copy {} over.",
            mark.epoch,
            folder.join("epoch").display()
        );
        Ok(Reply::new(&json!({ "epoch": mark.epoch }), text))
    })
}

/// Says why a database is not served from.
pub(super) fn behind(error: &EpochError) -> Failure {
    match error {
        EpochError::Store(e) => site::store(e),
        EpochError::Folder(_) | EpochError::Unwritable { .. } => Failure::refused(
            chain(error),
            "The process that serves reads and writes the file `epoch` in keys_dir.",
        ),
        EpochError::Behind { .. } => Failure::refused(
            error.to_string(),
            "Sessions that were ended would live again. If it was meant to be restored: `lanyard \
             recover --restored` voids them all.",
        ),
    }
}

fn read_manifest(from: &Path) -> Result<Manifest, Failure> {
    let path = from.join(MANIFEST);
    let no_backup = |why: String| {
        Failure::refused(
            format!("{} holds no whole backup: {why}", from.display()),
            "Take another one.",
        )
    };
    let text = fs::read(&path).map_err(|e| no_backup(e.to_string()))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| no_backup(e.to_string()))?;
    let there = sha256(&from.join(DUMP)).map_err(|e| no_backup(e.to_string()))?;
    if there != manifest.sha256 {
        return Err(no_backup(
            "the dump is not the one that was written".to_owned(),
        ));
    }
    Ok(manifest)
}

fn sha256(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut file = fs::File::open(path)?;
    let mut digest = Context::new(&SHA256);
    let mut part = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(URL_SAFE_NO_PAD.encode(digest.finish()));
        }
        digest.update(&part[..read]);
    }
}

/// Every file of the keys folder but the mark: that one is of the host, and never goes back.
fn copy_keys(from: &Path, to: &Path) -> io::Result<()> {
    make_private_folder(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        let is_key = name.to_str().is_some_and(|name| {
            matches!(
                name.rsplit_once('.').map(|(_, ending)| ending),
                Some("key" | "sealed")
            )
        });
        if is_key {
            fs::copy(path, to.join(name))?;
        }
    }
    Ok(())
}

/// By the URL of the configuration, or the private cluster's socket.
fn dumping(site: &Site, reached: &Reached) -> Result<Dumping, Failure> {
    let programs: PathBuf = backup::programs(site.config.database.postgres_bin.as_deref())
        .map_err(|e| site::embedded(&e))?;
    let Some(url) = &site.config.database.url else {
        let socket = reached.connect.socket_dir().unwrap_or_default();
        return Ok(Dumping {
            programs,
            target: format!(
                "host='{}' port=5432 user={SUPERUSER} dbname={}",
                socket.display(),
                embedded::DATABASE
            ),
            password: None,
        });
    };
    let mut url = Url::parse(url.expose_secret())
        .map_err(|_| Failure::refused("the database's URL can't be used", "Mend it."))?;
    let password = url.password().map(decoded);
    let _ = url.set_password(None);
    Ok(Dumping {
        programs,
        target: url.into(),
        password,
    })
}

/// A URL's password as it was meant (RFC 3986 §2.1); a plus is a plus there.
fn decoded(typed: &str) -> SecretString {
    let pair = format!("p={}", typed.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    let value = pairs.next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default().into()
}

fn dumped(error: &DumpError) -> Failure {
    match error {
        DumpError::NotEmpty => Failure::refused(
            error.to_string(),
            "`--replace` throws away what it holds now.",
        ),
        DumpError::Program { .. } => Failure::failed(
            chain(error),
            "Install PostgreSQL's client programs beside its server, or set \
             database.postgres_bin.",
        ),
        DumpError::Roles(e) => site::migration(e, "the database"),
        DumpError::Failed { .. } | DumpError::Administrator(_) => Failure::failed(
            chain(error),
            "The administrator of the URL must see every row (a superuser, or BYPASSRLS) and be \
             able to make databases and roles.",
        ),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(
        format!("{} can't be written: {error}", path.display()),
        "May this user write there, and is there room?",
    )
}
