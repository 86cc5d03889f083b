//! Where one request ends and the next begins, read strictly beside the HTTP parser.
//!
//! A proxy in front and we must never see two different requests in the same bytes (HTTP-01). The
//! parser is lenient where RFC 9112 lets it be: it takes a line that ends in LF alone, prefers
//! `Transfer-Encoding` to a `Content-Length` beside it, and folds equal lengths into one. Here each
//! of these makes the connection ambiguous, which is answered 400 and closed. Bodies of ours are
//! short and have a length: a transfer coding is refused altogether (RFC 9112 §6.3).

/// What the bytes of one connection have come to.
#[derive(Debug)]
pub(super) struct Framing {
    stands: Stands,
    /// The present line's first bytes: enough for the names that matter and a length.
    line: [u8; LINE],
    filled: usize,
    /// The line's own length, however long.
    length: usize,
    last: u8,
    content_length: Option<u64>,
    is_first_line: bool,
}

/// `content-length:` and 20 digits, with room for white space.
const LINE: usize = 64;

/// Where in a message the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Before a message.
    Between,
    /// In its head.
    Head,
    /// So many bytes of its body are to come.
    Body(u64),
    /// Nobody knows: two readers could disagree.
    Ambiguous,
}

impl Framing {
    pub(super) const fn new() -> Self {
        Self {
            stands: Stands::Between,
            line: [0; LINE],
            filled: 0,
            length: 0,
            last: 0,
            content_length: None,
            is_first_line: true,
        }
    }

    pub(super) const fn stands(&self) -> Stands {
        self.stands
    }

    /// Reads on.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match self.stands {
                Stands::Ambiguous => return,
                Stands::Body(left) => {
                    let present = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
                    let taken = usize::try_from(present).unwrap_or(bytes.len());
                    bytes = &bytes[taken..];
                    self.stands = match left - present {
                        0 => Stands::Between,
                        left => Stands::Body(left),
                    };
                }
                Stands::Between | Stands::Head => {
                    self.read_head(*first);
                    bytes = rest;
                }
            }
        }
    }

    fn read_head(&mut self, byte: u8) {
        let before = std::mem::replace(&mut self.last, byte);
        if byte == b'\n' {
            self.stands = if before == b'\r' {
                self.end_line()
            } else {
                Stands::Ambiguous
            };
            (self.filled, self.length) = (0, 0);
            return;
        }
        if before == b'\r' {
            self.stands = Stands::Ambiguous;
            return;
        }
        if byte != b'\r' {
            self.stands = Stands::Head;
            self.length += 1;
            if let Some(place) = self.line.get_mut(self.filled) {
                *place = byte;
                self.filled += 1;
            }
        }
    }

    /// What a line that is whole makes of the message.
    fn end_line(&mut self) -> Stands {
        // An empty line before a message belongs to the one before it (RFC 9112 §2.2).
        if self.length == 0 && self.is_first_line {
            return Stands::Between;
        }
        if self.length == 0 {
            self.is_first_line = true;
            return match self.content_length.take() {
                None | Some(0) => Stands::Between,
                Some(length) => Stands::Body(length),
            };
        }
        if std::mem::replace(&mut self.is_first_line, false) {
            return Stands::Head;
        }
        let line = &self.line[..self.filled];
        let name_ends = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let name = &line[..name_ends];
        if name.trim_ascii().eq_ignore_ascii_case(b"transfer-encoding") {
            return Stands::Ambiguous;
        }
        if !name.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            return Stands::Head;
        }
        let value = line.get(name_ends + 1..).unwrap_or_default().trim_ascii();
        let is_whole = self.length == self.filled;
        match digits(value) {
            Some(length) if is_whole && self.content_length.is_none() => {
                self.content_length = Some(length);
                Stands::Head
            }
            _ => Stands::Ambiguous,
        }
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| plain)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Framing, Stands};

    fn after(text: &str) -> Stands {
        let mut whole = Framing::new();
        whole.read(text.as_bytes());
        // Byte by byte it is the same.
        let mut slow = Framing::new();
        for byte in text.bytes() {
            slow.read(&[byte]);
        }
        assert_eq!(whole.stands(), slow.stands(), "{text:?}");
        whole.stands()
    }

    /// RFC 9112 §6: one request after the other, each with its own end.
    #[test]
    fn plain_messages_follow_each_other() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = "POST / HTTP/1.1\r\ncontent-length:  3 \r\nHost: a\r\n\r\nabc";
        assert_eq!(after(""), Stands::Between);
        assert_eq!(after("GET"), Stands::Head);
        assert_eq!(after("GET / HTTP/1.1\r\nHost: a\r\n"), Stands::Head);
        assert_eq!(after(get), Stands::Between);
        assert_eq!(after(&post[..post.len() - 2]), Stands::Body(2));
        assert_eq!(
            after(&format!("{post}{get}\r\n{post}{get}")),
            Stands::Between
        );
    }

    /// HTTP-01: what two readers could read differently.
    #[test]
    fn what_could_be_read_in_two_ways_is_ambiguous() {
        for headers in [
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "TRANSFER-ENCODING:chunked\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\ncontent-length: 4\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 3,3\r\n",
            "Content-Length: 0x3\r\n",
            "Content-Length: \r\n",
            "Content-Length\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "X: a\nContent-Length: 3\r\n",
            "X: a\rContent-Length: 3\r\n",
            &format!("Content-Length: {}3\r\n", " ".repeat(80)),
        ] {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}");
            assert_eq!(after(&text), Stands::Ambiguous, "{headers:?}");
        }
        assert_eq!(after("GET / HTTP/1.1\nHost: a\n\n"), Stands::Ambiguous);
    }
}
