//! What an agent of the `exec` driver writes to `DOGWATCH_RESPONSE_FILE`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the agent says of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// Not finished: give me another turn.
    Continue,
    /// Finished: check my work.
    Done,
    /// I need a person.
    Blocked,
    /// I could not do it.
    Failed,
}

impl ResponseStatus {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Done => "done",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
        }
    }
}

/// A tool the agent wants dogwatch to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its input.
    #[serde(default)]
    pub input: Value,
}

/// One turn's response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentResponse {
    /// What the agent says of its turn.
    pub status: ResponseStatus,
    /// What it did, for a person.
    #[serde(default)]
    pub summary: String,
    /// What it wants to do next, with `continue`.
    #[serde(default)]
    pub next_task: Option<String>,
    /// Tools it wants called.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
}

/// What was found where the response should be.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseReading {
    /// Nothing.
    Missing,
    /// Something that is not a response.
    Malformed {
        /// Why.
        error: String,
    },
    /// A response.
    Valid(AgentResponse),
}

impl ResponseReading {
    /// Reads a response file's bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let parsed = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| error.to_string())
            .and_then(|response| {
                deserializer
                    .end()
                    .map(|()| response)
                    .map_err(|error| error.to_string())
            });
        match parsed {
            Ok(response) => Self::Valid(response),
            Err(error) => Self::Malformed { error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_response_is_a_status() {
        let ResponseReading::Valid(response) = ResponseReading::parse(br#"{"status":"done"}"#)
        else {
            panic!("a bare status is a response");
        };
        assert_eq!(response.status, ResponseStatus::Done);
    }

    #[test]
    fn everything_else_is_malformed_and_says_where() {
        for (bytes, part) in [
            (&b"{\"status\":\"finished\"}"[..], "status"),
            (b"{\"status\":\"done\"} trailing", "trailing"),
            (
                b"{\"status\":\"done\",\"tool_calls\":[{\"nam\":1}]}",
                "tool_calls[0]",
            ),
            (b"", "EOF"),
            (b"\xff\xfe", "expected value"),
        ] {
            let ResponseReading::Malformed { error } = ResponseReading::parse(bytes) else {
                panic!("{bytes:?} is not a response");
            };
            assert!(error.contains(part), "{error}");
        }
    }
}
