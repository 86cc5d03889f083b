//! Who keeps which key: the master key's file, and the data keys that are wrapped under it.
//!
//! Invariants
//! 1. The database holds no key in the clear: a data key is ciphertext under a master key, bound to
//!    its row, and the row names the master key.
//! 2. Everything that identity digests or encrypts derives from identity's data key, never from the
//!    master key, so that another master key takes nothing with it.
//! 3. A database that has forgotten what was committed is known by its [`epoch`].
//! 4. [`KeyWrap`] is the only door to the master key: a KMS can stand behind it.

pub mod epoch;
mod folder;
mod logins;
mod master;
mod service;
mod store;
mod wrap;

pub use folder::{
    FolderError, MasterKeys, NEXT, PREVIOUS, make_master, make_private_folder, promote,
};
pub use logins::{logins, make_logins, rewrap_logins};
pub use master::MasterKey;
pub(crate) use service::rewrap;
pub use service::{KeysError, open};
pub use wrap::{Answer, KeyWrap, WrapError, Wrapped};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
