//! What operators are told in the log.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use dogwatch_api::{ControlPlane, Heartbeat, HeldLease, RetryJob};
use dogwatch_core::event::Epoch;
use dogwatch_core::ids::SessionId;
use dogwatch_core::job::RunOutcome;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bench::Bench;

type Line = BTreeMap<String, String>;

/// Keeps every line.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Line>>>);

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.0.insert(field.name().to_owned(), text);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dogwatch_engine")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Kept {
    fn taken(&self) -> Vec<Line> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn what_goes_wrong_with_a_runner_is_a_line_with_the_run_and_the_job() {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let bench = Bench::new();
    let running = bench.running("one").await;
    assert!(kept.taken().is_empty(), "what goes well is no line");
    let stale = HeldLease {
        epoch: Epoch(0),
        ..running.held
    };
    let only = |kept: &Kept| {
        let mut lines = kept.taken();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    };

    let completion = bench.completion(stale, running.run, RunOutcome::Succeeded);
    bench.runner().complete(completion).await.unwrap_err();
    let line = only(&kept);
    assert_eq!(line["lane"], "governance");
    assert_eq!(line["event"], "lease.mismatch");
    assert_eq!(line["code"], "lease_lost");
    assert_eq!(line["run_id"], running.run.to_string());
    assert_eq!(line["job"], running.job.to_string());

    let beat = Heartbeat {
        machine: bench.machine,
        leases: vec![stale],
    };
    bench.runner().heartbeat(beat).await.unwrap();
    assert_eq!(only(&kept)["event"], "lease.mismatch");

    let taken = bench.claim_request(Some(running.job), 1);
    bench.runner().claim(taken).await.unwrap_err();
    let line = only(&kept);
    assert_eq!(
        (line["event"].as_str(), line["lane"].as_str()),
        ("claim.failed", "runtime")
    );

    let completion = bench.completion(running.held, running.run, RunOutcome::Succeeded);
    bench.runner().complete(completion).await.unwrap_err();
    assert_eq!(only(&kept)["event"], "complete.failed");

    let mut request = bench.request("two");
    request.session = Some(SessionId::mint(&bench.clock, &*bench.entropy));
    request.exact = true;
    bench.user().submit(request).await.unwrap_err();
    assert_eq!(only(&kept)["event"], "session.unroutable");

    let retry = RetryJob {
        job: bench.submitted("three").await,
        reason: "again".to_owned(),
        goes_on: None,
        idempotency_key: None,
    };
    bench.user().retry(retry).await.unwrap();
    assert_eq!(only(&kept)["event"], "retry.repeated");
}
