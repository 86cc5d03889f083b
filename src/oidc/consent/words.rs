//! What a scope means, in the words of the person who is asked. A scope without words does not
//! compile.

use crate::oidc::scope::Scope;

/// Begins with a verb. "This clinic" is the one that the page names.
const fn words(scope: Scope) -> &'static str {
    match scope {
        Scope::Openid => "Recognize you when you come back",
        Scope::Profile => "See your name",
        Scope::Email => "See your email address",
        Scope::ProfileRead => "See what you are at this clinic, such as patient or nurse",
        Scope::TenancyRead => "See this clinic\u{2019}s details, and its members if you may",
        Scope::TenancyWrite => {
            "Change what this clinic tells all its people, in your name, if you may"
        }
        Scope::AuditRead => "See the record of who did what at this clinic, if you may",
        Scope::AuditWrite => {
            "Change what waits on this clinic\u{2019}s record to be looked at, in your name"
        }
        Scope::DelegationRead => {
            "See for whom you may act at this clinic, who may act for you, and others if you may"
        }
        Scope::DelegationWrite => {
            "Change who may act for you at this clinic, and for its others if you may"
        }
        Scope::ImpersonationRead => {
            "See when support acted as somebody of this clinic, and why, if you may"
        }
        Scope::ImpersonationWrite => {
            "Change whether support may act as somebody of this clinic, in your name, if you may"
        }
        Scope::PlatformRead => "See how the platform\u{2019}s parts stand, if you run it",
        Scope::PlatformWrite => {
            "Change who stays signed in and which keys are good, in your name, if you run the \
             platform"
        }
        Scope::VisitsRead => "See your visits at this clinic: when, with whom, and how",
    }
}

/// The words for these scopes, in the order of [`Scope::ALL`]. One that we do not know is shown as
/// it is, so that nobody allows what she was not told.
pub fn in_words(scopes: &[String]) -> Vec<String> {
    let known = Scope::ALL
        .into_iter()
        .filter(|scope| scopes.iter().any(|asked| asked == scope.name()))
        .map(|scope| words(scope).to_owned());
    let unknown = scopes
        .iter()
        .filter(|asked| Scope::named(asked).is_none())
        .map(|asked| format!("Something of its own that it calls \u{201c}{asked}\u{201d}"));
    known.chain(unknown).collect()
}

/// Whether nothing can be changed by these.
pub fn are_for_reading(scopes: &[String]) -> bool {
    let reads = |asked: &String| Scope::named(asked).is_some_and(|scope| !scope.changes());
    scopes.iter().all(reads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_do_not_know_is_shown_as_it_is() {
        let asked = ["visits:read", "secret:sauce", "openid"].map(str::to_owned);
        let words = in_words(&asked);
        assert_eq!(words.len(), 3);
        assert!(words[0].starts_with("Recognize"), "{words:?}");
        assert!(words[1].contains("visits"), "{words:?}");
        assert!(words[2].contains("secret:sauce"), "{words:?}");
        assert!(!are_for_reading(&asked) && are_for_reading(&asked[..1]));
        let writing = ["tenancy:read", "tenancy:write"].map(str::to_owned);
        assert!(!are_for_reading(&writing) && are_for_reading(&writing[..1]));
    }

    /// The page says of what is for reading that such an app can't change anything.
    #[test]
    fn words_say_whether_something_is_changed() {
        for scope in Scope::ALL {
            let (name, words) = (scope.name(), words(scope));
            let looks = words.starts_with("See ") || words.starts_with("Recognize ");
            assert_eq!(looks, !scope.changes(), "{words}");
            assert_eq!(name.ends_with(":write"), scope.changes(), "{name}");
        }
    }

    /// None of the list is another's name, and each is found by its own.
    #[test]
    fn every_scope_has_words_of_its_own() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
            let same = Scope::ALL
                .into_iter()
                .filter(|other| words(*other) == words(scope));
            assert_eq!(same.count(), 1, "{scope:?}");
        }
    }
}
