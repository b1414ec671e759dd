//! How a turn answers.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What the agent says of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not finished: give me another turn.
    Continue,
    /// Finished: check my work.
    Done,
    /// I need a person.
    Blocked,
    /// I could not do it.
    Failed,
}

/// A tool the agent wants called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its input.
    #[serde(default)]
    pub input: Value,
}

/// A well-formed response.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// What the agent says of its turn.
    pub status: Status,
    /// What it did.
    pub summary: String,
    /// What it wants to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_task: Option<String>,
    /// Tools it wants called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

impl Answer {
    /// An answer of a status and a summary.
    pub(crate) fn new(status: Status, summary: impl Into<String>) -> Self {
        Self {
            status,
            summary: summary.into(),
            next_task: None,
            tool_calls: Vec::new(),
        }
    }
}

/// What a turn leaves in the response file.
#[derive(Clone, Debug, PartialEq)]
pub enum Respond {
    /// A response: `{"status": .., "summary": .., "next_task"?, "tool_calls"?}`.
    Answer(Answer),
    /// A text as it is, malformed on purpose: `{"raw": ".."}`.
    Raw(String),
    /// Nothing: `"none"`.
    None,
}

/// Both objects at once, so that an unknown field is refused with its place in the script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    raw: Option<String>,
    status: Option<Status>,
    summary: Option<String>,
    next_task: Option<String>,
    tool_calls: Option<Vec<ToolCall>>,
}

impl TryFrom<Fields> for Respond {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields {
                raw: Some(raw),
                status: None,
                summary: None,
                next_task: None,
                tool_calls: None,
            } => Ok(Self::Raw(raw)),
            Fields { raw: Some(_), .. } => Err("`raw` is the whole response: no other field fits"),
            Fields {
                status: Some(status),
                summary: Some(summary),
                next_task,
                tool_calls,
                ..
            } => Ok(Self::Answer(Answer {
                status,
                summary,
                next_task,
                tool_calls: tool_calls.unwrap_or_default(),
            })),
            Fields { .. } => Err("a response has a `status` and a `summary`"),
        }
    }
}

impl<'de> Deserialize<'de> for Respond {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Respond;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a response, {\"raw\": \"text\"} or \"none\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Respond, E> {
                if text == "none" {
                    return Ok(Respond::None);
                }
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Respond, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map))?
                    .try_into()
                    .map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Respond, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_three_ways_to_answer() {
        assert_eq!(read(r#""none""#), Ok(Respond::None));
        assert_eq!(read(r#"{"raw": "{"}"#), Ok(Respond::Raw("{".into())));
        let Ok(Respond::Answer(answer)) = read(
            r#"{"status": "continue", "summary": "half", "next_task": "the rest", "tool_calls": [{"name": "t"}]}"#,
        ) else {
            panic!("this is an answer");
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"status":"continue","summary":"half","next_task":"the rest","tool_calls":[{"name":"t","input":null}]}"#
        );
        assert_eq!(
            serde_json::to_string(&Answer::new(Status::Done, "x")).unwrap(),
            r#"{"status":"done","summary":"x"}"#
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for (json, part) in [
            (r#""nothing""#, "\"none\""),
            (r#"{"raw": "x", "status": "done"}"#, "no other field"),
            (r#"{"status": "done"}"#, "`summary`"),
            (r#"{"summary": "x"}"#, "`status`"),
            (r#"{"status": "finished", "summary": ""}"#, "finished"),
            (
                r#"{"status": "done", "summary": "", "sumary": ""}"#,
                "sumary",
            ),
            ("7", "expected a response"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
