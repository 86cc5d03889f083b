//! Roles in words.

/// What a person is in a clinic, from the names of her roles: `Patient`, `Clinician and clinic
/// admin`. Without a role: `Member`.
pub fn role_words(roles: &[String]) -> String {
    let words: Vec<String> = roles.iter().map(|role| role.replace('_', " ")).collect();
    let joined = match words.as_slice() {
        [] => "member".to_owned(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    };
    let mut letters = joined.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::role_words;

    #[test]
    fn roles_read_as_words() {
        let of = |roles: &[&str]| {
            role_words(
                &roles
                    .iter()
                    .map(|&role| role.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(of(&[]), "Member");
        assert_eq!(of(&["patient"]), "Patient");
        assert_eq!(
            of(&["clinic_admin", "clinician"]),
            "Clinic admin and clinician"
        );
        assert_eq!(
            of(&["attorney", "nurse", "patient"]),
            "Attorney, nurse and patient"
        );
    }
}
