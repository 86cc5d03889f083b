//! What goes into the use cases of a family, and what comes out.

use secrecy::SecretString;
use time::OffsetDateTime;

use super::model::{ClientKind, KeyThumbprint};
use super::refresh_token::PresentedRefreshToken;
use super::refusal::RefreshRefusal;
use crate::http::peer::Peer;
use crate::ids::{AccountId, ClientId, FamilyId, SessionId, SubjectId};
use crate::oidc::client::{Client, Profile};
use crate::sessions::{self, Clocks};

/// What a new family is for.
#[derive(Debug)]
pub struct NewFamily<'a> {
    /// The client that redeemed the code.
    pub client: &'a ClientId,
    /// The key to bind its tokens to, if the client is bound to one.
    pub key_binding: Option<KeyThumbprint>,
    /// The person.
    pub account: AccountId,
    /// Who she is in the transaction's tenant.
    pub subject: SubjectId,
    /// The session that it hangs on.
    pub session: SessionId,
    /// What was granted: no refresh gives more.
    pub scopes: &'a [String],
    /// The `aud` of its access tokens.
    pub audience: &'a str,
    /// No token of it is good from here on. Whole microseconds count.
    pub absolute_end_at: OffsetDateTime,
}

/// A family that began.
#[derive(Debug)]
pub struct Started {
    /// Which: the code keeps it, so that its second use can end it.
    pub family: FamilyId,
    /// The token of generation 0, for the client alone.
    pub refresh_token: SecretString,
}

/// A refresh as its request asks for it.
#[derive(Debug)]
pub struct Asked {
    /// The token.
    pub presented: PresentedRefreshToken,
    /// The scope; `None`: all that was granted.
    pub scopes: Option<Vec<String>>,
    /// The resources; none: the one that was granted.
    pub resources: Vec<String>,
}

impl Asked {
    /// Asked by `client`, from there.
    pub(crate) fn by<'a>(&'a self, client: &'a Client, peer: &'a Peer) -> Presenter<'a> {
        Presenter {
            client: &client.id,
            client_name: &client.name,
            kind: kind_of(client),
            app: client.app.as_deref().unwrap_or_default(),
            proven_key: None,
            scopes: self.scopes.as_deref(),
            resources: &self.resources,
            network: &peer.network,
            user_agent: &peer.user_agent,
        }
    }
}

/// What the client can prove, by its registration.
fn kind_of(client: &Client) -> ClientKind {
    if client.profile == Profile::Fapi2 {
        ClientKind::Fapi2
    } else if client.kind.is_public() {
        ClientKind::Public
    } else {
        ClientKind::Confidential
    }
}

/// Who shows a refresh token, from where, and what for.
#[derive(Debug)]
pub struct Presenter<'a> {
    /// The client, authenticated as it is registered.
    pub client: &'a ClientId,
    /// As the person knows it: if she must be told.
    pub client_name: &'a str,
    /// What it is registered as now.
    pub kind: ClientKind,
    /// Its row of the lattice of clocks.
    pub app: &'a str,
    /// The key that the request proved.
    pub proven_key: Option<KeyThumbprint>,
    /// As in [`Asked`].
    pub scopes: Option<&'a [String]>,
    /// As in [`Asked`].
    pub resources: &'a [String],
    /// The network it comes from, and its `User-Agent`. Kept as digests.
    pub network: &'a str,
    /// See `network`.
    pub user_agent: &'a str,
}

/// What a refresh ended in. It may have written, so it is committed.
#[derive(Debug)]
pub enum RefreshOutcome {
    /// Yes.
    Given(Box<Given>),
    /// No.
    Refused(RefreshRefusal),
}

/// What is to be given out.
#[derive(Debug)]
pub struct Given {
    /// The refresh token of the newest generation; `None`: the one presented goes on (fapi2).
    pub refresh_token: Option<SecretString>,
    /// When the access token must end; at a late retry that may be past.
    pub access_ends_at: OffsetDateTime,
    /// Which family, for the record.
    pub family: FamilyId,
    /// The person.
    pub account: AccountId,
    /// Who she is in the tenant.
    pub subject: SubjectId,
    /// The scopes of this access token: granted, and asked for.
    pub scopes: Vec<String>,
    /// Its audience.
    pub audience: String,
    /// The session, as found in the same transaction.
    pub standing: sessions::service::Standing,
    /// When that ends.
    pub clocks: Clocks,
}
