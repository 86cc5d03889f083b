//! What waits, and what is known of it so far.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;

use crate::ids::{InteractionId, TenantId};

/// A `prompt` value that we know (OIDC Core §3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// No page may be shown.
    None,
    /// She proves who she is, even with a live session.
    Login,
    /// She is asked what the client may see, even if she said so before.
    Consent,
    /// She chooses the clinic, even with one that is clear.
    SelectAccount,
}

/// A checked authorization request: client and redirect address are registered, the rest is
/// well-formed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// The client.
    pub client_id: String,
    /// Exactly as registered.
    pub redirect_uri: String,
    /// Given back unchanged.
    pub state: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What is asked for, without what this client may never have.
    pub scopes: Vec<String>,
    /// `S256` challenge, 43 characters; none only for the plain oidc profile.
    pub code_challenge: Option<String>,
    /// In the order given.
    pub prompt: Vec<Prompt>,
    /// Seconds since she proved who she is, at most.
    pub max_age: Option<u32>,
    /// Contexts of authentication, any of which would do; essential ones first.
    pub acr_values: Vec<String>,
    /// What to fill in on the first page.
    pub login_hint: Option<String>,
    /// The `sub` that a valid `id_token_hint` names, with its tenant.
    pub hint: Option<(TenantId, uuid::Uuid)>,
    /// The `aud` of the access token.
    pub audience: String,
}

impl AuthorizeRequest {
    /// What a page's form may be redirected to in the end, for its policy: the app that asked.
    pub fn leads_to(&self) -> Option<String> {
        let to = Url::parse(&self.redirect_uri).ok()?;
        let origin = to.origin();
        Some(if origin.is_tuple() {
            origin.ascii_serialization()
        } else {
            format!("{}:", to.scheme())
        })
    }
}

/// Why a person has to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// For an app.
    Authorize(Box<AuthorizeRequest>),
    /// For her own account page.
    Account,
    /// To change her second factors, which wants a fresh proof.
    Factors,
}

/// What the row keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Why.
    pub purpose: Purpose,
    /// The app that asked, by its registered name.
    pub client_name: Option<String>,
    /// The clinic, as soon as it is known: by the client, `organization`, or the chooser.
    pub tenant: Option<TenantId>,
    /// Its name and accent, if they are known before she is.
    pub clinic: Option<(String, String)>,
    /// The identifier as typed on the first page.
    pub login: Option<String>,
    /// Whether she chose the clinic herself in this interaction.
    pub has_chosen: bool,
    /// Whether the browser's present session is over for what is asked: then a new one begins,
    /// and the present one is never gone on with.
    pub anew: bool,
}

/// A stored one, live and of this browser.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Its id: the `flow` of the forms.
    pub id: InteractionId,
    /// What is known.
    pub pending: Pending,
    /// When it began: a proof of who she is after that answers `prompt=login`.
    pub created_at: OffsetDateTime,
}
