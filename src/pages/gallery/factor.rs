//! The pages of second factors.

use super::*;

pub(super) fn factors(all: &mut Vec<Shown>, words: Words) {
    proving(all, words);
    enrolling(all, words);
    let device = |id: &str, name: &str, used| FactorDevice {
        id: id.to_owned(),
        name: name.to_owned(),
        added_at: NOW - time::Duration::days(40),
        last_used_at: used,
    };
    let page = |devices, codes_left, is_required, notice| FactorsPage {
        frame: live(words, App::Patient, Accent::Juniper),
        csrf: "csrf-value".into(),
        now: NOW,
        devices,
        codes_left,
        is_required,
        notice,
    };
    let two = || {
        vec![
            device("d1", "Work phone", Some(NOW - time::Duration::minutes(3))),
            device("d2", words.text, None),
        ]
    };
    show!(all, "factors", page(two(), 9, true, None));
    show!(
        all,
        "factors-removed",
        page(two(), 1, false, Some(FactorNotice::Removed))
    );
    let one = || vec![device("d1", "Authenticator app", Some(NOW))];
    show!(
        all,
        "factors-last",
        page(one(), 0, true, Some(FactorNotice::LastStays))
    );
    show!(all, "factors-none", page(Vec::new(), 0, false, None));
}

fn proving(all: &mut Vec<Shown>, words: Words) {
    let throttled = Some(CodeProblem::Throttled {
        retry_after_seconds: 60,
    });
    let code = |client: Option<&str>, problem| CodePage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: "flow&value=1".into(),
        login: words.login.to_owned(),
        client_name: client.map(str::to_owned),
        way_back: Some(client.map_or(WayBack::Factors, |app| WayBack::App(app.to_owned()))),
        problem,
    };
    show!(all, "code", code(Some("Clinic console"), None));
    show!(
        all,
        "code-mismatch",
        code(None, Some(CodeProblem::Mismatch))
    );
    show!(all, "code-missing", code(None, Some(CodeProblem::Missing)));
    show!(all, "code-throttled", code(Some(words.text), throttled));
    let recovery = |problem| RecoveryCodePage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: "flow-value".into(),
        login: words.login.to_owned(),
        way_back: Some(WayBack::App(words.text.to_owned())),
        problem,
    };
    show!(all, "recovery-code", recovery(None));
    let wrong = Some(CodeProblem::Mismatch);
    show!(all, "recovery-code-mismatch", recovery(wrong));
}

fn enrolling(all: &mut Vec<Shown>, words: Words) {
    let address = "otpauth://totp/Lanyard:ana?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    let enroll = |flow: Option<&str>, may_postpone, problem| EnrollPage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: flow.map(Hidden::from),
        login: words.login.to_owned(),
        action: if flow.is_some() {
            paths::SIGN_IN_ENROLL
        } else {
            paths::ACCOUNT_FACTORS_ADD
        },
        qr: Qr::of(address).expect("short enough"),
        address: address.into(),
        secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".into(),
        may_postpone,
        way_back: (!may_postpone).then(|| WayBack::App("Clinic console".to_owned())),
        problem,
    };
    let flow = Some("flow-value");
    show!(all, "enroll-once", enroll(flow, true, None));
    show!(all, "enroll", enroll(flow, false, None));
    let wrong = Some(EnrollProblem::Mismatch);
    show!(all, "enroll-mismatch", enroll(flow, true, wrong));
    show!(all, "enroll-more", enroll(None, false, None));
    let name = Some(EnrollProblem::Name);
    show!(all, "enroll-more-name", enroll(None, false, name));
    let codes = RecoveryCodesPage {
        frame: frame(words, "Lanyard"),
        codes: (0..10)
            .map(|n| Hidden::from(format!("abcd-efgh-jkmn-pq{n}r")))
            .collect(),
        onward: paths::ACCOUNT.to_owned(),
    };
    show!(all, "recovery-codes", codes);
}
