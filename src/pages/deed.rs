//! What a form has just come to that the API does only for who has just confirmed who she is.

/// It.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeedNotice {
    /// It is done.
    Done,
    /// She did not confirm.
    NotConfirmed,
    /// Something of it is missing, or not as it should be.
    Unfit,
    /// It is so already, or can't be just now.
    NotNow,
    /// It is not hers to do, or there is no such thing.
    NotHers,
    /// It could not be sent.
    Failed,
}

impl DeedNotice {
    const ALL: [(&'static str, Self); 6] = [
        ("done", Self::Done),
        ("unconfirmed", Self::NotConfirmed),
        ("unfit", Self::Unfit),
        ("not-now", Self::NotNow),
        ("not-hers", Self::NotHers),
        ("failed", Self::Failed),
    ];

    /// What the API's answer to it means, by its status.
    pub fn of_status(status: u16) -> Self {
        match status {
            200 => Self::Done,
            400 => Self::Unfit,
            401 => Self::NotConfirmed,
            403 | 404 => Self::NotHers,
            409 => Self::NotNow,
            _ => Self::Failed,
        }
    }

    /// The value of `?done=`.
    pub fn word(self) -> &'static str {
        let known = Self::ALL.into_iter().find(|(_, notice)| *notice == self);
        known.map_or("failed", |(word, _)| word)
    }

    /// The one of that word.
    pub fn parse(word: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == word);
        known.map(|(_, notice)| notice)
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Done => "It is done, and on the record.",
            Self::NotConfirmed => {
                "You did not confirm it with your sign-in code, so nothing was done."
            }
            Self::Unfit => "Something is missing, or not as it should be. Nothing was done.",
            Self::NotNow => {
                "That can\u{2019}t be done now: it is so already, or there is nobody else who \
                 could review it."
            }
            Self::NotHers => "You may not do that, or it is not there. Nothing was done.",
            Self::Failed => "It could not be done just now. Wait a minute and try again.",
        }
    }

    pub(super) const fn is_problem(self) -> bool {
        !matches!(self, Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::DeedNotice;

    #[test]
    fn each_notice_is_found_by_its_own_word() {
        for (word, notice) in DeedNotice::ALL {
            assert_eq!(notice.word(), word);
            assert_eq!(DeedNotice::parse(word), Some(notice));
        }
        assert_eq!(DeedNotice::parse(""), None);
    }
}
