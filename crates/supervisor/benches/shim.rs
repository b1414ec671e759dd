//! What a shim costs: a command that does nothing, without a view and in one, and the end of a hundred processes:
//! `cargo bench -p dogwatch-supervisor --bench shim`, with `ROUNDS=100`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dogwatch_core::contract::Containment;
use dogwatch_core::redact::SecretSet;
use dogwatch_supervisor::containment::{Overlay, View, standard_masks, standard_readable};
use dogwatch_supervisor::{
    Cause, DEFAULT_MAX_PROCESSES, SPEC_VERSION, ShimProgram, ShimSpec, Supervised, WantedRung,
};
use serde_json::json;

/// A hundred processes that do not end when they are asked to, in sessions of their own.
const CROWD: &str = "trap '' TERM; n=1; while [ $n -lt 100 ]; do setsid sleep 600 & n=$((n+1)); done; touch up; wait";

fn main() {
    let rounds: usize =
        std::env::var("ROUNDS").map_or(100, |rounds| rounds.parse().expect("ROUNDS is a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, in_view) in [
        ("command in a shim, without a view", false),
        ("command in a shim, in a view", true),
    ] {
        let times = (0..rounds).map(|_| runtime.block_on(started(in_view)));
        report(name, times.collect(), 50, None);
    }
    for (name, in_view) in [
        ("kill of 100 processes, without a view, p99", false),
        ("kill of 100 processes, in a view, p99", true),
    ] {
        let times = (0..rounds).map(|_| runtime.block_on(killed(in_view)));
        report(name, times.collect(), 99, Some("<= 50"));
    }
}

fn report(name: &str, mut times: Vec<Duration>, percentile: usize, goal: Option<&str>) {
    times.sort_unstable();
    let place = (times.len() * percentile / 100).min(times.len() - 1);
    println!(
        "{name}: {:.1?} ({:.1?} to {:.1?}, {} rounds)",
        times[place],
        times[0],
        times[times.len() - 1],
        times.len()
    );
    let value = times[place].as_secs_f64() * 1e3;
    println!(
        "{}",
        json!({"name": name, "value": value, "unit": "ms", "goal": goal})
    );
}

/// From the request to the record of a command that does nothing.
async fn started(in_view: bool) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = spec(directory.path(), &["true"], in_view);
    let begun = Instant::now();
    let mut supervised = spawn(&spec, directory.path()).await;
    let record = supervised.wait().await.expect("a record");
    assert_eq!(record.cause, Cause::Exited { code: 0 });
    begun.elapsed()
}

/// From the order to the record, which is written when nothing is left.
async fn killed(in_view: bool) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = spec(directory.path(), &["sh", "-c", CROWD], in_view);
    let mut supervised = spawn(&spec, directory.path()).await;
    let up = directory
        .path()
        .join(if in_view { "upper/up" } else { "work/up" });
    while !up.exists() {
        // SLEEP: between two looks for the file.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let begun = Instant::now();
    supervised.kill().await.expect("a shim that listens");
    let record = supervised.wait().await.expect("a record");
    assert!(matches!(record.cause, Cause::Stopped { .. }), "{record:?}");
    begun.elapsed()
}

async fn spawn(spec: &ShimSpec, directory: &Path) -> Supervised {
    let program =
        ShimProgram::with_arguments::<&str>(env!("CARGO_BIN_EXE_dogwatch-shim-for-tests"), []);
    Supervised::spawn(&program, spec, &SecretSet::default(), directory)
        .await
        .expect("a shim")
}

fn spec(directory: &Path, argv: &[&str], in_view: bool) -> ShimSpec {
    let at = |name: &str| directory.join(name);
    for name in ["work", "home", "lower", "upper", "scratch"] {
        fs::create_dir(at(name)).expect("a directory");
    }
    let view = in_view.then(|| {
        let mut view = View::new(Containment::Reduced, &[]);
        view.overlays = vec![Overlay {
            target: at("work").into(),
            lower: at("lower").into(),
            upper: at("upper").into(),
            work: at("scratch").into(),
        }];
        view.masked = standard_masks(&at("home"))
            .into_iter()
            .map(Into::into)
            .collect();
        view.readable = standard_readable().into_iter().map(Into::into).collect();
        view
    });
    ShimSpec {
        v: SPEC_VERSION,
        argv: argv.iter().map(|text| (*text).into()).collect(),
        cwd: at("work").into(),
        env: vec![dogwatch_supervisor::EnvVar {
            name: "PATH".into(),
            value: "/usr/local/bin:/usr/bin:/bin".into(),
        }],
        frames_path: at("output.frames").into(),
        exit_path: at("exit.json").into(),
        control_path: at("control.sock").into(),
        budget_ms: 600_000,
        stall_ms: None,
        grace_ms: 1000,
        output_cap: 1 << 20,
        rung: WantedRung::Auto,
        deadline_boottime_ns: None,
        view,
        max_processes: DEFAULT_MAX_PROCESSES,
    }
}
