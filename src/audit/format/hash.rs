//! Hashes of the tree (RFC 9162 §2.1.1, with SHA-256).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256, digest};

/// Goes before what a leaf's hash covers, so that no leaf can pass for a node.
const LEAF: u8 = 0x00;
/// Goes before the two hashes that a node's covers.
const NODE: u8 = 0x01;

/// The hash of a leaf, of a node, or of a whole tree: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash([u8; TreeHash::LENGTH]);

impl TreeHash {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// Of an entry: its line, without the line feed.
    pub fn leaf(line: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[LEAF]);
        context.update(line);
        Self::finish(context)
    }

    /// Of a node over two subtrees.
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut covered = [NODE; 1 + 2 * Self::LENGTH];
        covered[1..=Self::LENGTH].copy_from_slice(&left.0);
        covered[1 + Self::LENGTH..].copy_from_slice(&right.0);
        let mut context = Context::new(&SHA256);
        context.update(&covered);
        Self::finish(context)
    }

    /// The root of a tree without leaves.
    pub fn empty() -> Self {
        Self::try_from(digest(&SHA256, b"").as_ref()).expect("SHA-256 gives 32 bytes")
    }

    fn finish(context: Context) -> Self {
        Self::try_from(context.finish().as_ref()).expect("SHA-256 gives 32 bytes")
    }

    /// As stored: 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// As written in checkpoints and exports: base64 with padding (RFC 4648 §4).
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads what [`Self::to_base64`] writes, and nothing else.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::try_from(STANDARD.decode(text).ok()?.as_slice()).ok()
    }

    /// Several, one after the other, as one base64 text.
    pub fn list_to_base64(hashes: &[Self]) -> String {
        STANDARD.encode(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>())
    }

    /// Reads what [`Self::list_to_base64`] writes.
    pub fn list_from_base64(text: &str) -> Option<Vec<Self>> {
        let bytes = STANDARD.decode(text).ok()?;
        let (hashes, rest) = bytes.as_chunks::<{ Self::LENGTH }>();
        rest.is_empty()
            .then(|| hashes.iter().copied().map(Self).collect())
    }
}

impl From<[u8; TreeHash::LENGTH]> for TreeHash {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for TreeHash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}
