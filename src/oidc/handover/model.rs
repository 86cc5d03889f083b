//! Transfers, sessions and codes as values.

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};

use crate::ids::{
    ClientId, CodeId, HandoverId, ImpersonationId, SubjectId, TenantId, TenantSessionId,
};
use crate::oidc::bearer::Bearer;

/// How long a transfer waits for its app.
pub(crate) const TRANSFER_LIFE: Duration = Duration::seconds(60);

/// What a `login_hint` begins with that is a transfer's: whatever follows, it is nothing else.
const HINT_PREFIX: &str = "urn:lanyard:transfer:";
/// What secret scanners find the codes by.
const CODE_PREFIX: &str = "lhc_";
/// The cookies have names of their own.
const IN_COOKIE: &str = "";

/// The transfer that a `login_hint` names: it proves nothing without the browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Whose clinic it says.
    pub(crate) tenant: TenantId,
    /// Which.
    pub(crate) id: HandoverId,
}

impl Transfer {
    /// Whether a hint is meant to be a transfer's, well formed or not.
    pub(crate) fn is_meant(hint: &str) -> bool {
        hint.starts_with(HINT_PREFIX)
    }

    /// Parses it; `None` if it can't be one of ours.
    pub(crate) fn parse(hint: &str) -> Option<Self> {
        let (tenant, id) = hint.strip_prefix(HINT_PREFIX)?.split_once(':')?;
        Some(Self {
            tenant: tenant.parse().ok()?,
            id: id.parse().ok()?,
        })
    }

    /// As the app gets it, opaque to it.
    pub(crate) fn hint(&self) -> String {
        format!("{HINT_PREFIX}{}:{}", self.tenant, self.id)
    }
}

/// What a cookie of ours shows: of a transfer, or of a session under a grant. Parsed, not trusted.
#[derive(Debug)]
pub struct PresentedHandover(pub(super) Bearer);

impl PresentedHandover {
    /// Parses a cookie's value; `None` if it can't be one of ours.
    pub fn parse(value: &str) -> Option<Self> {
        Bearer::parse(IN_COOKIE, value).map(Self)
    }

    /// The value as it travels.
    pub(super) fn value(&self) -> SecretString {
        self.0.value(IN_COOKIE)
    }

    pub(super) fn names(&self, transfer: Transfer) -> bool {
        (self.0.tenant, self.0.id) == (transfer.tenant, transfer.id.as_uuid())
    }
}

/// A code as it came in: parsed, not trusted.
#[derive(Debug)]
pub(crate) struct PresentedHandoverCode(pub(super) Bearer);

impl PresentedHandoverCode {
    /// Parses a code; `None` if it can't be one of these.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Bearer::parse(CODE_PREFIX, text).map(Self)
    }

    /// The code as the client gets it.
    pub(super) fn value(&self) -> SecretString {
        self.0.value(CODE_PREFIX)
    }

    /// Of which clinic it says that it is.
    pub(crate) fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// Its public half.
    pub(crate) fn id(&self) -> CodeId {
        CodeId::from_uuid(self.0.id)
    }
}

/// One way of a browser into one app.
#[derive(Clone, Debug)]
pub(super) struct Handover {
    pub(super) tenant: TenantId,
    pub(super) id: HandoverId,
    /// Under which grant.
    pub(super) grant: ImpersonationId,
    /// Into which app.
    pub(super) client: ClientId,
    /// Who acts.
    pub(super) actor: SubjectId,
    /// In which session of his.
    pub(super) actor_sid: TenantSessionId,
    /// When the transfer ends.
    pub(super) expires_at: OffsetDateTime,
    /// When it was spent, if it was.
    pub(super) spent_at: Option<OffsetDateTime>,
}

/// All that a code under a grant stands for.
#[derive(Clone, Debug)]
pub(super) struct HandoverCode {
    pub(super) id: CodeId,
    pub(super) client: ClientId,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) audience: String,
    pub(super) expires_at: OffsetDateTime,
    pub(super) spent_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_transfers_hint_is_nothing_else() {
        let transfer = Transfer {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            id: HandoverId::from_uuid(Uuid::from_u128(2)),
        };
        let hint = transfer.hint();
        assert_eq!(Transfer::parse(&hint), Some(transfer));
        for broken in [
            HINT_PREFIX.to_owned(),
            format!("{hint}0"),
            format!("{hint}:1"),
            hint.replace("00000001:", "00000001"),
        ] {
            assert!(Transfer::is_meant(&broken), "{broken}");
            assert_eq!(Transfer::parse(&broken), None, "{broken}");
        }
        for other in [
            "",
            "ada@juniper.example",
            "urn:lanyard",
            " urn:lanyard:transfer:",
        ] {
            assert!(!Transfer::is_meant(other), "{other}");
        }
    }
}
