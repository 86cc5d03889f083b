//! What a new password must be: long, and not what attackers try first (SP 800-63B-4 §3.1.1.2).
//! No rule about kinds of characters, nothing trimmed, nothing cut. Pure.

use unicode_normalization::UnicodeNormalization as _;

use super::password::MAX_PASSWORD_BYTES;

/// Fewest characters (Unicode scalar values after NFC).
pub const MIN_CHARACTERS: usize = 15;
/// What must be left, in letters and digits, when everything guessable is taken away.
const MIN_LEFT: usize = 8;
/// Our own name, and words that stand in most lists of common passwords.
const COMMON: [&str; 65] = [
    "lanyard",
    "administrator",
    "basketball",
    "manchester",
    "mypassword",
    "liverpool",
    "christmas",
    "butterfly",
    "chocolate",
    "passphrase",
    "starwars",
    "superman",
    "football",
    "baseball",
    "password",
    "passwort",
    "sunshine",
    "princess",
    "computer",
    "iloveyou",
    "trustno",
    "whatever",
    "michelle",
    "jennifer",
    "corvette",
    "internet",
    "changeme",
    "welcome",
    "default",
    "freedom",
    "charlie",
    "michael",
    "jessica",
    "monkey",
    "dragon",
    "master",
    "shadow",
    "secret",
    "summer",
    "winter",
    "spring",
    "autumn",
    "letmein",
    "hunter",
    "batman",
    "ginger",
    "cookie",
    "orange",
    "banana",
    "please",
    "killer",
    "google",
    "access",
    "flower",
    "hockey",
    "soccer",
    "admin",
    "login",
    "hello",
    "guest",
    "qwert",
    "azert",
    "test",
    "user",
    "pass",
];
/// Ways along keyboards and alphabets; three in a row, either way, count as one guess.
const RUNS: [&str; 6] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
];

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than [`MIN_CHARACTERS`].
    TooShort,
    /// More bytes than are looked at.
    TooLong,
    /// Common words, runs, repeats, or names of this place, and little else.
    TooCommon,
}

/// Judges a new password.
///
/// - `context`: what an attacker knows of the person: her login, her clinics' names.
pub fn check(password: &str, context: &[String]) -> Result<(), Weakness> {
    if password.len() > 4 * MAX_PASSWORD_BYTES {
        return Err(Weakness::TooLong);
    }
    let text: String = password.nfc().collect();
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(Weakness::TooLong);
    }
    if text.chars().count() < MIN_CHARACTERS {
        return Err(Weakness::TooShort);
    }
    if left_to_guess(&text, context) < MIN_LEFT {
        return Err(Weakness::TooCommon);
    }
    Ok(())
}

/// How many letters and digits remain without common words, context, years, runs and repeats.
fn left_to_guess(text: &str, context: &[String]) -> usize {
    let plain = |text: &str| -> String { text.to_lowercase().chars().map(undisguised).collect() };
    let mut words: Vec<String> = context
        .iter()
        .flat_map(|known| known.split(|c: char| !c.is_alphanumeric()))
        .chain(COMMON)
        .filter(|word| word.chars().count() >= 3)
        .map(plain)
        .collect();
    // A word is looked for before a shorter one that it holds.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut rest = plain(text);
    for word in &words {
        rest = rest.replace(word, " ");
    }
    let rest: Vec<char> = without_runs(&rest)
        .into_iter()
        .filter(|c| c.is_alphanumeric())
        .collect();
    repeated_unit(&rest).min(distinct_times_two(&rest))
}

/// Letters that look like what was typed in their place.
const fn undisguised(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' => 't',
        other => other,
    }
}

/// Without three or more in a row along an alphabet or a keyboard, or of one character.
fn without_runs(text: &str) -> Vec<char> {
    let runs: Vec<Vec<char>> = RUNS
        .iter()
        .flat_map(|run| {
            let disguised: Vec<char> = run.chars().map(undisguised).collect();
            let backwards = disguised.iter().rev().copied().collect();
            [disguised, backwards]
        })
        .collect();
    let follows = |a: char, b: char| {
        a == b
            || runs
                .iter()
                .any(|run| run.windows(2).any(|pair| pair == [a, b]))
    };
    let all: Vec<char> = text.chars().collect();
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < all.len() {
        let mut end = at + 1;
        while end < all.len() && follows(all[end - 1], all[end]) {
            end += 1;
        }
        if end - at < 3 {
            kept.extend(&all[at..end]);
        }
        at = end;
    }
    kept
}

/// The length of the shortest text that, repeated, gives this one.
fn repeated_unit(text: &[char]) -> usize {
    let is_unit = |size: &usize| text.iter().enumerate().all(|(i, c)| *c == text[i % size]);
    (1..text.len()).find(is_unit).unwrap_or(text.len())
}

/// A few characters over and over are few guesses, in whatever order.
fn distinct_times_two(text: &[char]) -> usize {
    let mut seen = text.to_vec();
    seen.sort_unstable();
    seen.dedup();
    2 * seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Result<(), Weakness> {
        check(
            password,
            &[
                "Juniper Health".to_owned(),
                "ada.lovelace@example.test".to_owned(),
            ],
        )
    }

    /// LOGIN-24.
    #[test]
    fn length_is_counted_in_characters_and_capped_in_bytes() {
        assert_eq!(judged("grass over clay"), Ok(()));
        assert_eq!(judged("grass over cla"), Err(Weakness::TooShort));
        assert_eq!(
            judged("\u{e9}\u{e8}\u{ea}\u{eb} \u{e0}\u{e2} \u{f4}\u{f9}"),
            Err(Weakness::TooShort)
        );
        // Fifteen as typed, fourteen once composed.
        assert_eq!(judged("grass over cle\u{301}"), Err(Weakness::TooShort));
        let varied: String = ('!'..='~').cycle().step_by(7).take(1024).collect();
        assert_eq!(judged(&varied), Ok(()));
        assert_eq!(judged(&format!("{varied}x")), Err(Weakness::TooLong));
        assert_eq!(judged(&"x".repeat(1_000_000)), Err(Weakness::TooLong));
    }

    /// LOGIN-24.
    #[test]
    fn spaces_emoji_and_other_scripts_count_like_any_character() {
        for password in [
            " leading and trailing kept ",
            "вчера дождь шёл тихо",
            "🐌 slow snails climb 🌱 stems",
            "nul\u{0}inside is no end of it",
        ] {
            assert_eq!(judged(password), Ok(()), "{password:?}");
        }
    }

    /// LOGIN-24.
    #[test]
    fn what_attackers_try_first_is_refused() {
        for password in [
            "passwordpassword",
            "P@ssw0rd-P@ssw0rd!",
            "password12345678",
            "qwertyuiopasdfgh",
            "aaaaaaaaaaaaaaaaaaaa",
            "123456789012345678",
            "abcabcabcabcabcabc",
            "xyxyxyxxyyxyxyxyxy",
            "iloveyou iloveyou 1",
            "juniperhealth2026",
            "Juniper-Health-1234!",
            "ada.lovelace.example",
            "lanyard welcome 123",
            "Summer2026!Summer2026!",
            "                    ",
        ] {
            assert_eq!(judged(password), Err(Weakness::TooCommon), "{password:?}");
        }
    }

    #[test]
    fn ordinary_phrases_pass_though_they_hold_a_common_word() {
        for password in [
            "quiet river under seven bridges",
            "my dragon hoards teaspoons",
            "Fv9#kTz!mQ2$wLp8",
            "seventeen green umbrellas",
        ] {
            assert_eq!(judged(password), Ok(()), "{password:?}");
        }
    }
}
