//! A code as a value.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::env::Env;

/// Letters and digits that can't be mistaken for each other; five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
/// Eighty bits: nothing to be guessed, and still to be typed.
const CHARACTERS: usize = 16;

/// Sixteen letters and digits, without the hyphens that it is shown with.
pub struct RecoveryCode(SecretString);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(***)")
    }
}

impl RecoveryCode {
    /// A fresh one.
    pub(super) fn random(env: &Env) -> Self {
        let bytes = zeroize::Zeroizing::new(env.random_bytes::<CHARACTERS>());
        let text: String = bytes
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect();
        Self(text.into())
    }

    /// Parses what was typed: capitals, hyphens and spaces do not matter. `None` if it can't be
    /// one.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 64 {
            return None;
        }
        let text: String = typed
            .chars()
            .filter(|c| *c != '-' && *c != ' ')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let is_code = text.len() == CHARACTERS && text.bytes().all(|b| LETTERS.contains(&b));
        is_code.then(|| Self(text.into()))
    }

    /// As it is shown, once: four groups of four.
    pub fn shown(&self) -> String {
        let text = self.0.expose_secret();
        let groups: Vec<&str> = (0..CHARACTERS)
            .step_by(4)
            .filter_map(|at| text.get(at..at + 4))
            .collect();
        groups.join("-")
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = RecoveryCode::random(&Env::system());
        let shown = code.shown();
        assert_eq!(shown.len(), 19);
        for typed in [
            shown.clone(),
            shown.to_uppercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
        ] {
            let read = RecoveryCode::parse(&typed).expect("a code");
            assert_eq!(read.as_bytes(), code.as_bytes(), "{typed}");
        }
        for no in ["", "abcd", &shown[1..], &shown.replace('-', "/")] {
            assert!(RecoveryCode::parse(no).is_none(), "{no}");
        }
        assert_eq!(format!("{code:?}"), "RecoveryCode(***)");
    }

    #[test]
    fn no_letter_stands_twice_in_the_alphabet() {
        assert_eq!(LETTERS.iter().collect::<BTreeSet<_>>().len(), 32);
    }
}
