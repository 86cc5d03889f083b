//! Asking for a consent, and the list of what was allowed.

use super::{NOW, Shown, Words, clinic, frame, show};
use crate::pages::{Accent, AccountNotice, AppRow, ConsentPage};

fn wishes(words: Words) -> Vec<String> {
    [
        "Recognize you when you come back",
        "See your name",
        words.text,
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(super) fn consent(all: &mut Vec<Shown>, words: Words) {
    show!(
        all,
        "consent",
        ConsentPage {
            frame: frame(words, "Lanyard"),
            csrf: "csrf-value".into(),
            flow: "flow-value".into(),
            asked: "asked-value".into(),
            client_name: "Pulse Diary".to_owned(),
            wishes: wishes(words),
            is_for_reading: true,
            most_hours: 24,
            login: words.login.to_owned(),
        }
    );
}

/// None on the page that follows a removal.
pub(super) fn apps(words: Words, notice: Option<AccountNotice>) -> Vec<AppRow> {
    if notice.is_some() {
        return Vec::new();
    }
    vec![AppRow {
        number: 0,
        name: words.text.to_owned(),
        clinic: clinic(words.clinic, Accent::Juniper),
        wishes: wishes(words),
        since: NOW - time::Duration::days(3),
        last_used_at: NOW - time::Duration::hours(2),
        slug: "juniper".to_owned(),
        client: "pulse-diary".to_owned(),
    }]
}
