//! A line of the operational logs, `log_event.v2`.
//!
//! Operational logs are for those who run a server. They are no evidence: what happened to a job stands in the control log and in the
//! journal of its run. Every line has every field, so that programs can join lines without guessing; what does not apply is empty.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::time::Timestamp;

/// The version of the format.
pub const LOG_SCHEMA_VERSION: &str = "log_event.v2";

/// How severe a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something did not work.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What is done.
    Info,
    /// How it is done.
    Debug,
    /// Every step of it.
    Trace,
}

/// What a line is about; each lane is a file of its own.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogLane {
    /// The server at work. Where nothing else is said.
    Runtime,
    /// What did not work; has the errors of all other lanes too.
    Error,
    /// Whole flows driven by tests.
    E2e,
    /// Requests and their answers.
    Access,
    /// Checks of the repository itself.
    Ci,
    /// Who was allowed what.
    Governance,
}

impl LogLane {
    /// Every lane.
    pub const ALL: [Self; 6] = [
        Self::Runtime,
        Self::Error,
        Self::E2e,
        Self::Access,
        Self::Ci,
        Self::Governance,
    ];

    /// The lane as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Error => "error",
            Self::E2e => "e2e",
            Self::Access => "access",
            Self::Ci => "ci",
            Self::Governance => "governance",
        }
    }

    /// The lane of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

/// What lines belong together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationKind {
    /// By their run.
    Run,
    /// By their session.
    Session,
    /// By their test.
    Test,
    /// By their request.
    Request,
    /// By their trace.
    Trace,
    /// By nothing.
    None,
}

/// The ids a line is found by; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    /// The run.
    pub run_id: String,
    /// The request.
    pub request_id: String,
    /// The W3C trace id.
    pub trace_id: String,
    /// The session.
    pub session_id: String,
    /// The test.
    pub test_id: String,
}

impl Correlation {
    /// The strongest bond there is: the run, else session, test, request, trace.
    pub fn kind(&self) -> CorrelationKind {
        [
            (&self.run_id, CorrelationKind::Run),
            (&self.session_id, CorrelationKind::Session),
            (&self.test_id, CorrelationKind::Test),
            (&self.request_id, CorrelationKind::Request),
            (&self.trace_id, CorrelationKind::Trace),
        ]
        .into_iter()
        .find(|(id, _)| !id.is_empty())
        .map_or(CorrelationKind::None, |(_, kind)| kind)
    }
}

/// A line. What it is correlated by follows from its ids, so the two cannot disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "LogLine", try_from = "LogLine")]
pub struct LogEvent {
    /// When.
    pub ts: Timestamp,
    /// How severe.
    pub level: LogLevel,
    /// The part of the product, such as `server` or `engine`.
    pub domain: String,
    /// Through what it came, such as `http` or `process`.
    pub surface: String,
    /// The program.
    pub service: String,
    /// The piece of the part.
    pub component: String,
    /// What happened, as a stable name such as `request.done`.
    pub event: String,
    /// The lane it was written for.
    pub lane: LogLane,
    /// The ids it is found by.
    pub correlation: Correlation,
    /// What kind of source it comes from, such as `server_process`.
    pub source_kind: String,
    /// What kind of record it is, such as `log`.
    pub artifact_kind: String,
    /// Everything else that was said.
    pub meta: Map<String, Value>,
    /// The version of the rules by which secrets were removed.
    pub redaction_version: String,
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
pub enum LogLineError {
    /// Another version of the format.
    #[error("`{0}` is not {LOG_SCHEMA_VERSION}")]
    Version(String),
    /// The kind is not the one that follows from the ids.
    #[error("the line says it is correlated by {said:?}, and its ids say {meant:?}")]
    Correlation {
        /// What the line says.
        said: CorrelationKind,
        /// What follows from its ids.
        meant: CorrelationKind,
    },
}

/// The fields as they are written.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "LogEvent", transform = correlation_rules)]
struct LogLine {
    /// When.
    ts: Timestamp,
    /// How severe.
    level: LogLevel,
    /// The part of the product, such as `server` or `engine`.
    domain: String,
    /// Through what it came, such as `http` or `process`.
    surface: String,
    /// The program.
    service: String,
    /// The piece of the part.
    component: String,
    /// What happened, as a stable name such as `request.done`.
    event: String,
    /// The lane it was written for.
    lane: LogLane,
    /// The run; empty if there is none.
    run_id: String,
    /// The request; empty if there is none.
    request_id: String,
    /// The W3C trace id; empty if there is none.
    trace_id: String,
    /// The session; empty if there is none.
    session_id: String,
    /// The test; empty if there is none.
    test_id: String,
    /// What kind of source it comes from, such as `server_process`.
    source_kind: String,
    /// What kind of record it is, such as `log`.
    artifact_kind: String,
    /// By which of its ids it belongs to others.
    correlation_kind: CorrelationKind,
    /// Everything else that was said.
    meta: Map<String, Value>,
    /// The version of the rules by which secrets were removed.
    redaction_version: String,
    /// The version of this format.
    #[schemars(extend("const" = LOG_SCHEMA_VERSION))]
    schema_version: String,
}

/// A kind implies its id.
fn correlation_rules(schema: &mut schemars::Schema) {
    let rules: Vec<Value> = ["run", "session", "test", "request", "trace"]
        .into_iter()
        .map(|kind| {
            json!({
                "if": { "properties": { "correlation_kind": { "const": kind } } },
                "then": { "properties": { (format!("{kind}_id")): { "minLength": 1 } } },
            })
        })
        .collect();
    schema.insert("allOf".to_owned(), Value::Array(rules));
}

impl From<LogEvent> for LogLine {
    fn from(event: LogEvent) -> Self {
        Self {
            correlation_kind: event.correlation.kind(),
            ts: event.ts,
            level: event.level,
            domain: event.domain,
            surface: event.surface,
            service: event.service,
            component: event.component,
            event: event.event,
            lane: event.lane,
            run_id: event.correlation.run_id,
            request_id: event.correlation.request_id,
            trace_id: event.correlation.trace_id,
            session_id: event.correlation.session_id,
            test_id: event.correlation.test_id,
            source_kind: event.source_kind,
            artifact_kind: event.artifact_kind,
            meta: event.meta,
            redaction_version: event.redaction_version,
            schema_version: LOG_SCHEMA_VERSION.to_owned(),
        }
    }
}

impl TryFrom<LogLine> for LogEvent {
    type Error = LogLineError;

    fn try_from(line: LogLine) -> Result<Self, LogLineError> {
        if line.schema_version != LOG_SCHEMA_VERSION {
            return Err(LogLineError::Version(line.schema_version));
        }
        let correlation = Correlation {
            run_id: line.run_id,
            request_id: line.request_id,
            trace_id: line.trace_id,
            session_id: line.session_id,
            test_id: line.test_id,
        };
        let (said, meant) = (line.correlation_kind, correlation.kind());
        if said != meant {
            return Err(LogLineError::Correlation { said, meant });
        }
        Ok(Self {
            ts: line.ts,
            level: line.level,
            domain: line.domain,
            surface: line.surface,
            service: line.service,
            component: line.component,
            event: line.event,
            lane: line.lane,
            correlation,
            source_kind: line.source_kind,
            artifact_kind: line.artifact_kind,
            meta: line.meta,
            redaction_version: line.redaction_version,
        })
    }
}

/// The schema of a line.
pub fn log_event_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(LogLine).to_value());
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(correlation: Correlation) -> LogEvent {
        LogEvent {
            ts: Timestamp::EPOCH,
            level: LogLevel::Info,
            domain: "server".to_owned(),
            surface: "http".to_owned(),
            service: "dogwatch".to_owned(),
            component: "access_log".to_owned(),
            event: "request.done".to_owned(),
            lane: LogLane::Access,
            correlation,
            source_kind: "server_process".to_owned(),
            artifact_kind: "log".to_owned(),
            meta: Map::new(),
            redaction_version: "1".to_owned(),
        }
    }

    #[test]
    fn a_line_has_every_field_and_is_read_back() {
        let event = event(Correlation {
            request_id: "req_1".to_owned(),
            ..Correlation::default()
        });
        let line = serde_json::to_value(&event).unwrap();
        let required = log_event_schema()["required"].as_array().unwrap();
        assert_eq!(line.as_object().unwrap().len(), 19);
        assert_eq!(required.len(), 19);
        for field in required {
            assert!(line.get(field.as_str().unwrap()).is_some(), "{field}");
        }
        assert_eq!(line["correlation_kind"], "request");
        assert_eq!(line["schema_version"], "log_event.v2");
        assert_eq!(serde_json::from_value::<LogEvent>(line).unwrap(), event);
    }

    #[test]
    fn the_strongest_id_is_the_kind() {
        let mut correlation = Correlation::default();
        assert_eq!(correlation.kind(), CorrelationKind::None);
        for (id, kind) in [
            ("trace", CorrelationKind::Trace),
            ("request", CorrelationKind::Request),
            ("test", CorrelationKind::Test),
            ("session", CorrelationKind::Session),
            ("run", CorrelationKind::Run),
        ] {
            let field = match id {
                "trace" => &mut correlation.trace_id,
                "request" => &mut correlation.request_id,
                "test" => &mut correlation.test_id,
                "session" => &mut correlation.session_id,
                _ => &mut correlation.run_id,
            };
            *field = "x".to_owned();
            assert_eq!(correlation.kind(), kind);
        }
    }

    #[test]
    fn a_line_that_contradicts_itself_is_none() {
        let mut line = serde_json::to_value(event(Correlation::default())).unwrap();
        line["correlation_kind"] = json!("run");
        let error = serde_json::from_value::<LogEvent>(line.clone()).unwrap_err();
        assert!(error.to_string().contains("Run"), "{error}");
        line["correlation_kind"] = json!("none");
        line["schema_version"] = json!("log_event.v1");
        assert!(serde_json::from_value::<LogEvent>(line).is_err());
    }

    #[test]
    fn the_schema_demands_the_id_of_the_kind() {
        let rules = log_event_schema()["allOf"].as_array().unwrap();
        assert_eq!(rules.len(), 5);
        assert_eq!(
            rules[0]["then"]["properties"]["run_id"]["minLength"],
            json!(1)
        );
    }

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../schemas/log-event.schema.json");
        let generated = serde_json::to_string_pretty(log_event_schema()).unwrap() + "\n";
        if std::env::var_os("DOGWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap_or_default(),
            generated,
            "{} is out of date: run `cargo xtask schema`",
            path.display()
        );
    }
}
