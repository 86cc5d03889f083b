//! Master keys as files of one folder: the one that wraps, and while it is changed its neighbor.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::master::MasterKey;
use super::wrap::{Answer, KeyWrap, WrapError, Wrapped};
use crate::env::Env;
use crate::secret::DataKey;

/// The key of this deployment.
pub(super) const CURRENT: &str = "master.key";
/// Takes its place: there while `lanyard keys rewrap` is to be run, and then wraps.
pub const NEXT: &str = "master.next.key";
/// Had its place: opens what is still under it.
pub const PREVIOUS: &str = "master.previous.key";

/// The operator's: the folder or a key in it is not usable.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No file, or it can't be read.
    #[error("{path} can't be read: make it with `lanyard keys init`")]
    Unreadable {
        /// Where it was looked for.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it, or list what lies beside it.
    #[error("{path} is open to others: run `chmod {mode} {path}`")]
    Exposed {
        /// Which file or folder.
        path: String,
        /// What it must have.
        mode: &'static str,
    },
    /// Somebody else can give it to others at any time.
    #[error("{path} belongs to another user: run `chown` for the user that serves")]
    Foreign {
        /// Which file or folder.
        path: String,
    },
    /// Not 32 bytes of base64.
    #[error("{path} holds no master key: it must be 32 random bytes in base64")]
    Malformed {
        /// Which file.
        path: String,
    },
    /// 32 bytes that somebody typed or published.
    #[error("{path} holds no secret: 32 bytes that anybody guesses")]
    Guessable {
        /// Which file.
        path: String,
    },
}

/// The master keys at hand, newest first. A key that a row names and nobody has is looked for in
/// the folder once more: a serving process takes part in a change without a restart.
#[derive(Debug)]
pub struct MasterKeys {
    folder: Option<PathBuf>,
    keys: RwLock<Arc<Vec<MasterKey>>>,
}

impl MasterKeys {
    /// Reads the folder, and refuses one that others can look into.
    pub fn load(folder: &Path) -> Result<Self, FolderError> {
        Ok(Self {
            keys: RwLock::new(Arc::new(read(folder)?)),
            folder: Some(folder.to_owned()),
        })
    }

    /// One key that lies nowhere.
    pub fn only(key: MasterKey) -> Self {
        Self {
            folder: None,
            keys: RwLock::new(Arc::new(vec![key])),
        }
    }

    /// Whether a key among them was made for a demo.
    pub fn has_a_demos(&self) -> bool {
        self.now().iter().any(MasterKey::is_demo)
    }

    /// Whether the key of that id is among them.
    pub fn has(&self, id: &str) -> bool {
        self.now().iter().any(|key| key.id() == id)
    }

    fn now(&self) -> Arc<Vec<MasterKey>> {
        Arc::clone(&self.keys.read().expect("no panic happens under this lock"))
    }

    /// The keys as the folder has them now.
    fn reread(&self) -> Result<Arc<Vec<MasterKey>>, FolderError> {
        if let Some(folder) = &self.folder {
            let fresh = Arc::new(read(folder)?);
            *self.keys.write().expect("no panic happens under this lock") = fresh;
        }
        Ok(self.now())
    }

    pub(super) fn open(
        &self,
        place: &str,
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        let named = |keys: &[MasterKey]| keys.iter().position(|key| key.id() == wrapped.master);
        let mut keys = self.now();
        if named(&keys).is_none() {
            keys = self.reread()?;
        }
        let at = named(&keys).ok_or_else(|| WrapError::OtherMaster {
            place: place.to_owned(),
            master: wrapped.master.clone(),
        })?;
        keys[at].unwrap(place, wrapped)
    }
}

impl KeyWrap for MasterKeys {
    fn newest(&self) -> Answer<'_, String> {
        Box::pin(async { Ok(self.reread()?[0].id().to_owned()) })
    }

    fn wrap<'a>(&'a self, env: &'a Env, place: &'a str, plain: &'a [u8]) -> Answer<'a, Wrapped> {
        Box::pin(async move { Ok(self.reread()?[0].wrap(env, place, plain)) })
    }

    fn unwrap<'a>(
        &'a self,
        place: &'a str,
        wrapped: &'a Wrapped,
    ) -> Answer<'a, Zeroizing<Vec<u8>>> {
        Box::pin(async move { self.open(place, wrapped) })
    }

    fn inherited(&self) -> Option<DataKey> {
        // The oldest at hand: an old database was under that one.
        self.now().last().map(MasterKey::inherited)
    }
}

/// The keys of the folder, the one that wraps first.
fn read(folder: &Path) -> Result<Vec<MasterKey>, FolderError> {
    if let Ok(about) = fs::metadata(folder) {
        refuse_open(folder, &about, "700")?;
    }
    let mut keys = Vec::new();
    for name in [NEXT, CURRENT, PREVIOUS] {
        let path = folder.join(name);
        match read_key(&path) {
            Ok(key) => keys.push(key),
            Err(FolderError::Unreadable { source, .. })
                if name != CURRENT && source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

fn read_key(path: &Path) -> Result<MasterKey, FolderError> {
    let shown = || path.display().to_string();
    let text = read_private(path)?;
    let key = MasterKey::decode(&text).ok_or_else(|| FolderError::Malformed { path: shown() })?;
    if key.is_guessable() {
        return Err(FolderError::Guessable { path: shown() });
    }
    Ok(key)
}

/// The text of a file that its owner alone may read.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>, FolderError> {
    let unreadable = |source| FolderError::Unreadable {
        path: path.display().to_string(),
        source,
    };
    refuse_open(path, &fs::metadata(path).map_err(unreadable)?, "600")?;
    Ok(Zeroizing::new(
        fs::read_to_string(path).map_err(unreadable)?,
    ))
}

/// Puts a private file in the place of what is there, whole and durably or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let (aside, folder) = write_aside(path, content)?;
    fs::rename(&aside, path)?;
    fs::File::open(folder)?.sync_all()
}

/// Writes a fresh master key where there is none, whole or not at all.
pub fn make_master(path: &Path, key: &MasterKey) -> io::Result<()> {
    let text = Zeroizing::new(format!("{}\n", key.encoded().expose_secret()));
    let (aside, folder) = write_aside(path, text.as_bytes())?;
    // Unlike a rename, a link never takes the place of a file that is there.
    let made = fs::hard_link(&aside, path);
    let _ = fs::remove_file(&aside);
    made?;
    fs::File::open(folder)?.sync_all()
}

/// Lets the next master key take the place of the current one, which stays beside it; `false`:
/// there is no next one. Repeatable after a crash at any point.
pub fn promote(folder: &Path) -> io::Result<bool> {
    let (next, current) = (folder.join(NEXT), folder.join(CURRENT));
    let previous = folder.join(PREVIOUS);
    if !fs::exists(&next)? {
        return Ok(false);
    }
    match fs::hard_link(&current, &previous) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let is_same = fs::read_to_string(&previous)? == fs::read_to_string(&current)?;
            if !is_same {
                return Err(e);
            }
        }
        linked => linked?,
    }
    fs::rename(next, current)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(true)
}

/// Makes a folder that its owner alone may look into; one that is there becomes such a one.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

fn write_aside<'a>(path: &'a Path, content: &[u8]) -> io::Result<(PathBuf, &'a Path)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok((aside, folder))
}

/// What groups or others can open, or another user owns, is no secret of ours (attacks CFG-01).
fn refuse_open(path: &Path, about: &fs::Metadata, mode: &'static str) -> Result<(), FolderError> {
    let path = path.display().to_string();
    let ourselves = rustix::process::geteuid();
    // Root reads everything anyway, and never serves.
    if about.uid() != ourselves.as_raw() && !ourselves.is_root() {
        return Err(FolderError::Foreign { path });
    }
    if about.mode() & 0o077 != 0 {
        return Err(FolderError::Exposed { path, mode });
    }
    Ok(())
}
