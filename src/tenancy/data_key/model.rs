//! A clinic's key, opened.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::env::Env;
use crate::ids::TenantId;
use crate::keys::Wrapped;
use crate::secret::{DataKey, Sealing};

/// The one generation so far. A value says the generation that it is under in its first byte.
pub(super) const GENERATION: u8 = 1;

/// A clinic's key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredKey {
    /// Under a master key.
    Wrapped(Wrapped),
    /// Gone for good.
    Destroyed,
}

/// A clinic's data key, to be dropped with the request.
pub struct TenantKey {
    tenant: TenantId,
    sealing: Sealing,
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey(***)")
    }
}

impl TenantKey {
    pub(super) fn of(tenant: TenantId, key: &DataKey) -> Self {
        Self {
            tenant,
            sealing: Sealing::new(&key.derive("columns")),
        }
    }

    /// Encrypts text for one column of one row.
    ///
    /// - `column`: `schema.table.column`
    pub fn seal(&self, env: &Env, column: &str, row: Uuid, text: &str) -> Vec<u8> {
        let place = self.place(column, row);
        let sealed = self.sealing.seal(env, &place, text.as_bytes());
        [&[GENERATION][..], &sealed].concat()
    }

    /// Opens what [`TenantKey::seal`] made; `None` if it is another place's or was changed.
    pub fn open(&self, column: &str, row: Uuid, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let (generation, sealed) = sealed.split_first()?;
        if *generation != GENERATION {
            return None;
        }
        let plain = self.sealing.open(&self.place(column, row), sealed)?;
        let text = std::str::from_utf8(&plain).ok()?;
        Some(Zeroizing::new(text.to_owned()))
    }

    fn place(&self, column: &str, row: Uuid) -> String {
        format!("{column}/{GENERATION}/{}/{row}", self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_clinic_column_and_row_alone() {
        let (env, data) = (Env::system(), DataKey::from_bytes([5; 32]));
        let (own, other) = (env.random_uuid(), env.random_uuid());
        let key = |tenant| TenantKey::of(TenantId::from_uuid(tenant), &data);
        let sealed = key(own).seal(&env, "visits.visit.reason", own, "a cough");
        let opened = |key: TenantKey, column: &str, row| {
            let text = key.open(column, row, &sealed)?;
            Some(text.as_str().to_owned())
        };
        let column = "visits.visit.reason";
        assert_eq!(opened(key(own), column, own).as_deref(), Some("a cough"));
        assert_eq!(opened(key(other), column, own), None);
        assert_eq!(opened(key(own), "visits.visit.note", own), None);
        assert_eq!(opened(key(own), column, other), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(key(own).open(column, own, &flipped).is_none(), "byte {at}");
        }
    }
}
