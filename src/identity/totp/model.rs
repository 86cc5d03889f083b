//! Secrets, codes and devices as values.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretBox};
use time::OffsetDateTime;
use totp_rs::{Builder, Secret, Totp};

use crate::ids::TotpId;

/// Who an authenticator app says the code is for.
const ISSUER: &str = "Lanyard";
/// Seconds of a step, and the digits of its code.
const STEP_SECONDS: i64 = 30;
/// Characters of a code.
pub const DIGITS: usize = 6;
/// Steps before and after the present one whose code is still, or already, good.
const TOLERANCE: u16 = 1;

/// 160 bits that a device and we share (RFC 4226 §4).
pub struct TotpSecret(SecretBox<[u8; 20]>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(***)")
    }
}

impl TotpSecret {
    /// From fresh random bytes, or those that were stored.
    pub fn new(bytes: [u8; 20]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// From what a person or a program types in (RFC 4648 base32); `None` if it is no secret.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = Secret::try_from_base32(text).ok()?;
        Some(Self::new(secret.as_bytes().try_into().ok()?))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As it is typed in by hand: base32, 32 characters.
    pub fn text(&self) -> String {
        self.secret().to_base32()
    }

    /// What a camera reads: the key URI that authenticator apps take.
    ///
    /// - `account`: how the app names the entry
    pub fn address(&self, account: &str) -> String {
        // A colon would end the name (the key URI's own separator).
        let account = account.replace(':', " ");
        let built = self.builder().with_account_name(account);
        let totp = built.with_issuer(Some(ISSUER)).build();
        let address = totp.and_then(|totp| totp.to_url());
        address.expect("issuer and account have no colon, and the secret its length")
    }

    /// The code of the step that `at` lies in.
    pub fn code_at(&self, at: OffsetDateTime) -> String {
        self.totp().generate(unix_seconds(at)).to_string()
    }

    /// The step whose code this is, within the tolerance around `now`.
    ///
    /// - `code`: six ASCII digits, nothing else
    pub(super) fn step_of(&self, code: &TypedCode, now: OffsetDateTime) -> Option<i64> {
        let step = self.totp().check(&code.0, unix_seconds(now))?;
        i64::try_from(step).ok()
    }

    fn secret(&self) -> Secret {
        Secret::new_stack(*self.0.expose_secret())
    }

    fn builder(&self) -> Builder {
        Builder::new()
            .with_secret(self.secret())
            .with_skew(TOLERANCE)
            .with_step_duration(STEP_SECONDS.unsigned_abs())
    }

    fn totp(&self) -> Totp {
        self.builder().build().expect("a secret of its length")
    }
}

/// Before 1970 there were no codes.
fn unix_seconds(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp()).unwrap_or_default()
}

/// When the step that `at` lies in is over.
pub fn step_ends_at(at: OffsetDateTime) -> OffsetDateTime {
    let into = at.unix_timestamp().rem_euclid(STEP_SECONDS);
    at + time::Duration::seconds(STEP_SECONDS - into)
}

/// A code as typed: six ASCII digits.
pub struct TypedCode(String);

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(***)")
    }
}

impl TypedCode {
    /// Spaces are left out, since apps show codes in two groups; `None` if it is no code.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 32 {
            return None;
        }
        let code = typed.replace(' ', "");
        let is_code = code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit());
        is_code.then_some(Self(code))
    }
}

/// What a person calls a device: 1 to 60 characters, none of them a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName(String);

impl DeviceName {
    /// Parses it; an empty one is `Authenticator app`. `None` if it is no name.
    pub fn parse(typed: &str) -> Option<Self> {
        let name = typed.trim();
        if name.is_empty() {
            return Some(Self("Authenticator app".to_owned()));
        }
        let fits = name.chars().count() <= 60 && !name.chars().any(char::is_control);
        fits.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device that counts.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Device {
    /// Which.
    #[sqlx(rename = "totp_id")]
    pub id: TotpId,
    /// As its person calls it.
    pub name: String,
    /// Since when it counts.
    pub confirmed_at: OffsetDateTime,
    /// When its code was last taken, if ever.
    pub last_used_at: Option<OffsetDateTime>,
}

/// A device that is being set up.
#[derive(Debug)]
pub struct Enrollment {
    /// Which.
    pub id: TotpId,
    /// To be shown to its person.
    pub secret: TotpSecret,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::new(*b"12345678901234567890")
    }

    /// RFC 6238 appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let at = OffsetDateTime::from_unix_timestamp(seconds).expect("an instant");
            assert_eq!(secret().code_at(at), code);
        }
    }

    /// LOGIN-09.
    #[test]
    fn a_code_is_good_one_step_early_and_one_step_late() {
        let now = datetime!(2026-03-02 14:00:10 UTC);
        for steps in -3..=3_i64 {
            let code = secret().code_at(now + time::Duration::seconds(30 * steps));
            let typed = TypedCode::parse(&code).expect("six digits");
            let step = secret().step_of(&typed, now);
            let is_near = steps.abs() <= 1;
            let expected = is_near.then(|| now.unix_timestamp() / 30 + steps);
            assert_eq!(step, expected, "{steps}");
        }
    }

    /// LOGIN-09.
    #[test]
    fn only_six_ascii_digits_are_a_code() {
        for (typed, is_code) in [
            ("123456", true),
            ("123 456", true),
            (" 123456 ", true),
            ("12345", false),
            ("1234567", false),
            ("12345678", false),
            ("", false),
            ("12345a", false),
            ("-12345", false),
            ("123\u{a0}456", false),
            ("123456\n", false),
            ("\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", false),
            ("\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}", false),
        ] {
            assert_eq!(TypedCode::parse(typed).is_some(), is_code, "{typed:?}");
        }
    }

    #[test]
    fn an_app_reads_secret_issuer_and_account() {
        let address = secret().address("ada:b@example.test");
        assert!(address.starts_with("otpauth://totp/Lanyard:"), "{address}");
        assert!(address.contains(&secret().text()), "{address}");
        let read = TotpSecret::parse(&secret().text()).expect("base32");
        assert_eq!(read.expose(), secret().expose());
        assert!(TotpSecret::parse("no secret").is_none());
    }
}
