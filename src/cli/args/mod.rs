//! What can be asked: commands, options, examples.

#![expect(
    clippy::doc_markdown,
    reason = "this text is read in a terminal, without marks"
)]

mod account;
mod audit;
mod client;
mod impersonation;
mod keeping;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(super) use account::{Account, PasswordFrom};
pub(super) use audit::{Audit, Export, Tail, Verify, Words};
pub(super) use client::{Client, NewClient, Owner};
pub(super) use impersonation::Impersonation;
pub(super) use keeping::{Archive, Hold, Month, NewSink, Sink, SinkForm};

/// One badge for every app of a telehealth platform.
#[derive(Debug, Parser)]
#[command(
    name = "lanyard",
    version,
    about = "One badge for every app of a telehealth platform: an OpenID Connect provider.",
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a rule or a check, \
                  4 the database can't be reached.\n\
                  Secrets are never options: they are read from the terminal, from standard \
                  input, or from files named in the configuration.\n\n\
                  Begin with:  lanyard keys init && lanyard serve --migrate"
)]
pub(super) struct Lanyard {
    /// The configuration file [default: lanyard.toml in the working directory, if it is there].
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// How answers are written.
    #[arg(short, long, global = true, value_enum, default_value_t = Form::Text)]
    pub(super) output: Form,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The form of answers on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people; may change.
    Text,
    /// One JSON value; docs/CLI.md holds its shape.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve until a signal comes.
    #[command(
        after_help = "Examples:\n  lanyard serve\n  lanyard serve --migrate\n  \
                            lanyard serve --plane identity"
    )]
    Serve(Serve),
    /// Serve a seeded world on this machine, or look after it.
    #[command(after_help = "Examples:\n  lanyard demo\n  lanyard demo info\n  lanyard demo reset")]
    #[command(args_conflicts_with_subcommands = true)]
    Demo {
        #[command(subcommand)]
        action: Option<Demo>,
        /// Only start, run through it once, and end: 0 if every step went well.
        #[arg(long)]
        drive: bool,
    },
    /// Bring the database up to this build's schema.
    #[command(
        after_help = "While nobody administers the platform it also prints a one-time \
                            secret for `lanyard account create --bootstrap`, good for one hour."
    )]
    Migrate,
    /// The master key, and the keys that sign.
    #[command(subcommand)]
    Keys(Keys),
    /// Clinics.
    #[command(subcommand)]
    Tenant(Tenant),
    /// People.
    #[command(subcommand)]
    Account(Account),
    /// Support that acts as somebody.
    #[command(subcommand)]
    Impersonation(Impersonation),
    /// Apps and APIs that speak with us.
    #[command(subcommand)]
    Client(Client),
    /// The log of who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// What verifiers last said of themselves: their version, the age of their keys, their lag.
    #[command(
        after_help = "A verifier reports every 30 seconds, as the client whose secret it \
                            has. Whoever has not for 90 is silent; for a day, and it is \
                            forgotten."
    )]
    Verifiers,
    /// The configuration.
    #[command(subcommand)]
    Config(Config),
    /// Look at everything that can be wrong, and say what to do.
    #[command(after_help = "Exits with 3 if something keeps Lanyard from serving.")]
    Doctor,
    /// Ask a running server's operations address whether it is ready.
    #[command(after_help = "Examples:\n  lanyard healthcheck\n  \
                            lanyard healthcheck --address 127.0.0.1:8089")]
    Healthcheck {
        /// Its operations address [default: the first of listen.operations].
        #[arg(long, value_name = "IP:PORT")]
        address: Option<std::net::SocketAddr>,
    },
    /// Write the database into a folder, and its keys into another.
    #[command(after_help = "Examples:\n  lanyard backup /backup/2026-03-02\n  \
                            lanyard backup /backup/2026-03-02 --keys /safe/lanyard-keys\n\n\
                            Servers go on serving. Who has both folders has everything: keep \
                            them apart.")]
    Backup {
        /// A folder that is not there yet.
        folder: PathBuf,
        /// Copy the keys folder too, to here; a folder that is not there yet.
        #[arg(long, value_name = "FOLDER")]
        keys: Option<PathBuf>,
    },
    /// Put a backup's database back. It is served after `lanyard recover --restored`.
    #[command(
        after_help = "Example:\n  lanyard restore /backup/2026-03-02 --replace\n\n\
                            End every server first, and put the keys of the backup into keys_dir."
    )]
    Restore {
        /// The backup's folder.
        folder: PathBuf,
        /// Throw away what the database holds now.
        #[arg(long)]
        replace: bool,
    },
    /// When nobody can get in any more, or the database was restored.
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Recover {
        /// Void what a restored database brought back: every session, grant and one-time value
        /// ends, and new keys sign. Accounts, clinics, clients and the log stay.
        #[arg(long)]
        restored: bool,
        #[command(subcommand)]
        action: Option<Recover>,
    },
    /// Completions for a shell, on standard output.
    #[command(after_help = "Example:\n  lanyard completions bash > \
                            ~/.local/share/bash-completion/completions/lanyard")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Bring the schema up first; without it an older schema is refused.
    #[arg(long)]
    pub(super) migrate: bool,
    /// Serve only these parts: identity, tenant, apps, or all [default: the configuration's].
    #[arg(long, value_name = "PLANES")]
    pub(super) plane: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Demo {
    /// Say where the demo is, who can sign in, and with what.
    Info,
    /// The sign-in code of someone who is made up, as her phone would show it now.
    #[command(
        after_help = "Example:\n  lanyard demo code ruth.okafor@example.test\n\n\
        A code is good once. Who has just signed in waits for the next one, or takes \
        `next` of `--output json`."
    )]
    Code {
        /// What she signs in with.
        login: String,
    },
    /// Throw the demo's world away; the next start makes a new one.
    Reset,
}

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make the master key. Keep a copy where the database's backups are not.
    Init {
        /// Make the one that takes its place: `lanyard keys rewrap` says how.
        #[arg(long)]
        next: bool,
    },
    /// Put every data key under the next master key, while servers serve.
    #[command(after_help = "In order:\n  \
        lanyard keys init --next     makes keys/master.next.key; copy it to every host\n  \
        lanyard keys rewrap          on one host; on every other one it then only changes files\n  \
        rm keys/master.previous.key  on every host, once no backup needs it\n\n\
        It may be interrupted and run again at any point.")]
    Rewrap,
    /// The keys that sign tokens, and their standing.
    List,
    /// Let the next keys sign, as soon as every verifier has them; they do so by themselves on a
    /// schedule.
    #[command(
        after_help = "Examples:\n  lanyard keys rotate\n  lanyard keys rotate --emergency ES256\n\n\
                            Without --emergency nothing is lost: the old keys are published until \
                            the last token that they signed has ended. With it, tokens by the \
                            withdrawn keys are refused within seconds here and by every verifier \
                            that follows revocations, and within five minutes by the others; \
                            sessions go on and give new tokens."
    )]
    Rotate {
        /// Withdraw a key at once: somebody else may have it. All keys of an algorithm by its name.
        #[arg(long, value_name = "KID|ALG")]
        emergency: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a clinic.
    #[command(
        after_help = "Example:\n  lanyard tenant create juniper --name 'Juniper Family \
                            Clinic' --accent juniper"
    )]
    Create {
        /// Its short name, the first label of its host: letters, digits, hyphens.
        slug: String,
        /// What people read.
        #[arg(long)]
        name: String,
        /// Its color: juniper, harbor, clay, plum, rose or slate.
        #[arg(long, default_value = "slate")]
        accent: String,
    },
    /// All clinics.
    List,
    /// Serve a clinic no longer; nothing is deleted.
    Suspend {
        /// Its slug.
        slug: String,
    },
    /// Serve a suspended clinic again.
    Resume {
        /// Its slug.
        slug: String,
    },
    /// Whom a clinic asks for a second factor at sign-in. Staff are always asked.
    #[command(
        after_help = "Example:\n  lanyard tenant factors juniper --of everybody\n\n\
        Who has none yet may put it off once."
    )]
    Factors {
        /// Its slug.
        slug: String,
        /// Patients too, or staff alone.
        #[arg(long, value_enum)]
        of: Whom,
    },
    /// End everything of a clinic at once: sessions there, grants, codes, tokens from before now.
    #[command(
        after_help = "Example:\n  lanyard tenant end-sessions juniper --reason suspected-breach\n\n\
        Whoever signs in afterwards is let in; whoever is signed in at other clinics stays so \
        there. It may be interrupted and run again at any point."
    )]
    EndSessions {
        /// Its slug.
        slug: String,
        /// For the log.
        #[arg(long, value_enum)]
        reason: Why,
    },
    /// Destroy the data key of a suspended clinic: what is encrypted of it stays unreadable.
    #[command(after_help = "Example:\n  lanyard tenant suspend juniper\n  \
                            lanyard tenant destroy-data juniper --confirm juniper")]
    DestroyData {
        /// Its slug.
        slug: String,
        /// The slug once more: nothing brings the data back.
        #[arg(long, value_name = "SLUG")]
        confirm: String,
    },
}

/// Whom a clinic asks for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Whom {
    /// Every member.
    Everybody,
    /// Every role but patient.
    Staff,
}

/// Why everything of a clinic is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Why {
    /// Somebody else may have been in.
    SuspectedBreach,
    /// Passwords, devices or tokens are in others' hands.
    StolenCredentials,
    /// The clinic asked for it.
    ClinicRequest,
    /// An exercise.
    Drill,
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Say all that is wrong with it.
    Check,
    /// Every value, and where it came from. No secrets.
    Show,
    /// What a key means, its unit, bounds and default.
    #[command(after_help = "Example:\n  lanyard config explain lifetimes.access_token")]
    Explain {
        /// The key, or its environment variable.
        #[arg(required_unless_present = "markdown")]
        key: Option<String>,
        /// All keys, as docs/CONFIGURATION.md.
        #[arg(long, conflicts_with = "key")]
        markdown: bool,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Recover {
    /// Print a one-time secret that a new administrator of the platform is made with.
    #[command(after_help = "Redeem it within one hour:\n  \
                            lanyard account create --bootstrap --login … --name …")]
    Administrator,
}
