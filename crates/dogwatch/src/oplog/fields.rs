//! What an event and its spans say, before it becomes a line.

use std::fmt;

use dogwatch_core::log_event::{Correlation, LogLane};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use super::scrub;

/// The fields of an event or of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) lane: Option<LogLane>,
    pub(super) event: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) surface: Option<String>,
    pub(super) component: Option<String>,
    pub(super) source_kind: Option<String>,
    pub(super) artifact_kind: Option<String>,
    pub(super) correlation: Correlation,
    pub(super) meta: Map<String, Value>,
}

impl Fields {
    /// Adds what is nearer to the event; it wins.
    pub(super) fn overlay(&mut self, nearer: Self) {
        fn take<T>(slot: &mut Option<T>, nearer: Option<T>) {
            if nearer.is_some() {
                *slot = nearer;
            }
        }
        fn take_id(slot: &mut String, nearer: String) {
            if !nearer.is_empty() {
                *slot = nearer;
            }
        }
        take(&mut self.lane, nearer.lane);
        take(&mut self.event, nearer.event);
        take(&mut self.domain, nearer.domain);
        take(&mut self.surface, nearer.surface);
        take(&mut self.component, nearer.component);
        take(&mut self.source_kind, nearer.source_kind);
        take(&mut self.artifact_kind, nearer.artifact_kind);
        let (ids, nearer_ids) = (&mut self.correlation, nearer.correlation);
        take_id(&mut ids.run_id, nearer_ids.run_id);
        take_id(&mut ids.request_id, nearer_ids.request_id);
        take_id(&mut ids.trace_id, nearer_ids.trace_id);
        take_id(&mut ids.session_id, nearer_ids.session_id);
        take_id(&mut ids.test_id, nearer_ids.test_id);
        self.meta.extend(nearer.meta);
    }

    fn put(&mut self, name: &str, value: Value) {
        if let Value::String(text) = &value
            && self.lift(name, text)
        {
            return;
        }
        self.meta
            .insert(scrub::text(name), scrub::value(name, value));
    }

    /// Whether the field has a place of its own.
    fn lift(&mut self, name: &str, text: &str) -> bool {
        let text = || scrub::text(text);
        match name {
            // A lane that does not exist stays in `meta`, where it is seen.
            "lane" => match LogLane::parse(&text()) {
                Some(lane) => self.lane = Some(lane),
                None => return false,
            },
            "event" => self.event = Some(text()),
            "domain" => self.domain = Some(text()),
            "surface" => self.surface = Some(text()),
            "component" => self.component = Some(text()),
            "source_kind" => self.source_kind = Some(text()),
            "artifact_kind" => self.artifact_kind = Some(text()),
            "run_id" => self.correlation.run_id = text(),
            "request_id" => self.correlation.request_id = text(),
            "trace_id" => self.correlation.trace_id = text(),
            "session_id" => self.correlation.session_id = text(),
            "test_id" => self.correlation.test_id = text(),
            // It follows from the ids.
            "correlation_kind" => {}
            _ => return false,
        }
        true
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.put(field.name(), Value::from(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), Value::from(format!("{value:?}")));
    }
}
