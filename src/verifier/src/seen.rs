//! Tokens that were verified before.
//!
//! A table of fixed size, indexed by bits of the token's SHA-256 digest, in buckets of four. It is
//! read without a lock (one atomic load per place looked at) and can't grow. No eviction order is
//! kept, as a cache crate would: a place is overwritten when its bucket is full, which costs
//! one signature check at worst. Only tokens that the issuer signed get in, and digests spread
//! evenly, so nobody can crowd others out by choice.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ring::digest;

use crate::claims::Validity;
use crate::introspection::Answered;
use crate::jwk::VerifyingKey;
use crate::principal::Principal;
use crate::revocation::Hashed;

/// Places in all: a power of two. Full, it holds about 10 MB; empty, 64 KiB.
const PLACES: usize = 8192;
const BUCKET: usize = 4;

pub(crate) type TokenDigest = [u8; 32];

/// A token whose signature and claims were good when it was first shown. Whether it still is must
/// be asked at every hit: its times, its key's standing, and what was revoked.
pub(crate) struct SeenToken {
    pub(crate) digest: TokenDigest,
    pub(crate) kid: String,
    pub(crate) key: Arc<VerifyingKey>,
    pub(crate) validity: Validity,
    pub(crate) principal: Arc<Principal>,
    /// What revocations would name it by; empty if nobody tells of any.
    pub(crate) marks: Box<[Hashed]>,
    /// What the issuer said when it was asked.
    pub(crate) answer: Answered,
}

pub(crate) struct SeenTokens(Box<[ArcSwapOption<SeenToken>]>);

/// The whole token, signature included: two that differ in one bit are two.
pub(crate) fn digest(token: &str) -> TokenDigest {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl SeenTokens {
    pub(crate) fn new() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }

    pub(crate) fn get(&self, digest: &TokenDigest) -> Option<Arc<SeenToken>> {
        self.bucket(digest).iter().find_map(|place| {
            let seen = place.load();
            seen.as_ref()
                .filter(|seen| seen.digest == *digest)
                .map(Arc::clone)
        })
    }

    pub(crate) fn put(&self, seen: SeenToken) -> Arc<SeenToken> {
        let bucket = self.bucket(&seen.digest);
        let free = bucket.iter().position(|place| {
            place
                .load()
                .as_ref()
                .is_none_or(|held| held.digest == seen.digest)
        });
        // Full: one of the four, by a byte of the digest that the index does not use.
        let place = free.unwrap_or(usize::from(seen.digest[31]) % BUCKET);
        let seen = Arc::new(seen);
        bucket[place].store(Some(Arc::clone(&seen)));
        seen
    }

    /// Forgets a token that is no longer good.
    pub(crate) fn forget(&self, digest: &TokenDigest) {
        for place in self.bucket(digest) {
            if place
                .load()
                .as_ref()
                .is_some_and(|held| held.digest == *digest)
            {
                place.store(None);
            }
        }
    }

    fn bucket(&self, digest: &TokenDigest) -> &[ArcSwapOption<SeenToken>] {
        let bits = usize::from(u16::from_be_bytes([digest[0], digest[1]]));
        let first = bits % (PLACES / BUCKET) * BUCKET;
        &self.0[first..first + BUCKET]
    }
}
