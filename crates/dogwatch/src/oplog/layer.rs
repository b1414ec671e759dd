//! Events of `tracing`, as lines.

use std::sync::Arc;

use dogwatch_core::Clock;
use dogwatch_core::log_event::{LogEvent, LogLane, LogLevel};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::scrub::REDACTION_VERSION;
use super::writer::{Line, Lines};

const SERVICE: &str = "dogwatch";

/// The name of an event that was given none.
const UNNAMED: &str = "message";

/// Makes lines and hands them to the writer.
#[derive(Debug)]
pub(super) struct LogLayer {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lines: Lines,
}

impl LogLayer {
    fn line(&self, metadata: &Metadata<'_>, fields: Fields) -> Option<Line> {
        let level = level(*metadata.level());
        let lane = fields.lane.unwrap_or(match level {
            LogLevel::Error => LogLane::Error,
            LogLevel::Warn | LogLevel::Info | LogLevel::Debug | LogLevel::Trace => LogLane::Runtime,
        });
        let (domain, component) = place(metadata.target());
        let or = |given: Option<String>, otherwise: &str| {
            given
                .filter(|given| !given.is_empty())
                .unwrap_or_else(|| otherwise.to_owned())
        };
        let event = LogEvent {
            ts: self.clock.now(),
            level,
            domain: or(fields.domain, domain),
            surface: or(fields.surface, "process"),
            service: SERVICE.to_owned(),
            component: or(fields.component, component),
            event: or(fields.event, UNNAMED),
            lane,
            correlation: fields.correlation,
            source_kind: or(fields.source_kind, "server_process"),
            artifact_kind: or(fields.artifact_kind, "log"),
            meta: fields.meta,
            redaction_version: REDACTION_VERSION.to_owned(),
        };
        let mut bytes = serde_json::to_vec(&event).ok()?;
        bytes.push(b'\n');
        Some(Line {
            lane,
            is_error: level == LogLevel::Error,
            bytes,
        })
    }
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.overlay(outer.clone());
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.overlay(own);
        if let Some(line) = self.line(event.metadata(), fields) {
            self.lines.send(line);
        }
    }
}

const fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// `dogwatch_server::guard::door` is the piece `guard::door` of `server`.
fn place(target: &str) -> (&str, &str) {
    let (name, module) = target.split_once("::").unwrap_or((target, ""));
    let domain = name.strip_prefix("dogwatch_").unwrap_or(name);
    (domain, if module.is_empty() { domain } else { module })
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_target_says_part_and_piece() {
        assert_eq!(
            place("dogwatch_server::guard::door"),
            ("server", "guard::door")
        );
        assert_eq!(place("dogwatch"), ("dogwatch", "dogwatch"));
    }
}
