//! Checkpoints: what a log signs of itself (<https://c2sp.org/tlog-checkpoint>).

use super::TreeHash;
use super::note::{Note, NoteError, NoteSigner, Vkey};

/// A log at one size. Whoever has seen two of one log can ask for a proof that the smaller is how
/// the larger began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the issuer's host and path, `/audit/`, and the tenant's id.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root hash over them.
    pub root: TreeHash,
}

/// Why a note is no checkpoint of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// What is wrong with the note itself.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is signed, but says something else than a checkpoint does.
    #[error("what is signed is not a checkpoint")]
    NotACheckpoint,
}

impl Checkpoint {
    /// The checkpoint as a note signed by `signer`.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for an origin that is no line of text.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, NoteError> {
        if !is_origin(&self.origin) {
            return Err(NoteError::Malformed);
        }
        signer.sign(&self.text())
    }

    /// What the signature covers.
    pub fn text(&self) -> String {
        let root = self.root.to_base64();
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a note that one of `keys` signed; gives the key as well.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open<'a>(note: &str, keys: &'a [Vkey]) -> Result<(Self, &'a Vkey), CheckpointError> {
        let note = Note::parse(note)?;
        let (text, key) = note.open(keys)?;
        let checkpoint = Self::read(text).ok_or(CheckpointError::NotACheckpoint)?;
        Ok((checkpoint, key))
    }

    /// Lines beyond the third are others' extensions, which we neither write nor read.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let is_plain = size == "0" || !size.starts_with('0');
        let is_decimal = is_plain && size.bytes().all(|byte| byte.is_ascii_digit());
        if !is_origin(origin) || !is_decimal || lines.any(str::is_empty) {
            return None;
        }
        Some(Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: TreeHash::from_base64(root)?,
        })
    }
}

fn is_origin(origin: &str) -> bool {
    !origin.is_empty() && !origin.contains(char::is_control)
}
