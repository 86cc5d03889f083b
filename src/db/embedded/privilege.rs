//! From root to the system user `lanyard`.
//!
//! Neither PostgreSQL nor the server has any business as root. Users that others share
//! (`postgres`, `nobody`) are no alternative: whoever runs as one of them could read our data.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    os::unix::{
        fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    EmbeddedError,
    error::At as _,
    processes::{pause, tool},
};

/// The system user that the server and its private PostgreSQL run as when started by root.
pub const SYSTEM_USER: &str = "lanyard";

/// Where that user's state lives.
pub const STATE_DIR: &str = "/var/lib/lanyard";

/// Set for the re-executed process, so that a failed change of user can't loop.
const DROPPED: &str = "LANYARD_DROPPED_ROOT";

/// An operating system user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    shell: String,
}

impl Account {
    /// Makes `setpriv` run its program as this user, with no group and no capability of root's.
    pub(super) fn drop_to(&self, setpriv: &mut Command) {
        setpriv
            .args(["--reuid", &self.uid.to_string()])
            .args(["--regid", &self.gid.to_string()])
            .args(["--clear-groups", "--inh-caps=-all"]);
    }
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user that this process runs as. PostgreSQL can't run as one without a name.
pub(super) fn ourselves() -> Result<Account, EmbeddedError> {
    let uid = rustix::process::geteuid().as_raw();
    look_up(&uid.to_string())?.ok_or_else(|| {
        EmbeddedError::Account(format!(
            "user id {uid} has no name here, and PostgreSQL refuses to run without one. Run as \
             a user that /etc/passwd knows, or set DATABASE_URL"
        ))
    })
}

/// The system user, made if it is missing. Needs root.
pub(super) fn system_user() -> Result<Account, EmbeddedError> {
    if let Some(account) = look_up(SYSTEM_USER)? {
        return unshared(account);
    }
    say(&format!(
        "Started as root: adding the system user `{SYSTEM_USER}` (no login, home {STATE_DIR}) to \
         run as."
    ));
    let made = Command::new(tool("useradd", "passwd")?)
        .args(["--system", "--user-group", "--no-create-home"])
        .args([
            "--home-dir",
            STATE_DIR,
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ])
        .output()
        .at("cannot run", "useradd")?;
    // Another process may have made it, or hold the lock on the user database, at this moment.
    for _ in 0..200 {
        if let Some(account) = look_up(SYSTEM_USER)? {
            return unshared(account);
        }
        pause();
    }
    Err(EmbeddedError::Program {
        program: "useradd",
        status: made.status.to_string(),
        hint: "Add a system user `lanyard` by hand, or start Lanyard as an ordinary user",
        output: String::from_utf8_lossy(&made.stderr).into_owned(),
    })
}

/// Refuses a user of this name that is somebody else: root, a person, or an alias of another.
fn unshared(account: Account) -> Result<Account, EmbeddedError> {
    let refuse = |why: &str| {
        Err(EmbeddedError::Account(format!(
            "the user `{SYSTEM_USER}` {why}. Rename that user, or start Lanyard as an ordinary \
             user"
        )))
    };
    if account.uid == 0 || account.gid == 0 {
        return refuse("has root's user or group id");
    }
    let first = look_up(&account.uid.to_string())?;
    if first.is_none_or(|first| first.name != account.name) {
        return refuse("shares its user id with another one");
    }
    let no_login = ["nologin", "false"];
    if !no_login.iter().any(|shell| account.shell.ends_with(shell)) {
        return refuse("can log in, so it seems to be a person");
    }
    Ok(account)
}

/// Asks the system's user database, which need not be `/etc/passwd`, for a name or a user id.
fn look_up(key: &str) -> Result<Option<Account>, EmbeddedError> {
    let answer = Command::new(tool("getent", "libc-bin")?)
        .args(["passwd", key])
        .output()
        .at("cannot run", "getent")?;
    Ok(parse(&String::from_utf8_lossy(&answer.stdout)))
}

fn parse(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.lines().next()?.split(':').collect();
    let [name, _, uid, gid, _, _, shell] = fields.as_slice() else {
        return None;
    };
    Some(Account {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        shell: (*shell).to_owned(),
    })
}

/// As root: goes on as the system user, with the same arguments and environment. Returns at once
/// for everyone else; as root it returns only with an error.
///
/// The program is copied to a root-owned file under `state_dir`, since a checkout under `/root`
/// can't be reached by that user. A working folder that it can't read is left for `state_dir`.
/// `carried` variables are added to the environment: what was found relative to the folder that
/// was left. Call it before there are threads and open files: the process image is replaced.
pub fn drop_root(
    state_dir: &Path,
    carried: &[(&'static str, PathBuf)],
) -> Result<(), EmbeddedError> {
    if !is_root() {
        return Ok(());
    }
    if std::env::var_os(DROPPED).is_some() {
        return Err(EmbeddedError::Account(format!(
            "still root after the change to `{SYSTEM_USER}`. Start Lanyard as an ordinary user, \
             or unset {DROPPED}"
        )));
    }
    let setpriv = tool("setpriv", "util-linux")?;
    let account = system_user()?;
    prepare(state_dir, &account)?;
    let program = install(&state_dir.join("bin"))?;
    let mut next = Command::new(&setpriv);
    account.drop_to(&mut next);
    if !reaches_working_folder(&setpriv, &account) {
        say(&format!(
            "`{SYSTEM_USER}` cannot read this folder: going on in {}.",
            state_dir.display()
        ));
        next.current_dir(state_dir);
    }
    let mut arguments = std::env::args_os();
    let _own_name: Option<OsString> = arguments.next();
    let failed = next
        .arg("--")
        .arg(&program)
        .args(arguments)
        .envs(carried.iter().map(|(name, value)| (name, value)))
        .env(DROPPED, "1")
        .env("HOME", state_dir)
        .env("USER", SYSTEM_USER)
        .env("LOGNAME", SYSTEM_USER)
        .env_remove("XDG_RUNTIME_DIR")
        .exec();
    Err(failed).at("cannot run", setpriv)
}

/// The state folder belongs to root and is sticky: the system user makes its own files in it,
/// and can't replace `bin`, which root writes to.
fn prepare(state_dir: &Path, account: &Account) -> Result<(), EmbeddedError> {
    if let Some(parent) = state_dir.parent() {
        fs::create_dir_all(parent).at("cannot make", parent)?;
    }
    for dir in [state_dir, &state_dir.join("bin")] {
        match fs::create_dir(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(e).at("cannot make", dir);
            }
            _ => {}
        }
        let meta = fs::symlink_metadata(dir).at("cannot look at", dir)?;
        if !meta.is_dir() || meta.uid() != 0 {
            return Err(EmbeddedError::NotOurs {
                path: dir.to_path_buf(),
                why: "it is not a folder of root's".to_owned(),
            });
        }
    }
    let mode = |dir: &Path, mode| {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).at("cannot set the mode of", dir)
    };
    mode(&state_dir.join("bin"), 0o755)?;
    // The group is set before the group's right to write.
    std::os::unix::fs::lchown(state_dir, None, Some(account.gid))
        .at("cannot set the group of", state_dir)?;
    mode(state_dir, 0o1770)
}

/// Copies the running program to `bin/lanyard`, unless it is there already.
fn install(bin: &Path) -> Result<PathBuf, EmbeddedError> {
    let target = bin.join("lanyard");
    let running = Path::new("/proc/self/exe");
    let mut from = fs::File::open(running).at("cannot read", running)?;
    let source = from.metadata().at("cannot look at", running)?;
    let same = fs::symlink_metadata(&target).is_ok_and(|there| {
        there.is_file()
            && there.len() == source.len()
            && there.modified().ok() == source.modified().ok()
    });
    if same {
        return Ok(target);
    }
    let aside = bin.join(format!("lanyard.{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut copy = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(&aside)
        .at("cannot make", &aside)?;
    io::copy(&mut from, &mut copy).at("cannot write", &aside)?;
    copy.set_permissions(fs::Permissions::from_mode(0o755))
        .at("cannot set the mode of", &aside)?;
    if let Ok(modified) = source.modified() {
        copy.set_modified(modified).at("cannot date", &aside)?;
    }
    drop(copy);
    fs::rename(&aside, &target).at("cannot put in place", &target)?;
    Ok(target)
}

fn reaches_working_folder(setpriv: &Path, account: &Account) -> bool {
    let Ok(here) = std::env::current_dir() else {
        return false;
    };
    let mut probe = Command::new(setpriv);
    account.drop_to(&mut probe);
    probe
        .args(["--", "/bin/sh", "-c", r#"[ -r "$1" ] && [ -x "$1" ]"#, "sh"])
        .arg(here)
        .current_dir("/")
        .status()
        .is_ok_and(|status| status.success())
}

/// For the person at the terminal. Runs before any log is set up, and never on standard output,
/// which may be somebody's JSON.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_of_the_user_database_is_read_and_a_broken_one_is_no_user() {
        let account = parse("lanyard:x:998:997::/var/lib/lanyard:/usr/sbin/nologin\n").unwrap();
        assert_eq!(
            (account.name.as_str(), account.uid, account.gid),
            ("lanyard", 998, 997)
        );
        assert_eq!(parse(""), None);
        assert_eq!(parse("lanyard:x:998"), None);
        assert_eq!(parse("lanyard:x:-1:997:::/bin/sh"), None);
    }
}
