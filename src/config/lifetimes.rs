//! How long what we issue is good, and its defaults.

use time::Duration;

/// How long what we issue is good.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    /// Access tokens of a person (design §2).
    pub access_token: Duration,
    /// ID tokens.
    pub id_token: Duration,
    /// Authorization codes (RFC 6749 §4.1.2 allows ten minutes; we do not).
    pub authorization_code: Duration,
    /// Access tokens of a service itself (`client_credentials`).
    pub client_credentials_token: Duration,
    /// An authorization request waiting for its person.
    pub interaction: Duration,
    /// A refresh token family of a client with a secret; the session's end comes first.
    pub refresh_confidential: Duration,
    /// A refresh token family of a public client; the session's end comes first.
    pub refresh_public: Duration,
    /// How long a clinician may read a record that he opened in an emergency.
    pub emergency_access: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token: Duration::minutes(5),
            id_token: Duration::minutes(5),
            authorization_code: Duration::seconds(60),
            client_credentials_token: Duration::minutes(5),
            interaction: Duration::minutes(10),
            refresh_confidential: Duration::hours(24),
            refresh_public: Duration::hours(24),
            emergency_access: Duration::minutes(60),
        }
    }
}
