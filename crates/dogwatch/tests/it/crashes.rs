//! Killed at named points of a run, with everything it started. Whatever comes next finds a record it can trust and goes on.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{CleanupState, JobState, JobStatus, RunOutcome};
use dogwatch_supervisor::ShimFile;
use dogwatch_testkit::{Pid, wait_until};
use dogwatch_workspace::Vault;
use nix::sys::signal::{Signal, kill};

use crate::record::{Record, status, verification};
use crate::scene::{KEPT, Scene, WRITTEN, kill_alone, kill_with_all};
use crate::support::Running;

/// Where a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "failpoints"),
    expect(dead_code, reason = "most of them are reached at failpoints only")
)]
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
    match point.failpoint() {
        Some(name) => {
            scene.let_go();
            brought_to_failpoint(scene, name, args)
        }
        None => {
            let _ = fs::remove_file(scene.arrived());
            scene.without_server();
            let running = scene.start(scene.command(args));
            running.wait_for_file(&scene.arrived());
            running
        }
    }
}

/// Starts a command that stands at a named place in the code when this returns.
#[track_caller]
fn brought_to_failpoint(scene: &Scene, name: &str, args: &[&str]) -> Running {
    let marker = scene.meeting("stands-still");
    let _ = fs::remove_file(&marker);
    // The one the command starts is the one that stands still.
    scene.without_server();
    let mut command = scene.command(args);
    command
        .env("DOGWATCH_FAILPOINT", name)
        .env("DOGWATCH_FAILPOINT_MARKER", &marker);
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
    kill_with_all(&scene, running);
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
        let tree = record.restored(job, tree);
        let kept = tree.path().join(KEPT);
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

/// The next command is `jobs retry`.
#[track_caller]
fn retry_after(point: Point) {
    let (scene, job, run) = crashed(point);
    let ended = scene.succeeds(&["jobs", "retry", &job.to_string()]);

    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, point, job, run);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded, "{ended:?}");
    if point == Point::MidTurn {
        let closure = record.job(job).run(run).and_then(|run| run.closed.as_ref());
        let failure = closure.and_then(|closure| closure.failure.as_ref());
        let reason = &failure.expect("a reason").reason;
        assert!(reason.contains("Turn 1"), "where it died: {reason}");
    }
    let repeats = record
        .jobs
        .iter()
        .filter(|other| other.retry_of == Some(job));
    // Where the run had come to its end, the job is over with its recovery and nothing is done again.
    let starts = if point.is_decided() { 1 } else { 2 };
    assert_eq!(record.job(job).starts(), starts);
    assert_eq!(repeats.count(), 0);
    assert_every_success_verifies(&scene, &record);
    assert_terminal_stays(&scene, job);
}

/// The next command is another `run`.
#[track_caller]
fn run_after(point: Point) {
    let (scene, job, run) = crashed(point);
    let ended = scene.succeeds(&["run", "write it for another reason"]);
    assert!(ended.err.contains("recovered: "), "{ended:?}");

    // What was recovered goes on by itself.
    scene.succeeds(&["wait", &job.to_string()]);

    let record = scene.record();
    let other = record.jobs.last().expect("there are jobs").id;
    assert_ne!(other, job);
    record.upholds_invariants(&[job, other]);
    assert_recovered(&scene, &record, point, job, run);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
    assert_eq!(status(record.job(other)), JobStatus::Succeeded);
    let starts = if point.is_decided() { 1 } else { 2 };
    assert_eq!(record.job(job).starts(), starts);
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
    use dogwatch_core::job::JobStatus;

    use super::{
        Point, assert_recovered, brought_to_failpoint, crashed, kill_with_all, retry_after,
        run_after, status,
    };

    /// Killed between the job's end and its workspace's: the job is over, and only the workspace is left to clear away.
    #[test]
    fn killed_before_the_clean_up() {
        let scene = super::Scene::new();
        scene.let_go();
        let running =
            brought_to_failpoint(&scene, "runner.before_clean_up", &["run", "write the file"]);
        let record = scene.record();
        let job = record.only_job().id;
        kill_with_all(&scene, running);
        assert_eq!(status(record.job(job)), JobStatus::Succeeded);
        scene.succeeds(&["run", "write it for another reason"]);
        let record = scene.record();
        record.upholds_invariants(&[job]);
        let run = record.last_run(job);
        assert_recovered(&scene, &record, Point::AfterSeal, job, run);
    }

    /// Recovery is killed as well, at each of its steps in turn, and what it had done so far is not done twice.
    #[track_caller]
    fn killed_in_recovery(point: Point, first_steps: &[&str]) {
        let (scene, job, run) = crashed(point);
        let retry = ["jobs", "retry", &job.to_string()];
        let last_steps = [
            "recover.before_seal",
            "recover.after_seal",
            "recover.before_clean_up",
        ];
        for step in first_steps.iter().chain(&last_steps) {
            let running = brought_to_failpoint(&scene, step, &retry);
            kill_with_all(&scene, running);
            scene.record().upholds_invariants(&[job]);
        }
        scene.succeeds(&retry);
        let record = scene.record();
        record.upholds_invariants(&[job]);
        assert_recovered(&scene, &record, point, job, run);
        assert_eq!(status(record.job(job)), JobStatus::Succeeded);
    }

    #[test]
    fn killed_in_the_recovery_of_a_run_without_an_outcome() {
        let steps = [
            "recover.journal_restored",
            "recover.snapshot_taken",
            "recover.snapshot_recorded",
        ];
        killed_in_recovery(Point::MidTurn, &steps);
    }

    #[test]
    fn killed_in_the_recovery_of_a_run_before_its_first_turn() {
        let steps = ["recover.journal_restored", "recover.snapshot_recorded"];
        killed_in_recovery(Point::AfterStart, &steps);
    }

    #[test]
    fn killed_in_the_recovery_of_a_run_with_an_outcome() {
        killed_in_recovery(Point::BeforeSeal, &["recover.journal_restored"]);
    }

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
    kill_alone(&scene, running);
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
        kill_with_all(&scene, running);
        job
    };
    for crash in 2..=3 {
        let retried = ["jobs", "retry", &job.to_string()];
        let running = brought_to(&scene, Point::MidTurn, &retried);
        assert_eq!(scene.record().job(job).starts(), crash);
        kill_with_all(&scene, running);
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

/// A git that was killed leaves a lock behind, and what the agent wrote is kept all the same.
#[test]
fn a_lock_of_a_dead_git_does_not_prevent_the_snapshot() {
    let (scene, job, run) = crashed(Point::MidTurn);
    let vault = Vault::open(&scene.home.data(), scene.record().job(job).project)
        .expect("the vault opens")
        .expect("there is a vault");
    let name = vault.path().join(format!("refs/dogwatch/runs/{run}"));
    fs::create_dir_all(&name).expect("a directory of refs");
    fs::write(name.join("orphan.lock"), "").expect("a lock");
    scene.succeeds(&["jobs", "retry", &job.to_string()]);
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, Point::MidTurn, job, run);
}

/// Whoever recovers is killed too, five times, at moments nobody chose.
#[test]
fn killed_at_random_moments_of_recovery() {
    let (scene, job, run) = crashed(Point::MidTurn);
    // Recovers, and leaves all work to others.
    let recover = ["up", "--foreground", "--slots", "0"];
    let mut moments = Vec::new();
    for _ in 0..5 {
        let running = scene.start(scene.command(recover));
        let moment = Duration::from_millis(RandomState::new().build_hasher().finish() % 150);
        moments.push(moment);
        // What is waited for never comes: it is the time that matters.
        wait_until("a moment", moment, || false).unwrap_err();
        kill_with_all(&scene, running);
        scene.record().upholds_invariants(&[job]);
    }
    let running = scene.start(scene.command(recover));
    running.wait_for_out("is up");
    kill_with_all(&scene, running);
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_eq!(
        status(record.job(job)),
        JobStatus::Queued,
        "after {moments:?}"
    );
    scene.succeeds(&["jobs", "retry", &job.to_string()]);
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, Point::MidTurn, job, run);
    assert_eq!(record.job(job).starts(), 2);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
}

/// The shim dies with dogwatch, and nobody is left who would end the agent by asking it.
#[test]
fn a_tree_that_lost_its_shim_too_is_gone_before_the_next_run_starts() {
    let scene = Scene::new();
    let running = brought_to(&scene, Point::MidTurn, &["run", "write the file"]);
    let record = scene.record();
    let job = record.only_job().id;
    let first = record.last_run(job);
    let shims = scene.home.data().join(format!("work/{first}/shims/001"));
    let shim = ShimFile::read(&shims)
        .expect("a readable note")
        .expect("there is a shim")
        .shim;
    kill_alone(&scene, running);
    kill(Pid::from_raw(shim.pid), Signal::SIGKILL).expect("the shim runs");

    let retried = ["jobs", "retry", &job.to_string()];
    let second = brought_to(&scene, Point::MidTurn, &retried);
    assert_eq!(scene.processes_of(first), []);
    kill_with_all(&scene, second);
    scene.let_go();
    scene.succeeds(&retried);
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_recovered(&scene, &record, Point::MidTurn, job, first);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
}
