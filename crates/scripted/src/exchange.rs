//! The two files that an `exec` agent exchanges with dogwatch.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::respond::Respond;

/// The version of the request format this agent understands.
const REQUEST_VERSION: u32 = 1;

/// Why the request cannot be read or the response cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("cannot read the request {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not a request", path.display())]
    Form {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the request has version {found}, and this agent reads version {REQUEST_VERSION}")]
    Version { found: u32 },
    #[error("the request is for turn 0, and turns are counted from 1")]
    TurnZero,
    #[error("cannot write the response {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What the agent needs of its request. It is lenient: dogwatch may say more.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    version: u32,
    pub(crate) turn: u32,
    #[serde(default)]
    pub(crate) hint: Option<String>,
    #[serde(default)]
    pub(crate) failed_gates: Vec<FailedGate>,
}

/// A gate that the previous tree did not pass.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct FailedGate {
    pub(crate) gate: String,
    #[serde(default)]
    pub(crate) output: String,
}

impl Request {
    pub(crate) fn read(path: &Path) -> Result<Self, ExchangeError> {
        let bytes = fs::read(path).map_err(|source| ExchangeError::Read {
            path: path.to_owned(),
            source,
        })?;
        let request: Self =
            serde_json::from_slice(&bytes).map_err(|source| ExchangeError::Form {
                path: path.to_owned(),
                source,
            })?;
        if request.version != REQUEST_VERSION {
            return Err(ExchangeError::Version {
                found: request.version,
            });
        }
        if request.turn == 0 {
            return Err(ExchangeError::TurnZero);
        }
        Ok(request)
    }
}

/// Leaves the response, by rename: whoever looks sees all of it or nothing.
pub(crate) fn write_response(path: &Path, respond: &Respond) -> Result<(), ExchangeError> {
    let failed = |source| ExchangeError::Write {
        path: path.to_owned(),
        source,
    };
    let bytes = match respond {
        Respond::None => return Ok(()),
        Respond::Raw(text) => text.clone().into_bytes(),
        Respond::Answer(answer) => {
            serde_json::to_vec(answer).map_err(|error| failed(io::Error::from(error)))?
        }
    };
    let mut unfinished = OsString::from(path);
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    fs::write(&unfinished, bytes)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::{Answer, Status};

    fn read(json: &str) -> Result<Request, ExchangeError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("request.json");
        fs::write(&path, json).unwrap();
        Request::read(&path)
    }

    #[test]
    fn a_request_may_say_more_than_the_agent_knows() {
        let request = read(
            r#"{"version": 1, "turn": 2, "hint": null, "later": {}, "failed_gates": [{"gate": "tests", "code": "x"}]}"#,
        )
        .unwrap();
        assert_eq!(request.turn, 2);
        assert_eq!(request.failed_gates[0].gate, "tests");
    }

    #[test]
    fn a_request_of_another_kind_is_refused() {
        assert!(matches!(
            read(r#"{"version": 2, "turn": 1}"#),
            Err(ExchangeError::Version { found: 2 })
        ));
        assert!(matches!(
            read(r#"{"version": 1, "turn": 0}"#),
            Err(ExchangeError::TurnZero)
        ));
        assert!(matches!(read("{"), Err(ExchangeError::Form { .. })));
        let missing = Request::read(Path::new("/nonexistent/request.json")).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/request.json"));
    }

    #[test]
    fn a_response_replaces_what_was_there_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("response.json");
        fs::write(&path, "old").unwrap();
        write_response(&path, &Respond::None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write_response(&path, &Respond::Raw("{".into())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
        write_response(&path, &Respond::Answer(Answer::new(Status::Blocked, "x"))).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"status":"blocked","summary":"x"}"#
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
