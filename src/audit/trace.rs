//! Which request an event belongs to.

use std::fmt;

use crate::env::Env;

tokio::task_local! {
    static CURRENT: Trace;
}

/// The id of a request, of our own making: 16 hex digits, as `x-request-id` says them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Trace([u8; 16]);

impl Trace {
    /// A fresh one.
    pub fn random(env: &Env) -> Self {
        let mut digits = [0; 16];
        hex::encode_to_slice(env.random_bytes::<8>(), &mut digits).expect("a byte is two digits");
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }

    /// Does `work` as that request's: what it records names it.
    pub(crate) async fn around<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// Of the request that this task answers; a job answers none. Work that is handed to another
    /// task takes it along.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(|trace| *trace).ok()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;
    use crate::env::Env;

    #[tokio::test]
    async fn work_knows_its_request_and_nothing_else_does() {
        let [one, other] = [(); 2].map(|()| Trace::random(&Env::system()));
        assert_ne!(one, other);
        assert_eq!(Trace::current(), None);
        let inside = async || Trace::current();
        let seen = one.around(async { (inside().await, other.around(inside()).await) });
        assert_eq!(seen.await, (Some(one), Some(other)));
        let elsewhere = one.around(async { tokio::spawn(async { Trace::current() }).await });
        assert_eq!(elsewhere.await.expect("no panic"), None);
    }
}
