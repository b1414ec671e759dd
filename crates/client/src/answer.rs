//! What came back: a document, or a problem with its code.

use std::collections::BTreeMap;
use std::error::Error as _;

use dogwatch_api::{Problem, ProblemCode};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// No problem document is larger.
const PROBLEM_BYTES: usize = 1 << 20;

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    pub(crate) again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It would fail again.
    No,
    /// It may have been done, or not.
    IfHarmless,
    /// It cannot have arrived.
    Yes,
}

impl Failure {
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self {
            problem: answer_invalid(detail),
            again: Again::No,
        }
    }

    /// Nothing came for too long.
    pub(crate) fn silence(server: &str) -> Self {
        Self {
            problem: Problem::new(
                ProblemCode::Unavailable,
                "server_unreachable",
                format!("the server at {server} says nothing"),
                "check that the server is up and that the address is right",
            ),
            again: Again::IfHarmless,
        }
    }

    /// The connection failed.
    pub(crate) fn transport(error: reqwest::Error, server: &str) -> Self {
        let never_sent = error.is_connect() || error.is_builder();
        let what = if error.is_timeout() {
            "did not answer in time"
        } else if never_sent {
            "cannot be reached"
        } else {
            "broke off"
        };
        // The URL is left out: it names nothing that a person gave.
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = inner.source();
        }
        let next = if never_sent {
            "check that the server is up and that the address is right"
        } else {
            "look whether it was done before asking again"
        };
        Self {
            problem: Problem::new(
                ProblemCode::Unavailable,
                "server_unreachable",
                format!("the server at {server} {what}: {reason}"),
                next,
            ),
            again: if never_sent {
                Again::Yes
            } else {
                Again::IfHarmless
            },
        }
    }
}

/// The server said something that it does not say.
pub(crate) fn answer_invalid(detail: impl Into<String>) -> Problem {
    Problem::new(
        ProblemCode::Internal,
        "server_answer_invalid",
        detail,
        "check that the address is that of a dogwatch server of this version",
    )
}

/// A problem document. Members that a later server adds are ignored.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    kind: Value,
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    next_action: String,
    #[serde(default)]
    facts: BTreeMap<String, Value>,
}

/// The answer, if it is one of success.
pub(crate) async fn successful(response: Response, server: &str) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
    let bytes = read(response, PROBLEM_BYTES, server).await?;
    let document = serde_json::from_slice::<Document>(&bytes).ok();
    let Some(document) = document.filter(|document| is_problem && is_code(&document.code)) else {
        return Err(no_document(status, server));
    };
    let kind =
        serde_json::from_value(document.kind).unwrap_or_else(|_| kind_of(status, &document.code));
    let again = match kind {
        ProblemCode::Unavailable | ProblemCode::TooMany => Again::IfHarmless,
        _ => Again::No,
    };
    Err(Failure {
        problem: Problem {
            kind,
            code: document.code,
            detail: document.detail,
            next_action: document.next_action,
            facts: document.facts,
        },
        again,
    })
}

/// Something between us and the server answered, or something that is no server of ours.
fn no_document(status: StatusCode, server: &str) -> Failure {
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Failure {
                problem: Problem::new(
                    ProblemCode::Unavailable,
                    "server_unreachable",
                    format!("what stands in front of {server} answers {status}"),
                    "check that the server is up and that the address is right",
                ),
                again: Again::IfHarmless,
            }
        }
        _ => Failure::invalid(format!("{server} answers {status} without saying why")),
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// What a caller can do, where only the status says it.
fn kind_of(status: StatusCode, code: &str) -> ProblemCode {
    match status {
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthenticated,
        StatusCode::FORBIDDEN => ProblemCode::Forbidden,
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::CONFLICT if code == "lease_lost" => ProblemCode::LeaseLost,
        StatusCode::CONFLICT => ProblemCode::Conflict,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::Unsupported,
        StatusCode::TOO_MANY_REQUESTS => ProblemCode::TooMany,
        StatusCode::SERVICE_UNAVAILABLE => ProblemCode::Unavailable,
        status if status.is_client_error() => ProblemCode::Invalid,
        _ => ProblemCode::Internal,
    }
}

/// The whole body, if it is not larger than `most`.
pub(crate) async fn read(
    mut response: Response,
    most: usize,
    server: &str,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= most => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => {
                return Err(Failure::invalid(format!(
                    "{server} answers with more than {most} bytes"
                )));
            }
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(Failure::transport(error, server)),
        }
    }
}

/// The document of an answer.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], server: &str) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        answer_invalid(format!(
            "{server} answers with something that was not asked for: {error}"
        ))
    })
}
