//! Where a run happens: a folder on a real disk, and processes that end with us.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// The user that PostgreSQL and the server run as when we are root: neither does as root.
const ORDINARY: [&str; 5] = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];

/// A folder of the run's own, removed with everything in it.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// A copy of the server's program that every user reaches.
    pub(crate) lanyard: PathBuf,
}

impl Place {
    /// Below `base`, which must be on a disk: a commit to memory costs nothing.
    pub(crate) fn new(base: &Path) -> Result<Self> {
        let kind = said(Command::new("stat").args(["-f", "-c", "%T"]).arg(base))?;
        ensure!(
            !matches!(kind.as_str(), "tmpfs" | "ramfs" | "overlayfs"),
            "{} is a {kind}, not a disk: name another folder with --folder",
            base.display()
        );
        let path = base.join(format!("lanyard-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("{} is taken", path.display()))?;
        let lanyard = path.join("lanyard");
        let place = Self { path, lanyard };
        std::fs::copy(env!("CARGO_BIN_EXE_lanyard"), &place.lanyard)?;
        if is_root() {
            said(Command::new("chown").arg("nobody:nogroup").arg(&place.path))?;
        }
        Ok(place)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A program that runs as an ordinary user, in an environment of its own, and ends with us.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if is_root() {
            command.args(ORDINARY);
        }
        command
            .arg("--")
            .arg(program)
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a program says that must go well.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}: {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A process that is asked to end, and waited for, when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    ends_by: Signal,
}

impl Running {
    pub(crate) fn new(mut command: Command, ends_by: Signal) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self { child, ends_by })
    }

    /// `setpriv` becomes its program, so this is the program's.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Not reaped yet, so the id is still this process's.
            let _ = kill_process(Pid::from_child(&self.child), self.ends_by);
        }
        let _ = self.child.wait();
    }
}
