//! An entry as a syslog message (RFC 5424). The message is the line as it is, so that whoever
//! collects it can hold it against the log.

use time::format_description::well_known::Rfc3339;

use super::{Weight, weight};
use crate::audit::format::line::Line;

/// The facility of audits (RFC 5424 §6.2.1).
const LOG_AUDIT: u8 = 13;
/// Longest name of a kind of message, in bytes.
const LONGEST_MSGID: usize = 32;
/// Longest name of a host, in bytes.
const LONGEST_HOSTNAME: usize = 255;
/// Sequence ids go up to here and begin again at 1 (RFC 5424 §7.3.1).
const LAST_SEQUENCE_ID: u64 = 2_147_483_647;

/// The message of an entry, from the host of this name; `text` is its line.
pub fn syslog(hostname: &str, line: &Line, text: &str) -> String {
    let severity = match weight(&line.event) {
        Weight::Usual => 6,
        Weight::Refused => 5,
        Weight::Alarming => 4,
    };
    let priority = LOG_AUDIT * 8 + severity;
    let at = line
        .occurred_at
        .format(&Rfc3339)
        .unwrap_or_else(|_| "-".to_owned());
    let host = printable(hostname, LONGEST_HOSTNAME);
    let kind = printable(&line.event, LONGEST_MSGID);
    let sequence = line.index % LAST_SEQUENCE_ID + 1;
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<{priority}>1 {at} {host} lanyard - {kind} \
         [meta sequenceId=\"{sequence}\"][origin software=\"lanyard\" swVersion=\"{version}\"] \
         {text}"
    )
}

/// A message for a stream, after its length (RFC 5425 §4.3, RFC 6587 §3.4.1).
pub fn framed(message: &str) -> String {
    format!("{} {message}", message.len())
}

/// A header's word: visible ASCII, or the mark of none.
fn printable(word: &str, most: usize) -> String {
    let visible = word.chars().filter(char::is_ascii_graphic);
    let word: String = visible.take(most).collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{entry, text};
    use super::{framed, syslog};

    #[test]
    fn a_message_has_the_header_of_the_standard_and_the_line_as_it_is() {
        let text = text("session.signed_in", &json!({ "words": "Zürich \"]\n" }));
        let line = entry("session.signed_in", &json!({ "words": "Zürich \"]\n" }));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            syslog("id.example.test", &line, &text),
            format!(
                "<110>1 2026-03-02T14:00:00.123456Z id.example.test lanyard - session.signed_in \
                 [meta sequenceId=\"18\"][origin software=\"lanyard\" swVersion=\"{version}\"] \
                 {text}"
            )
        );
        assert!(!text.contains('\n'), "a line stays one");
    }

    #[test]
    fn refusals_and_thefts_are_more_severe() {
        for (event, priority) in [
            ("sign_in.refused", "<109>"),
            ("code.replayed", "<108>"),
            ("tenant.created", "<110>"),
        ] {
            let message = syslog("host", &entry(event, &json!({})), "{}");
            assert!(message.starts_with(priority), "{message}");
        }
    }

    #[test]
    fn what_no_header_can_hold_is_left_out() {
        let long = format!("a.{}", "b".repeat(40));
        let message = syslog("h o\nst\u{e9}", &entry(&long, &json!({})), "{}");
        let words: Vec<_> = message.split(' ').collect();
        assert_eq!(words[2], "host");
        assert_eq!(words[5], &long[..32]);
        assert!(syslog("", &entry("a.b", &json!({})), "{}").contains("Z - lanyard "));
    }

    #[test]
    fn a_frame_counts_bytes() {
        assert_eq!(framed("é"), "2 é");
    }
}
