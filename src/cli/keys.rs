//! `lanyard keys`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::args::Keys as Asked;
use super::operator::Operator;
use super::output::{Failure, Reply, instant, table};
use super::site::{self, Site, runtime};
use crate::keys::{
    MasterKey, MasterKeys, NEXT, PREVIOUS, make_logins, make_master, make_private_folder, promote,
    rewrap_logins,
};
use crate::signing::policy::{KeyLife, Rules, next_event};
use crate::signing::ring;
use crate::signing::service::{self as signing, Keeper};

pub(super) fn run(asked: &Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Init { next: false } => init(site),
        Asked::Init { next: true } => init_next(site),
        Asked::Rewrap => rewrap(site),
        Asked::List => listed(site, async |_| Ok(())),
        Asked::Rotate { emergency: None } => listed(site, async |keeper| {
            keeper.rotate().await.map_err(|e| site::ring(&e))
        }),
        Asked::Rotate {
            emergency: Some(which),
        } => withdraw(site, which),
    }
}

fn init(site: &Site) -> Result<Reply, Failure> {
    let path = site.master_path();
    let shown = path.display().to_string();
    match make(site, &path) {
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
            "It was left as it is: another one would make the database useless. To change it: \
             `lanyard keys rewrap --help`.",
        )),
        Err(e) => Err(not_made(&shown, &e)),
    }
}

fn not_made(shown: &str, error: &io::Error) -> Failure {
    Failure::failed(
        format!("{shown} can't be made: {error}"),
        "May this user write to keys_dir?",
    )
}

/// The master key first: what lies there already is never given up for a new one.
fn make(site: &Site, path: &Path) -> io::Result<()> {
    let folder = &site.config.keys_dir;
    make_private_folder(folder)?;
    make_master(path, &MasterKey::random(&site.env))?;
    let master = MasterKeys::load(folder).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime
        .block_on(make_logins(folder, &site.env, &master))
        .map_err(io::Error::other)
}

fn init_next(site: &Site) -> Result<Reply, Failure> {
    site.master()?;
    let folder = &site.config.keys_dir;
    if folder.join(PREVIOUS).exists() {
        return Err(Failure::refused(
            format!("{} is still there", folder.join(PREVIOUS).display()),
            "Run `lanyard keys rewrap` to its end, keep that file with the backups that need it, \
             and remove it here.",
        ));
    }
    let path = folder.join(NEXT);
    let shown = path.display().to_string();
    match make_master(&path, &MasterKey::random(&site.env)) {
        Ok(()) => Ok(Reply::new(
            &json!({ "master_key": shown, "created": true }),
            format!("Made {shown}. Copy it to every host, then run `lanyard keys rewrap`."),
        )),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Failure::refused(
            format!("{shown} is there already"),
            "Run `lanyard keys rewrap`.",
        )),
        Err(e) => Err(not_made(&shown, &e)),
    }
}

fn rewrap(site: &Site) -> Result<Reply, Failure> {
    let folder = &site.config.keys_dir;
    let has_others = folder.join(NEXT).exists() || folder.join(PREVIOUS).exists();
    if !has_others {
        return Err(Failure::refused(
            "there is no next master key",
            "Make it: `lanyard keys init --next`.",
        ));
    }
    let count = rewrap_all(site)?;
    promote(folder).map_err(|e| {
        Failure::failed(
            format!("the files of {} can't be changed: {e}", folder.display()),
            "Every data key is under the next master key already. Mend it and run this again.",
        )
    })?;
    let previous = folder.join(PREVIOUS).display().to_string();
    let facts = json!({ "rewrapped": count, "previous": previous });
    let text = format!(
        "{count} keys are under the new master key now; nothing is under another.\nRun this on \
         every other host. Then keep {previous} with the backups from before today, and remove \
         it here."
    );
    Ok(Reply::new(&facts, text))
}

/// Puts everything that is under a master key under the newest: rows, then files. Counts rows.
fn rewrap_all(site: &Site) -> Result<u64, Failure> {
    let master = site.master()?;
    let reached = site.attach(&master)?;
    let outcome = runtime()?.block_on(async {
        reached.refuse_older_schema().await?;
        let db = reached.open(site, 4).await?;
        let rewrapped = async {
            let keys = reached.open_keys(site, &db, Arc::clone(&master)).await?;
            let operator = Operator::new(&db, &site.env, &keys);
            let rewrapped = operator.rewrap_data_keys().await;
            rewrapped.map_err(|e| site::no_keys(&e))
        };
        let rewrapped = rewrapped.await;
        db.close().await;
        let count = rewrapped?;
        let logins = rewrap_logins(&site.config.keys_dir, &site.env, master.as_ref());
        logins.await.map_err(|e| site::no_master(&e))?;
        Ok(count)
    });
    reached.leave();
    outcome
}

/// A signing key as it is told of.
#[derive(Serialize)]
struct Shown {
    kid: String,
    alg: &'static str,
    standing: &'static str,
    since: String,
    /// What it becomes next, and when; both null for one that signs until the next one does.
    becomes: Option<&'static str>,
    at: Option<String>,
}

/// Does something with the signing keys, and says how they stand then.
fn with_ring<T>(
    site: &Site,
    work: impl AsyncFnOnce(&Keeper<'_>) -> Result<T, Failure>,
) -> Result<(T, Vec<KeyLife>), Failure> {
    let master = site.master()?;
    let reached = site.attach(&master)?;
    let outcome = runtime()?.block_on(async {
        reached.refuse_older_schema().await?;
        let db = reached.open(site, 4).await?;
        let done = async {
            let keys = reached.open_keys(site, &db, master).await?;
            let keeper = Keeper {
                db: &db,
                env: &site.env,
                keys: &keys,
                rules: signing::rules(&site.config),
            };
            let done = work(&keeper).await?;
            let lives = ring::lives(&db).await.map_err(|e| site::store(&e))?;
            Ok((done, lives))
        };
        let done = done.await;
        db.close().await;
        done
    });
    reached.leave();
    outcome
}

/// The same, and shows them.
fn listed(
    site: &Site,
    work: impl AsyncFnOnce(&Keeper<'_>) -> Result<(), Failure>,
) -> Result<Reply, Failure> {
    let ((), keys) = with_ring(site, work)?;
    Ok(shown(&keys, signing::rules(&site.config)))
}

fn shown(keys: &[KeyLife], rules: Rules) -> Reply {
    let shown: Vec<Shown> = keys
        .iter()
        .map(|key| {
            let event = next_event(key, rules);
            Shown {
                kid: key.kid.clone(),
                alg: key.alg.name(),
                standing: key.standing.name(),
                since: instant(key.since),
                becomes: event.map(|(standing, _)| standing),
                at: event.map(|(_, at)| instant(at)),
            }
        })
        .collect();
    let rows = shown.iter().map(|key| {
        let next = key.becomes.zip(key.at.as_ref());
        let next = next.map_or_else(String::new, |(what, at)| format!("{what} at {at}"));
        [
            key.kid.clone(),
            key.alg.to_owned(),
            key.standing.to_owned(),
            next,
        ]
    });
    let text = if shown.is_empty() {
        "No signing keys yet: the first start of `lanyard serve` makes them.".to_owned()
    } else {
        table(["kid", "alg", "standing", "next"], rows)
    };
    Reply::new(&shown, text)
}

/// Withdraws keys, and proves by what the database says afterwards that none of them is published.
fn withdraw(site: &Site, which: &str) -> Result<Reply, Failure> {
    let (withdrawn, keys) = with_ring(site, async |keeper| revoke(keeper, which).await)?;
    let until = instant(site.env.now());
    let kids: Vec<&str> = withdrawn.iter().map(|key| key.kid.as_str()).collect();
    let left = keys.iter().filter(|key| kids.contains(&&*key.kid)).count();
    if left > 0 {
        return Err(Failure::failed(
            format!("{left} of the keys to be withdrawn are published still"),
            "Run it again.",
        ));
    }
    let now = shown(&keys, signing::rules(&site.config));
    let facts = json!({
        "withdrawn": kids, "until": until, "left": left, "keys": now.json,
    });
    let text = format!(
        "Withdrew {}. Counted again: none of them is published.\n\
         No token that they signed, until {until} or ever, is good.\n\n{}",
        kids.join(", "),
        now.text
    );
    Ok(Reply::new(&facts, text))
}

async fn revoke(keeper: &Keeper<'_>, which: &str) -> Result<Vec<KeyLife>, Failure> {
    let withdrawn = keeper.revoke(which).await.map_err(|e| site::ring(&e))?;
    if withdrawn.is_empty() {
        return Err(Failure::refused(
            format!("there is no signing key `{which}`, and no algorithm of that name"),
            "`lanyard keys list` shows all.",
        ));
    }
    Ok(withdrawn)
}
