//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::link::Link;
use super::preface::{self, Preface};
use crate::access_log::Entry;
use crate::guard::Door;
use crate::pipeline::Pipeline;
use crate::problem::HttpProblem;
use crate::problem_codes::HEADERS_TIMEOUT;

/// How long a refused client is still listened to, so that it reads the answer before the connection is reset.
const FAREWELL: Duration = Duration::from_millis(500);

/// After an accept that failed for want of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves a connection until it ends or the server stops.
pub(crate) async fn serve<S>(mut stream: S, door: Door, pipeline: Pipeline)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let app = pipeline.app();
    let _open = app.metrics.connection(door.as_str());
    let limits = app.limits.clone();
    let stopping = app.stopping.clone();
    let head = tokio::select! {
        () = stopping.begun() => return,
        head = timeout(limits.header_time, preface::read(&mut stream, limits.header_bytes)) => head,
    };
    let head = match head {
        Ok(Preface::Head(head)) => head,
        Ok(Preface::Nothing) => return,
        Ok(Preface::Refused(problem)) => return refuse(stream, &door, &pipeline, &problem).await,
        Err(_) => {
            let problem = HEADERS_TIMEOUT.because("the headers did not arrive in time");
            return refuse(stream, &door, &pipeline, &problem).await;
        }
    };
    let link = Link::new(head, stream, limits.write_idle);
    let service = service_fn(move |request: Request<Incoming>| {
        let (door, pipeline) = (door.clone(), pipeline.clone());
        async move { Ok::<_, Infallible>(pipeline.answer(&door, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time)
        .max_header_size(limits.header_bytes)
        .serve_connection(TokioIo::new(link), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that went away is not worth more.
        tracing::debug!(lane = "access", event = "connection.broke", %error);
    }
}

async fn refuse<S>(mut stream: S, door: &Door, pipeline: &Pipeline, problem: &HttpProblem)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let app = pipeline.app();
    let entry = Entry::begin(app, door, "", &HeaderMap::new());
    entry.refused(problem.status(), problem.code());
    let body = problem.document().to_string();
    let answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: {}\r\n\r\n{body}",
        problem.status(),
        body.len(),
        entry.id(),
    );
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = timeout(FAREWELL, farewell).await;
}

pub(crate) async fn pause_after(error: &io::Error) {
    tracing::warn!(lane = "error", event = "connection.not_accepted", %error);
    sleep(PAUSE).await;
}
