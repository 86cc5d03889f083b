//! The simple protocol, and every byte that comes back: rows, notices, errors, notifications.
//! (PostgreSQL documentation, chapter "Frontend/Backend Protocol".)

use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::lab::cluster::Database;

/// One session.
pub(crate) struct Wire {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
}

/// All that came back for one or more messages.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Of all result sets, in order; as text.
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// SQLSTATE and message of each error.
    pub(crate) errors: Vec<(String, String)>,
    /// Command tags, such as `UPDATE 0`.
    pub(crate) tags: Vec<String>,
    /// Every byte, for the search for canaries.
    pub(super) raw: Vec<u8>,
}

impl Answer {
    /// The first value of the first row.
    pub(crate) fn first(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }

    /// The first error's SQLSTATE, or 00000.
    pub(crate) fn state(&self) -> &str {
        self.errors.first().map_or("00000", |(state, _)| state)
    }
}

impl Wire {
    /// Logs in as `role`.
    pub(crate) fn login(database: &Database, role: &str) -> Self {
        Self::try_login(database, role).unwrap_or_else(|refused| panic!("{role}: {refused:?}"))
    }

    /// The same where it may be refused.
    pub(super) fn try_login(database: &Database, role: &str) -> Result<Self, Answer> {
        let socket = database.socket_dir().join(".s.PGSQL.5432");
        let mut stream = UnixStream::connect(socket).unwrap();
        let parameters = format!("user\0{role}\0database\0{}\0\0", database.name);
        let length = u32::try_from(parameters.len() + 8).unwrap();
        let mut startup = length.to_be_bytes().to_vec();
        startup.extend(196_608_u32.to_be_bytes()); // version 3.0
        startup.extend(parameters.as_bytes());
        stream.write_all(&startup).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        let mut wire = Self { stream, answers };
        let mut answer = Answer::default();
        if wire.read_until_ready(&mut answer) {
            Ok(wire)
        } else {
            Err(answer)
        }
    }

    /// Sends one message, which may hold several statements, and reads to its end.
    pub(crate) fn ask(&mut self, sql: &str) -> Answer {
        self.ask_all(&[sql])
    }

    /// Sends all messages at once, then reads all answers. Keep them few: a full socket waits.
    pub(crate) fn ask_all(&mut self, messages: &[&str]) -> Answer {
        self.send(messages);
        let mut answer = Answer::default();
        for _ in messages {
            if !self.read_until_ready(&mut answer) {
                break;
            }
        }
        answer
    }

    fn send(&mut self, messages: &[&str]) {
        let mut sent = Vec::new();
        for sql in messages {
            sent.push(b'Q');
            sent.extend(u32::try_from(sql.len() + 5).unwrap().to_be_bytes());
            sent.extend(sql.as_bytes());
            sent.push(0);
        }
        self.stream.write_all(&sent).unwrap();
    }

    /// The same with nothing taken apart: every byte, and how many statements were completed.
    pub(super) fn shout(&mut self, messages: &[&str]) -> (Vec<u8>, usize) {
        self.send(messages);
        let (mut raw, mut completed, mut ready) = (Vec::new(), 0, 0);
        while ready < messages.len() {
            let (kind, body) = self.message().expect("the session goes on");
            raw.extend(&body);
            raw.push(b'\n');
            completed += usize::from(kind == b'C');
            ready += usize::from(kind == b'Z');
        }
        (raw, completed)
    }

    /// What arrives by itself: a notification. Waits for nothing.
    pub(super) fn pending(&mut self) -> Vec<u8> {
        self.ask("").raw
    }

    /// Reads to `ReadyForQuery`; false if the server ended the session.
    fn read_until_ready(&mut self, answer: &mut Answer) -> bool {
        loop {
            let Some((kind, body)) = self.message() else {
                return false;
            };
            answer.raw.extend(&body);
            answer.raw.push(b'\n');
            match kind {
                b'Z' => return true,
                b'D' => answer.rows.push(columns(&body)),
                b'C' => answer.tags.push(text(&body)),
                b'E' => answer.errors.push(refusal(&body)),
                // COPY FROM STDIN: there is nothing to give.
                b'G' => self.stream.write_all(b"f\0\0\0\x05\0").unwrap(),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.answers.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.answers.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }
}

fn columns(body: &[u8]) -> Vec<Option<String>> {
    let count = u16::from_be_bytes([body[0], body[1]]);
    let mut rest = &body[2..];
    let mut next = || {
        let (length, after) = rest.split_at(4);
        let length = i32::from_be_bytes(length.try_into().unwrap());
        let (value, after) = after.split_at(usize::try_from(length).unwrap_or(0));
        rest = after;
        (length >= 0).then(|| String::from_utf8_lossy(value).into_owned())
    };
    (0..count).map(|_| next()).collect()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body)
        .trim_end_matches('\0')
        .to_owned()
}

fn refusal(body: &[u8]) -> (String, String) {
    let field = |kind: u8| {
        let mut fields = body.split(|byte| *byte == 0);
        let found = fields.find(|field| field.first() == Some(&kind));
        found.map(|field| text(&field[1..])).unwrap_or_default()
    };
    (field(b'C'), field(b'M'))
}

/// Lower-case hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
