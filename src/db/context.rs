//! What a sealed context says, and the MAC over it (design §3; `migrations/0001_seal.sql`).

use std::borrow::Cow;
use std::fmt;

use ring::hmac;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::env::{DatabaseClock, Entropy};
use crate::ids::{AccountId, SubjectId, TenantId};

/// How long a context is good: the serving roles' statement timeout and five seconds.
const CONTEXT_SECONDS: i64 = 15;

/// Whom one transaction is for. Made only by [`super::Authority`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) class: &'static str,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) account: Option<AccountId>,
    pub(crate) subject: Option<SubjectId>,
    pub(crate) actor: Option<SubjectId>,
    pub(crate) locator: Option<Uuid>,
    pub(crate) purpose: Cow<'static, str>,
    pub(crate) mode: Mode,
}

/// Whether the transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
}

/// One process's MAC key, random, never stored by us, registered in the database by the keeper.
pub(crate) struct SealKey {
    key_id: String,
    key: hmac::Key,
    pads: ([u8; 64], [u8; 64]),
    /// How far the database's real time is ahead of the machine's.
    ahead: Duration,
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl SealKey {
    /// A fresh key: 32 random bytes and a random id of 16 hex digits.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let (mut secret, mut id) = ([0; 32], [0; 8]);
        entropy.fill(&mut secret);
        entropy.fill(&mut id);
        // RFC 2104 §2, so that the database can check with sha256 alone.
        let pad = |with: u8| {
            let mut block = [with; 64];
            for (to, from) in block.iter_mut().zip(secret) {
                *to ^= from;
            }
            block
        };
        Self {
            key_id: format!("{:016x}", u64::from_be_bytes(id)),
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            pads: (pad(0x36), pad(0x5c)),
            ahead: Duration::ZERO,
        }
    }

    /// The same key, with expiries in the database's real time: it is who judges them.
    pub(super) fn in_time_of(mut self, database_now: OffsetDateTime) -> Self {
        self.ahead = database_now - DatabaseClock::machine_now();
        self
    }

    /// The id under which the keeper registers it.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The inner and the outer pad, 64 bytes each: what the database keeps.
    pub(crate) fn pads(&self) -> (&[u8], &[u8]) {
        (&self.pads.0, &self.pads.1)
    }

    /// The sealed text: letters, digits, `-`, `_` and `|` only, so it can stand in a statement.
    pub(crate) fn seal(&self, context: &Context) -> String {
        let id = |uuid: Option<Uuid>| uuid.map(|u| u.to_string()).unwrap_or_default();
        let expires = (DatabaseClock::machine_now() + self.ahead).unix_timestamp();
        let expires = expires + CONTEXT_SECONDS;
        let fields = [
            "1",
            &self.key_id,
            context.class,
            &id(context.tenant.map(TenantId::as_uuid)),
            &id(context.account.map(AccountId::as_uuid)),
            &id(context.subject.map(SubjectId::as_uuid)),
            &id(context.actor.map(SubjectId::as_uuid)),
            &id(context.locator),
            &context.purpose,
            match context.mode {
                Mode::ReadWrite => "rw",
                Mode::ReadOnly => "ro",
            },
            &expires.to_string(),
        ]
        .join("|");
        let mac = hmac::sign(&self.key, fields.as_bytes());
        let mut sealed = fields;
        sealed.push('|');
        sealed.push_str(&hex::encode(mac));
        sealed
    }
}
