//! A server of the operator's own, named by `DATABASE_URL`: TCP, SCRAM, an administrator.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::command::Site;
use super::folder::Folder;

const PASSWORD: &str = "canary-of-the-administrator";

/// A PostgreSQL server as an operator would have it.
pub(super) struct Server {
    child: Child,
    /// With its administrator's login.
    pub(super) url: String,
    _folder: Folder,
}

/// The newest of the machine's PostgreSQL programs.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let mut found: Vec<PathBuf> = installed.map(|e| e.unwrap().path().join("bin")).collect();
    found.sort();
    found.pop().unwrap()
}

/// The program, under a user that PostgreSQL runs as.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    if !rustix::process::geteuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            "nobody",
            "--regid",
            "nogroup",
            "--clear-groups",
            "--",
        ])
        .arg(path);
    command
}

impl Server {
    pub(super) fn start() -> Self {
        let folder = Folder::new();
        if rustix::process::geteuid().is_root() {
            let chown = Command::new("chown")
                .arg("nobody")
                .arg(folder.path())
                .status();
            assert!(chown.unwrap().success());
        }
        let password = folder.write("password", PASSWORD);
        let data = folder.path().join("data");
        let made = program("initdb")
            .args(["-U", "boss", "-A", "scram-sha-256", "--no-sync", "--pwfile"])
            .arg(&password)
            .arg("-D")
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let free = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = program("postgres")
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-p", &free.to_string(), "-F", "-D"])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("postgres://boss:{PASSWORD}@127.0.0.1:{free}/postgres");
        Self {
            child,
            url,
            _folder: folder,
        }
    }

    /// A deployment on it, with its keys. Until it is up: code 4. Then it is there, without the
    /// deployment's logins: code 3.
    pub(super) fn site(&self) -> Site {
        let site = Site::on(&self.url);
        site.ask("keys init");
        while site.run("tenant list").status.code() == Some(4) {}
        assert_eq!(site.run("tenant list").status.code(), Some(3));
        site
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Issue 2 §1: with `DATABASE_URL` it uses that server, and serves with roles of its own there.
/// A superuser's URL is for `migrate` alone (CFG-01). A second master key is refused: it would
/// give the logins other passwords.
#[test]
fn a_server_of_ones_own_is_used_and_another_master_key_is_refused() {
    let server = Server::start();
    let run = |site: &Site, line: &str| {
        let output = site.run(line);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (ours, others) = (server.site(), server.site());
    let (code, said) = run(&ours, "migrate");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the server 127.0.0.1") && !said.contains(PASSWORD),
        "{said}"
    );
    assert_eq!(run(&ours, "tenant list").0, Some(0));
    assert_eq!(run(&ours, "doctor").0, Some(0));
    let (code, said) = run(&others, "migrate");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("another master key"), "{said}");
    assert_eq!(run(&ours, "tenant list").0, Some(0));
}
