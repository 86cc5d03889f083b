//! What can be asked of the log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
