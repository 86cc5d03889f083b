//! Server-sent events (WHATWG HTML §9.2.6), as far as the issuer sends them.
//!
//! Of our own, in a hundred lines: the crates for it put no bound on a line.

use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::revocation::FeedError;

/// The longest event read, in bytes. A revocation has about one thousand.
const MAX_EVENT_BYTES: usize = 32 * 1024;
const TOO_LONG: FeedError = FeedError::Malformed("an event longer than 32 KiB");

/// One event: its type, and what its lines say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerSentEvent {
    pub(super) id: Option<String>,
    pub(super) event: String,
    pub(super) data: String,
}

/// Events of an answer's body, as they come.
pub(super) struct EventStream {
    body: Incoming,
    lines: Lines,
}

impl EventStream {
    pub(super) fn of(body: Incoming) -> Self {
        Self {
            body,
            lines: Lines::default(),
        }
    }

    pub(super) async fn next(&mut self) -> Result<ServerSentEvent, FeedError> {
        loop {
            if let Some(event) = self.lines.next_event()? {
                return Ok(event);
            }
            let frame = match self.body.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(FeedError::Unreachable(error.to_string())),
                None => return Err(FeedError::Unreachable("the stream ended".to_owned())),
            };
            if let Some(bytes) = frame.data_ref() {
                self.lines.bytes.extend_from_slice(bytes);
            }
        }
    }
}

/// What was received and not yet read, and the event that is being put together.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    read: usize,
    event: ServerSentEvent,
    has_data: bool,
}

impl Lines {
    fn next_event(&mut self) -> Result<Option<ServerSentEvent>, FeedError> {
        while let Some(length) = self.bytes[self.read..].iter().position(|b| *b == b'\n') {
            let line = &self.bytes[self.read..self.read + length];
            self.read += length + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = std::str::from_utf8(line)
                .map_err(|_| FeedError::Malformed("a stream that is not UTF-8"))?;
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
            } else {
                note(&mut self.event, &mut self.has_data, line);
            }
            if self.event.data.len() > MAX_EVENT_BYTES {
                return Err(TOO_LONG);
            }
        }
        self.bytes.drain(..self.read);
        self.read = 0;
        if self.bytes.len() > MAX_EVENT_BYTES {
            return Err(TOO_LONG);
        }
        Ok(None)
    }
}

/// One line; a comment and a field that is not known say nothing.
fn note(event: &mut ServerSentEvent, has_data: &mut bool, line: &str) {
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "id" => event.id = Some(value.to_owned()),
        "event" => value.clone_into(&mut event.event),
        "data" => {
            if std::mem::replace(has_data, true) {
                event.data.push('\n');
            }
            event.data.push_str(value);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], at_once: usize) -> Result<Vec<ServerSentEvent>, FeedError> {
        let mut lines = Lines::default();
        let mut events = Vec::new();
        for bytes in text.chunks(at_once) {
            lines.bytes.extend_from_slice(bytes);
            while let Some(event) = lines.next_event()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// However the bytes are cut on their way.
    #[test]
    fn events_are_read_however_they_come() {
        let text = ": hello\n\nid: 7\nevent: set\ndata: {\"é\":\ndata:1}\r\n\r\n\
                    retry: 5\n\nevent: x\n\nid\nevent:lag\ndata\n\ndata: cut off";
        let whole = read(text.as_bytes(), text.len()).expect("events");
        let event = |id: &str, event: &str, data: &str| ServerSentEvent {
            id: Some(id.to_owned()),
            event: event.to_owned(),
            data: data.to_owned(),
        };
        assert_eq!(
            whole,
            [event("7", "set", "{\"é\":\n1}"), event("", "lag", "")]
        );
        for at_once in 1..9 {
            assert_eq!(read(text.as_bytes(), at_once).expect("events"), whole);
        }
    }

    #[test]
    fn an_event_has_a_bound() {
        let long = "x".repeat(MAX_EVENT_BYTES);
        for text in [
            format!("data: {long}x"),
            format!("data: {long}\ndata: x\n"),
            format!(": {long}"),
        ] {
            assert!(read(text.as_bytes(), 1000).is_err());
        }
        assert!(read(b"data: \xff\n\n", 100).is_err(), "not UTF-8");
    }
}
