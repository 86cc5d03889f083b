//! What a typed code is, whichever factor it is of.

/// What a code came to. Refused or replayed is all one to who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Right, and taken with this answer.
    Accepted,
    /// None of this account's.
    Refused,
    /// It was right: it, or a later one of its device, was taken before.
    Replayed,
}
