//! Behind PgBouncer: session mode works, the others are found out and refused (design §3).

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lanyard::db::standing::inspect;
use lanyard::db::{Db, StoreError};
use lanyard::env::Env;
use sqlx::{Connection as _, PgConnection};

use crate::lab::cluster::{self, Database};

/// A PgBouncer of the test's own, on a socket in a folder of its own.
struct Pooler {
    database: Database,
    child: Child,
    folder: PathBuf,
}

impl Pooler {
    async fn before(database: &Database, mode: &str) -> Self {
        // As the user that runs Postgres: PgBouncer refuses to be root, and the kernel vouches.
        let server = std::fs::metadata(database.socket_dir()).unwrap();
        let name = format!("lanyard-pooler-{mode}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let (shown, behind) = (folder.display(), database.socket_dir().display());
        let settings = format!(
            "[databases]\n* = host={behind} port=5432\n[pgbouncer]\nlisten_addr =\n\
             listen_port = 5432\nunix_socket_dir = {shown}\nauth_type = trust\n\
             auth_file = {shown}/users\npool_mode = {mode}\nlogfile = {shown}/log\n"
        );
        let logins = lanyard::db::migrate::LOGINS;
        let users = logins.map(|role| format!("\"{role}\" \"\"\n")).concat();
        std::fs::write(folder.join("settings.ini"), settings).unwrap();
        std::fs::write(folder.join("users"), users).unwrap();
        std::os::unix::fs::chown(&folder, Some(server.uid()), Some(server.gid())).unwrap();
        for file in ["settings.ini", "users"] {
            let file = folder.join(file);
            std::os::unix::fs::chown(file, Some(server.uid()), Some(server.gid())).unwrap();
        }
        let child = command(server.uid(), server.gid())
            .arg(folder.join("settings.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer is installed: ./check does it");
        let mut pooler = Self {
            database: database.through(&folder),
            child,
            folder,
        };
        pooler.answers().await;
        pooler
    }

    async fn answers(&mut self) {
        let options = self.database.connect.options("lanyard_keeper");
        while let Err(error) = PgConnection::connect_with(&options).await {
            let ended = self.child.try_wait().unwrap();
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(ended.is_none(), "PgBouncer ended: {error}\n{log}");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// PgBouncer, ending with this thread, and not as root.
fn command(uid: u32, gid: u32) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
        command.arg("--clear-groups");
    }
    let path = format!("/usr/sbin:{}", std::env::var_os("PATH").unwrap().display());
    command.env("PATH", path).arg("pgbouncer");
    command
}

#[tokio::test]
async fn session_mode_is_served_from() {
    let database = cluster::fresh().await;
    let pooler = Pooler::before(&database, "session").await;
    let env = Env::system();
    let db = pooler.database.open(&env, 4).await;
    let standing = db.standing().await.unwrap();
    assert!(standing.may_serve(), "{standing:?}");
    for _ in 0..20 {
        db.ready().await.unwrap();
    }
    db.renew_seal_key(&env).await.unwrap();
    db.ready().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn transaction_mode_is_found_out_and_refused_in_plain_words() {
    let database = cluster::fresh().await;
    let pooler = Pooler::before(&database, "transaction").await;
    let refused = Db::open(pooler.database.connect.clone(), &Env::system(), 4)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::TransactionPooler),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("session mode"), "{refused}");
    let standing = inspect(&pooler.database.connect).await.unwrap();
    let what = standing.refusals().next().unwrap();
    assert!(what.what.contains("transaction"), "{what:?}");
    assert!(what.remedy.contains("pool_mode = session"), "{what:?}");
}

#[tokio::test]
async fn statement_mode_is_refused_too() {
    let database = cluster::fresh().await;
    let pooler = Pooler::before(&database, "statement").await;
    let refused = Db::open(pooler.database.connect.clone(), &Env::system(), 4)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::TransactionPooler),
        "{refused:?}"
    );
}
