//! What can be asked of where a log goes, and of how long it stays.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use time::Date;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Sink {
    /// Send a log to a collector from now on, or from an entry on. Itself on the record.
    #[command(after_help = "Examples:\n  \
        lanyard audit sink add https://siem.example.com/in --tenant juniper --secret\n  \
        lanyard audit sink add https://siem.example.com/ocsf --as ocsf --from 0\n  \
        lanyard audit sink add tls://logs.example.com:6514 --ca-file their-ca.pem\n\n\
        Entries come in order and without a gap, at least once: a resend has the same index. The \
        secret is read from the terminal or from standard input, and sent as a bearer token.")]
    Add(NewSink),
    /// Where logs are sent, how far each is, and why one fails.
    #[command(after_help = "Examples:\n  lanyard audit sink list\n  \
        lanyard audit sink list --tenant juniper")]
    List {
        /// One clinic's [default: all].
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
    /// Send nothing there any more. Itself on the record.
    #[command(after_help = "Example:\n  lanyard audit sink remove \
        0b8f6f0e-6a51-4f3e-9d3b-6f1a0f7c1d55 --tenant juniper")]
    Remove {
        /// Which.
        id: Uuid,
        /// Whose log: a clinic's slug.
        #[arg(long, value_name = "SLUG", default_value = "platform")]
        tenant: String,
    },
    /// Send one entry now, the last that was taken, and say whether it is taken.
    #[command(after_help = "Example:\n  lanyard audit sink test \
        0b8f6f0e-6a51-4f3e-9d3b-6f1a0f7c1d55 --tenant juniper\n\n\
        Exits with 3 if it is not. Nothing is skipped by it.")]
    Test {
        /// Which.
        id: Uuid,
        /// Whose log: a clinic's slug.
        #[arg(long, value_name = "SLUG", default_value = "platform")]
        tenant: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NewSink {
    /// https://host/path, or for syslog tls://host:port; http and tcp on this machine alone.
    pub(in crate::cli) address: String,
    /// Whose log: a clinic's slug.
    #[arg(long, value_name = "SLUG", default_value = "platform")]
    pub(in crate::cli) tenant: String,
    /// In whose words; syslog has its own.
    #[arg(long = "as", value_enum, default_value_t = SinkForm::Line)]
    pub(in crate::cli) words: SinkForm,
    /// The index of the first entry [default: what comes from now on].
    #[arg(long, value_name = "INDEX")]
    pub(in crate::cli) from: Option<u64>,
    /// Certificates in PEM that alone are believed [default: those of this system].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Read a secret that the collector asks for.
    #[arg(long)]
    pub(in crate::cli) secret: bool,
}

/// How entries are posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SinkForm {
    /// Lines of the log, as they are (NDJSON).
    Line,
    /// An array of events of the Open Cybersecurity Schema Framework.
    Ocsf,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Hold {
    /// Keep a clinic's entries until the hold is released. Itself on the record.
    #[command(after_help = "Example:\n  \
        lanyard audit hold add --tenant juniper --matter 2026-CV-0417\n\n\
        Months are dropped for all logs together, so a hold keeps those months of every log.")]
    Add {
        /// Whose log: a clinic's slug.
        #[arg(long, value_name = "SLUG", default_value = "platform")]
        tenant: String,
        /// Who asked for it: a docket's number, or the like; nothing about a person.
        #[arg(long, value_name = "REFERENCE")]
        matter: Option<String>,
    },
    /// All holds, also those that were released.
    #[command(after_help = "Example:\n  lanyard audit hold list")]
    List {
        /// One clinic's [default: all].
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
    /// Let a clinic's entries go with their time again. Itself on the record.
    #[command(after_help = "Example:\n  lanyard audit hold release \
        0b8f6f0e-6a51-4f3e-9d3b-6f1a0f7c1d55 --tenant juniper")]
    Release {
        /// Which.
        id: Uuid,
        /// Whose log: a clinic's slug.
        #[arg(long, value_name = "SLUG", default_value = "platform")]
        tenant: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Archive {
    /// Where the files go, and those of earlier times are; made if it is missing.
    pub(in crate::cli) folder: PathBuf,
    /// The first month that is not written.
    #[arg(long, value_name = "YYYY-MM")]
    pub(in crate::cli) before: Month,
    /// One clinic's [default: all].
    #[arg(long, value_name = "SLUG")]
    pub(in crate::cli) tenant: Option<String>,
}

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Month(Date);

impl Month {
    pub(in crate::cli) const fn first_day(self) -> Date {
        self.0
    }
}

impl FromStr for Month {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write it as in 2019-02";
        let (year, month) = text.split_once('-').ok_or(wrong)?;
        let is_plain = year.len() == 4 && month.len() == 2;
        let number = |digits: &str| digits.parse::<u8>().ok();
        let month = number(month).and_then(|month| time::Month::try_from(month).ok());
        let date = year.parse().ok().zip(month).filter(|_| is_plain);
        let (year, month) = date.ok_or(wrong)?;
        let first = Date::from_calendar_date(year, month, 1);
        first.map(Self).map_err(|_| wrong)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), u8::from(self.0.month()))
    }
}

#[cfg(test)]
mod tests {
    use super::Month;

    #[test]
    fn a_month_is_written_in_one_way() {
        let month: Month = "2019-02".parse().expect("a month");
        assert_eq!(month.to_string(), "2019-02");
        for none in [
            "2019",
            "2019-13",
            "2019-2",
            "19-02",
            "2019-02-01",
            "",
            "-019-02",
        ] {
            assert!(none.parse::<Month>().is_err(), "{none}");
        }
    }
}
