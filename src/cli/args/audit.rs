//! What can be asked of the log.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::keeping::{Archive, Hold, Month, Sink};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Audit {
    /// Check an export of the log: offline, without a server or a database.
    #[command(after_help = "Examples:\n  \
        lanyard audit verify juniper.ndjson --keys keys.json\n  \
        lanyard audit verify juniper.ndjson --keys keys.json --anchor anchor.ndjson\n  \
        lanyard audit verify juniper.ndjson --keys keys.json --anchor last-year.ndjson\n  \
        curl -s https://id.example.com/.well-known/lanyard-audit > keys.json\n\n\
        Exits with 0 if every entry is what the log recorded, and with 3 if one is not: the first \
        is named. A key from the export itself shows nothing: take it from the well-known \
        address, or from where you kept it. docs/AUDIT-FORMAT.md says how to do the same without \
        this program.")]
    Verify(Verify),
    /// Write a log, or a part of it, into a file that can be checked offline. Itself on the record.
    #[command(after_help = "Examples:\n  \
        lanyard audit export juniper.ndjson --tenant juniper\n  \
        lanyard audit export sign-ins.ndjson --from 1000 --to 2000\n\n\
        The log is sequenced and signed first, so the file ends with what was committed just now.")]
    Export(Export),
    /// Show the end of a log, one entry a line. Itself on the record.
    #[command(after_help = "Examples:\n  \
        lanyard audit tail --tenant juniper\n  lanyard audit tail --follow\n  \
        lanyard audit tail --follow --as syslog")]
    Tail(Tail),
    /// Where a log is sent, entry by entry, as it grows.
    #[command(subcommand)]
    Sink(Sink),
    /// What keeps a log's entries beyond their time.
    #[command(subcommand)]
    Hold(Hold),
    /// Write what is old into files, verify them, and say so: then it may expire.
    #[command(after_help = "Examples:\n  \
        lanyard audit archive /archive --before 2019-02\n  \
        lanyard audit archive /archive --before 2019-02 --tenant juniper\n\n\
        A file for each log, which `lanyard audit verify` checks for as long as it and the keys \
        are kept. A file that is there already is verified and not written again.")]
    Archive(Archive),
    /// Drop the months of all logs that ended before one began, for good.
    #[command(after_help = "Example:\n  \
        lanyard audit expire --before 2019-02\n\n\
        The database refuses before six years have passed, while a hold keeps any of the entries, \
        and for entries that are not archived. What is dropped can still be proved: the hashes \
        stay.")]
    Expire {
        /// The first month that stays.
        #[arg(long, value_name = "YYYY-MM")]
        before: Month,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// A file that is not there yet.
    pub(in crate::cli) file: PathBuf,
    /// Whose log: a clinic's slug.
    #[arg(long, value_name = "SLUG", default_value = "platform")]
    pub(in crate::cli) tenant: String,
    /// The index of the first entry.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub(in crate::cli) from: u64,
    /// The index after the last one [default: the log's end].
    #[arg(long, value_name = "INDEX")]
    pub(in crate::cli) to: Option<u64>,
    /// Show what was salted in order to be erasable.
    #[arg(long)]
    pub(in crate::cli) disclose: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    /// Whose log: a clinic's slug.
    #[arg(long, value_name = "SLUG", default_value = "platform")]
    pub(in crate::cli) tenant: String,
    /// How many entries, 500 at most.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(in crate::cli) last: u16,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    pub(in crate::cli) follow: bool,
    /// In whose words.
    #[arg(long = "as", value_enum, default_value_t = Words::Line)]
    pub(in crate::cli) words: Words,
}

/// How an entry is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Words {
    /// As it is in the log.
    Line,
    /// An event of the Open Cybersecurity Schema Framework, as JSON.
    Ocsf,
    /// A message of RFC 5424.
    Syslog,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The export; - for standard input.
    pub(in crate::cli) file: PathBuf,
    /// A public key of the log, as name+id+key; repeat for more.
    #[arg(long, value_name = "VKEY", required_unless_present = "keys")]
    pub(in crate::cli) key: Vec<String>,
    /// A file of them: one a line, or what /.well-known/lanyard-audit gives.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) keys: Option<PathBuf>,
    /// Checkpoints kept elsewhere, or another export of the same log: both must tell one story.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) anchor: Option<PathBuf>,
}
