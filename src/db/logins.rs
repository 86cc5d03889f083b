//! The serving roles' passwords, on a server of one's own.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{hmac, pbkdf2};
use secrecy::{ExposeSecret as _, SecretString};

use crate::secret::DataKey;

/// One secret, from which the password of each role derives.
pub struct Logins {
    root: DataKey,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins(***)")
    }
}

impl Logins {
    /// Those of this secret.
    pub const fn of(root: DataKey) -> Self {
        Self { root }
    }

    /// The password of one serving role.
    pub(super) fn password(&self, role: &str) -> SecretString {
        let derived = self.root.derive(&format!("database login {role}"));
        URL_SAFE_NO_PAD.encode(derived.expose_secret()).into()
    }

    /// The SCRAM-SHA-256 verifier of that password, as Postgres stores it (RFC 5803), so that the
    /// password itself never stands in a statement.
    pub(super) fn scram_verifier(&self, role: &str) -> SecretString {
        const ITERATIONS: u32 = 4096;
        let password = self.password(role);
        let salt = self.root.derive(&format!("database salt {role}"));
        let salt = &salt.expose_secret()[..16];
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ITERATIONS.try_into().expect("not zero"),
            salt,
            password.expose_secret().as_bytes(),
            &mut salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = ring::digest::digest(&ring::digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&salted, b"Server Key");
        format!(
            "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(stored_key),
            STANDARD.encode(server_key)
        )
        .into()
    }
}
