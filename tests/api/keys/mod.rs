//! Master keys, data keys and what is under them.

mod data_keys;
mod epoch;
mod rewrap;
mod tenants;

use std::path::Path;
use std::sync::Arc;

use lanyard::keys::{self, KeysError, MasterKey, MasterKeys};
use lanyard::secret::Keys;

use crate::cli::folder::Folder;
use crate::lab::Lab;

/// Drawn by a die: what the folder refuses is a key that was typed.
const DRAWN: [u8; 32] = *b"\x91\x02\xd3\x14\x85\x06\xf7\x68\xa9\x0a\x1b\x9c\x0d\xee\x0f\x21\
    \x31\x82\x53\x04\x95\xc6\x07\x18\xb9\x4a\x2b\x0c\x7d\xfe\x1f\x40";

/// The working keys of a lab's database, opened by whoever has this master key.
async fn open(lab: &Lab, master: [u8; 32]) -> Result<Keys, KeysError> {
    let master = MasterKeys::only(MasterKey::from_bytes(master));
    keys::open(&lab.app.db, &lab.app.env, Arc::new(master)).await
}

/// A keys folder as `lanyard keys init` makes it, with this key in it.
fn folder(at: &Path, key: [u8; 32]) -> MasterKeys {
    keys::make_private_folder(at).unwrap();
    keys::make_master(&at.join("master.key"), &MasterKey::from_bytes(key)).unwrap();
    MasterKeys::load(at).unwrap()
}
