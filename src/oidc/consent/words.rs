//! What a scope means, in the words of the person who is asked. The one list.

/// Scope and words, the most personal last. "This clinic" is the one that the page names.
pub const WORDS: [(&str, &str); 6] = [
    ("openid", "Recognize you when you come back"),
    ("profile", "See your name"),
    ("email", "See your email address"),
    (
        "profile:read",
        "See what you are at this clinic, such as patient or nurse",
    ),
    (
        "tenancy:read",
        "See this clinic\u{2019}s details, and its members if you may",
    ),
    (
        "visits:read",
        "See your visits at this clinic: when, with whom, and how",
    ),
];

/// The words for these scopes, in the order of the list. One that we have no words for is shown as
/// it is, so that nobody allows what she was not told.
pub fn in_words(scopes: &[String]) -> Vec<String> {
    let known = WORDS
        .iter()
        .filter(|(scope, _)| scopes.iter().any(|asked| asked == scope))
        .map(|(_, words)| (*words).to_owned());
    let unknown = scopes
        .iter()
        .filter(|asked| !WORDS.iter().any(|(scope, _)| scope == asked))
        .map(|asked| format!("Something of its own that it calls \u{201c}{asked}\u{201d}"));
    known.chain(unknown).collect()
}

/// Whether nothing can be changed by these: so it is with all that we have words for.
pub fn are_for_reading(scopes: &[String]) -> bool {
    let is_known = |asked: &String| WORDS.iter().any(|(scope, _)| scope == asked);
    scopes.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_have_no_words_for_is_shown_as_it_is() {
        let asked = ["visits:read", "secret:sauce", "openid"].map(str::to_owned);
        let words = in_words(&asked);
        assert_eq!(words.len(), 3);
        assert!(words[0].starts_with("Recognize"), "{words:?}");
        assert!(words[1].contains("visits"), "{words:?}");
        assert!(words[2].contains("secret:sauce"), "{words:?}");
        assert!(!are_for_reading(&asked) && are_for_reading(&asked[..1]));
    }

    /// The page says that such an app can't change anything.
    #[test]
    fn what_we_have_words_for_is_reading() {
        for (scope, words) in WORDS {
            let is_protocols = ["openid", "profile", "email"].contains(&scope);
            assert!(is_protocols || scope.ends_with(":read"), "{scope}");
            let is_looking = words.starts_with("See ") || words.starts_with("Recognize ");
            assert!(is_looking, "{words}");
        }
    }

    #[test]
    fn every_permission_of_the_catalog_has_words_for_its_scope() {
        let catalog = include_str!("../../../migrations/0006_catalog.sql");
        let listed = catalog.split("values").nth(1).expect("permissions");
        let listed = listed.split(';').next().expect("it ends");
        for line in listed.lines().filter(|line| line.contains("('")) {
            let scope = line.split('\'').nth(3).expect("permission and scope");
            assert!(WORDS.iter().any(|(known, _)| *known == scope), "{scope}");
        }
    }
}
