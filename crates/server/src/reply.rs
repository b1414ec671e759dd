//! What a handler answers with.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use crate::problem::HttpProblem;
use crate::problem_codes::INTERNAL_ERROR;
use crate::sse::Source;

/// An answer.
pub(crate) enum Reply {
    /// A whole one.
    Whole(Response<Body>),
    /// Events from a source, after a cursor.
    Events {
        source: Box<dyn Source>,
        after: Option<String>,
    },
}

impl Reply {
    /// A JSON document.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, HttpProblem> {
        let text = serde_json::to_vec(value).map_err(|error| {
            tracing::error!(lane = "error", event = "reply.unserialisable", %error);
            INTERNAL_ERROR.because("the answer cannot be written as JSON")
        })?;
        Ok(Self::bytes("application/json", text))
    }

    /// Bytes.
    pub(crate) fn bytes(media: &'static str, bytes: impl Into<Bytes>) -> Self {
        let mut response = Response::new(Body::from(bytes.into()));
        let media = HeaderValue::from_static(media);
        response.headers_mut().insert(CONTENT_TYPE, media);
        Self::Whole(response)
    }

    /// What a source says after a cursor, and from then on.
    pub(crate) fn events(source: impl Source + 'static, after: Option<String>) -> Self {
        Self::Events {
            source: Box::new(source),
            after,
        }
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Self::Whole(response)
    }
}
