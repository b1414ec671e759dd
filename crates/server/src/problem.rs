//! Problems as HTTP answers: RFC 9457 documents.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use dogwatch_api::{Problem, ProblemCode};
use dogwatch_core::schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::problem_codes::HttpCode;

/// Where the page of a code stands, below the server.
const PAGES: &str = "/docs/errors/";

/// The document of a problem, as the OpenAPI document describes it.
#[derive(JsonSchema)]
#[schemars(crate = "dogwatch_core::schemars")]
#[expect(
    dead_code,
    reason = "it is written from a `Problem`; only its schema is used"
)]
pub(crate) struct ProblemDocument {
    /// The page of the code, below the server.
    r#type: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened.
    detail: String,
    /// What the caller can do about it.
    kind: ProblemCode,
    /// Stable, in snake case.
    code: String,
    /// What to do next.
    next_action: String,
    /// What a program needs to go on, such as the `expected` offset.
    #[schemars(default)]
    facts: BTreeMap<String, Value>,
}

/// A problem on its way out.
#[derive(Debug)]
pub(crate) struct HttpProblem {
    status: StatusCode,
    problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The code of a problem, as an extension of the answer, for the log.
#[derive(Clone, Debug)]
pub(crate) struct AnsweredCode(pub(crate) String);

impl HttpProblem {
    pub(crate) fn of(code: &HttpCode, detail: impl Into<String>) -> Self {
        Self {
            status: code.status,
            problem: Box::new(Problem::new(code.kind, code.code, detail, code.next_action)),
            headers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &str {
        &self.problem.code
    }

    /// The document.
    pub(crate) fn document(&self) -> Value {
        let mut document = Map::new();
        let code = &self.problem.code;
        document.insert("type".to_owned(), json!(format!("{PAGES}{code}")));
        document.insert("title".to_owned(), json!(code.replace('_', " ")));
        document.insert("status".to_owned(), json!(self.status.as_u16()));
        document.insert("detail".to_owned(), json!(self.problem.detail));
        // The rest of the problem as it is, so that a client can read it back whole.
        if let Ok(Value::Object(members)) = serde_json::to_value(&self.problem) {
            document.extend(members);
        }
        Value::Object(document)
    }
}

impl From<Problem> for HttpProblem {
    fn from(problem: Problem) -> Self {
        Self {
            status: status_of(problem.kind),
            problem: Box::new(problem),
            headers: Vec::new(),
        }
    }
}

fn status_of(kind: ProblemCode) -> StatusCode {
    match kind {
        ProblemCode::Invalid => StatusCode::BAD_REQUEST,
        ProblemCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ProblemCode::Forbidden => StatusCode::FORBIDDEN,
        ProblemCode::NotFound => StatusCode::NOT_FOUND,
        ProblemCode::Conflict | ProblemCode::LeaseLost => StatusCode::CONFLICT,
        ProblemCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemCode::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ProblemCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ProblemCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.document().to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
            .extensions_mut()
            .insert(AnsweredCode(self.problem.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_document_with_all_it_says() {
        let problem = Problem::new(
            ProblemCode::LeaseLost,
            "lease_lost",
            "the lease ended",
            "stop",
        );
        let document = HttpProblem::from(problem).document();
        assert_eq!(
            document,
            json!({
                "type": "/docs/errors/lease_lost", "title": "lease lost", "status": 409,
                "kind": "lease_lost", "code": "lease_lost", "detail": "the lease ended", "next_action": "stop",
            })
        );
    }
}
