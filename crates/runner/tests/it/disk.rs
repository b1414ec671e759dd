//! Runs that wait for room.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{CancelJob, Continue, ControlPlane, RetryJob};
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobState, JobStatus, ParkReason};
use dogwatch_core::run::RunEvent;
use dogwatch_runner::{DiskReserve, RunnerParts};
use serde_json::json;

use crate::bench::{Bench, Working, options, until};

/// A runner on a disk that is too small for anything, or on one that is not.
fn parts(bench: &Bench, full: bool) -> RunnerParts {
    RunnerParts {
        reserve: DiskReserve {
            bytes: Some(if full { u64::MAX } else { 0 }),
            retry: Duration::from_millis(50),
        },
        ..bench.parts(Arc::new(bench.plane()))
    }
}

fn work(bench: &Bench, full: bool) -> Working {
    bench.work_with(parts(bench, full), options())
}

async fn facts(bench: &Bench, run: RunId) -> Vec<RunEvent> {
    let lines = bench.plane().run_lines(run, 0).await.unwrap();
    let read = |line: &Vec<u8>| {
        let envelope: Envelope = serde_json::from_slice(line).unwrap();
        RunEvent::from_parts(&envelope.kind, &envelope.data).unwrap()
    };
    lines.iter().map(read).collect()
}

/// How often a run was set aside, and how often it went on.
async fn waits(bench: &Bench, run: RunId) -> (usize, usize) {
    let facts = facts(bench, run).await;
    let parked = facts.iter().filter(|fact| {
        matches!(fact, RunEvent::Parked(parked)
            if parked.reason == ParkReason::Disk && parked.until.is_some())
    });
    let resumed = facts
        .iter()
        .filter(|fact| matches!(fact, RunEvent::Resumed(_)));
    (parked.count(), resumed.count())
}

/// Waits until the job was parked `times` on a full disk.
async fn parked(bench: &Bench, job: JobId, times: usize) -> RunId {
    bench.job_in(job, JobStatus::Parked).await;
    let run = bench.job(job).await.runs[0].id;
    until("it was set aside often enough", async || {
        waits(bench, run).await.0 >= times
    })
    .await;
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_room_before_anything_is_made_and_goes_on_as_itself() {
    let bench = Bench::new("echo made > made.txt; respond done");
    let job = bench.submit().await;
    let working = work(&bench, true);
    let run = parked(&bench, job, 3).await;
    working.drain().await;
    assert!(!bench.layout.workspace(run).exists());
    let noted = facts(&bench, run).await.into_iter().any(|fact| {
        matches!(fact, RunEvent::Noted(note)
            if note.code == "disk_low" && note.text.contains("are free") && note.text.contains("are wanted"))
    });
    assert!(noted);
    let working = work(&bench, false);
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
    assert_eq!(done.runs.len(), 1);
    let (parked, resumed) = waits(&bench, run).await;
    assert_eq!(parked, resumed);
    let turns = facts(&bench, run).await;
    let turns = turns
        .iter()
        .filter(|fact| matches!(fact, RunEvent::TurnBegun(_)));
    assert_eq!(turns.count(), 1);
    bench.assert_sealed(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_for_room_is_cancelled_like_any_other() {
    let bench = Bench::new("respond done");
    let job = bench.submit().await;
    let working = work(&bench, true);
    let run = parked(&bench, job, 1).await;
    let request = CancelJob {
        job,
        reason: "enough".to_owned(),
    };
    bench.user().cancel(request).await.unwrap();
    bench.job_in(job, JobStatus::Cancelled).await;
    working.drain().await;
    bench.assert_sealed(run);
}

/// The second runner begins in the middle of the run, which is on a full disk there.
async fn interrupted(bench: &Bench, job: JobId) -> RunId {
    let first = work(bench, false);
    let approval = {
        bench.met("asking").await;
        let approval = bench.ask(job).await;
        bench.touch("asked");
        bench.job_in(job, JobStatus::Parked).await;
        approval
    };
    first.drain().await;
    let full = work(bench, true);
    bench
        .decide(approval, dogwatch_api::Verdict::Approve, "")
        .await;
    let run = bench.job(job).await.runs[0].id;
    until("it waits for room", async || waits(bench, run).await.0 >= 2).await;
    full.drain().await;
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_to_begin_a_turn_is_told_by_the_turn_after_the_wait() {
    let bench = Bench::new(
        r#"if [ "$DOGWATCH_TURN" = 1 ]; then touch "$M/asking"; wait_for asked; respond continue
        else cp "$DOGWATCH_PROMPT_FILE" told.txt; respond done; fi"#,
    );
    let job = bench.submit().await;
    let run = interrupted(&bench, job).await;
    let working = work(&bench, false);
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
    let tree = done.runs[0].closed.clone().unwrap().tree.unwrap();
    let told = bench.file_in(&tree, "told.txt").unwrap();
    assert!(told.contains("approved"), "{told}");
    bench.assert_sealed(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_continues_another_still_does_after_it_waited() {
    let bench = Bench::new("echo half > half.txt; respond failed");
    let failed = bench.submit().await;
    let working = work(&bench, false);
    bench.job_in(failed, JobStatus::Failed).await;
    working.drain().await;
    bench.script("[ -e half.txt ] || exit 7; cp \"$DOGWATCH_PROMPT_FILE\" told.txt; respond done");
    let request = RetryJob {
        job: failed,
        reason: "once more".to_owned(),
        goes_on: Some(Continue {
            run: None,
            say: Some("mind the second half".to_owned()),
        }),
        idempotency_key: None,
    };
    let job = bench.user().retry(request).await.unwrap().job_id;
    let working = work(&bench, true);
    parked(&bench, job, 2).await;
    working.drain().await;
    let working = work(&bench, false);
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
    let tree = done.runs[0].closed.clone().unwrap().tree.unwrap();
    let told = bench.file_in(&tree, "told.txt").unwrap();
    assert!(told.contains("mind the second half"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_run_that_waits_says_when_it_looks_again() {
    let bench = Bench::new("respond done");
    let request = bench.request(json!({}));
    let job = bench.user().submit(request).await.unwrap().job_id;
    let mut parts = parts(&bench, true);
    parts.reserve.retry = Duration::from_secs(60);
    let working = bench.work_with(parts, options());
    let job = bench.job_in(job, JobStatus::Parked).await;
    working.drain().await;
    let JobState::Parked { reason, until, .. } = job.state else {
        panic!("not parked: {:?}", job.state);
    };
    assert_eq!(reason, ParkReason::Disk);
    let wait = until.unwrap().since(job.runs[0].created_at).as_secs();
    assert!((55..=80).contains(&wait), "{wait}");
    assert!(fs::read_dir(bench.layout.root().join("work")).is_err());
}

/// Says that this process is a test on a small file system of its own.
const SMALL: &str = "DOGWATCH_TEST_ON_A_SMALL_DISK";

/// Runs a test by itself, in a process with all its files on a small file system that nobody else sees.
fn on_a_small_disk<T: Future<Output = ()>>(test: &str, body: impl FnOnce() -> T) {
    if std::env::var_os(SMALL).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(body());
    }
    let mount = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=128m,mode=700 tmpfs "$1" || exit 77
        TMPDIR="$1" exec "$2" --exact "$3" --nocapture"#;
    let ran = Command::new("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(mount.path())
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(SMALL, "1")
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if ran.status.code() == Some(77) || said.contains("unshare failed") {
        dogwatch_testkit::skip(test, &format!("no file system can be mounted here: {said}"));
        return;
    }
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// What an agent or a gate does to leave 4 MiB.
const FILL: &str = r#"fill() {
    free=$(df --output=avail -k "$1" | tail -n 1)
    head -c $(( (free - 4096) * 1024 )) /dev/zero > "$1/filler"
}"#;

fn eight_mebibytes(bench: &Bench) -> RunnerParts {
    let mut parts = parts(bench, false);
    parts.reserve.bytes = Some(8 << 20);
    parts
}

#[test]
fn an_agent_that_fills_the_disk_makes_its_run_wait_before_the_gates() {
    on_a_small_disk(
        "disk::an_agent_that_fills_the_disk_makes_its_run_wait_before_the_gates",
        filled_before_the_gates,
    );
}

async fn filled_before_the_gates() {
    let bench = Bench::new(&format!(
        "{FILL}\nfill \"$M\"; echo made > made.txt; respond done"
    ));
    let request = bench.request(json!({
        "acceptance": [{"name": "made", "run": "test -e made.txt"}],
    }));
    let job = bench.user().submit(request).await.unwrap().job_id;
    let working = bench.work_with(eight_mebibytes(&bench), options());
    let run = parked(&bench, job, 2).await;
    // Somebody else's job waits as well, and is not lost.
    bench.script("respond done");
    let other = bench.submit().await;
    parked(&bench, other, 1).await;
    fs::remove_file(bench.meeting("filler")).unwrap();
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    bench.job_in(other, JobStatus::Succeeded).await;
    working.drain().await;
    assert_eq!(done.runs.len(), 1);
    let facts = facts(&bench, run).await;
    let count = |is: fn(&RunEvent) -> bool| facts.iter().filter(|fact| is(fact)).count();
    assert_eq!(count(|fact| matches!(fact, RunEvent::TurnBegun(_))), 1);
    assert_eq!(
        count(|fact| matches!(fact, RunEvent::GateFinished(gate) if gate.acceptance)),
        1
    );
    bench.assert_sealed(run);
}

#[test]
fn what_the_gates_found_is_told_after_a_wait() {
    on_a_small_disk(
        "disk::what_the_gates_found_is_told_after_a_wait",
        filled_by_a_gate,
    );
}

async fn filled_by_a_gate() {
    let bench = Bench::new(
        r#"if [ "$DOGWATCH_TURN" = 2 ]; then cp "$DOGWATCH_REQUEST_FILE" mended.txt; fi; respond done"#,
    );
    let meeting = bench.meeting("");
    let gate = format!(
        "{FILL}\ntest -e mended.txt || {{ fill '{}'; echo it-is-not-mended; exit 1; }}",
        meeting.display()
    );
    let request = bench.request(json!({
        "acceptance": [{"name": "mended", "run": gate}],
        "limits": {"max_turns": 3},
    }));
    let job = bench.user().submit(request).await.unwrap().job_id;
    let working = bench.work_with(eight_mebibytes(&bench), options());
    let run = parked(&bench, job, 2).await;
    fs::remove_file(bench.meeting("filler")).unwrap();
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
    let tree = done.runs[0].closed.clone().unwrap().tree.unwrap();
    let told = bench.file_in(&tree, "mended.txt").unwrap();
    assert!(told.contains("it-is-not-mended"), "{told}");
    bench.assert_sealed(run);
}
