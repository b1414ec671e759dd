//! Bodies are read whole, within a size and a time, before a handler sees the request.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use tokio::time::{Instant, timeout, timeout_at};

use crate::guard::too_large;
use crate::limits::Limits;
use crate::problem::HttpProblem;
use crate::problem_codes::{BODY_TIMEOUT, BODY_UNREADABLE};
use crate::route::Payload;

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing.
    None,
    /// A whole body.
    Whole(Bytes),
}

pub(crate) async fn receive(
    payload: Payload,
    body: Body,
    limits: &Limits,
) -> Result<Content, HttpProblem> {
    match payload {
        Payload::None => Ok(Content::None),
        Payload::Json { most, .. } => {
            let end = Instant::now() + limits.body_time;
            let whole = timeout_at(end, collect(body, most, limits)).await;
            whole.unwrap_or_else(|_| Err(late())).map(Content::Whole)
        }
        Payload::Octets { most } => collect(body, most, limits).await.map(Content::Whole),
    }
}

async fn collect(mut body: Body, most: u64, limits: &Limits) -> Result<Bytes, HttpProblem> {
    if body.size_hint().lower() > most {
        return Err(too_large(most));
    }
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut size: u64 = 0;
    loop {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = match timeout(limits.body_idle, next).await {
            Err(_) => return Err(late()),
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                return Err(BODY_UNREADABLE.because("the body ended early or is not well formed"));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are of no use to any route.
        if let Ok(piece) = frame.into_data() {
            size += piece.len() as u64;
            if size > most {
                return Err(too_large(most));
            }
            pieces.push(piece);
        }
    }
    Ok(match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    })
}

fn late() -> HttpProblem {
    BODY_TIMEOUT.because("the body did not arrive in time")
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};
    use std::time::Duration;

    use hyper::body::Frame;

    use super::*;

    /// A body that never goes on after its first piece.
    struct Stuck(Option<Bytes>);

    impl HttpBody for Stuck {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            match self.0.take() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None => Poll::Pending,
            }
        }
    }

    async fn code(body: Body, most: u64) -> Result<Bytes, String> {
        let received = receive(Payload::Octets { most }, body, &Limits::default()).await;
        match received.map_err(|problem| problem.code().to_owned())? {
            Content::Whole(bytes) => Ok(bytes),
            Content::None => Err("none".to_owned()),
        }
    }

    #[tokio::test]
    async fn the_limit_is_the_last_size_that_passes() {
        assert_eq!(code(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(
            code(Body::from("123456"), 5).await,
            Err("body_too_large".to_owned())
        );
        assert_eq!(code(Body::empty(), 5).await.unwrap(), "");
        // Without an announced length.
        let stuck = Body::new(Stuck(Some(Bytes::from_static(b"123456"))));
        assert_eq!(code(stuck, 5).await, Err("body_too_large".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let started = Instant::now();
        let stuck = Body::new(Stuck(Some(Bytes::from_static(b"1"))));
        assert_eq!(code(stuck, 5).await, Err("body_timeout".to_owned()));
        assert_eq!(started.elapsed(), Duration::from_secs(10));
    }
}
