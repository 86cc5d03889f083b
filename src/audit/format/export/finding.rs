//! What is wrong with an export, in words for an auditor.

/// The ways in which an export fails. docs/AUDIT-FORMAT.md explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Header,
    Untrusted,
    Checkpoint,
    Block,
    Altered,
    Missing,
    Reordered,
    Inserted,
    Truncated,
    Mislabeled,
    Disclosure,
    End,
    Signature,
    Forked,
    Anchor,
}

impl Kind {
    /// Every one, in the order of the document.
    pub const ALL: &'static [Self] = &[
        Self::Header,
        Self::Untrusted,
        Self::Checkpoint,
        Self::Block,
        Self::Altered,
        Self::Missing,
        Self::Reordered,
        Self::Inserted,
        Self::Truncated,
        Self::Mislabeled,
        Self::Disclosure,
        Self::End,
        Self::Signature,
        Self::Forked,
        Self::Anchor,
    ];

    /// The name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Untrusted => "untrusted",
            Self::Checkpoint => "checkpoint",
            Self::Block => "block",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::Truncated => "truncated",
            Self::Mislabeled => "mislabeled",
            Self::Disclosure => "disclosure",
            Self::End => "end",
            Self::Signature => "signature",
            Self::Forked => "forked",
            Self::Anchor => "anchor",
        }
    }

    /// What happened, about the entry or entries that are named before it.
    const fn said(self) -> &'static str {
        match self {
            Self::Header => "The first line is not that of an export that can be checked",
            Self::Untrusted => "None of the given keys signed the checkpoint",
            Self::Checkpoint => "The checkpoint is not what its key signed",
            Self::Block => "the listed hashes do not lead to the signed root",
            Self::Altered => "is not what was recorded",
            Self::Missing => "is missing",
            Self::Reordered => "is not in its place: a later one stands there",
            Self::Inserted => "does not come next: a line stands before it that was never recorded",
            Self::Truncated => "is where the log or the file was cut off",
            Self::Mislabeled => "was recorded under another log or index than its place",
            Self::Disclosure => "is followed by values that are not those it was recorded with",
            Self::End => "The end does not fit what comes before it",
            Self::Signature => "The file was changed after it was signed, outside of its entries",
            Self::Forked => "the log was told in two versions",
            Self::Anchor => "The anchor can't be used",
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In what way.
    pub kind: Kind,
    /// The first entry that it concerns; none if it concerns none in particular.
    pub index: Option<u64>,
    /// Where not one entry can be told but several, the index after the last of them.
    pub until: Option<u64>,
    /// More words, where there are any.
    pub detail: String,
}

impl Finding {
    pub(super) fn whole(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            index: None,
            until: None,
            detail: detail.into(),
        }
    }

    pub(super) fn at(kind: Kind, index: u64) -> Self {
        Self {
            index: Some(index),
            ..Self::whole(kind, "")
        }
    }

    pub(super) fn among(kind: Kind, entries: std::ops::Range<u64>, detail: &str) -> Self {
        Self {
            index: Some(entries.start),
            until: Some(entries.end),
            ..Self::whole(kind, detail)
        }
    }

    pub(super) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// A sentence for people.
    pub fn words(&self) -> String {
        let said = self.kind.said();
        let mut text = match (self.index, self.until) {
            (Some(first), Some(until)) if until > first + 1 => {
                format!("Entries {first} to {}: {said}", until - 1)
            }
            (Some(index), Some(_)) => format!("Entry {index}: {said}"),
            (Some(index), None) => format!("Entry {index} {said}"),
            (None, _) => said.to_owned(),
        };
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text.push('.');
        text
    }
}
