//! PostgreSQL's log: a file of bounded size under the base folder.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A full file becomes `postgres.log.1`, in place of the one before: twice this at most.
const LARGEST: u64 = 4 << 20;

/// What an error message quotes, in bytes.
const QUOTED: usize = 2 << 10;

/// Reads what the server says until its last process has closed the pipe.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    last: Arc<Mutex<VecDeque<u8>>>,
}

impl Log {
    pub(super) fn new(base: &Path) -> Self {
        Self {
            path: base.join("postgres.log"),
            last: Arc::default(),
        }
    }

    /// The end of what was said, for an error message.
    pub(super) fn tail(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = last.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Starts reading. A full disk loses lines; the server must never wait for its log.
    pub(super) fn follow(&self, mut from: impl Read + Send + 'static) -> io::Result<()> {
        let log = self.clone();
        let follow = move || {
            let mut file = log.open();
            let mut written = file
                .as_ref()
                .map_or(0, |f| f.metadata().map_or(0, |m| m.len()));
            let mut buffer = [0; 8 << 10];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                let said = &buffer[..n];
                log.remember(said);
                if written > LARGEST {
                    let _ = fs::rename(&log.path, log.path.with_extension("log.1"));
                    file = log.open();
                    written = 0;
                }
                if let Some(file) = &mut file
                    && file.write_all(said).is_ok()
                {
                    written += n as u64;
                }
            }
        };
        thread::Builder::new()
            .name("postgres-log".into())
            .spawn(follow)
            .map(drop)
    }

    fn open(&self) -> Option<fs::File> {
        let mut options = fs::OpenOptions::new();
        options
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
            .ok()
    }

    fn remember(&self, said: &[u8]) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(said);
        let too_many = last.len().saturating_sub(QUOTED);
        last.drain(..too_many);
    }
}
