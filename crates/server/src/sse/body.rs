//! A body that is fed by a task.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// The pieces that a task sends.
#[derive(Debug)]
pub(super) struct Fed(mpsc::Receiver<Bytes>);

/// A body and where it is fed. Few pieces wait in between, so that a revoked token ends what is sent, and not only what is read.
pub(super) fn fed() -> (mpsc::Sender<Bytes>, Fed) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, Fed(receiver))
}

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
