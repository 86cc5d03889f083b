//! What the demo keeps on this machine: its folder, its mark, its passwords as ciphertext.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::DemoError;
use super::world::{MEMBERS, has_device};
use crate::config::{Config, MailDelivery};
use crate::env::Env;
use crate::identity::totp::TotpSecret;
use crate::keys::MasterKey;
use crate::secret::Sealing;

/// Names a folder that is the demo's, and may be thrown away.
const MARK: &str = "this-is-lanyards-demo";
const WORLD: &str = "world.sealed";
const PLACE: &str = "demo/world.sealed";

/// Turns a configuration into the demo's: everything it writes lies in one folder of its own, and
/// only this machine reaches it.
pub fn configure(mut config: Config) -> Result<Config, DemoError> {
    let listen = &config.listen;
    let apps = &config.apps;
    let lists = [
        &listen.issuer,
        &listen.operations,
        &apps.patient.listen,
        &apps.clinician.listen,
        &apps.console.listen,
        &apps.platform.listen,
    ];
    if let Some(open) = lists
        .into_iter()
        .flatten()
        .find(|address| !address.ip().is_loopback())
    {
        return Err(DemoError::NotLoopback(*open));
    }
    let folder = folder(&config);
    config.keys_dir = folder.join("keys");
    config.state_dir = folder;
    config.mail.delivery = MailDelivery::Catcher;
    config.is_demo = true;
    Ok(config)
}

/// Where the demo of this configuration lives: `demo` in the state directory.
pub fn folder(config: &Config) -> PathBuf {
    if config.is_demo {
        config.state_dir.clone()
    } else {
        config.state_dir.join("demo")
    }
}

/// Makes the demo's folder and its master key, if they are not there.
///
/// - `config`: as [`configure`] gives it
pub fn make_folder(config: &Config, env: &Env) -> Result<(), DemoError> {
    let folder = &config.state_dir;
    let failed = |source| DemoError::Folder {
        folder: folder.clone(),
        source,
    };
    let has_something = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if has_something && !is_marked(folder) {
        return Err(DemoError::Foreign(folder.clone()));
    }
    let private = |path: &Path| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    };
    private(folder).map_err(failed)?;
    write_new(
        &folder.join(MARK),
        b"`lanyard demo reset` removes this folder.\n",
    )
    .map_err(failed)?;
    private(&config.keys_dir).map_err(failed)?;
    let key = MasterKey::random_for_demo(env).encoded();
    write_new(
        &config.keys_dir.join("master.key"),
        key.expose_secret().as_bytes(),
    )
    .map_err(failed)
}

/// Keeps the folder from being removed, or used by a second demo, as long as the answer lives.
pub fn hold(config: &Config) -> Result<fs::File, DemoError> {
    let folder = folder(config);
    let failed = |source| DemoError::Folder {
        folder: folder.clone(),
        source,
    };
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(DemoError::Running(folder)),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Throws the demo's folder away; `false` if there is none. What is not marked is left alone, and
/// so is what a demo is running on.
pub fn remove_folder(config: &Config) -> Result<bool, DemoError> {
    let folder = folder(config);
    if !folder.exists() {
        return Ok(false);
    }
    if !is_marked(&folder) {
        return Err(DemoError::Foreign(folder));
    }
    let _held = hold(config)?;
    fs::remove_dir_all(&folder).map_err(|source| DemoError::Folder { folder, source })?;
    Ok(true)
}

/// Nothing but the demo runs on the demo's folder or keys: its passwords are printed.
pub fn refuse_outside(config: &Config) -> Result<(), DemoError> {
    if config.is_demo {
        return Ok(());
    }
    let places = [&config.state_dir, &config.keys_dir];
    match places.into_iter().find_map(|place| demo_around(place)) {
        Some(place) => Err(DemoError::OnlyDemo(place)),
        None => Ok(()),
    }
}

/// The demo's folder that `inner` is, or lies in.
fn demo_around(inner: &Path) -> Option<PathBuf> {
    let inner = std::path::absolute(inner).ok()?;
    let inner = inner.canonicalize().unwrap_or(inner);
    let marked = inner.ancestors().find(|folder| is_marked(folder));
    marked.map(Path::to_owned)
}

fn is_marked(folder: &Path) -> bool {
    folder.join(MARK).is_file()
}

/// Writes a private file whole and durably, unless it is there.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.exists() {
        Ok(())
    } else {
        write(path, content)
    }
}

/// Writes a private file whole and durably, in place of one that is there.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("part");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

/// The demo's secrets: drawn once, printed as often as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Password by login.
    pub passwords: BTreeMap<String, String>,
    /// The secrets of sign-in codes by login, as an authenticator app takes them.
    #[serde(default)]
    pub code_secrets: BTreeMap<String, String>,
    /// The client secret of the app of another party, once it is registered.
    #[serde(default)]
    pub partner_secret: Option<String>,
    /// The same of the support's own app.
    #[serde(default)]
    pub desk_secret: Option<String>,
    /// Whether everything that they are for is in the database.
    pub is_seeded: bool,
}

impl World {
    /// As kept in the demo's folder; `None` before the first start.
    pub fn load(config: &Config) -> Result<Option<Self>, DemoError> {
        let path = config.state_dir.join(WORLD);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(DemoError::Folder {
                    folder: path,
                    source,
                });
            }
        };
        let plain = sealing(config)?
            .open(PLACE, &sealed)
            .ok_or(DemoError::OtherKey)?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| DemoError::OtherKey)
    }

    /// New ones.
    pub fn draw(env: &Env) -> Self {
        let passwords = MEMBERS
            .iter()
            .map(|member| (member.login.to_owned(), password(env)))
            .collect();
        let code_secrets = MEMBERS
            .iter()
            .filter(|member| has_device(member.login))
            .map(|member| {
                let secret = TotpSecret::new(env.random_bytes());
                (member.login.to_owned(), secret.text())
            })
            .collect();
        Self {
            passwords,
            code_secrets,
            partner_secret: None,
            desk_secret: None,
            is_seeded: false,
        }
    }

    /// Keeps them, as ciphertext.
    pub fn keep(&self, config: &Config, env: &Env) -> Result<(), DemoError> {
        let plain = serde_json::to_vec(self).expect("strings serialize");
        let path = config.state_dir.join(WORLD);
        let kept = write(&path, &sealing(config)?.seal(env, PLACE, &plain));
        kept.map_err(|source| DemoError::Folder {
            folder: path,
            source,
        })
    }

    /// What one person's device makes codes from; `None` if she has none.
    pub fn code_secret(&self, login: &str) -> Option<TotpSecret> {
        TotpSecret::parse(self.code_secrets.get(login)?)
    }

    /// One person's.
    pub fn password(&self, login: &str) -> &str {
        self.passwords.get(login).map_or("", String::as_str)
    }
}

/// Under the demo's own master key: it is read while no database runs.
fn sealing(config: &Config) -> Result<Sealing, DemoError> {
    let path = config.keys_dir.join("master.key");
    let text = fs::read_to_string(&path).map_err(|source| DemoError::Folder {
        folder: path,
        source,
    })?;
    let key = MasterKey::decode(&text).ok_or(DemoError::OtherKey)?;
    Ok(Sealing::new(&key.inherited().derive("wrap")))
}

/// Four groups of four letters and digits that can't be mistaken for others: 80 bits, to be typed
/// by hand.
fn password(env: &Env) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = env.random_bytes::<16>();
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_for_this_machine_alone() {
        let mut config = Config::default();
        assert!(configure(config.clone()).is_ok());
        config.listen.issuer = vec!["0.0.0.0:8080".parse().expect("an address")];
        assert!(matches!(configure(config), Err(DemoError::NotLoopback(_))));
    }

    #[test]
    fn a_folder_that_is_not_the_demos_is_left_alone() {
        let base = std::env::temp_dir().join(format!("lanyard-demo-{}", std::process::id()));
        let strange = base.join("demo");
        fs::create_dir_all(&strange).expect("a folder");
        fs::write(strange.join("thesis.txt"), "years of work").expect("a file");
        let config = Config {
            state_dir: base.clone(),
            ..Config::default()
        };
        assert!(matches!(remove_folder(&config), Err(DemoError::Foreign(_))));
        let demo = configure(config).expect("loopback");
        assert!(matches!(
            make_folder(&demo, &Env::system()),
            Err(DemoError::Foreign(_))
        ));
        assert!(strange.join("thesis.txt").exists());
        fs::remove_dir_all(base).expect("ours");
    }

    /// Issue 3: `var/demo` is served by `lanyard demo` alone, and so are its keys.
    #[test]
    fn nothing_else_runs_on_the_demos_folder_or_keys() {
        let base = std::env::temp_dir().join(format!("lanyard-outside-{}", std::process::id()));
        let plain = Config {
            state_dir: base.clone(),
            keys_dir: base.join("keys"),
            ..Config::default()
        };
        let demo = configure(plain.clone()).expect("loopback");
        make_folder(&demo, &Env::system()).expect("a folder");
        assert!(refuse_outside(&plain).is_ok());
        assert!(refuse_outside(&demo).is_ok());
        for outside in [
            Config {
                state_dir: demo.state_dir.clone(),
                ..plain.clone()
            },
            Config {
                keys_dir: demo.keys_dir.clone(),
                ..plain
            },
        ] {
            let refused = refuse_outside(&outside);
            assert!(matches!(refused, Err(DemoError::OnlyDemo(_))));
        }
        fs::remove_dir_all(base).expect("ours");
    }

    #[test]
    fn passwords_are_kept_as_ciphertext_and_read_back() {
        let base = std::env::temp_dir().join(format!("lanyard-world-{}", std::process::id()));
        let config = Config {
            state_dir: base.clone(),
            ..Config::default()
        };
        let (config, env) = (configure(config).expect("loopback"), Env::system());
        make_folder(&config, &env).expect("a folder");
        assert_eq!(World::load(&config).expect("readable"), None);
        let world = World::draw(&env);
        world.keep(&config, &env).expect("written");
        let kept = fs::read(config.state_dir.join(WORLD)).expect("a file");
        let password = world.password(MEMBERS[0].login);
        assert_eq!(password.len(), 19);
        assert!(!kept.windows(19).any(|seen| seen == password.as_bytes()));
        assert_eq!(World::load(&config).expect("readable"), Some(world));
        assert!(remove_folder(&config).expect("ours"));
        fs::remove_dir_all(base).expect("ours");
    }
}
