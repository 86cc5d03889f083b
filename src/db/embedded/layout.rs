//! What lies where under the base folder, and whose it is.
//!
//! | path | what | owner |
//! |---|---|---|
//! | `lanyard-cluster` | the mark that we made this folder | us |
//! | `lock`, `socket-dir`, `postgres.log` | see `lock.rs`, [`Layout::socket_dir`], `log.rs` | us |
//! | `hba.conf`, `ident.conf` | who may connect; written anew at each start | us |
//! | `data`, `run` | PostgreSQL's data and socket | PostgreSQL's user |
//!
//! "Us" is root when root starts it (tests do; the program becomes `lanyard` first). Then nothing
//! that root writes lies in a folder which PostgreSQL's user could rearrange.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use super::{
    EmbeddedError, LOGINS,
    error::At as _,
    privilege::{self, Account},
};

const MARK: &str = "lanyard-cluster";

/// `sun_path` holds 107 bytes and a zero; PostgreSQL puts `/.s.PGSQL.5432` after the folder.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();

/// Who owns what, and where.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) base: PathBuf,
    pub(super) data: PathBuf,
    /// The user that runs this process.
    pub(super) ourselves: Account,
    /// The user that runs PostgreSQL, where it is another one.
    pub(super) server: Option<Account>,
}

impl Layout {
    /// Makes the base folder, or recognizes it as ours. Touches nothing otherwise.
    pub(super) fn open(base: &Path) -> Result<Self, EmbeddedError> {
        let ourselves = privilege::ourselves()?;
        let server = if privilege::is_root() {
            Some(privilege::system_user()?)
        } else {
            None
        };
        // PostgreSQL's user must be able to pass through a base folder of root's.
        let mode = if server.is_some() { 0o711 } else { 0o700 };
        if !fs::exists(base).at("cannot look at", base)? {
            make_base(base, mode)?;
        }
        let base = base.canonicalize().at("cannot find", base)?;
        recognize(&base, ourselves.uid)?;
        fs::set_permissions(&base, fs::Permissions::from_mode(mode))
            .at("cannot set the mode of", &base)?;
        let data = base.join("data");
        Ok(Self {
            base,
            data,
            ourselves,
            server,
        })
    }

    /// The user id that PostgreSQL's folders must belong to.
    pub(super) fn server_uid(&self) -> u32 {
        self.server.as_ref().unwrap_or(&self.ourselves).uid
    }

    /// Makes a private folder for PostgreSQL's user. Fails if anything is there already, so that
    /// the change of owner can only ever meet a folder that was just made.
    pub(super) fn make_private(&self, dir: &Path) -> Result<(), EmbeddedError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .at("cannot make", dir)?;
        if let Some(account) = &self.server {
            std::os::unix::fs::lchown(dir, Some(account.uid), Some(account.gid))
                .at("cannot set the owner of", dir)?;
        }
        Ok(())
    }

    /// Whether `dir` exists as a private folder of PostgreSQL's user. Anything else there is
    /// refused.
    pub(super) fn has_private(&self, dir: &Path) -> Result<bool, EmbeddedError> {
        let meta = match fs::symlink_metadata(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.at("cannot look at", dir)?,
        };
        if is_private(&meta, self.server_uid()) {
            return Ok(true);
        }
        Err(EmbeddedError::NotOurs {
            path: dir.to_path_buf(),
            why: format!(
                "it is not a private folder of user id {}",
                self.server_uid()
            ),
        })
    }

    /// Where the running cluster's socket is: `run`, or the recorded folder.
    pub(super) fn socket_dir(&self) -> Result<Option<PathBuf>, EmbeddedError> {
        let run = self.base.join("run");
        if run.as_os_str().len() <= LONGEST_SOCKET_DIR {
            return Ok(self.has_private(&run)?.then_some(run));
        }
        let record = self.base.join("socket-dir");
        let dir = match fs::read_to_string(&record) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => PathBuf::from(other.at("cannot read", &record)?),
        };
        let ours = fs::symlink_metadata(&dir).is_ok_and(|m| is_private(&m, self.server_uid()));
        Ok(ours.then_some(dir))
    }

    /// The socket's folder, made if missing. Where `run` would be too long for a socket address,
    /// a folder of random name under the runtime folder takes its place.
    pub(super) fn ensure_socket_dir(&self) -> Result<PathBuf, EmbeddedError> {
        if let Some(dir) = self.socket_dir()? {
            return Ok(dir);
        }
        let run = self.base.join("run");
        if run.as_os_str().len() <= LONGEST_SOCKET_DIR {
            self.make_private(&run)?;
            return Ok(run);
        }
        let dir = self
            .runtime_dir()
            .join(format!("lanyard-{}", random_name()?));
        if dir.as_os_str().len() > LONGEST_SOCKET_DIR {
            return Err(EmbeddedError::NotOurs {
                path: dir,
                why: "its name is too long for a socket (set TMPDIR to a shorter one)".to_owned(),
            });
        }
        self.make_private(&dir)?;
        self.write_own("socket-dir", &dir.to_string_lossy())?;
        Ok(dir)
    }

    /// `$XDG_RUNTIME_DIR` where it is ours alone; else the folder for temporary files.
    fn runtime_dir(&self) -> PathBuf {
        std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|_| self.server.is_none())
            .filter(|dir| dir.is_absolute())
            .filter(|dir| fs::metadata(dir).is_ok_and(|m| is_private(&m, self.ourselves.uid)))
            .unwrap_or_else(std::env::temp_dir)
    }

    /// Who may connect: the roles of [`LOGINS`], over the socket, when the kernel says that the
    /// other end is the user that runs Lanyard or PostgreSQL. Nobody else and nowhere else.
    pub(super) fn write_access(&self) -> Result<[PathBuf; 2], EmbeddedError> {
        let logins = LOGINS.join(",");
        let hba = format!("local all {logins} peer map=lanyard\nlocal all all reject\n");
        let users = [Some(&self.ourselves), self.server.as_ref()];
        let mut ident = String::new();
        for user in users.into_iter().flatten() {
            if user.name.contains(['"', '\\']) || user.name.starts_with('/') {
                return Err(EmbeddedError::Account(format!(
                    "the user name `{}` cannot be written in pg_ident.conf. Run as another user",
                    user.name
                )));
            }
            for login in LOGINS {
                ident.extend(["lanyard \"", &user.name, "\" ", login, "\n"]);
            }
        }
        Ok([
            self.write_own("hba.conf", &hba)?,
            self.write_own("ident.conf", &ident)?,
        ])
    }

    /// Writes a file of ours aside, then puts it in place whole. PostgreSQL's user may read it.
    fn write_own(&self, name: &str, content: &str) -> Result<PathBuf, EmbeddedError> {
        let path = self.base.join(name);
        let aside = self.base.join(format!("{name}.new"));
        let mode = if self.server.is_some() { 0o644 } else { 0o600 };
        let _ = fs::remove_file(&aside);
        let opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&aside);
        let mut file = opened.at("cannot make", &aside)?;
        file.write_all(content.as_bytes())
            .at("cannot write", &aside)?;
        fs::rename(&aside, &path).at("cannot put in place", &path)?;
        Ok(path)
    }
}

fn is_private(meta: &fs::Metadata, uid: u32) -> bool {
    meta.is_dir() && meta.uid() == uid && meta.mode() & 0o777 == 0o700
}

fn make_base(base: &Path, mode: u32) -> Result<(), EmbeddedError> {
    let above = base.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(above).at("cannot make", above)?;
    match fs::DirBuilder::new().mode(mode).create(base) {
        // Another start of ours was quicker.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.at("cannot make", base),
    }
}

/// A folder is ours if it is our user's and bears our mark. An empty one gets the mark.
fn recognize(base: &Path, uid: u32) -> Result<(), EmbeddedError> {
    let refuse = |why: String| {
        Err(EmbeddedError::NotOurs {
            path: base.to_path_buf(),
            why,
        })
    };
    let meta = fs::metadata(base).at("cannot look at", base)?;
    if !meta.is_dir() {
        return refuse("it is no folder".to_owned());
    }
    if meta.uid() != uid {
        return refuse(format!(
            "it belongs to user id {}, and this is {uid}",
            meta.uid()
        ));
    }
    let mark = base.join(MARK);
    if fs::symlink_metadata(&mark).is_ok_and(|m| m.is_file() && m.uid() == uid) {
        return Ok(());
    }
    let mut there = fs::read_dir(base).at("cannot list", base)?;
    if there.next().is_some() {
        // Another start of ours may have put the mark there since we looked.
        return match fs::symlink_metadata(&mark) {
            Ok(m) if m.is_file() && m.uid() == uid => Ok(()),
            _ => refuse(format!("it holds files and not our mark `{MARK}`")),
        };
    }
    let content =
        "Lanyard's private PostgreSQL cluster. Lanyard uses no folder without this file.\n";
    let made = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o644)
        .open(&mark);
    made.and_then(|mut file| file.write_all(content.as_bytes()))
        .at("cannot make", &mark)
}

/// 64 random bits in hexadecimal, straight from the kernel: a folder's name, no secret. The
/// folder's privacy comes from its mode, and from refusing one that is there already.
fn random_name() -> Result<String, EmbeddedError> {
    let mut bytes = [0; 8];
    let source = Path::new("/dev/urandom");
    let read = fs::File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.at("cannot read", source)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
