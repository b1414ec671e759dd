//! One event per request, written when its answer has been sent or the client is gone. Nothing of the query, the headers or the body is in it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::HeaderValue;
use axum::http::{HeaderMap, Response, StatusCode};
use dogwatch_api::Caller;
use dogwatch_core::ids::{TokenId, uuid_v7};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::activity::UnderWay;
use crate::app::App;
use crate::guard::Door;
use crate::metrics::Metrics;
use crate::problem::AnsweredCode;
use crate::route::Route;
use crate::trace::TraceParent;

/// The status that is noted when there was nobody left to answer.
const CLIENT_GONE: u16 = 499;

/// What is known about a request so far. Dropping the last reference writes the event.
#[derive(Debug)]
pub(crate) struct Entry {
    id: String,
    method: String,
    door: &'static str,
    trace: Option<TraceParent>,
    started: Instant,
    route: OnceLock<&'static Route>,
    caller: OnceLock<(String, Option<TokenId>)>,
    status: AtomicU16,
    code: OnceLock<String>,
    sent: AtomicU64,
    metrics: Metrics,
    _under_way: UnderWay,
}

impl Entry {
    pub(crate) fn begin(app: &App, door: &Door, method: &str, headers: &HeaderMap) -> Arc<Self> {
        let id = uuid_v7(app.clock.now(), &app.entropy.bytes());
        Arc::new(Self {
            id: format!("req_{}", id.simple()),
            method: known_method(method).to_owned(),
            door: door.as_str(),
            trace: TraceParent::of(headers),
            started: Instant::now(),
            route: OnceLock::new(),
            caller: OnceLock::new(),
            status: AtomicU16::new(CLIENT_GONE),
            code: OnceLock::new(),
            sent: AtomicU64::new(0),
            metrics: app.metrics.clone(),
            _under_way: app.activity.begin(),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn id_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.id).expect("an id has only letters, digits and a low line")
    }

    pub(crate) fn found(&self, route: &'static Route) {
        let _ = self.route.set(route);
    }

    pub(crate) fn made_by(&self, caller: &Caller) {
        let _ = self.caller.set((caller.principal.clone(), caller.token));
    }

    pub(crate) fn answered(&self, response: &Response<Body>) {
        self.status
            .store(response.status().as_u16(), Ordering::Relaxed);
        if let Some(AnsweredCode(code)) = response.extensions().get() {
            let _ = self.code.set(code.clone());
        }
    }

    /// Notes an answer that was given before there was a request to speak of.
    pub(crate) fn refused(&self, status: StatusCode, code: &str) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
        let _ = self.code.set(code.to_owned());
    }

    pub(crate) fn broke(&self, panic: &str) {
        tracing::error!(
            lane = "error",
            event = "request.panicked",
            correlation_kind = "request",
            request_id = self.id,
            route = self.route(),
            panic,
        );
    }

    fn route(&self) -> &'static str {
        self.route.get().map_or("", |route| route.path)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let status = *self.status.get_mut();
        let (principal, token) = match self.caller.get() {
            Some((principal, token)) => (principal.as_str(), *token),
            None => ("", None),
        };
        let token = token.map(|token| token.to_string()).unwrap_or_default();
        let code = self.code.get().map_or("", String::as_str);
        if code == "lease_lost" {
            self.metrics.fenced_write();
        }
        let took = self.started.elapsed();
        let streams = self
            .route
            .get()
            .is_some_and(|route| matches!(route.answer, crate::route::Answer::Events(_)));
        self.metrics.request(
            &self.method,
            self.route(),
            status,
            (!streams).then_some(took),
        );
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let trace_id = self.trace.as_ref().map_or("", TraceParent::trace_id);
        tracing::info!(
            lane = "access",
            event = "request.done",
            correlation_kind = "request",
            request_id = self.id,
            trace_id,
            method = self.method,
            route = self.route(),
            status,
            code,
            duration_ms,
            bytes = *self.sent.get_mut(),
            door = self.door,
            principal,
            token_id = token,
        );
        if matches!(status, 401 | 403) {
            tracing::warn!(
                lane = "governance",
                event = "request.refused",
                correlation_kind = "request",
                request_id = self.id,
                method = self.method,
                route = self.route(),
                status,
                code,
                door = self.door,
                principal,
                token_id = token,
            );
        }
    }
}

/// Methods are a client's text; only known ones are worth a word in a log and a label.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" => method,
        _ => "OTHER",
    }
}

/// A body that keeps its request's entry until it has been sent.
#[derive(Debug)]
pub(crate) struct Logged {
    body: Body,
    entry: Arc<Entry>,
}

impl Logged {
    pub(crate) fn new(body: Body, entry: Arc<Entry>) -> Self {
        Self { body, entry }
    }
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.entry
                .sent
                .fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
