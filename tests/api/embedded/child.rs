//! What these tests kill: this test binary again, as another process.
//!
//! A test that needs a victim starts the binary with [`ROLE`] set; [`a_process_of_its_own`] then
//! plays that role. In an ordinary run the variable is missing and it does nothing.

use std::{
    ffi::{OsStr, OsString},
    io::{BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use lanyard::db::embedded::{DATABASE, SUPERUSER, privilege, start};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{options, run};

const ROLE: &str = "LANYARD_TEST_ROLE";
const PATH: &str = "LANYARD_TEST_PATH";

/// Every line the child says begins with it, since the test runner prints lines of its own.
const SAYS: &str = "child: ";

#[test]
fn a_process_of_its_own() {
    let Some(role) = std::env::var_os(ROLE) else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    match role.to_str().unwrap() {
        "write" => write_rows(&path),
        "connect" => connect(&path),
        "drop" => drop_root(&path),
        "drop and write" => {
            privilege::drop_root(&path, &[]).unwrap();
            write_rows(&path.join("postgres"));
        }
        other => panic!("no such role: {other}"),
    }
}

fn say(what: &str) {
    println!("\n{SAYS}{what}");
}

/// Starts the cluster and writes until it is killed; says each row after its commit.
fn write_rows(base: &Path) {
    let cluster = start(&options(base)).unwrap();
    say("up");
    run(async {
        let options = cluster.connect_options(SUPERUSER, DATABASE);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let table = "create table if not exists witness (n integer primary key)";
        sqlx::raw_sql(table).execute(&mut connection).await.unwrap();
        for n in 0.. {
            let insert = sqlx::query("insert into witness (n) values ($1)").bind(n);
            insert.execute(&mut connection).await.unwrap();
            say(&format!("row {n}"));
        }
    });
}

/// Says how a connection to this socket folder is answered.
fn connect(socket_dir: &Path) {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .username(SUPERUSER)
        .database(DATABASE);
    match run(PgConnection::connect_with(&options)) {
        Ok(_) => say("connected"),
        Err(sqlx::Error::Database(e)) => say(&format!("refused {}", e.code().unwrap())),
        Err(e) => say(&format!("no connection {e}")),
    }
}

/// Says as whom it goes on after giving root up.
fn drop_root(state_dir: &Path) {
    if let Err(e) = privilege::drop_root(state_dir, &[("LANYARD_TEST_CARRIED", "/kept".into())]) {
        say(&format!("error {e}"));
        return;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    for line in status
        .lines()
        .filter(|l| l.starts_with("CapEff") || l.starts_with("Groups"))
    {
        say(&line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    say(&format!("user {}", rustix::process::geteuid().as_raw()));
    let carried = std::env::var_os("LANYARD_TEST_CARRIED");
    say(&format!(
        "carried {}",
        carried.unwrap_or_default().display()
    ));
    say(&format!(
        "folder {}",
        std::env::current_dir().unwrap().display()
    ));
    say(&format!(
        "program {}",
        std::env::current_exe().unwrap().display()
    ));
}

/// A child in one of the roles.
pub(super) struct Played {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Played {
    pub(super) fn start(role: &str, path: &Path) -> Self {
        let own = std::env::current_exe().unwrap();
        Self::start_with(Command::new(own), role, path)
    }

    /// With a command that ends in the test binary: under `setpriv`, for example.
    pub(super) fn start_with(mut command: Command, role: &str, path: &Path) -> Self {
        command
            .args([
                "--exact",
                "embedded::child::a_process_of_its_own",
                "--nocapture",
            ])
            .env(ROLE, role)
            .env(PATH, path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// The next thing it says; `None` when it has ended.
    pub(super) fn next(&mut self) -> Option<String> {
        loop {
            let line = self.said.next()?.ok()?;
            if let Some(said) = line.strip_prefix(SAYS) {
                return Some(said.to_owned());
            }
        }
    }

    /// Everything it says until it ends.
    pub(super) fn rest(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.next()).collect();
        self.child.wait().unwrap();
        said
    }

    /// Kills it as `kill -9` does and returns how many rows it had acknowledged by then.
    pub(super) fn kill_after_rows(mut self, least: usize) -> usize {
        let mut rows = 0;
        while rows < least {
            rows += usize::from(self.next().unwrap().starts_with("row"));
        }
        self.child.kill().unwrap();
        rows += std::iter::from_fn(|| self.next())
            .filter(|s| s.starts_with("row"))
            .count();
        self.child.wait().unwrap();
        rows
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// `setpriv` to another user, to be followed by a program.
pub(super) fn as_user(user: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    ]);
    command
}

/// A copy of this binary that every user may run.
pub(super) fn public_copy(dir: &Path) -> OsString {
    use std::os::unix::fs::PermissionsExt as _;
    let copy = dir.join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy: &OsStr = copy.as_os_str();
    copy.to_owned()
}
