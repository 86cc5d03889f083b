//! What the first line says, and whether that can be.

use std::io::BufRead;

use super::lines::{Lines, What};
use super::{Finding, Header, Kind, VERSION};
use crate::audit::format::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::format::note::NoteError;

/// The header, if the line at hand is one.
pub(super) fn header_of<R: BufRead>(lines: &Lines<R>) -> Result<Header, Finding> {
    let unreadable = || Finding::whole(Kind::Header, "it can't be read");
    if lines.what() == What::Nothing {
        return Err(unreadable());
    }
    serde_json::from_slice(lines.bytes()).map_err(|_| unreadable())
}

/// Why a checkpoint is not believed.
pub(super) fn unsigned(why: CheckpointError) -> Finding {
    let kind = match why {
        CheckpointError::Note(NoteError::UnknownKey) => Kind::Untrusted,
        _ => Kind::Checkpoint,
    };
    Finding::whole(kind, why.to_string())
}

/// What a header says that its checkpoint does not, or that can't be.
pub(super) fn contradiction(header: &Header, checkpoint: &Checkpoint) -> Option<&'static str> {
    let log = checkpoint.origin.rsplit_once("/audit/").map(|(_, log)| log);
    match () {
        () if header.lanyard_audit != VERSION => Some("its version is another"),
        () if header.origin != checkpoint.origin => Some("its origin is not the checkpoint's"),
        () if log != Some(&header.log) => Some("its log is not the checkpoint's"),
        () if header.from > header.to || header.to > checkpoint.size => {
            Some("the log has no such entries")
        }
        () if !is_instant(&header.made_at) => Some("its instant is none"),
        () => None,
    }
}

/// Whether this is an instant as we write them, so that their texts sort as they do.
pub(super) fn is_instant(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00.000000Z";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        other => byte == *other,
    };
    text.len() == form.len() && text.bytes().zip(form).all(fits)
}
