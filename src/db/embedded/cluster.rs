//! Makes and starts the private cluster.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    DATABASE, EmbeddedError, Options, PORT, SUPERUSER,
    binaries::{self, Binaries},
    error::At as _,
    layout::Layout,
    lock::Lock,
    log::Log,
    processes::{command, end_leftovers, pause, pid_file, tool},
    supervisor::Supervisor,
};

/// Replaying the write-ahead log after a crash takes a while on a slow disk.
pub(super) const READY_WITHIN: Duration = Duration::from_mins(5);

/// A running server.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) socket_dir: PathBuf,
    pub(super) data: PathBuf,
    pub(super) major: u32,
    pub(super) supervisor: Supervisor,
}

/// Makes the data folder if there is none, ends what a killed run left, starts the server and
/// waits until it accepts connections.
pub(super) fn bring_up(
    layout: &Layout,
    lock: Lock,
    options: &Options,
) -> Result<Running, EmbeddedError> {
    tool("setpriv", "util-linux")?;
    let data = layout.data.clone();
    let exists = layout.has_private(&data)?;
    let made_by = if exists {
        Some((version(&data)?, data.as_path()))
    } else {
        None
    };
    let found = binaries::find(options.bin.as_deref(), made_by)?;
    if !exists {
        make(layout, &found)?;
    }
    let socket_dir = layout.ensure_socket_dir()?;
    end_leftovers(&data)?;
    remove_stale(&data, &socket_dir)?;

    let log = Log::new(&layout.base);
    let mut server = command(&found.dir.join("postgres"), &data, layout.server.as_ref());
    server
        .arg("-D")
        .arg(&data)
        .args(settings(layout, &socket_dir, options.max_connections)?);
    let supervisor = Supervisor::spawn(server, lock, &log)?;
    wait_until_ready(&supervisor, &data, &log)?;
    Ok(Running {
        socket_dir,
        data,
        major: found.major,
        supervisor,
    })
}

/// Waits until the server says in its pid file that it accepts connections.
fn wait_until_ready(supervisor: &Supervisor, data: &Path, log: &Log) -> Result<(), EmbeddedError> {
    let began = Instant::now();
    while pid_file(data) != Some((supervisor.pid, true)) {
        if let Some(ended) = supervisor.has_ended() {
            return Err(EmbeddedError::Program {
                program: "postgres",
                status: ended.status,
                hint: "It ended while starting; its log says why",
                output: log.tail(),
            });
        }
        if began.elapsed() > READY_WITHIN {
            return Err(EmbeddedError::NotReady {
                seconds: READY_WITHIN.as_secs(),
                log: log.path.clone(),
                output: log.tail(),
            });
        }
        pause();
    }
    Ok(())
}

/// The major version that made a data folder.
fn version(data: &Path) -> Result<u32, EmbeddedError> {
    let path = data.join("PG_VERSION");
    let text = fs::read_to_string(&path).at("cannot read", &path)?;
    text.trim().parse().map_err(|_| EmbeddedError::NotOurs {
        path: data.to_path_buf(),
        why: format!("its PG_VERSION says `{}`", text.trim()),
    })
}

/// `initdb` writes `PG_VERSION` first, so a half-made folder looks whole: it is made aside, with
/// our database in it, and only then put in place.
fn make(layout: &Layout, found: &Binaries) -> Result<(), EmbeddedError> {
    let new = layout.base.join("data.new");
    if layout.has_private(&new)? {
        end_leftovers(&new)?;
        fs::remove_dir_all(&new).at("cannot remove the unfinished", &new)?;
    }
    layout.make_private(&new)?;
    let account = layout.server.as_ref();
    let mut initdb = command(&found.dir.join("initdb"), &new, account);
    initdb
        .args([
            "--username",
            SUPERUSER,
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ])
        .args([
            "--auth-local",
            "peer",
            "--auth-host",
            "reject",
            "--data-checksums",
        ])
        .args(["--no-instructions", "-D"])
        .arg(&new);
    succeed("initdb", initdb, "")?;
    let mut single = command(&found.dir.join("postgres"), &new, account);
    single
        .args(["--single", "-c", "exit_on_error=true", "-D"])
        .arg(&new)
        .arg("postgres");
    succeed(
        "postgres --single",
        single,
        &format!("create database {DATABASE}\n"),
    )?;
    fs::rename(&new, &layout.data).at("cannot put in place", &layout.data)?;
    let base = fs::File::open(&layout.base).at("cannot open", &layout.base)?;
    base.sync_all().at("cannot sync", &layout.base)
}

fn succeed(name: &'static str, mut command: Command, input: &str) -> Result<(), EmbeddedError> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().at("cannot run", name)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that has ended already says why below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().at("cannot run", name)?;
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::Program {
        program: name,
        status: output.status.to_string(),
        hint: "Make sure that PostgreSQL's user may pass through every folder above the data \
               folder, and that the disk is not full; then start again",
        output: String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    })
}

/// Nothing lives in the data folder any more: files that name a zombie or a reused process id
/// would only make the server refuse.
fn remove_stale(data: &Path, socket_dir: &Path) -> Result<(), EmbeddedError> {
    let socket = format!(".s.PGSQL.{PORT}");
    let stale = [
        data.join("postmaster.pid"),
        socket_dir.join(format!("{socket}.lock")),
        socket_dir.join(socket),
    ];
    for file in stale {
        match fs::remove_file(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.at("cannot remove the stale", file)?,
        }
    }
    Ok(())
}

/// On the command line they win over every file and over `alter system`.
fn settings(
    layout: &Layout,
    socket_dir: &Path,
    max_connections: u32,
) -> Result<Vec<OsString>, EmbeddedError> {
    let [hba, ident] = layout.write_access()?;
    let paths = [
        ("hba_file", hba.as_path()),
        ("ident_file", &ident),
        ("unix_socket_directories", socket_dir),
    ];
    let (port, max_connections) = (PORT.to_string(), max_connections.to_string());
    let values = [
        ("listen_addresses", ""),
        ("port", &port),
        ("unix_socket_permissions", "0700"),
        ("max_connections", &max_connections),
        ("cluster_name", "lanyard"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        // What was acknowledged survives a power cut.
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        // Errors, their details and statements can hold data of patients: the server that sent
        // the statement knows of its error, and the log keeps starts, stops and failures.
        ("log_min_messages", "log"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
    ];
    let mut arguments = Vec::new();
    let mut set = |name: &str, value: &OsStr| {
        let mut argument = OsString::from(name);
        argument.push("=");
        argument.push(value);
        arguments.extend(["-c".into(), argument]);
    };
    for (name, path) in paths {
        set(name, path.as_os_str());
    }
    for (name, value) in values {
        set(name, value.as_ref());
    }
    Ok(arguments)
}
