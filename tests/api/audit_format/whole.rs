//! Good logs, of sizes around which trees and blocks change.

use lanyard::audit::format::export::{Report, Verdict, verify};

use super::made::{Asked, MADE_AT, Made, signer};
use super::{Cases, at};

fn report(export: &[u8]) -> Report {
    let keys = [signer().vkey().clone()];
    match verify(export, &keys, None::<std::io::Cursor<&[u8]>>, |_| ()).unwrap() {
        Verdict::Whole(report) => *report,
        Verdict::Broken(finding) => panic!("{}", finding.words()),
    }
}

#[test]
fn whole_logs_and_their_parts_are_whole() {
    let mut cases = Cases::default();
    for size in [0, 1, 2, 3, 5, 8, 255, 256, 257, 511, 512, 513, 700, 1025] {
        let log = Made::of(size);
        cases.expect(format!("all of {size}"), log.export(), None);
        for (from, to) in [(0, 0), (1, 2), (3, 300), (255, 257), (256, 512), (600, 700)] {
            if to <= size {
                let name = format!("{from} to {to} of {size}");
                cases.expect(name, log.export_of(from..to), None);
            }
        }
        let name = format!("a selection of {size}");
        cases.expect(name, log.selection(0..size, |index| index % 7 != 3), None);
        let name = format!("whole blocks left out of {size}");
        cases.expect(name, log.selection(0..size, |index| index < 520), None);
        cases.expect(
            format!("none of {size}"),
            log.selection(0..size, |_| true),
            None,
        );
    }
    cases.check();
}

#[test]
fn a_report_says_what_was_checked() {
    let log = Made::of(700);
    let found = report(&log.export_of(250..600));
    assert_eq!((found.from, found.to, found.entries), (250, 600, 350));
    assert_eq!((found.size, found.disclosed), (700, 70));
    assert_eq!(found.root, log.checkpoint(700).root);
    assert_eq!(&found.key, signer().vkey());
    let chosen = report(&log.selection(0..700, |index| index != 5));
    assert!(chosen.selection);
    assert_eq!(chosen.entries, 1);
    assert_eq!(found.compared, None);
}

/// An older checkpoint proves what it covers, whatever the log has become.
#[test]
fn an_export_leads_to_its_own_checkpoint() {
    let log = Made::of(600);
    let mut cases = Cases::default();
    for size in [256, 300, 599] {
        let export = log.export_as(&Asked {
            entries: 10..256,
            size,
            without: None,
            made_at: MADE_AT,
            signer: signer(),
        });
        cases.expect(format!("by {size}"), export, None);
    }
    cases.check();
}

/// The log's own fault: its tree holds a line that claims another place.
#[test]
fn a_line_that_says_it_is_another_is_named() {
    let mut log = Made::of(300);
    log.lines[258] = log.lines[257].clone();
    let mut cases = Cases::default();
    cases.expect("twice the same line", log.export(), at("mislabeled", 258));
    let mut log = Made::of(300);
    log.lines[7] = log.lines[7].replacen("5f50", "5f51", 1);
    cases.expect("a line of another log", log.export(), at("mislabeled", 7));
    let mut log = Made::of(300);
    log.lines[7] = log.lines[7].replacen("\"index\":7", "\"index\":07", 1);
    cases.expect("another spelling", log.export(), at("mislabeled", 7));
    cases.check();
}
