//! What ended, and who is told.

use std::sync::{Arc, Mutex};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{ClientId, SubjectId, TenantId, TenantSessionId};

/// What kind of thing ended or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session, as one clinic knows it.
    Session,
    /// All refresh tokens of one sign-in of one client.
    Family,
    /// All that a person had before: her account was disabled, or her credentials changed.
    Account,
    /// She is no active member of the clinic any more.
    Membership,
    /// Her roles in the clinic changed.
    Roles,
    /// A password or a device for sign-in codes changed. Ends nothing by itself.
    Credential,
    /// The clinic is suspended, or has ended all its sessions.
    Tenant,
    /// It is active again. Ends nothing.
    TenantResumed,
    /// What a role may do was cut, in every clinic.
    Role,
    /// A signing key is gone.
    Key,
    /// Support acts as somebody no more.
    Impersonation,
}

impl Kind {
    /// Those that CAEP has no event for.
    pub const OURS: [Self; 9] = [
        Self::Family,
        Self::Account,
        Self::Membership,
        Self::Roles,
        Self::Tenant,
        Self::TenantResumed,
        Self::Role,
        Self::Key,
        Self::Impersonation,
    ];

    /// The one of that name in the database.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "session" => Self::Session,
            "family" => Self::Family,
            "account" => Self::Account,
            "membership" => Self::Membership,
            "roles" => Self::Roles,
            "credential" => Self::Credential,
            "tenant" => Self::Tenant,
            "tenant_resumed" => Self::TenantResumed,
            "role" => Self::Role,
            "key" => Self::Key,
            "impersonation" => Self::Impersonation,
            _ => return None,
        })
    }

    /// Whether it concerns every clinic, and so names none.
    pub const fn is_of_all(self) -> bool {
        matches!(self, Self::Role | Self::Key)
    }
}

/// What ended, with its position.
#[derive(Debug)]
pub struct Event {
    /// Its place among all events of the deployment, from 1.
    pub position: i64,
    /// The `jti` of every SET about it.
    pub id: Uuid,
    /// In which clinic; the platform's tenant for what concerns all.
    pub tenant: TenantId,
    /// What ended.
    pub kind: Kind,
    /// Whose, there.
    pub subject: Option<SubjectId>,
    /// The clinic's own name of the session.
    pub sid: Option<TenantSessionId>,
    /// Of a family: to which client its tokens were issued.
    pub client: Option<ClientId>,
    /// Of a family: the `aud` of its tokens.
    pub audience: Option<String>,
    /// Of a key its `kid`, of a role its name.
    pub named: Vec<String>,
    /// Why, as a constant word.
    pub reason: String,
    /// When.
    pub occurred_at: OffsetDateTime,
    /// Tokens issued until then are refused.
    pub issued_until: OffsetDateTime,
    /// Its SETs as they were last signed: one serves all subscribers of an audience.
    pub signed: Signed,
}

/// SETs of one event, each by audience and the key that signed it.
#[derive(Debug, Default)]
pub struct Signed(Mutex<Vec<(Arc<str>, Arc<str>)>>);

/// More audiences than this sign anew each time.
const MOST_SIGNED: usize = 64;

impl Signed {
    /// The one under `name`, made now if there is none.
    pub fn under(&self, name: &str, make: impl FnOnce() -> String) -> Arc<str> {
        let mut signed = self.0.lock().expect("no panic happens under this lock");
        if let Some((_, set)) = signed.iter().find(|(known, _)| **known == *name) {
            return Arc::clone(set);
        }
        let set: Arc<str> = make().into();
        if signed.len() < MOST_SIGNED {
            signed.push((name.into(), Arc::clone(&set)));
        }
        set
    }
}

/// A resource server that is told.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Whose it is: a clinic, or the platform for APIs that all clinics share.
    pub tenant: TenantId,
    /// Its name.
    pub client: ClientId,
    /// The audiences of the tokens that it checks.
    pub audiences: Vec<String>,
}

/// What a verifier says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which of the client's processes; empty if it gives no name.
    pub instance: String,
    /// Of the verification crate or its like.
    pub version: String,
    /// How long ago it read the keys.
    pub keys_age_seconds: i64,
    /// What it was told last; `None`: it never had the stream.
    pub position: Option<i64>,
    /// From an event to its refusing.
    pub lag_milliseconds: Option<i64>,
}

/// A verifier as the operator sees it.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// Whose.
    pub tenant: TenantId,
    /// Which client it authenticates as.
    pub client: ClientId,
    /// What it said.
    pub standing: Standing,
    /// When.
    pub reported_at: OffsetDateTime,
}

/// How many verifiers there are, by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Reported lately, and have the stream.
    pub current: i64,
    /// Reported lately, and are behind, or have no stream.
    pub behind: i64,
    /// Have not reported for a while.
    pub silent: i64,
    /// The longest lag that one of them told, in milliseconds.
    pub longest_lag: i64,
}
