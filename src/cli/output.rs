//! What is said, and the one place that writes it.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::args::Form;

/// How a command ended, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// What was asked is done.
    Done = 0,
    /// It failed, and nobody knows better.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A rule or a check said no.
    Refused = 3,
    /// The database can't be reached.
    Unreachable = 4,
}

/// A command's answer: the same facts for people and for programs.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) json: Value,
    pub(super) exit: Exit,
}

impl Reply {
    /// Done; `facts` is the JSON, `text` what people read.
    pub(super) fn new(facts: &impl Serialize, text: impl Into<String>) -> Self {
        let json = serde_json::to_value(facts).expect("our shapes are JSON");
        Self {
            text: text.into(),
            json,
            exit: Exit::Done,
        }
    }

    /// Done, and said already.
    pub(super) const fn silent() -> Self {
        Self {
            text: String::new(),
            json: Value::Null,
            exit: Exit::Done,
        }
    }

    /// The same, as a refusal.
    pub(super) fn refused(mut self) -> Self {
        self.exit = Exit::Refused;
        self
    }
}

/// Why a command did not do what was asked: what happened, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    what: String,
    remedy: String,
}

impl Failure {
    fn new(exit: Exit, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Something broke.
    pub(super) fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what, remedy)
    }

    /// The command line makes no sense.
    pub(super) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, remedy)
    }

    /// A rule or a check said no.
    pub(super) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what, remedy)
    }

    /// What happened, and what to do.
    pub(super) fn into_parts(self) -> (String, String) {
        (self.what, self.remedy)
    }

    /// No database.
    pub(super) fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, what, remedy)
    }
}

/// Standard output and standard error. A reader that went away is no error of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    form: Form,
}

impl Output {
    pub(super) const fn new(form: Form) -> Self {
        Self { form }
    }

    /// Writes an answer, in one piece.
    pub(super) fn say(self, reply: &Reply) {
        let text = match self.form {
            Form::Text => reply.text.trim_end().to_owned(),
            Form::Json => reply.json.to_string(),
        };
        if !text.is_empty() {
            write_out(&text);
        }
    }

    /// Writes why there is none: on standard error, in words, whatever the form.
    pub(super) fn complain(failure: &Failure) {
        let what = failure.what.trim_end().replace('\n', "\n  ");
        let remedy = failure.remedy.trim_end().replace('\n', "\n  ");
        let _ = writeln!(io::stderr().lock(), "lanyard: {what}\n  {remedy}");
    }

    /// Says how far it is, in place of what was said before: on standard error, to a person alone.
    pub(super) fn progress(words: &str) {
        let mut error = io::stderr().lock();
        if error.is_terminal() {
            // Back to the line's beginning, and erase to its end.
            let _ = write!(error, "\r\u{1b}[K{words}").and_then(|()| error.flush());
        }
    }

    /// Writes bytes of another's making, such as completions.
    pub(super) fn raw(bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }
}

fn write_out(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// An instant to the second (RFC 3339, UTC).
pub(super) fn instant(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

/// Columns for people.
pub(super) fn table<const N: usize>(
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = line(heads.map(str::to_uppercase).each_ref().map(String::as_str));
    for row in &rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_no_line_ends_in_spaces() {
        let rows = [
            ["a".to_owned(), "b".to_owned()],
            ["longer".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["one", "two"], rows),
            "ONE     TWO\na       b\nlonger\n"
        );
    }
}
