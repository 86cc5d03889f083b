//! An issuer for the tests of an API (feature `test-issuer`): makes keys, serves its key set, mints
//! tokens, good ones and any others, and revokes them.
//!
//! ```
//! # use lanyard_verifier::{Verifier, test_issuer::TestIssuer};
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let issuer = TestIssuer::new("https://issuer.example");
//! let verifier = Verifier::builder("https://issuer.example", "https://api.example")
//!     .keys(issuer.keys())
//!     .build()
//!     .unwrap();
//!
//! let token = issuer.token("https://api.example").scope("visits:read").mint();
//! assert!(verifier.verify(&token).await.unwrap().has_scope("visits:read"));
//!
//! let forged = issuer.token("https://api.example").header("alg", "none").mint();
//! assert!(verifier.verify(&forged).await.is_err());
//! # });
//! ```
//!
//! An API that follows revocations tests that too:
//!
//! ```
//! # use lanyard_verifier::{Verifier, VerifyError, test_issuer::{Ended, TestIssuer}};
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let issuer = TestIssuer::new("https://issuer.example");
//! let verifier = Verifier::builder("https://issuer.example", "https://api.example")
//!     .keys(issuer.keys())
//!     .revocations(issuer.revocations())
//!     .build()
//!     .unwrap();
//! let token = issuer.token("https://api.example").mint();
//! let caller = verifier.verify(&token).await.unwrap();
//!
//! let session = Ended::Session(caller.tenant(), caller.sid().unwrap().to_owned());
//! let position = issuer.revoke("https://api.example", &session);
//! while verifier.feed_status().unwrap().position < Some(position) {
//!     tokio::task::yield_now().await;
//! }
//! assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Revoked);
//! # });
//! ```

mod feed;
mod key;
mod token;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use feed::{Ended, TestRevocationSource};
pub use key::TestKey;
pub use token::TestToken;

use crate::clock::{Clock, SystemClock};
use crate::error::KeySourceError;
use crate::jwk::JwkSet;
use crate::keys::{KeyFetch, KeySource};

/// An issuer with keys of its own. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct TestIssuer {
    issuer: String,
    clock: Arc<dyn Clock>,
    published: Arc<Published>,
    feed: Arc<feed::Feed>,
}

struct Published {
    /// The last one signs.
    keys: Mutex<Vec<Arc<TestKey>>>,
    max_age: Mutex<Option<Duration>>,
    is_down: AtomicBool,
    fetches: AtomicUsize,
}

impl TestIssuer {
    /// An issuer of that URL with one ES256 key named `test-1`.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self::with_keys(issuer, [TestKey::es256("test-1")])
    }

    /// An issuer with these keys, of which the last one signs.
    pub fn with_keys(issuer: impl Into<String>, keys: impl IntoIterator<Item = TestKey>) -> Self {
        Self {
            issuer: issuer.into(),
            clock: Arc::new(SystemClock),
            published: Arc::new(Published {
                keys: Mutex::new(keys.into_iter().map(Arc::new).collect()),
                max_age: Mutex::new(None),
                is_down: AtomicBool::new(false),
                fetches: AtomicUsize::new(0),
            }),
            feed: feed::Feed::new(),
        }
    }

    /// The same issuer by another URL: that of a server which a test has just started.
    #[must_use]
    pub fn named(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The same issuer by another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A token as this issuer mints them: of a person of a fixed clinic who signed in a minute ago,
    /// good for five minutes. Change what the test is about, then [`TestToken::mint`] it.
    ///
    /// # Panics
    /// If the issuer has no key.
    pub fn token(&self, audience: &str) -> TestToken {
        let key = self
            .keys_now()
            .last()
            .map(Arc::clone)
            .expect("an issuer has a key");
        TestToken::good(&self.issuer, audience, self.clock.now(), key)
    }

    /// Publishes one more key, which signs from now on.
    pub fn rotate(&self, key: TestKey) {
        self.keys_now().push(Arc::new(key));
    }

    /// Takes a key out of the set.
    pub fn withdraw(&self, kid: &str) {
        self.keys_now().retain(|key| key.kid() != kid);
    }

    /// Lets the set be kept for so long.
    pub fn set_max_age(&self, max_age: Duration) {
        *self
            .published
            .max_age
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(max_age);
    }

    /// Stops or starts answering for the key set.
    pub fn set_down(&self, is_down: bool) {
        self.published.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.published.fetches.load(Ordering::SeqCst)
    }

    /// The key set, for a verifier in the same process.
    pub fn keys(&self) -> TestKeySource {
        TestKeySource(Arc::clone(&self.published))
    }

    /// The key set as JSON, to be served at the issuer's `jwks_uri`.
    pub fn jwks(&self) -> String {
        serde_json::to_string(&self.published.jwk_set()).expect("a key set is JSON")
    }

    fn keys_now(&self) -> MutexGuard<'_, Vec<Arc<TestKey>>> {
        self.published.keys()
    }
}

impl Published {
    fn keys(&self) -> MutexGuard<'_, Vec<Arc<TestKey>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jwk_set(&self) -> JwkSet {
        JwkSet {
            keys: self.keys().iter().map(|key| key.jwk()).collect(),
            max_age: *self.max_age.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The key set of a [`TestIssuer`], without a network between.
#[derive(Clone)]
pub struct TestKeySource(Arc<Published>);

impl KeySource for TestKeySource {
    fn fetch(&self) -> KeyFetch<'_> {
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        let answer = if self.0.is_down.load(Ordering::SeqCst) {
            Err(KeySourceError::Unreachable(
                "the test issuer is down".to_owned(),
            ))
        } else {
            Ok(self.0.jwk_set())
        };
        Box::pin(async move {
            // As over a network, others run before the answer is there.
            tokio::task::yield_now().await;
            answer
        })
    }
}

impl std::fmt::Debug for TestKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestKeySource")
    }
}
