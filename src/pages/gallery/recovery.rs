//! A forgotten password.

use super::{Shown, Words, frame, show};
use crate::pages::{
    ChangePasswordProblem, DeadLinkPage, Frame, IdentifierProblem, NewPasswordPage,
    RecoveryDonePage, RecoveryPage, RecoverySentPage,
};

pub(super) fn recovery(all: &mut Vec<Shown>, words: Words) {
    let ask = |problem: Option<IdentifierProblem>| RecoveryPage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: problem.is_none().then(|| "flow&value=1".into()),
        login: words.login.to_owned(),
        problem,
    };
    show!(all, "recovery", ask(None));
    let malformed = Some(IdentifierProblem::Malformed);
    show!(all, "recovery-malformed", ask(malformed));
    show!(
        all,
        "recovery-sent",
        RecoverySentPage {
            frame: frame(words, "Lanyard"),
            login: words.login.to_owned(),
            flow: Some("flow-value".into()),
        }
    );
    let set = |problem| NewPasswordPage {
        frame: Frame::new("Lanyard", "0193b2c8-5d1f"),
        csrf: "csrf-value".into(),
        login: words.login.to_owned(),
        problem,
    };
    show!(all, "new-password", set(None));
    let short = Some(ChangePasswordProblem::TooShort);
    show!(all, "new-password-short", set(short));
    let frame = || Frame::new("Lanyard", "0193b2c8-5d1f");
    show!(all, "dead-link", DeadLinkPage { frame: frame() });
    show!(all, "recovery-done", RecoveryDonePage { frame: frame() });
}
