//! A consent as a value.

use time::OffsetDateTime;

/// A member's recorded yes, as the decision to issue a code needs it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Consent {
    /// To what.
    pub scopes: Vec<String>,
    /// To which registration of the client.
    pub client_created_at: OffsetDateTime,
    /// When she last said so.
    pub given_at: OffsetDateTime,
}

/// The same for the account page.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct GivenConsent {
    /// The client.
    pub client_id: String,
    /// Its registered name.
    pub client_name: String,
    /// To what.
    pub scopes: Vec<String>,
    /// Since when.
    pub first_given_at: OffsetDateTime,
    /// When the app last came with it.
    pub last_used_at: OffsetDateTime,
}
