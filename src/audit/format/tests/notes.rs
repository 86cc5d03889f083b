//! Notes and checkpoints.

use super::super::{Checkpoint, CheckpointError, Note, NoteError, NoteSigner, TreeHash, Vkey};

/// The example in the documentation of Go's `golang.org/x/mod/sumdb/note`.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETERS_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                           then you don't know what your problem is.\n";
const PETERS_SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZ\
                                InNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(name, &[seed; 32]).expect("a good name")
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "id.example.test/audit/5f50c6e1-4f3a-4ede-90f8-e58cc1c242a2".to_owned(),
        size: 1000,
        root: TreeHash::leaf(b"root"),
    }
}

#[test]
fn a_note_of_another_implementation_is_read() {
    let key = Vkey::parse(PETER).expect("a key");
    assert_eq!(key.to_text(), PETER);
    let note = format!("{PETERS_TEXT}\n{PETERS_SIGNATURE}");
    let note = Note::parse(&note).expect("a note");
    let keys = [key];
    assert_eq!(note.open(&keys), Ok((PETERS_TEXT, &keys[0])));
}

#[test]
fn a_note_opens_by_its_key_alone() {
    let ours = signer("id.example.test/audit", 7);
    let text = "one\n\ntwo\n";
    let note = Note::parse(&ours.sign(text).unwrap()).unwrap();
    let keys = [ours.vkey().clone()];
    assert_eq!(note.open(&keys).unwrap().0, text);
    for other in [
        signer("id.example.test/audit", 8),
        signer("id.example.test/other", 7),
    ] {
        let others = [other.vkey().clone()];
        assert_eq!(note.open(&others), Err(NoteError::UnknownKey));
    }
}

/// Rotation, and witnesses: who is not known is passed over, and who is known must be right.
#[test]
fn of_several_signatures_each_known_one_must_be_right() {
    let (old, new) = (signer("log", 1), signer("log", 2));
    let text = "words\n";
    let by_new = new.sign(text).unwrap();
    let both = old.sign(text).unwrap() + by_new.split_once("\n\n").unwrap().1;
    let note = Note::parse(&both).unwrap();
    let keys = [new.vkey().clone()];
    assert_eq!(note.open(&keys), Ok((text, &keys[0])));

    let forged = both.replacen("words", "wordz", 1);
    assert_eq!(
        Note::parse(&forged).unwrap().open(&keys),
        Err(NoteError::WrongSignature)
    );
}

#[test]
fn what_is_no_note_is_not_read() {
    let good = signer("log", 1).sign("words\n").unwrap();
    let wrong = [
        String::new(),
        "words\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace("\u{2014} ", "- "),
        good.replace(" log ", "  "),
        good.replace(" log ", " l+g "),
        good.replace("words", "wor\tds"),
        format!("{good}\n"),
        format!("{good}words\n"),
        "words\n\n\u{2014} log AAAA\n".to_owned(),
    ];
    for note in wrong {
        assert_eq!(Note::parse(&note), Err(NoteError::Malformed), "{note:?}");
    }
    assert_eq!(signer("log", 1).sign("no line"), Err(NoteError::Malformed));
    for name in ["", "two words", "a+b", "a\u{a0}b"] {
        assert!(NoteSigner::from_seed(name, &[1; 32]).is_none(), "{name:?}");
    }
}

#[test]
fn what_is_no_key_is_not_read() {
    let wrong = [
        "",
        "PeterNeumann",
        &PETER.replace("c74f20a3", "c74f20a4"),
        &PETER.replace("c74f20a3", "C74F20A3"),
        &PETER.replace("PeterNeumann", "Peter Neumann"),
        &PETER.replace("+ARpc", "+Arpc"),
        &PETER[..PETER.len() - 4],
    ];
    for key in wrong {
        assert_eq!(Vkey::parse(key), None, "{key:?}");
    }
}

#[test]
fn a_checkpoint_is_what_the_specification_says() {
    let ours = signer("id.example.test/audit", 7);
    let checkpoint = checkpoint();
    let note = checkpoint.sign(&ours).unwrap();
    let lines: Vec<_> = note.split('\n').collect();
    assert_eq!(
        lines[..4],
        [
            checkpoint.origin.as_str(),
            "1000",
            &checkpoint.root.to_base64(),
            ""
        ]
    );
    assert!(lines[4].starts_with("\u{2014} id.example.test/audit "));
    let keys = [ours.vkey().clone()];
    assert_eq!(Checkpoint::open(&note, &keys), Ok((checkpoint, &keys[0])));
}

#[test]
fn what_is_signed_and_no_checkpoint_is_refused() {
    let ours = signer("log", 7);
    let keys = [ours.vkey().clone()];
    let good = checkpoint().text();
    let wrong = [
        "words\n".to_owned(),
        good.replace("\n1000\n", "\n01000\n"),
        good.replace("\n1000\n", "\n+1000\n"),
        good.replace("\n1000\n", "\n99999999999999999999\n"),
        good.replace("=\n", "\n"),
        format!("{good}\nmore\n"),
        format!("\n{good}"),
    ];
    for text in wrong {
        let note = ours.sign(&text).unwrap();
        assert_eq!(
            Checkpoint::open(&note, &keys).unwrap_err(),
            CheckpointError::NotACheckpoint,
            "{text:?}"
        );
    }
    let extended = ours.sign(&format!("{good}extension\n")).unwrap();
    assert_eq!(Checkpoint::open(&extended, &keys).unwrap().0, checkpoint());
}
