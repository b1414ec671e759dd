//! Killed at named points of a run, with everything it started. Whatever comes next finds a record it can trust and goes on.

use std::fs;
use std::path::PathBuf;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{CleanupState, JobState, JobStatus, RunOutcome};
use dogwatch_workspace::{ObjectId, Vault, snapshot};

use crate::record::{Record, status, verification};
use crate::scene::{KEPT, Scene, WRITTEN, kill_alone, kill_with_all};
use crate::support::Running;

/// Where a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    AfterStart,
    MidTurn,
    BeforeSnapshot,
    BeforeSeal,
    AfterSeal,
}

impl Point {
    const fn failpoint(self) -> Option<&'static str> {
        match self {
            Self::AfterStart => Some("runner.after_start"),
            Self::MidTurn => None,
            Self::BeforeSnapshot => Some("runner.before_snapshot"),
            Self::BeforeSeal => Some("runner.before_seal"),
            Self::AfterSeal => Some("runner.after_seal"),
        }
    }

    /// Whether the run had come to its end, so that it only has to be reported.
    const fn is_decided(self) -> bool {
        matches!(self, Self::BeforeSeal | Self::AfterSeal)
    }

    /// Whether the agent had written anything.
    const fn agent_was_there(self) -> bool {
        !matches!(self, Self::AfterStart)
    }
}

/// Starts a command that stands at the point when this returns.
#[track_caller]
fn brought_to(scene: &Scene, point: Point, args: &[&str]) -> Running {
    let mut command = scene.command(args);
    let marker = match point.failpoint() {
        None => scene.arrived(),
        Some(name) => {
            let marker = scene.meeting("stands-still");
            command
                .env("DOGWATCH_FAILPOINT", name)
                .env("DOGWATCH_FAILPOINT_MARKER", &marker);
            scene.let_go();
            marker
        }
    };
    let _ = fs::remove_file(&marker);
    let running = scene.start(command);
    running.wait_for_file(&marker);
    running
}

/// A job whose first run was killed at a point with all its processes.
fn crashed(point: Point) -> (Scene, JobId, RunId) {
    let scene = Scene::new();
    let running = brought_to(&scene, point, &["run", "write the file"]);
    let record = scene.record();
    let job = record.only_job().id;
    let run = record.last_run(job);
    kill_with_all(running);
    scene.let_go();
    (scene, job, run)
}

/// What holds of the killed run once something recovered it.
#[track_caller]
fn assert_recovered(scene: &Scene, record: &Record, point: Point, job: JobId, run: RunId) {
    let header = record.job(job).run(run).expect("the run is on record");
    let closure = header.closed.as_ref().expect("the run is closed");
    let wanted = if point.is_decided() {
        RunOutcome::Succeeded
    } else {
        RunOutcome::Orphaned
    };
    assert_eq!(closure.outcome, wanted);
    assert_eq!(header.cleanup.state, CleanupState::Removed, "{header:?}");

    let verification = verification(&scene.home.data(), run);
    assert!(verification.valid, "{:?}", verification.findings);
    assert_eq!(verification.manifest_digest, closure.manifest);

    if point.agent_was_there() {
        let tree = closure.tree.as_deref().expect("the run left a tree");
        let kept = restored(scene, record, job, tree).join(KEPT);
        assert_eq!(fs::read_to_string(kept).expect("what was written"), WRITTEN);
        let patch = fs::read_to_string(scene.bundle(run).join("patch.diff")).expect("a patch");
        assert!(patch.contains(WRITTEN), "{patch}");
    } else {
        assert_eq!(closure.tree, None, "no agent was ever let in");
    }
    assert_nothing_left(scene, record);
}

/// No process of any run lives, and none has a work directory.
#[track_caller]
fn assert_nothing_left(scene: &Scene, record: &Record) {
    for run in &record.runs {
        let alive = scene.processes_of(run.header.id);
        assert!(alive.is_empty(), "{alive:?} of {}", run.header.id);
    }
    let left: Vec<PathBuf> = match fs::read_dir(scene.home.data().join("work")) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(
        scene.repo.status(),
        "",
        "the user's repository is as it was"
    );
}

/// A tree of a run, written out.
#[track_caller]
fn restored(scene: &Scene, record: &Record, job: JobId, tree: &str) -> PathBuf {
    let vault = Vault::open(&scene.home.data(), record.job(job).project)
        .expect("the vault opens")
        .expect("there is a vault");
    let tree = ObjectId::from_hex(tree.as_bytes()).expect("an object id");
    let place = scene.meeting(&format!("restored-{tree}"));
    if !place.exists() {
        snapshot::restore(&vault, tree, &place).expect("the tree is in the vault");
    }
    place
}

/// The next command is `jobs retry`.
#[track_caller]
fn retry_after(point: Point) {
    let (scene, job, run) = crashed(point);
    let ended = scene.succeeds(&["jobs", "retry", &job.to_string()]);

    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, point, job, run);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded, "{ended:?}");
    let repeats = record
        .jobs
        .iter()
        .filter(|other| other.retry_of == Some(job));
    if point.is_decided() {
        // The job was over with its recovery, so that the retry repeats it with a new one.
        assert_eq!(record.job(job).starts(), 1);
        let states: Vec<_> = repeats.map(status).collect();
        assert_eq!(states, [JobStatus::Succeeded]);
    } else {
        assert_eq!(record.job(job).starts(), 2);
        assert_eq!(repeats.count(), 0);
    }
    assert_every_success_verifies(&scene, &record);
    assert_terminal_stays(&scene, job);
}

/// The next command is another `run`.
#[track_caller]
fn run_after(point: Point) {
    let (scene, job, run) = crashed(point);
    let ended = scene.succeeds(&["run", "write it for another reason"]);
    assert!(ended.err.contains("recovered: "), "{ended:?}");

    let record = scene.record();
    let other = record.jobs.last().expect("there are jobs").id;
    assert_ne!(other, job);
    record.upholds_invariants(&[job, other]);
    assert_recovered(&scene, &record, point, job, run);
    assert_eq!(status(record.job(other)), JobStatus::Succeeded);
    if !point.is_decided() {
        assert_eq!(status(record.job(job)), JobStatus::Queued);
        scene.succeeds(&["jobs", "retry", &job.to_string()]);
    }

    let record = scene.record();
    record.upholds_invariants(&[job, other]);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
    assert_every_success_verifies(&scene, &record);
    assert_nothing_left(&scene, &record);
}

#[track_caller]
fn assert_every_success_verifies(scene: &Scene, record: &Record) {
    for run in &record.runs {
        let verification = verification(&scene.home.data(), run.header.id);
        assert!(verification.valid, "{:?}", verification.findings);
    }
}

/// A job that is over stays as it is, whoever asks.
#[track_caller]
fn assert_terminal_stays(scene: &Scene, job: JobId) {
    let ended = scene.dogwatch(&["jobs", "cancel", &job.to_string()]);
    ended.expect_refusal("wrong_state", &["succeeded"]);
    let record = scene.record();
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
    record.upholds_invariants(&[job]);
}

#[cfg(feature = "failpoints")]
mod at_a_failpoint {
    use super::{Point, retry_after, run_after};

    #[test]
    fn killed_after_the_start_commit_then_retried() {
        retry_after(Point::AfterStart);
    }

    #[test]
    fn killed_after_the_start_commit_then_another_run() {
        run_after(Point::AfterStart);
    }

    #[test]
    fn killed_before_the_snapshot_then_retried() {
        retry_after(Point::BeforeSnapshot);
    }

    #[test]
    fn killed_before_the_snapshot_then_another_run() {
        run_after(Point::BeforeSnapshot);
    }

    #[test]
    fn killed_before_the_seal_then_retried() {
        retry_after(Point::BeforeSeal);
    }

    #[test]
    fn killed_before_the_seal_then_another_run() {
        run_after(Point::BeforeSeal);
    }

    #[test]
    fn killed_after_the_seal_then_retried() {
        retry_after(Point::AfterSeal);
    }

    #[test]
    fn killed_after_the_seal_then_another_run() {
        run_after(Point::AfterSeal);
    }
}

#[test]
fn killed_mid_turn_then_retried() {
    retry_after(Point::MidTurn);
}

#[test]
fn killed_mid_turn_then_another_run() {
    run_after(Point::MidTurn);
}

/// Only dogwatch itself dies. Its shim and the agent live on, and must not when the next run starts.
#[test]
fn a_tree_that_outlived_its_runner_is_ended_before_the_next_run_starts() {
    let scene = Scene::new();
    let running = brought_to(&scene, Point::MidTurn, &["run", "write the file"]);
    let record = scene.record();
    let job = record.only_job().id;
    let first = record.last_run(job);
    kill_alone(running);
    let orphans = scene.processes_of(first);
    assert!(orphans.len() > 1, "the agent and what it left: {orphans:?}");

    // The second agent waits too, so that both runs could be seen alive.
    let retried = ["jobs", "retry", &job.to_string()];
    let second = brought_to(&scene, Point::MidTurn, &retried);
    let run = scene.record().last_run(job);
    assert_ne!(run, first);
    assert_eq!(scene.processes_of(first), []);
    let alive = scene.processes_of(run);
    assert!(!alive.is_empty());
    assert_eq!(scene.processes_of_job(job), alive);

    scene.let_go();
    let ended = second.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, Point::MidTurn, job, first);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
}

/// The job is queued again twice; whoever brings down a third runner has to be looked at by a person.
#[test]
fn three_crashes_in_a_row_make_a_dead_letter() {
    let scene = Scene::new();
    let job = {
        let running = brought_to(&scene, Point::MidTurn, &["run", "write the file"]);
        let job = scene.record().only_job().id;
        kill_with_all(running);
        job
    };
    for crash in 2..=3 {
        let retried = ["jobs", "retry", &job.to_string()];
        let running = brought_to(&scene, Point::MidTurn, &retried);
        assert_eq!(scene.record().job(job).starts(), crash);
        kill_with_all(running);
    }
    scene.let_go();
    scene.succeeds(&["run", "write it for another reason"]);

    let record = scene.record();
    record.upholds_invariants(&[job]);
    let JobState::Failed {
        failure,
        dead_letter,
    } = &record.job(job).state
    else {
        panic!("{:?}", record.job(job).state);
    };
    assert!(*dead_letter);
    assert_eq!(failure.code, "lease_lost");
    for run in &record.job(job).runs {
        assert_recovered(&scene, &record, Point::MidTurn, job, run.id);
    }
}
