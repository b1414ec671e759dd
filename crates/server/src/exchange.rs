//! A request that was let in, as its handler sees it.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Uri};
use dogwatch_api::{Caller, ControlPlane, ListRuns, Problem, ProblemCode};
use dogwatch_core::ids::{JobId, RunId};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::app::App;
use crate::auth::Credential;
use crate::body::Content;
use crate::json;
use crate::problem::HttpProblem;
use crate::problem_codes::{
    BODY_NOT_EXPECTED, HEADER_INVALID, PATH_INVALID, QUERY_INVALID, REQUEST_INVALID,
    UNAUTHENTICATED,
};
use crate::streams::Looks;
use crate::trace::TraceParent;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest key.
const KEY_BYTES: usize = 255;

/// The longest cursor.
const CURSOR_BYTES: usize = 4096;

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
    pub(crate) fn plane(&self) -> Result<Arc<dyn ControlPlane>, HttpProblem> {
        Ok(self.app.planes.plane(self.caller()?.clone()))
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

    /// A parameter of the path that is one of a few words.
    pub(crate) fn word<T: DeserializeOwned>(&self, name: &str) -> Result<T, HttpProblem> {
        let word: StrDeserializer<'_, ValueError> = self.text(name).into_deserializer();
        T::deserialize(word)
            .map_err(|error| PATH_INVALID.because(format!("the path is not valid: {error}")))
    }

    /// A parameter of the path, which the body may say again, but not otherwise.
    pub(crate) fn same<T>(&self, name: &str, again: Option<T>) -> Result<T, HttpProblem>
    where
        T: FromStr + PartialEq,
        T::Err: Display,
    {
        let value = self.parameter(name)?;
        match again {
            Some(again) if again != value => {
                Err(REQUEST_INVALID
                    .because(format!("the body is for another {name} than the path")))
            }
            Some(_) | None => Ok(value),
        }
    }

    /// The run of the path; a job stands for its latest run.
    pub(crate) async fn run(&self) -> Result<RunId, HttpProblem> {
        let text = self.text("run");
        let Ok(job) = text.parse::<JobId>() else {
            return self.parameter("run");
        };
        let request = ListRuns {
            job: Some(job),
            limit: Some(1),
            ..ListRuns::default()
        };
        let page = self.plane()?.list_runs(request).await?;
        page.items.first().map(|run| run.id).ok_or_else(|| {
            Problem::new(
                ProblemCode::NotFound,
                "run_not_found",
                format!("{job} has no run"),
                "look at the job with `dogwatch jobs show`",
            )
            .into()
        })
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

    /// When a stream looks again.
    pub(crate) fn looks(&self) -> Looks {
        Looks::new(self.app.planes.hints(), self.app.limits.look)
    }

    /// The `Idempotency-Key`, which the body may say again, but not otherwise.
    pub(crate) fn key(&self, again: Option<String>) -> Result<Option<String>, HttpProblem> {
        agreed(
            &IDEMPOTENCY_KEY,
            self.header(&IDEMPOTENCY_KEY, KEY_BYTES)?,
            again,
        )
    }

    /// The `traceparent`, which the body may say again, but not otherwise.
    pub(crate) fn trace_or(&self, again: Option<String>) -> Result<Option<String>, HttpProblem> {
        let trace = self.trace.as_ref().map(|trace| trace.as_str().to_owned());
        agreed(&TRACEPARENT, trace, again)
    }

    /// Where a stream goes on: the header a browser sends by itself when it connects again.
    pub(crate) fn last_event_id(&self) -> Result<Option<String>, HttpProblem> {
        self.header(&LAST_EVENT_ID, CURSOR_BYTES)
    }

    /// The same for a stream whose cursors are numbers. What the query asks for counts where there is no header.
    pub(crate) fn position(&self, asked: Option<u64>) -> Result<Option<String>, HttpProblem> {
        match self.last_event_id()? {
            Some(cursor) if cursor.parse::<u64>().is_err() => {
                Err(HEADER_INVALID.because("`last-event-id` is not one of this stream's"))
            }
            Some(cursor) => Ok(Some(cursor)),
            None => Ok(asked.map(|position| position.to_string())),
        }
    }

    fn header(&self, name: &HeaderName, most: usize) -> Result<Option<String>, HttpProblem> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        value
            .to_str()
            .ok()
            .filter(|text| (1..=most).contains(&text.len()) && values.next().is_none())
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| {
                HEADER_INVALID.because(format!(
                    "`{name}` has to be there once, with 1 to {most} printable characters"
                ))
            })
    }
}

/// What a header and a body both may say.
fn agreed(
    name: &HeaderName,
    header: Option<String>,
    body: Option<String>,
) -> Result<Option<String>, HttpProblem> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            Err(HEADER_INVALID.because(format!("`{name}` is not what the body says")))
        }
        (header, body) => Ok(header.or(body)),
    }
}
