//! The one seam to whatever keeps the master key: a folder today, a KMS behind the same trait.

use std::fmt;
use std::pin::Pin;

use zeroize::Zeroizing;

use crate::env::Env;
use crate::secret::DataKey;

/// A key as ciphertext, and the name of the master key that it is under.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Name of the master key: 16 hexadecimal digits.
    pub master: String,
    /// The ciphertext.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped(under {})", self.master)
    }
}

/// The operator's: a key can't be wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// It is under a master key that is not at hand.
    #[error("{place} is under master key {master}, which is not among the master keys at hand")]
    OtherMaster {
        /// What was to be opened.
        place: String,
        /// Which key it wants.
        master: String,
    },
    /// It was changed, or stood in another place when it was made.
    #[error("{place} does not open: it was changed, or is another row's")]
    Changed {
        /// What was to be opened.
        place: String,
    },
    /// Whatever keeps the master key does not answer.
    #[error(transparent)]
    Keeper(#[from] super::folder::FolderError),
}

/// What a keeper of master keys answers, when it does: a KMS is asked over the network.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, WrapError>> + Send + 'a>>;

/// Keeps master keys, of which one wraps. Asked at a start and for a clinic's columns, never under
/// a lock or within a transaction.
pub trait KeyWrap: fmt::Debug + Send + Sync {
    /// The name of the master key that wraps from now on.
    fn newest(&self) -> Answer<'_, String>;

    /// Encrypts `plain` under the newest master key, for `place` alone.
    fn wrap<'a>(&'a self, env: &'a Env, place: &'a str, plain: &'a [u8]) -> Answer<'a, Wrapped>;

    /// Opens what was wrapped under any master key at hand.
    fn unwrap<'a>(&'a self, place: &'a str, wrapped: &'a Wrapped)
    -> Answer<'a, Zeroizing<Vec<u8>>>;

    /// Identity's data key in a database from before there were data keys, which was derived from
    /// the master key. No KMS has one.
    fn inherited(&self) -> Option<DataKey>;
}
