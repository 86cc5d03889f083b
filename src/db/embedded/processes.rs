//! The operating system's side: who lives in a data folder, and how our children are started.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{EmbeddedError, privilege::Account};

/// Waits a little between two looks at something that announces no change (a file, `/proc`).
#[expect(
    clippy::disallowed_methods,
    reason = "neither another process's end nor its pid file can be awaited"
)]
pub(super) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Line 1 and line 8 of `postmaster.pid`: the postmaster's id, and whether it accepts connections.
pub(super) fn pid_file(data: &Path) -> Option<(u32, bool)> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let ready = lines.nth(6).is_some_and(|l| l.trim() == "ready");
    Some((pid, ready))
}

/// Every server process whose working folder is `data`. The postmaster and each backend have it
/// as theirs, which, unlike a pid file, neither a zombie nor a reused process id can imitate.
pub(super) fn living_in(data: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| lives_in(*pid, data))
        .collect()
}

/// Whether `pid` is a PostgreSQL program with `data` as its working folder. Somebody's shell in
/// that folder is none.
pub(super) fn lives_in(pid: u32, data: &Path) -> bool {
    let of = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
    of("cwd").is_some_and(|cwd| cwd == data)
        && of("exe").is_some_and(|exe| {
            let name = exe
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // An upgraded package leaves the running program's file deleted.
            ["postgres", "initdb"].contains(&name.trim_end_matches(" (deleted)"))
        })
}

/// Ends what a killed run left behind. Only called under the cluster's lock, so whatever lives in
/// `data` is ours and an orphan: it got SIGINT when its parent died, and mostly just needs time.
pub(super) fn end_leftovers(data: &Path) -> Result<(), EmbeddedError> {
    let began = Instant::now();
    let mut steps = [(1, Signal::INT), (15, Signal::QUIT), (25, Signal::KILL)].into_iter();
    let mut next = steps.next();
    loop {
        let left = living_in(data);
        if left.is_empty() {
            return Ok(());
        }
        let waited = began.elapsed();
        match next {
            Some((after, signal)) if waited >= Duration::from_secs(after) => {
                let postmaster = pid_file(data).map(|(pid, _)| pid);
                let asked = postmaster.filter(|pid| left.contains(pid));
                for pid in asked.map_or(left, |pid| vec![pid]) {
                    send(pid, signal);
                }
                next = steps.next();
            }
            None if waited >= Duration::from_mins(1) => {
                let data = data.to_path_buf();
                return Err(EmbeddedError::Leftover { data, pids: left });
            }
            _ => pause(),
        }
    }
}

/// Sends a signal. A process that has ended meanwhile is no error.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A PostgreSQL program, run as `server` when we are root, in `cwd`, in a process group of its own
/// (a terminal's Ctrl-C reaches only us), with an environment of ours.
///
/// `setpriv` asks the kernel to send it SIGINT, the server's fast shutdown, when the THREAD that
/// starts it ends; so start it from a thread that lives as long. The shell after it checks that
/// the parent had not died just before, and that new files are private.
pub(super) fn command(program: &Path, cwd: &Path, server: Option<&Account>) -> Command {
    const WATCHED: &str = r#"[ "$PPID" = "$1" ] || exit 75; shift; umask 077; exec "$@""#;
    use std::os::unix::process::CommandExt;
    let mut c = Command::new("setpriv");
    if let Some(account) = server {
        account.drop_to(&mut c);
    }
    c.args(["--no-new-privs", "--pdeathsig", "INT", "--"])
        .args(["/bin/sh", "-c", WATCHED, "sh"])
        .arg(std::process::id().to_string())
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("LC_MESSAGES", "C")
        .env("TZ", "UTC")
        .current_dir(cwd)
        .process_group(0);
    c
}

/// The first folder on `PATH` (or among the system's own) that holds `name`.
pub(super) fn tool(name: &'static str, package: &'static str) -> Result<PathBuf, EmbeddedError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(OsStr::new(name)))
        .find(|file| file.is_file())
        .ok_or(EmbeddedError::NoTool(name, package))
}
