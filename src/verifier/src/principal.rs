//! Who calls, as the issuer said it.

use std::fmt;

use time::OffsetDateTime;

use crate::impersonation::Preset;
use crate::proxy::Basis;
use crate::{DelegationId, GrantId, SubjectId, TenantId};

/// The verified caller of a request. Only a [`Verifier`](crate::Verifier) makes one.
///
/// Everything about who asks and for which clinic comes from here, and nothing from a header, a
/// query or a body. No other code can make or change one:
///
/// ```compile_fail
/// fn promote(caller: &mut lanyard_verifier::Principal) {
///     caller.roles = vec!["super_admin".to_owned()];
/// }
/// ```
#[derive(Clone)]
pub struct Principal {
    pub(crate) tenant: TenantId,
    pub(crate) subject: SubjectId,
    pub(crate) client_id: String,
    pub(crate) audience: String,
    pub(crate) jti: String,
    pub(crate) roles: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) actor: Option<Actor>,
    pub(crate) issued_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
}

/// How and when the person signed in. A client that acts for itself has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    pub(crate) sid: String,
    pub(crate) auth_time: OffsetDateTime,
    pub(crate) acr: String,
    pub(crate) amr: Vec<String>,
}

/// Who really acts as the subject (`act`, RFC 8693 §4.1). A token of any other shape is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actor {
    /// Support staff, for half an hour at most.
    Support(Support),
    /// Somebody whom the law or the patient lets act for her.
    Proxy(Proxy),
}

impl Actor {
    /// Who really acts, whatever lets her: a support's membership is in the platform's tenant, a
    /// proxy's in the token's own.
    pub const fn sub(&self) -> SubjectId {
        match self {
            Self::Support(support) => support.sub,
            Self::Proxy(proxy) => proxy.sub,
        }
    }

    /// Support staff, if that is who acts.
    pub const fn support(&self) -> Option<Support> {
        match self {
            Self::Support(support) => Some(*support),
            Self::Proxy(_) => None,
        }
    }

    /// A patient's proxy, if that is who acts.
    pub const fn proxy(&self) -> Option<Proxy> {
        match self {
            Self::Support(_) => None,
            Self::Proxy(proxy) => Some(*proxy),
        }
    }
}

/// Support staff who act as the subject, under a grant of impersonation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Support {
    /// The actor's own membership, in the platform's tenant.
    pub sub: SubjectId,
    /// The grant by which she acts; the issuer knows its reason, approval and end.
    pub grant: GrantId,
    /// How much of the subject's rights was lent.
    pub preset: Preset,
}

/// A patient's parent, guardian, caregiver or agent, who acts for her under a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxy {
    /// The proxy's own membership, in the token's clinic.
    pub sub: SubjectId,
    /// The delegation by which she acts; the issuer knows its document, scope and end.
    pub delegation: DelegationId,
    /// As what she acts.
    pub basis: Basis,
}

impl Principal {
    /// The clinic that this token is for (`tid`). There is exactly one.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The person's membership in that clinic, or the client's service subject (`sub`).
    pub fn subject(&self) -> SubjectId {
        self.subject
    }

    /// The roles held in that clinic. Give them meaning with [`Permissions`](crate::Permissions).
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether that role is held in that clinic.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// The scopes granted to the client, such as `visits:read`.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether exactly that scope was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    /// For a handler whose scope depends on what is asked; a route's own goes in its
    /// [`Guard`](crate::Guard).
    ///
    /// # Errors
    /// [`MissingScope`], which a handler of axum may return as it is: 403 `insufficient_scope`.
    pub fn require_scope(&self, scope: &str) -> Result<(), MissingScope> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            Err(MissingScope(scope.to_owned()))
        }
    }

    /// The client that got the token.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// How and when the person signed in; `None` for a client that acts for itself
    /// (`client_credentials`).
    pub fn sign_in(&self) -> Option<&SignIn> {
        self.sign_in.as_ref()
    }

    /// The session in this clinic (`sid`), if a person signed in.
    pub fn sid(&self) -> Option<&str> {
        self.sign_in.as_ref().map(SignIn::sid)
    }

    /// When the person last signed in, if one did.
    pub fn auth_time(&self) -> Option<OffsetDateTime> {
        self.sign_in.as_ref().map(SignIn::auth_time)
    }

    /// How strongly the person signed in, if one did.
    pub fn acr(&self) -> Option<&str> {
        self.sign_in.as_ref().map(SignIn::acr)
    }

    /// With what the person signed in (RFC 8176); empty if nobody did.
    pub fn amr(&self) -> &[String] {
        self.sign_in.as_ref().map_or(&[], |sign_in| sign_in.amr())
    }

    /// The token's identifier.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// The API that the token is for: always the verifier's own audience.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// When the token was minted, UTC, to the second.
    pub fn issued_at(&self) -> OffsetDateTime {
        self.issued_at
    }

    /// From when on the token is no longer good (leeway aside), UTC, to the second.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// Who acts as the subject: support staff, or a patient's proxy.
    pub fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }
}

/// The client was not granted that scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope {0} was not granted")]
pub struct MissingScope(pub(crate) String);

impl SignIn {
    /// The session in this clinic; another one in each clinic.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// When the person last proved who she is, UTC, to the second.
    pub fn auth_time(&self) -> OffsetDateTime {
        self.auth_time
    }

    /// How strongly (OpenID Connect Core §2).
    pub fn acr(&self) -> &str {
        &self.acr
    }

    /// With what (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.amr
    }
}

/// Names who, for whom and through what; enough for a log line, and no session or token.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("tenant", &self.tenant)
            .field("subject", &self.subject)
            .field("client_id", &self.client_id)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}
