//! A square that a phone's camera reads, as the path of an inline SVG: no image to load.

use std::fmt::{self, Write as _};

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around it (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

/// One such square. Says nothing in `Debug`: what it holds is mostly a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    /// Modules on each side, with the quiet zone.
    pub side: i32,
    /// The dark modules, as the `d` of a path in a view box of `side` by `side`.
    pub path: String,
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr(***)")
    }
}

impl Qr {
    /// Of a text; `None` if it is longer than a square can hold.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let mut path = String::new();
        for y in 0..code.size() {
            let mut x = 0;
            while x < code.size() {
                let dark = (x..code.size())
                    .take_while(|&x| code.get_module(x, y))
                    .count();
                let run = i32::try_from(dark).unwrap_or_default();
                if run > 0 {
                    let (left, top) = (x + QUIET, y + QUIET);
                    write!(path, "M{left} {top}h{run}v1h-{run}z").expect("a string grows");
                }
                x += run.max(1);
            }
        }
        Some(Self {
            side: code.size() + 2 * QUIET,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Qr;

    /// The three finders, each a row of seven at its top, and light around.
    #[test]
    fn a_square_has_its_finders_and_its_quiet_zone() {
        let qr = Qr::of("otpauth://totp/Lanyard:ada?secret=ABC").expect("short enough");
        let right = qr.side - 4 - 7;
        for finder in [
            "M4 4h7v1h-7z".to_owned(),
            format!("M{right} 4h7v1h-7z"),
            format!("M4 {right}h7v1h-7z"),
        ] {
            assert!(qr.path.contains(&finder), "{finder}");
        }
        assert!(Qr::of(&"x".repeat(5000)).is_none());
    }
}
