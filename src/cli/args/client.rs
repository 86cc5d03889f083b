//! What can be asked of clients.

use clap::{Args, Subcommand};

/// Whose client it is.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Owner {
    /// The clinic; `platform` for apps that all clinics share.
    #[arg(long, value_name = "SLUG", default_value = "platform")]
    pub(in crate::cli) tenant: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Client {
    /// Register a client; its secret is shown once.
    #[command(after_help = "Examples:\n  \
        lanyard client create front-desk --name 'Front desk' --kind web \\\n      \
        --redirect-uri https://desk.example.com/callback \\\n      \
        --post-logout-redirect-uri https://desk.example.com/ --scope openid --scope visits:read\n  \
        lanyard client create phone --name 'Phone app' --kind native \\\n      \
        --redirect-uri http://127.0.0.1/callback --tenant juniper")]
    Create(Box<NewClient>),
    /// The clients of a clinic, or of the platform.
    List(Owner),
    /// Give a client a new secret, shown once; the old one goes on for a while.
    #[command(after_help = "Example:\n  lanyard client rotate front-desk --overlap 1h")]
    Rotate {
        /// The client_id.
        client_id: String,
        #[command(flatten)]
        owner: Owner,
        /// How long the old secret goes on: 0s to 7d.
        #[arg(long, value_name = "DURATION", default_value = "24h")]
        overlap: String,
    },
    /// Delete a client; its tokens end with their lifetime.
    Delete {
        /// The client_id.
        client_id: String,
        #[command(flatten)]
        owner: Owner,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NewClient {
    /// The client_id: 3 to 63 lower-case letters, digits, hyphens, underscores.
    pub(in crate::cli) client_id: String,
    /// What people read.
    #[arg(long)]
    pub(in crate::cli) name: String,
    /// web, spa, native, service (no person) or resource (an API).
    #[arg(long, value_parser = ["web", "spa", "native", "service", "resource"])]
    pub(in crate::cli) kind: String,
    #[command(flatten)]
    pub(in crate::cli) owner: Owner,
    /// strict (PKCE always) or oidc (plain OpenID Connect, with a secret).
    #[arg(long, default_value = "strict", value_parser = ["strict", "oidc"])]
    pub(in crate::cli) profile: String,
    /// none, client_secret_basic or client_secret_post [default: none for spa and native, else
    /// client_secret_basic].
    #[arg(long, value_parser = ["none", "client_secret_basic", "client_secret_post"])]
    pub(in crate::cli) auth_method: Option<String>,
    /// What its ID tokens are signed with.
    #[arg(long, default_value = "RS256", value_parser = ["RS256", "ES256", "EdDSA"])]
    pub(in crate::cli) id_token_alg: String,
    /// Where codes may be sent, compared byte for byte; repeat for more.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) redirect_uri: Vec<String>,
    /// Where a logout may end, compared byte for byte; repeat for more.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) post_logout_redirect_uri: Vec<String>,
    /// Where it is told to begin a sign-in; support enters it there as somebody.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) initiate_login_uri: Option<String>,
    /// From where a browser's script may call us; repeat for more.
    #[arg(long, value_name = "ORIGIN")]
    pub(in crate::cli) origin: Vec<String>,
    /// What it may ask for; repeat for more [default: openid where people sign in].
    #[arg(long, value_name = "SCOPE")]
    pub(in crate::cli) scope: Vec<String>,
    /// For whom its access tokens may be; the first is the default; repeat for more.
    #[arg(long, value_name = "AUDIENCE")]
    pub(in crate::cli) audience: Vec<String>,
    /// The clocks of patient, clinician, console or platform hold for it; platform clients alone.
    #[arg(long, value_parser = ["patient", "clinician", "console", "platform"])]
    pub(in crate::cli) app: Option<String>,
    /// It is the platform's own, or its clinic's: people are not asked what it may see.
    #[arg(long)]
    pub(in crate::cli) first_party: bool,
    /// Somebody else made it: people are asked. So it is unless said otherwise.
    #[arg(long, conflicts_with_all = ["first_party", "app"])]
    pub(in crate::cli) third_party: bool,
}
