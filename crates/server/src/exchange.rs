//! A request that was let in, as its handler sees it.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Uri};
use dogwatch_api::Caller;
use dogwatch_engine::InProcess;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::Credential;
use crate::body::Content;
use crate::json;
use crate::problem::HttpProblem;
use crate::problem_codes::{
    BODY_NOT_EXPECTED, HEADER_INVALID, PATH_INVALID, QUERY_INVALID, UNAUTHENTICATED,
};
use crate::trace::TraceParent;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest value of the headers that handlers read.
const HEADER_BYTES: usize = 255;

/// Who made a request.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) caller: Caller,
    pub(crate) credential: Credential,
}

/// A request.
pub(crate) struct Exchange {
    pub(crate) app: Arc<App>,
    /// Nobody, on public routes.
    pub(crate) who: Option<Who>,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    pub(crate) trace: Option<TraceParent>,
}

impl Exchange {
    /// The control plane, for this caller.
    pub(crate) fn plane(&self) -> Result<InProcess, HttpProblem> {
        let caller = self.caller()?.clone();
        Ok(InProcess::new(self.app.engine.clone(), caller))
    }

    /// The caller.
    pub(crate) fn caller(&self) -> Result<&Caller, HttpProblem> {
        match &self.who {
            Some(who) => Ok(&who.caller),
            None => Err(UNAUTHENTICATED.because("the request has no token")),
        }
    }

    /// A parameter of the path.
    pub(crate) fn parameter<T>(&self, name: &str) -> Result<T, HttpProblem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(name);
        text.parse()
            .map_err(|error| PATH_INVALID.because(format!("the path is not valid: {error}")))
    }

    /// A parameter of the path as it stands.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// The parameters of the query.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, HttpProblem> {
        let Query(query) = Query::try_from_uri(&self.uri).map_err(|error| {
            QUERY_INVALID.because(format!("the query is not what is expected: {error}"))
        })?;
        Ok(query)
    }

    /// The JSON body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, HttpProblem> {
        json::read(self.bytes()?, self.app.limits.json_depth)
    }

    /// The body.
    pub(crate) fn bytes(&self) -> Result<&Bytes, HttpProblem> {
        match &self.content {
            Content::Whole(bytes) => Ok(bytes),
            Content::None => Err(BODY_NOT_EXPECTED.because("this request takes no body")),
        }
    }

    /// The `Idempotency-Key`.
    pub(crate) fn idempotency_key(&self) -> Result<Option<String>, HttpProblem> {
        self.header(&IDEMPOTENCY_KEY)
    }

    /// Where a stream goes on: the header a browser sends by itself when it connects again.
    pub(crate) fn last_event_id(&self) -> Result<Option<String>, HttpProblem> {
        self.header(&LAST_EVENT_ID)
    }

    /// The `traceparent`.
    pub(crate) fn trace(&self) -> Option<String> {
        self.trace.as_ref().map(|trace| trace.as_str().to_owned())
    }

    fn header(&self, name: &HeaderName) -> Result<Option<String>, HttpProblem> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        value
            .to_str()
            .ok()
            .filter(|text| (1..=HEADER_BYTES).contains(&text.len()) && values.next().is_none())
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| {
                HEADER_INVALID.because(format!(
                    "`{name}` has to be there once, with 1 to {HEADER_BYTES} printable characters"
                ))
            })
    }
}
