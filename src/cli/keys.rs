//! `lanyard keys`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::args::Keys as Asked;
use super::output::{Failure, Reply, table};
use super::site::{self, Site, runtime};
use crate::env::Env;
use crate::secret::MasterKey;
use crate::signing::ring;

pub(super) fn run(asked: &Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Init => init(site),
        Asked::List => list(site),
    }
}

fn init(site: &Site) -> Result<Reply, Failure> {
    let path = site.master_path();
    let shown = path.display().to_string();
    match make_master(&path, &site.env) {
        Ok(()) => {
            let text = format!(
                "Made {shown}. Keep a copy of it apart from the database's backups: without it \
                 nobody can sign in, and what is encrypted stays so."
            );
            Ok(Reply::new(
                &json!({ "master_key": shown, "created": true }),
                text,
            ))
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Failure::refused(
            format!("{shown} is there already"),
            "It was left as it is: another one would make the database useless.",
        )),
        Err(e) => Err(Failure::failed(
            format!("{shown} can't be made: {e}"),
            "May this user write to keys_dir?",
        )),
    }
}

/// Writes a fresh master key that its owner alone may read, whole or not at all.
fn make_master(path: &Path, env: &Env) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let aside = dir.join(format!("master.key.{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    let encoded = MasterKey::random(env).encoded();
    let written = writeln!(file, "{}", encoded.expose_secret())
        .and_then(|()| file.sync_all())
        // Unlike a rename, a link never takes the place of a file that is there.
        .and_then(|()| fs::hard_link(&aside, path));
    let _ = fs::remove_file(&aside);
    written?;
    fs::File::open(dir)?.sync_all()
}

fn list(site: &Site) -> Result<Reply, Failure> {
    let master = site.master()?;
    let reached = site.attach(master)?;
    let outcome = runtime()?.block_on(async {
        reached.refuse_older_schema().await?;
        let db = reached.open(site, 4).await?;
        let keys = ring::standings(&db).await.map_err(|e| site::store(&e));
        db.close().await;
        keys
    });
    reached.leave();
    let keys = outcome?;
    let rows = keys
        .iter()
        .map(|k| [k.kid.clone(), k.alg.clone(), k.standing.clone()]);
    let text = if keys.is_empty() {
        "No signing keys yet: the first start of `lanyard serve` makes them.".to_owned()
    } else {
        table(["kid", "alg", "standing"], rows)
    };
    Ok(Reply::new(&keys, text))
}
