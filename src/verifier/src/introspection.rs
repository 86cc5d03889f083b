//! Asking the issuer about one token (RFC 7662), while revocations are not up to date.
//!
//! - Q1: the answer says whether the token is active and nothing else: who calls, for what and with
//!   which scopes stays what the verified token says, and is checked at every request (INTR-10).
//! - Q2: an answer "active" is believed for 5 seconds, and never past the token's end, since the
//!   token's times are checked first. "Not active" is believed for good: nothing revives a token.
//! - Q3: so many are asked about at a time; the others wait, and find the answer there.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::clock::{Clock, Latest, Moment};
use crate::error::VerifyError;
use crate::json::read_strictly;

/// Q2.
const BELIEVED: Duration = Duration::from_secs(5);
/// Q3.
const AT_ONCE: usize = 32;
/// With the time waited for a turn.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks whether a token is still active (RFC 7662). Any `Fn(&str) -> Result<bool, _>` is one, for
/// tests and for a process that is the issuer.
///
/// [`HttpIntrospector`](crate::HttpIntrospector) (feature `http-source`) asks the issuer's
/// `/introspect`.
pub trait Introspector: Send + Sync {
    /// Whether the token is active. Its signature, claims and times were verified. Given up after 5
    /// seconds.
    fn is_active<'a>(&'a self, token: &'a str) -> Introspection<'a>;
}

impl<F> Introspector for F
where
    F: Fn(&str) -> Result<bool, IntrospectionError> + Send + Sync,
{
    fn is_active<'a>(&'a self, token: &'a str) -> Introspection<'a> {
        let answer = self(token);
        Box::pin(async move { answer })
    }
}

/// What [`Introspector::is_active`] returns.
pub type Introspection<'a> =
    Pin<Box<dyn Future<Output = Result<bool, IntrospectionError>> + Send + 'a>>;

/// Why the issuer did not say. The request is answered 503.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// No answer, or one of the issuer's own failures. Transient.
    #[error("the issuer did not answer: {0}")]
    Unreachable(String),
    /// The issuer refused; it would again. The operator's fault: the API's client credentials.
    #[error("the issuer refused: status {0}")]
    Refused(u16),
    /// Not an answer of RFC 7662 §2.2. The issuer's or a proxy's fault.
    #[error("not an introspection response")]
    Malformed,
}

/// RFC 7662 §2.2: what else is answered was in the token already, and verified.
#[derive(Deserialize)]
struct Response {
    active: bool,
}

/// Reads an answer to an introspection request: whether the token is active. For an
/// [`Introspector`] of one's own.
///
/// # Errors
/// [`IntrospectionError::Malformed`]: `active` is missing, twice there or no boolean.
pub fn read_introspection(body: &[u8]) -> Result<bool, IntrospectionError> {
    let response: Option<Response> = read_strictly(body);
    response
        .map(|response| response.active)
        .ok_or(IntrospectionError::Malformed)
}

/// What was answered about one token.
pub(crate) struct Answered {
    active: Latest,
    is_over: AtomicBool,
}

impl Answered {
    pub(crate) fn nothing() -> Self {
        Self {
            active: Latest::never(),
            is_over: AtomicBool::new(false),
        }
    }

    fn known(&self, clock: &dyn Clock) -> Option<Result<(), VerifyError>> {
        if self.is_over.load(Ordering::Acquire) {
            return Some(Err(VerifyError::Revoked));
        }
        let age = self.active.age(Moment::now(clock))?;
        (age < BELIEVED).then_some(Ok(()))
    }
}

/// An introspector that is asked with measure.
pub(crate) struct Asked {
    introspector: Box<dyn Introspector>,
    turns: Semaphore,
}

impl Asked {
    pub(crate) fn new(introspector: Box<dyn Introspector>) -> Self {
        Self {
            introspector,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        answered: &Answered,
        clock: &dyn Clock,
    ) -> Result<(), VerifyError> {
        if let Some(known) = answered.known(clock) {
            return known;
        }
        let asking = async {
            let _turn = self.turns.acquire().await;
            if let Some(known) = answered.known(clock) {
                return known;
            }
            // From before the question: what is revoked while it is answered may be missed.
            let began = Moment::now(clock);
            match self.introspector.is_active(token).await {
                Ok(true) => {
                    answered.active.note(began, Duration::ZERO);
                    Ok(())
                }
                Ok(false) => {
                    answered.is_over.store(true, Ordering::Release);
                    Err(VerifyError::Revoked)
                }
                Err(error) => {
                    tracing::warn!(%error, "the issuer does not say whether a token is active");
                    Err(VerifyError::RevocationsStale)
                }
            }
        };
        let asked = timeout(TIMEOUT, asking).await;
        asked.unwrap_or(Err(VerifyError::RevocationsStale))
    }
}
