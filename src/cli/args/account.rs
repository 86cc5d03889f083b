//! What can be asked of accounts.

use clap::{Args, Subcommand};

/// Where a password comes from: never from an option.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
pub(in crate::cli) struct PasswordFrom {
    /// Read the password as one line of standard input.
    #[arg(long)]
    pub(in crate::cli) password_stdin: bool,
    /// Make one and show it once.
    #[arg(long)]
    pub(in crate::cli) generate_password: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Account {
    /// Make an account; it may join a clinic at once.
    #[command(after_help = "Examples:\n  \
        lanyard account create --login ada@juniper.example --name 'Ada Byron' \\\n      \
        --tenant juniper --role clinician --generate-password\n  \
        lanyard account create --bootstrap --login root@example.com --name 'Root'\n\n\
        Without --password-stdin or --generate-password the password is asked for. With \
        --bootstrap the one-time secret of `lanyard migrate` is asked for first; on standard \
        input it is the line before the password.")]
    Create {
        /// What the person will type to sign in, mostly an address.
        #[arg(long)]
        login: String,
        /// What the person is called.
        #[arg(long)]
        name: String,
        /// The clinic to join.
        #[arg(long, value_name = "SLUG", requires = "role")]
        tenant: Option<String>,
        /// A role there; repeat for more.
        #[arg(long, requires = "tenant")]
        role: Vec<String>,
        /// Make the platform's administrator, with a one-time secret.
        #[arg(long, conflicts_with_all = ["tenant", "role"])]
        bootstrap: bool,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Let an account join a clinic.
    #[command(
        after_help = "Example:\n  lanyard account join --login ada@juniper.example \
                            --tenant harbor --role nurse"
    )]
    Join {
        /// The account's login.
        #[arg(long)]
        login: String,
        /// The clinic.
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// A role there; repeat for more.
        #[arg(long, required = true)]
        role: Vec<String>,
        /// What the clinic calls the person [default: the account's name].
        #[arg(long)]
        name: Option<String>,
    },
    /// What an account has of second factors.
    #[command(after_help = "Example:\n  lanyard account factors --login ada@juniper.example")]
    Factors {
        /// The account's login.
        #[arg(long)]
        login: String,
    },
    /// Take all second factors of an account away, for a person who lost them; every session and
    /// grant of it ends.
    #[command(
        after_help = "Example:\n  lanyard account reset-factors --login ada@juniper.example\n\n\
                      Make sure who asks: from then on the password alone gets in, once."
    )]
    ResetFactors {
        /// The account's login.
        #[arg(long)]
        login: String,
    },
    /// Give an account a new password; every session and grant of it ends.
    #[command(
        after_help = "Example:\n  lanyard account recover --login ada@juniper.example \
                            --generate-password"
    )]
    Recover {
        /// The account's login.
        #[arg(long)]
        login: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Erase a person for good: who an account was is not known any more, and what it did stays on
    /// the record, under its id.
    #[command(
        after_help = "Example:\n  lanyard account erase --login ada@juniper.example \\\n      \
                      --confirm ada@juniper.example\n\n\
                      Records of her care are the clinics' and stay; so do backups from before, \
                      which still know her. An erased account has the login erased-<account id>."
    )]
    Erase {
        /// The account's login.
        #[arg(long)]
        login: String,
        /// The login once more: nothing brings the person back.
        #[arg(long, value_name = "LOGIN")]
        confirm: String,
        /// Though a clinic that is served, or the platform, loses its last administrator.
        #[arg(long)]
        force: bool,
    },
}
