//! Password hashing: Argon2id, bounded in memory and in waiting.
//!
//! OWASP's floor: 19 MiB, two passes, one lane. Never inside a transaction.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Semaphore, oneshot};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// KiB of memory, passes, lanes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a sign-in waits for a seat before it is told to come back: longer than a full room
/// takes on two cores, since who has typed a password would rather wait than type it again.
const WAIT: Duration = Duration::from_secs(5);
/// Longest password that is looked at, in bytes after normalization.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// How much a hash gives way to everything else on the machine, as in nice(1): a token endpoint
/// that waits for the disk goes on before the next password does.
const NICENESS: i32 = 10;

/// Hashes so many passwords at once and lets so many wait; the rest are told at once.
#[derive(Clone)]
pub struct Hasher {
    running: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// Of the room, when nobody is in it.
    seats: usize,
    memory: Memory,
    computed: Arc<AtomicU64>,
    parallelism: usize,
    queue: usize,
}

/// The blocks that hashes work in, kept from one to the next while there is work.
#[derive(Clone, Default)]
struct Memory {
    kept: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Memory {
    fn take(&self) -> Vec<Block> {
        let kept = self.lock().pop();
        kept.unwrap_or_else(|| vec![Block::default(); parameters().block_count()])
    }

    fn give_back(&self, blocks: Vec<Block>, more_is_to_come: bool) {
        let mut kept = self.lock();
        if more_is_to_come {
            kept.push(blocks);
        } else {
            kept.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.kept.lock().expect("no panic happens under this lock")
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("running_free", &self.running.available_permits())
            .field("room_free", &self.room.available_permits())
            .finish_non_exhaustive()
    }
}

/// Why no hash was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashRefusal {
    /// The server's: all seats are taken. Come back in a second.
    #[error("all hashing seats are taken")]
    Busy,
    /// The caller's: longer than is looked at.
    #[error("the password is too long")]
    TooLong,
    /// The operator's: a stored hash asks for more than is allowed, or is not Argon2id.
    #[error("the stored hash is outside the bounds")]
    OutOfBounds,
}

impl Hasher {
    /// - `parallelism`: running at once, 19 MiB each
    /// - `queue`: waiting, five seconds at most
    pub fn new(parallelism: u32, queue: u32) -> Self {
        let seats = (parallelism + queue) as usize;
        Self {
            running: Arc::new(Semaphore::new(parallelism as usize)),
            room: Arc::new(Semaphore::new(seats)),
            seats,
            memory: Memory::default(),
            computed: Arc::default(),
            parallelism: parallelism as usize,
            queue: queue as usize,
        }
    }

    /// A PHC string for a new password, with this random salt.
    pub async fn hash(
        &self,
        password: &SecretString,
        salt: [u8; 16],
    ) -> Result<String, HashRefusal> {
        let tag = self.derive(password, salt.to_vec()).await?;
        let (salt, tag) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag));
        Ok(format!(
            "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}"
        ))
    }

    /// Whether the password is the one of this PHC string. An unknown account's path hashes too:
    /// pass [`DECOY`].
    pub async fn verify(&self, password: &SecretString, phc: &str) -> Result<bool, HashRefusal> {
        let (salt, expected) = parse_phc(phc).ok_or(HashRefusal::OutOfBounds)?;
        let tag = self.derive(password, salt).await?;
        #[expect(
            deprecated,
            reason = "ring has no other constant-time comparison of slices"
        )]
        let same = ring::constant_time::verify_slices_are_equal(&tag, &expected).is_ok();
        Ok(same)
    }

    /// How many hashes were computed since the start: what guesses have cost.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// How many passwords are being hashed, and how many wait for it.
    pub fn load(&self) -> (usize, usize) {
        let running = self.parallelism - self.running.available_permits();
        let inside = self.parallelism + self.queue - self.room.available_permits();
        (running, inside.saturating_sub(running))
    }

    async fn derive(
        &self,
        password: &SecretString,
        salt: Vec<u8>,
    ) -> Result<[u8; 32], HashRefusal> {
        let password = normalized(password)?;
        let seat = Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|_| HashRefusal::Busy)?;
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.running).acquire_owned())
            .await
            .map_err(|_| HashRefusal::Busy)?
            .map_err(|_| HashRefusal::Busy)?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        let (memory, room, seats) = (self.memory.clone(), Arc::clone(&self.room), self.seats);
        let (tell, told) = oneshot::channel();
        // A thread of its own, since a priority once lowered can't be raised again: it costs a
        // thousandth of the hash.
        let thread = std::thread::Builder::new().name("password".to_owned());
        let started = thread.spawn(move || {
            // Where it is refused, a hash is only less polite.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            let mut blocks = memory.take();
            let tag = hash(&password, &salt, &mut blocks);
            // Who waits takes this memory over; the last one gives all of it back.
            memory.give_back(blocks, room.available_permits() + 1 < seats);
            // Moved in: a dropped request must not free the turn while the hash still runs.
            drop((turn, seat));
            // Nobody may be left to hear it.
            let _ = tell.send(tag);
        });
        started.map_err(|_| HashRefusal::Busy)?;
        Ok(told.await.expect("hashing does not panic"))
    }
}

fn hash(password: &[u8], salt: &[u8], blocks: &mut [Block]) -> [u8; 32] {
    let mut tag = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters())
        .hash_password_into_with_memory(password, salt, &mut tag, blocks)
        .expect("lengths and parameters are within Argon2's bounds");
    tag
}

/// The PHC string that an unknown account is checked against: same parameters, no known password.
pub const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn parameters() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).expect("constants within Argon2's bounds")
}

/// NFC, so that the same text typed on another system is the same password (SP 800-63B §3.1.1.2).
fn normalized(password: &SecretString) -> Result<Zeroizing<Vec<u8>>, HashRefusal> {
    if password.expose_secret().len() > 4 * MAX_PASSWORD_BYTES {
        return Err(HashRefusal::TooLong);
    }
    let text: Zeroizing<String> = Zeroizing::new(password.expose_secret().nfc().collect());
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(HashRefusal::TooLong);
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

/// Salt and tag of a PHC string with exactly our parameters.
fn parse_phc(phc: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let rest = phc.strip_prefix("$argon2id$v=19$m=19456,t=2,p=1$")?;
    let (salt, tag) = rest.split_once('$')?;
    let (salt, tag) = (
        STANDARD_NO_PAD.decode(salt).ok()?,
        STANDARD_NO_PAD.decode(tag).ok()?,
    );
    ((8..=64).contains(&salt.len()) && tag.len() == 32).then_some((salt, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_in_either_unicode_form() {
        let hasher = Hasher::new(1, 4);
        let composed: SecretString = "caf\u{e9} au lait at dawn".into();
        let decomposed: SecretString = "cafe\u{301} au lait at dawn".into();
        let phc = hasher
            .hash(&composed, [3; 16])
            .await
            .expect("a seat is free");
        assert_eq!(hasher.verify(&decomposed, &phc).await, Ok(true), "LOGIN-24");
        assert_eq!(hasher.verify(&"other".into(), &phc).await, Ok(false));
        assert_eq!(hasher.verify(&composed, DECOY).await, Ok(false));
    }

    #[tokio::test]
    async fn a_costlier_or_foreign_stored_hash_is_never_computed() {
        let hasher = Hasher::new(1, 4);
        for phc in [
            "$argon2id$v=19$m=4194304,t=50,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
            "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
            "plain",
        ] {
            let verdict = hasher.verify(&"password".into(), phc).await;
            assert_eq!(verdict, Err(HashRefusal::OutOfBounds), "LOGIN-27: {phc}");
        }
    }

    #[tokio::test]
    async fn memory_is_kept_while_others_wait_and_then_given_back() {
        let hasher = Hasher::new(1, 4);
        let other = Arc::clone(&hasher.room).try_acquire_owned();
        let password = "password".into();
        hasher.verify(&password, DECOY).await.expect("a seat");
        assert_eq!(
            hasher.memory.lock().len(),
            1,
            "somebody else is in the room"
        );
        drop(other);
        hasher.verify(&password, DECOY).await.expect("a seat");
        assert!(hasher.memory.lock().is_empty());
    }

    #[tokio::test]
    async fn more_than_the_room_holds_are_told_to_come_back() {
        let hasher = Hasher::new(1, 0);
        let _taken = Arc::clone(&hasher.room)
            .try_acquire_owned()
            .expect("the only seat");
        let verdict = hasher.verify(&"password".into(), DECOY).await;
        assert_eq!(verdict, Err(HashRefusal::Busy), "DOS-01");
    }
}
