//! One request, as data.

use std::time::Duration;

use bytes::Bytes;
use dogwatch_api::{Problem, ProblemCode};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Serialize;

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Json(Bytes),
    Octets(Bytes),
}

/// What comes of sending a request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The same as of sending it once.
    Same,
    /// Perhaps two of something: it is repeated only when it cannot have arrived.
    Another,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below the server's address; without a leading slash.
    path: String,
    /// One more part of the path, whatever is in it.
    below: Option<String>,
    query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
    pub(crate) twice: Twice,
    /// How long the server may take on purpose.
    pub(crate) waits: Duration,
    /// The most bytes of an answer.
    pub(crate) most: usize,
}

/// The most bytes of an answer that is a document.
const DOCUMENT_BYTES: usize = 64 << 20;

impl Call {
    fn new(method: Method, path: impl Into<String>, twice: Twice) -> Self {
        Self {
            method,
            path: path.into(),
            below: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            twice,
            waits: Duration::ZERO,
            most: DOCUMENT_BYTES,
        }
    }

    /// Reads.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Twice::Same)
    }

    /// Asks for something to be done.
    pub(crate) fn post<T: Serialize>(
        path: impl Into<String>,
        body: &T,
        twice: Twice,
    ) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Problem::new(
                ProblemCode::Invalid,
                "request_invalid",
                format!("the request cannot be written as JSON: {error}"),
                "send text where text belongs",
            )
        })?;
        Ok(Self {
            body: Body::Json(body.into()),
            ..Self::new(Method::POST, path, twice)
        })
    }

    /// Stores under a name of its own.
    pub(crate) fn put(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            body: Body::Octets(bytes.into()),
            ..Self::new(Method::PUT, path, Twice::Same)
        }
    }

    /// With a last part of the path that may be any text but `.` and `..`.
    pub(crate) fn below(mut self, text: &str) -> Self {
        self.below = Some(text.to_owned());
        self
    }

    /// With a parameter, if there is one.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// With a header, if there is one. What cannot stand in a header is refused, and not left out.
    pub(crate) fn header(
        mut self,
        name: &'static str,
        value: Option<&str>,
    ) -> Result<Self, Problem> {
        if let Some(text) = value {
            let value = HeaderValue::from_str(text).map_err(|_| {
                Problem::new(
                    ProblemCode::Invalid,
                    "header_invalid",
                    format!("the value of `{name}` cannot stand in a header"),
                    "use printable ASCII",
                )
            })?;
            self.headers.push((HeaderName::from_static(name), value));
        }
        Ok(self)
    }

    /// The server may take this long on purpose.
    pub(crate) fn waits(mut self, waits: Duration) -> Self {
        self.waits = waits;
        self
    }

    /// The answer may have this many bytes.
    pub(crate) fn most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub(crate) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        {
            let mut segments = url.path_segments_mut().expect("an HTTP URL has a path");
            segments
                .pop_if_empty()
                .extend(self.path.split('/'))
                .extend(self.below.as_deref());
        }
        if !self.query.is_empty() {
            let mut query = url.query_pairs_mut();
            for (name, value) in &self.query {
                query.append_pair(name, value);
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_below_the_address_and_values_are_escaped() {
        let call = Call::get("v1/jobs")
            .query("cursor", Some("a b&c=/?"))
            .query("limit", None::<u32>);
        for (base, url) in [
            (
                "http://localhost/",
                "http://localhost/v1/jobs?cursor=a+b%26c%3D%2F%3F",
            ),
            (
                "https://team.example/dogwatch/",
                "https://team.example/dogwatch/v1/jobs?cursor=a+b%26c%3D%2F%3F",
            ),
        ] {
            assert_eq!(call.url(&Url::parse(base).unwrap()).as_str(), url);
        }
    }

    #[test]
    fn any_text_is_one_part_of_a_path() {
        let call = Call::get("v1/resolve").below("a/../b?c#d %");
        let url = call.url(&Url::parse("http://localhost/").unwrap());
        assert_eq!(url.path(), "/v1/resolve/a%2F..%2Fb%3Fc%23d%20%25");
        assert_eq!(url.query(), None);
    }

    #[test]
    fn a_header_that_would_be_two_is_refused() {
        let error = Call::get("v1/jobs")
            .header("idempotency-key", Some("a\r\nx: y"))
            .unwrap_err();
        assert_eq!(error.code, "header_invalid");
    }
}
