//! An answer whose body is made piece by piece while it is sent.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

/// Whoever takes nothing for so long is not served on.
const PATIENCE: Duration = Duration::from_mins(1);

/// What goes wrong after the answer has begun: it is cut short, so that nobody takes it for whole.
pub type Cut = Box<dyn Error + Send + Sync>;

/// Where the pieces go. One waits at most, so memory is needed for two.
#[derive(Debug)]
pub struct Pieces(mpsc::Sender<Result<Bytes, Cut>>);

impl Pieces {
    /// With the body that they make. Dropped without a cut, they were all.
    pub fn begin() -> (Self, Body) {
        let (to, from) = mpsc::channel(1);
        (Self(to), Body::new(Made(from)))
    }

    /// Gives what was made, if there was more; whether to go on: there may be more, nothing was cut
    /// short, and somebody takes it.
    pub async fn give(&self, made: Result<Option<Vec<u8>>, Cut>) -> bool {
        let Some(piece) = made.transpose() else {
            return false;
        };
        let is_whole = piece.is_ok();
        let given = self.0.send(piece.map(Bytes::from));
        let given = tokio::time::timeout(PATIENCE, given).await;
        is_whole && matches!(given, Ok(Ok(())))
    }
}

#[derive(Debug)]
struct Made(mpsc::Receiver<Result<Bytes, Cut>>);

impl HttpBody for Made {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let next = self.0.poll_recv(cx);
        next.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
