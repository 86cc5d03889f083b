//! A request is whole before it is answered: who sends a body slowly takes a connection, of which
//! a network has so many, and no seat of those who are answered (DOS-03).

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, to_bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming};

use crate::http::MAX_BODY_BYTES;

/// The body, once it is there. One that is longer than any route takes is not waited for: it is
/// refused unread, by its length.
pub(super) async fn body(incoming: Incoming) -> Body {
    let most = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX);
    let is_short = incoming.size_hint().exact().is_some_and(|n| n <= most);
    if incoming.is_end_stream() || !is_short {
        return Body::new(incoming);
    }
    match to_bytes(Body::new(incoming), MAX_BODY_BYTES).await {
        Ok(whole) => Body::from(whole),
        Err(error) => Body::new(Broken(Some(error))),
    }
}

/// In the place of a body that did not come whole: whoever reads it hears why.
struct Broken(Option<Error>);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
