//! Events of real subscribers, counted back from the disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use dogwatch_core::log_event::{CorrelationKind, LogEvent, LogLane, LogLevel, log_event_schema};
use dogwatch_supervisor::os::clock::SystemClock;
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::error::OplogError;
use super::start::{Guard, Options, Sizes, prepare, start};

const ROOMY: Sizes = Sizes {
    max_bytes: 1 << 20,
    keep: 3,
};

fn logged(data: &Path, sizes: Sizes, act: impl FnOnce()) {
    let options = Options {
        clock: Arc::new(SystemClock),
        level: LevelFilter::DEBUG,
        sizes,
        stderr: None,
    };
    let (layer, guard): (_, Guard) = prepare(&data.join("logs"), options).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, act);
    guard.finish().unwrap();
}

/// Every line of a lane, the oldest first.
fn lines(data: &Path, lane: LogLane) -> Vec<String> {
    let directory = data.join("logs");
    let prefix = format!("{}.", lane.as_str());
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&prefix))
        .collect();
    // Numbers sort before `jsonl`, so the current file is the last.
    names.sort();
    let mut text = String::new();
    for name in names {
        let mut file = File::open(directory.join(&name)).unwrap();
        if name.ends_with(".gz") {
            flate2::read::GzDecoder::new(file)
                .read_to_string(&mut text)
                .unwrap();
        } else {
            assert_eq!(name, format!("{prefix}jsonl"), "not compressed");
            file.read_to_string(&mut text).unwrap();
        }
    }
    text.lines().map(str::to_owned).collect()
}

fn events(data: &Path, lane: LogLane) -> Vec<LogEvent> {
    lines(data, lane)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_line_has_every_field_and_the_kind_that_follows_from_its_ids() {
    let data = tempfile::tempdir().unwrap();
    logged(data.path(), ROOMY, || {
        tracing::info!("nothing but words");
        tracing::info!(
            run_id = "run_1",
            request_id = "req_1",
            event = "run.started"
        );
        tracing::warn!(
            request_id = "req_2",
            trace_id = "abc",
            status = 503,
            slow = true
        );
        tracing::debug!(session_id = "ses_1", trace_id = "abc");
        tracing::info!(test_id = "t", correlation_kind = "run");
        tracing::info!(trace_id = "abc", run_id = "");
    });
    let required: BTreeSet<&str> = log_event_schema()["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field.as_str().unwrap())
        .collect();
    let runtime = lines(data.path(), LogLane::Runtime);
    assert_eq!(runtime.len(), 6);
    for line in &runtime {
        let value: Value = serde_json::from_str(line).unwrap();
        let object = value.as_object().unwrap();
        let fields: BTreeSet<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(fields, required, "{line}");
        if value["correlation_kind"] == "run" {
            assert_ne!(value["run_id"], "");
        }
        for named in ["domain", "surface", "service", "component", "event"] {
            assert_ne!(value[named], "", "{named} of {line}");
        }
    }
    let read = events(data.path(), LogLane::Runtime);
    let kinds: Vec<_> = read.iter().map(|event| event.correlation.kind()).collect();
    assert_eq!(
        kinds,
        [
            CorrelationKind::None,
            CorrelationKind::Run,
            CorrelationKind::Request,
            CorrelationKind::Session,
            CorrelationKind::Test,
            CorrelationKind::Trace,
        ]
    );
    assert_eq!(read[0].meta["message"], "nothing but words");
    assert_eq!(read[0].domain, "dogwatch");
    assert_eq!(read[0].component, "oplog::tests");
    assert_eq!(read[1].event, "run.started");
    assert_eq!(read[2].level, LogLevel::Warn);
    assert_eq!(
        (&read[2].meta["status"], &read[2].meta["slow"]),
        (&503.into(), &true.into())
    );
}

#[test]
fn each_lane_gets_its_own_and_errors_are_in_two() {
    let data = tempfile::tempdir().unwrap();
    logged(data.path(), ROOMY, || {
        tracing::info!(lane = "access", event = "request.done");
        tracing::error!(lane = "access", event = "request.panicked");
        tracing::error!(event = "plain");
        tracing::info!(lane = "governance", event = "token.created");
        tracing::info!(lane = "e2e", event = "flow");
        tracing::info!(lane = "ci", event = "check");
        tracing::info!(lane = "nowhere", event = "lost?");
        tracing::info!(target: "hyper::proto", "of a library");
    });
    let names = |lane| -> Vec<String> {
        events(data.path(), lane)
            .into_iter()
            .map(|event| event.event)
            .collect()
    };
    assert_eq!(names(LogLane::Access), ["request.done", "request.panicked"]);
    assert_eq!(names(LogLane::Error), ["request.panicked", "plain"]);
    assert_eq!(names(LogLane::Governance), ["token.created"]);
    assert_eq!(names(LogLane::E2e), ["flow"]);
    assert_eq!(names(LogLane::Ci), ["check"]);
    assert_eq!(names(LogLane::Runtime), ["lost?"]);
    assert_eq!(events(data.path(), LogLane::Error)[0].lane, LogLane::Access);
    let odd = &events(data.path(), LogLane::Runtime)[0];
    assert_eq!(odd.meta["lane"], "nowhere");
}

#[test]
fn what_the_spans_around_it_say_belongs_to_an_event() {
    let data = tempfile::tempdir().unwrap();
    logged(data.path(), ROOMY, || {
        let outer = tracing::info_span!(
            "request",
            request_id = "req_1",
            lane = "access",
            run_id = tracing::field::Empty
        );
        outer.in_scope(|| {
            outer.record("run_id", "run_1");
            let inner = tracing::info_span!("step", component = "claim", attempt = 2);
            inner.in_scope(|| tracing::info!(attempt = 3, "inside"));
        });
    });
    let [event] = &events(data.path(), LogLane::Access)[..] else {
        panic!("one line");
    };
    assert_eq!(event.correlation.request_id, "req_1");
    assert_eq!(event.correlation.run_id, "run_1");
    assert_eq!(event.component, "claim");
    assert_eq!(event.meta["attempt"], 3);
}

#[test]
fn rolling_over_compresses_and_loses_no_line() {
    const THREADS: usize = 4;
    const EACH: usize = 2_500;
    let data = tempfile::tempdir().unwrap();
    let sizes = Sizes {
        max_bytes: 32 * 1024,
        keep: 10_000,
    };
    logged(data.path(), sizes, || {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let dispatch = dispatch.clone();
                scope.spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        for number in 0..EACH {
                            tracing::info!(lane = "access", thread, number);
                        }
                    });
                });
            }
        });
    });
    let mut next = [0; THREADS];
    for event in events(data.path(), LogLane::Access) {
        let field = |name: &str| usize::try_from(event.meta[name].as_u64().unwrap()).unwrap();
        let (thread, number) = (field("thread"), field("number"));
        assert_eq!(next[thread], number, "lost, repeated or moved");
        next[thread] += 1;
    }
    assert_eq!(next, [EACH; THREADS]);
    let directory = data.path().join("logs");
    let zipped = fs::read_dir(&directory)
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().ends_with(".jsonl.gz")
        })
        .count();
    assert!(zipped > 50, "{zipped} files");
    let current = fs::metadata(directory.join("access.jsonl")).unwrap();
    assert!(current.len() <= sizes.max_bytes);
}

#[test]
fn only_so_many_old_files_are_kept() {
    let data = tempfile::tempdir().unwrap();
    let sizes = Sizes {
        max_bytes: 4 * 1024,
        keep: 2,
    };
    logged(data.path(), sizes, || {
        for number in 0..500 {
            tracing::info!(number);
        }
    });
    let names = fs::read_dir(data.path().join("logs")).unwrap().count();
    assert_eq!(names, LogLane::ALL.len() + 2);
    let kept = events(data.path(), LogLane::Runtime);
    assert_eq!(kept.last().unwrap().meta["number"], 499);
}

#[test]
fn the_next_process_goes_on_where_a_killed_one_stopped() {
    let data = tempfile::tempdir().unwrap();
    logged(data.path(), ROOMY, || tracing::info!(number = 1));
    let path = data.path().join("logs/runtime.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"ts\":\"half a li")).unwrap();
    logged(data.path(), ROOMY, || tracing::info!(number = 2));
    let lines = lines(data.path(), LogLane::Runtime);
    assert_eq!(lines.len(), 3);
    assert!(serde_json::from_str::<LogEvent>(&lines[1]).is_err());
    let last: LogEvent = serde_json::from_str(&lines[2]).unwrap();
    assert_eq!(last.meta["number"], 2);
}

#[test]
fn secrets_do_not_reach_the_disk_and_nobody_else_reads_it() {
    let data = tempfile::tempdir().unwrap();
    let token = "dwt_0123456789abcdefABCDEF_-.xyz";
    let tuple = ("dwr_hunter2hunter2hunter2", 1);
    logged(data.path(), ROOMY, || {
        tracing::info!("Authorization: Bearer hunter2");
        tracing::info!(
            lane = "access",
            route = "/v1/jobs?token=hunter2&api_key=hunter2"
        );
        tracing::info!(password = "hunter2", client_secret = ?Some("hunter2"), token, api_key = 42_424_242);
        tracing::info!(?tuple, event = token, run_id = token);
        let span = tracing::info_span!("sign-in", token = "hunter2", note = token);
        span.in_scope(|| tracing::error!(error = %format!("cookie: hunter2; {token}")));
        tracing::info!(target: "dogwatch_core::x", lane = token, token_id = "tok_1");
    });
    let mut seen = String::new();
    for entry in fs::read_dir(data.path().join("logs")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        seen += &fs::read_to_string(entry.path()).unwrap();
    }
    for secret in ["hunter2", "0123456789abcdef", "42424242"] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
    assert!(seen.contains("[redacted]") && seen.contains("tok_1"));
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("logs"), "a file").unwrap();
    let options = Options::default();
    let refused = prepare::<tracing_subscriber::Registry>(&data.path().join("logs"), options);
    let error = refused.err().unwrap();
    assert!(matches!(error, OplogError::File { .. }), "{error:?}");
    assert!(error.to_string().contains("logs"), "{error}");
}

#[test]
fn the_events_of_a_process_are_taken_once() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options {
        stderr: Some("off".to_owned()),
        ..Options::default()
    };
    let guard = start(&data.path().join("logs"), options.clone()).unwrap();
    tracing::info!(event = "server.ready");
    tracing::debug!(event = "too.fine");
    let refused = start(&other.path().join("logs"), options).err();
    assert!(matches!(refused, Some(OplogError::Taken)), "{refused:?}");
    guard.finish().unwrap();
    let read = events(data.path(), LogLane::Runtime);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].event, "server.ready");
}
