//! A socket between the server and Postgres that notes what the server sends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::lab::cluster::Database;

/// The socket, for as long as it lives.
pub(crate) struct Proxy {
    /// The database as it is reached through it.
    pub(crate) database: Database,
    notes: Notes,
    folder: PathBuf,
}

type Shared<T> = Arc<Mutex<T>>;

/// What was sent, and what is to be added to it.
#[derive(Clone, Default)]
struct Notes {
    sent: Shared<Vec<String>>,
    round_trips: Shared<usize>,
    injected: Shared<String>,
}

impl Proxy {
    /// Listens in a folder of its own.
    pub(crate) fn before(database: &Database) -> Self {
        let folder =
            std::env::temp_dir().join(format!("{}-proxy-{}", database.name, std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let _ = std::fs::remove_file(folder.join(".s.PGSQL.5432"));
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let notes = Notes::default();
        let behind = database.socket_dir().join(".s.PGSQL.5432");
        let shared = notes.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&behind).await.unwrap();
                tokio::spawn(pass_on(client, server, shared.clone()));
            }
        });
        Self {
            database: database.through(&folder),
            notes,
            folder,
        }
    }

    /// The text of each query message (`Q`, `P`) so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.notes.sent.lock().unwrap().clone()
    }

    /// How often the server has waited for Postgres so far.
    pub(crate) fn round_trips(&self) -> usize {
        *self.notes.round_trips.lock().unwrap()
    }

    /// From now on `statements` run in every transaction, right after its context is set.
    pub(crate) fn inject(&self, statements: &str) {
        statements.clone_into(&mut self.notes.injected.lock().unwrap());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn pass_on(client: UnixStream, server: UnixStream, notes: Notes) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut is_started = false;
    loop {
        // The first message has no kind.
        let mut head = vec![0; if is_started { 5 } else { 4 }];
        if from_client.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = &head[head.len() - 4..];
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        if from_client.read_exact(&mut body).await.is_err() {
            return;
        }
        if is_started && (head[0] == b'Q' || head[0] == b'S') {
            *notes.round_trips.lock().unwrap() += 1;
        }
        if is_started && (head[0] == b'Q' || head[0] == b'P') {
            let text = String::from_utf8_lossy(&body).replace('\0', "");
            if text.contains("set local lanyard.context") {
                body.pop();
                body.extend(notes.injected.lock().unwrap().as_bytes());
                body.push(0);
                let length = u32::try_from(body.len() + 4).unwrap();
                head[1..].copy_from_slice(&length.to_be_bytes());
            }
            notes.sent.lock().unwrap().push(text);
        }
        // A request for encryption comes before the start; Postgres declines it on a socket.
        is_started = is_started || !body.starts_with(&80_877_103_u32.to_be_bytes());
        head.extend(body);
        if to_server.write_all(&head).await.is_err() {
            return;
        }
    }
}
