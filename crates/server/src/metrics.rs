//! What `/metrics` shows, in the OpenMetrics text format that Prometheus reads. Labels have few values: never an id, never a path as it was sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{ControlPlane, Problem};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use crate::meter::Meter;

/// The media type of the text.
pub(crate) const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// Upper bounds of the buckets of request durations, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The counters of a server. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    meter: Mutex<Meter>,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
    fenced_writes: Counter,
    streams: Gauge,
    connections: Family<Labels, Gauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

impl Metrics {
    /// Counters that start at nothing. `version` is what `dogwatch_build_info` says.
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("dogwatch");
        let requests = Family::default();
        let durations: Family<Labels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let fenced_writes = Counter::default();
        let streams = Gauge::default();
        let connections = Family::default();
        let version = vec![("version", version.to_owned())];
        registry.register("build", "The build that is running", Info::new(version));
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "From the headers of a request to the end of its answer; streams are left out",
            durations.clone(),
        );
        registry.register("http_streams", "Open streams", streams.clone());
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register(
            "fenced_writes",
            "Calls of runners that were refused because their lease was lost",
            fenced_writes.clone(),
        );
        let meter = Mutex::new(Meter::in_registry(&mut registry));
        Self(Arc::new(Inner {
            registry,
            meter,
            fenced_writes,
            requests,
            durations,
            streams,
            connections,
        }))
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Option<Duration>) {
        let route = if route.is_empty() { "none" } else { route };
        let labels = vec![
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        self.0.requests.get_or_create(&labels).inc();
        if let Some(took) = took {
            let labels = vec![("route", route.to_owned())];
            let durations = self.0.durations.get_or_create(&labels);
            durations.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn stream(&self) -> Open {
        Open::new(self.0.streams.clone())
    }

    pub(crate) fn connection(&self, door: &'static str) -> Open {
        let labels = vec![("door", door.to_owned())];
        Open::new(self.0.connections.get_or_create(&labels).clone())
    }

    pub(crate) fn fenced_write(&self) {
        self.0.fenced_writes.inc();
    }

    /// Brings what is read off the control log up to date.
    pub(crate) async fn catch_up(&self, plane: &dyn ControlPlane) -> Result<(), Problem> {
        self.0.meter.lock().await.catch_up(plane).await
    }

    /// The text of everything.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

/// One more, until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Open {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_in_the_text() {
        let metrics = Metrics::new("1.2.3");
        metrics.request("GET", "/v1/jobs", 200, Some(Duration::from_millis(3)));
        metrics.request("GET", "", 404, None);
        let connection = metrics.connection("unix");
        let text = metrics.text().unwrap();
        for line in [
            "dogwatch_build_info{version=\"1.2.3\"} 1",
            "dogwatch_http_requests_total{method=\"GET\",route=\"/v1/jobs\",status=\"200\"} 1",
            "dogwatch_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
            "dogwatch_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/v1/jobs\"} 1",
            "dogwatch_http_connections{door=\"unix\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        drop(connection);
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("dogwatch_http_connections{door=\"unix\"} 0")
        );
    }
}
