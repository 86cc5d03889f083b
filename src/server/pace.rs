//! How long a client may take: a stream that ends when its bounds are passed (DOS-03).
//!
//! A head has its time from its first byte, a body from the head's end, a connection between two
//! requests from the last byte, and a client that takes nothing of what is written from the first
//! write that waits. One byte now and then helps in none of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::framing::{Framing, Stands};
use crate::config::Limits;

/// The bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) head: Duration,
    pub(super) body: Duration,
    pub(super) write: Duration,
    pub(super) answer: Duration,
    pub(super) idle: Duration,
}

impl From<&Limits> for Pace {
    fn from(limits: &Limits) -> Self {
        let length = |length: time::Duration| length.unsigned_abs();
        Self {
            head: length(limits.head_time),
            body: length(limits.body_time),
            write: length(limits.write_time),
            answer: length(limits.answer_time),
            idle: length(limits.idle_time),
        }
    }
}

/// A timer that is made when something is waited for the first time.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether `at` has passed; wakes the task then.
    fn has_rung(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

/// A client's stream under its bounds, its framing read along.
#[derive(Debug)]
pub(super) struct Paced<S> {
    inner: S,
    pace: Pace,
    framing: Framing,
    /// Told to whoever answers: the head that was just read is ambiguous.
    is_ambiguous: Arc<AtomicBool>,
    /// When the part of the message that is being read began.
    began: Instant,
    reading: Alarm,
    /// When a write first had to wait, if what was written is not yet taken.
    stalled: Option<Instant>,
    writing: Alarm,
    is_fresh: bool,
    /// A message came whole and is not answered yet.
    is_owed: bool,
    has_written: bool,
}

impl<S> Paced<S> {
    pub(super) fn new(inner: S, pace: Pace, is_ambiguous: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            pace,
            framing: Framing::new(),
            is_ambiguous,
            began: Instant::now(),
            reading: Alarm::default(),
            stalled: None,
            writing: Alarm::default(),
            is_fresh: true,
            is_owed: false,
            has_written: false,
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        let before = self.framing.stands();
        self.framing.read(bytes);
        self.is_fresh = false;
        let after = self.framing.stands();
        if after == Stands::Ambiguous {
            self.is_ambiguous.store(true, Ordering::Relaxed);
        }
        let is_same_part = matches!(
            (before, after),
            (Stands::Head, Stands::Head) | (Stands::Body(_), Stands::Body(_))
        );
        if !is_same_part {
            self.began = Instant::now();
            self.is_owed = after == Stands::Between;
        }
    }

    /// Everything that was written is taken.
    fn kept_up(&mut self) {
        self.stalled = None;
        if std::mem::take(&mut self.has_written) {
            self.is_owed = false;
            self.began = Instant::now();
        }
    }

    fn read_until(&self) -> Instant {
        let length = match self.framing.stands() {
            // Whoever connects has something to say.
            Stands::Between if self.is_fresh => self.pace.head,
            // Whoever answers has a bound of their own; this one comes after it.
            Stands::Between if self.is_owed => 2 * self.pace.answer,
            Stands::Between => self.pace.idle,
            Stands::Head | Stands::Ambiguous => self.pace.head,
            Stands::Body(_) => self.pace.body,
        };
        self.began + length
    }

    /// A write that waits: until when at the latest.
    fn waits<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let since = *self.stalled.get_or_insert_with(Instant::now);
        if self.writing.has_rung(since + self.pace.write, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                this.took(&buffer.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let until = this.read_until();
                if this.reading.has_rung(until, cx) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write(cx, bytes) {
            Poll::Pending => this.waits(cx),
            ready @ Poll::Ready(_) => {
                this.has_written = true;
                ready
            }
        }
    }

    /// Ready means that the system has taken everything: only then the client keeps up.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_flush(cx) {
            Poll::Pending => this.waits(cx),
            ready @ Poll::Ready(_) => {
                this.kept_up();
                ready
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_shutdown(cx) {
            Poll::Pending => this.waits(cx),
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write_vectored(cx, parts) {
            Poll::Pending => this.waits(cx),
            ready @ Poll::Ready(_) => {
                this.has_written = true;
                ready
            }
        }
    }
}
