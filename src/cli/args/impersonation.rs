//! What can be asked of support that acts as somebody.

use clap::{Subcommand, ValueEnum};

use crate::impersonation::{ImpersonationId, Rule as Stored};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Impersonation {
    /// What a clinic lets support do; nothing until it is said otherwise.
    #[command(
        after_help = "Example:\n  lanyard impersonation policy juniper consent-of-user\n\n\
        What stands under a laxer rule ends with the new one."
    )]
    Policy {
        /// The clinic.
        #[arg(value_name = "SLUG")]
        slug: String,
        /// The rule from now on.
        #[arg(value_enum)]
        rule: Rule,
    },
    /// What a clinic lets support do, and its newest hundred grants.
    #[command(after_help = "Example:\n  lanyard impersonation list juniper")]
    List {
        /// The clinic.
        #[arg(value_name = "SLUG")]
        slug: String,
    },
    /// End one grant of a clinic, or all of them, at once.
    #[command(
        after_help = "Examples:\n  lanyard impersonation end juniper --all\n  \
                            lanyard impersonation end juniper \
                            --id 0b8f6f0e-6a51-4f3e-9d3b-6f1a0f7c1d55"
    )]
    End {
        /// The clinic.
        #[arg(value_name = "SLUG")]
        slug: String,
        /// The grant.
        #[arg(long, value_name = "ID", required_unless_present = "all")]
        id: Option<ImpersonationId>,
        /// All that are not over.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// What a clinic lets support do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Rule {
    /// Nothing.
    Forbidden,
    /// Act at once.
    Allowed,
    /// Act when an administrator of the clinic said yes.
    ApprovalByAdmin,
    /// Act when the person herself said yes.
    ConsentOfUser,
}

impl From<Rule> for Stored {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Forbidden => Self::Forbidden,
            Rule::Allowed => Self::Allowed,
            Rule::ApprovalByAdmin => Self::ApprovalByAdmin,
            Rule::ConsentOfUser => Self::ConsentOfUser,
        }
    }
}
