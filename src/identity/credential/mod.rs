//! The password of an account, read under the login that is claimed and changed by its person.
//!
//! Invariants
//! 1. Nothing is hashed in a transaction: what was read is compared outside, and whoever writes
//!    afterwards makes sure that it has not changed meanwhile.
//! 2. An unknown login is read by the same statements as a known one.

pub(crate) mod store;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Login;
use crate::secret::Keys;
pub(crate) use store::Credential;

/// Who was named, for the log: an account by its id; what nobody is called as a keyed digest
/// (design §8).
pub(crate) fn named(keys: &Keys, login: &Login, credential: Option<&Credential>) -> Value {
    if let Some(credential) = credential {
        json!({ "account": credential.account_id })
    } else {
        json!({ "login_digest": digest_of_unknown(keys, login) })
    }
}

/// What the log has of a login that nobody had.
pub(crate) fn digest_of_unknown(keys: &Keys, login: &Login) -> String {
    let digest = keys.digest("unknown login", login.as_str().as_bytes(), &[]);
    URL_SAFE_NO_PAD.encode(digest.as_bytes())
}
