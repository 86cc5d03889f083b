//! Signed notes with Ed25519, and the text of a verifier's key
//! (<https://c2sp.org/signed-note@v1.0.0>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// The signature type of Ed25519 in key ids and in the text of a key.
const TYPE_ED25519: u8 = 0x01;
/// Begins a signature line: an em dash and a space.
const SIGNATURE_LINE: &str = "\u{2014} ";
/// More signatures than anyone gives (the specification asks for 16 at least).
const MOST_SIGNATURES: usize = 32;

/// Why a note says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note.
    #[error("it is not a signed note")]
    Malformed,
    /// No given key signed it.
    #[error("none of the given keys signed it")]
    UnknownKey,
    /// It names a given key, whose signature it does not bear.
    #[error("its signature is not that of the key it names")]
    WrongSignature,
}

/// Four bytes that, with a key's name, tell keys apart. Not a fingerprint: others can be made that
/// have the same.
pub type KeyId = [u8; 4];

/// A public key by which notes are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    public: [u8; 32],
}

impl Vkey {
    /// A key under its name; none if no key can have that name.
    pub fn new(name: &str, public: [u8; 32]) -> Option<Self> {
        is_key_name(name).then(|| Self {
            name: name.to_owned(),
            public,
        })
    }

    /// Reads `name+id+key`, id as 8 hexadecimal digits, key as base64 of its type and 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let key = STANDARD.decode(key).ok()?;
        let [TYPE_ED25519, public @ ..] = key.as_slice() else {
            return None;
        };
        let key = Self::new(name, public.try_into().ok()?)?;
        (hex::encode(key.id()) == id).then_some(key)
    }

    /// What [`Self::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut key = vec![TYPE_ED25519];
        key.extend(self.public);
        let id = hex::encode(self.id());
        format!("{}+{id}+{}", self.name, STANDARD.encode(key))
    }

    /// Its name; that of a deployment's log keys is its issuer's host and path, and `/audit`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, as the specification computes it.
    pub fn id(&self) -> KeyId {
        let covered = [
            self.name.as_bytes(),
            &[b'\n', TYPE_ED25519],
            self.public.as_slice(),
        ];
        let digest = digest(&SHA256, &covered.concat());
        *digest.as_ref().first_chunk().expect("SHA-256 has more")
    }

    /// The key itself (RFC 8032 §5.1.5).
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn is_signature(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

/// Signs notes. Its secret half can't be read or printed.
#[derive(Debug)]
pub struct NoteSigner {
    key: Vkey,
    pair: Ed25519KeyPair,
}

impl NoteSigner {
    /// From the 32 secret bytes of RFC 8032 §5.1.5; none if no key can have that name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Vkey::new(name, public).map(|key| Self { key, pair })
    }

    /// Its public half.
    pub const fn vkey(&self) -> &Vkey {
        &self.key
    }

    /// `text` as a signed note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for a text that no note can have.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        if !is_text(text) {
            return Err(NoteError::Malformed);
        }
        let mut signature = self.key.id().to_vec();
        signature.extend(self.pair.sign(text.as_bytes()).as_ref());
        let signature = STANDARD.encode(signature);
        Ok(format!(
            "{text}\n{SIGNATURE_LINE}{} {signature}\n",
            self.key.name
        ))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

/// A text and who is said to have signed it. Its text is reached by [`Self::open`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Reads a signed note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Self::read(note).ok_or(NoteError::Malformed)
    }

    fn read(note: &str) -> Option<Self> {
        let at = note.rfind("\n\n")?;
        let (text, lines) = (&note[..=at], note[at + 2..].strip_suffix('\n')?);
        let signatures: Option<Vec<_>> = lines.split('\n').map(signature_of).collect();
        let signatures = signatures.filter(|all| all.len() <= MOST_SIGNATURES)?;
        is_text(text).then(|| Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text, and the key that signed it. Signatures by others are passed over; one in a given
    /// key's name that is not its own spoils the note.
    ///
    /// # Errors
    /// [`NoteError::UnknownKey`] and [`NoteError::WrongSignature`].
    pub fn open<'a>(&self, keys: &'a [Vkey]) -> Result<(&str, &'a Vkey), NoteError> {
        let mut signer = None;
        for signature in &self.signatures {
            let is_theirs = |key: &&Vkey| key.name == signature.name && key.id() == signature.id;
            let Some(key) = keys.iter().find(is_theirs) else {
                continue;
            };
            if !key.is_signature(&self.text, &signature.bytes) {
                return Err(NoteError::WrongSignature);
            }
            signer = signer.or(Some(key));
        }
        let signer = signer.ok_or(NoteError::UnknownKey)?;
        Ok((&self.text, signer))
    }
}

fn signature_of(line: &str) -> Option<Signature> {
    let (name, signature) = line.strip_prefix(SIGNATURE_LINE)?.split_once(' ')?;
    let signature = STANDARD.decode(signature).ok()?;
    let (id, bytes) = signature.split_first_chunk()?;
    (is_key_name(name) && !bytes.is_empty()).then(|| Signature {
        name: name.to_owned(),
        id: *id,
        bytes: bytes.to_vec(),
    })
}

/// Whether a note can say this: lines, and no control characters beside their ends.
fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

fn is_key_name(name: &str) -> bool {
    let never = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(never)
}
