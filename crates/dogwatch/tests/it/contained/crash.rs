//! Server, shims and agents killed in the middle of a contained turn: what the agent wrote is in its upper layer only, and is kept.

use std::fs;
use std::path::PathBuf;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{CleanupState, JobStatus, MAX_AUTOMATIC_ATTEMPTS, RunOutcome};
use dogwatch_testkit::{kill_tree, processes_with_env};
use serde_json::json;

use super::kind::{Kind, repo, shell};
use crate::record::{Record, status, verification};
use crate::support::{Case, Running};

#[test]
fn killed_in_a_turn_for_whoever_owns_the_repository() {
    killed_in_a_turn(Kind::Same);
}

#[test]
fn killed_in_a_turn_for_root_on_the_repository_of_another_user() {
    killed_in_a_turn(Kind::Given);
}

#[test]
fn killed_in_a_turn_for_an_ordinary_user() {
    killed_in_a_turn(Kind::Ordinary);
}

/// As often as a job goes on by itself, and then somebody lets it go on from what the last run left.
fn killed_in_a_turn(kind: Kind) {
    let Some(case) = kind.case("killed_in_a_turn", repo()) else {
        return;
    };
    case.script(json!([{"actions": [shell(
        "rm gone.txt; mkdir sub; echo \"$DOGWATCH_RUN_ID\" > sub/kept.txt; echo cold > settings/warm.cache; \
         setsid sleep 600 > /dev/null 2>&1 < /dev/null & touch arrived; exec sleep 600",
    )]}]));
    let mut running = case.start_contract(kind.contract(json!({})));
    wait_for_agent(&case, &running, &[]);
    let record = Record::read(&case.home.data());
    let job = record.only_job().id;
    let mut killed = vec![record.last_run(job)];
    kill_all(&case, running);
    for _ in 1..MAX_AUTOMATIC_ATTEMPTS {
        running = case.start(case.command(["wait", &job.to_string()]));
        wait_for_agent(&case, &running, &killed);
        let record = Record::read(&case.home.data());
        let earlier = *killed.last().unwrap();
        assert_orphan(&case, &record, job, earlier);
        killed.push(record.last_run(job));
        assert_ne!(record.last_run(job), earlier);
        kill_all(&case, running);
    }

    let last = *killed.last().unwrap();
    case.script(json!([{"actions": [shell(&format!(
        "test \"$(cat sub/kept.txt)\" = {last} && test ! -e gone.txt && test \"$(cat settings/warm.cache)\" = warm && echo more > more.txt",
    ))]}]));
    let ended = case.dogwatch(&["jobs", "retry", "--continue", &job.to_string()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let record = Record::read(&case.home.data());
    assert_orphan(&case, &record, job, last);
    let after = record.runs.last().unwrap();
    assert_eq!(after.header.continues, Some(last));
    let closure = after.header.closed.as_ref().expect("it is over");
    assert_eq!(closure.outcome, RunOutcome::Succeeded);
    let files = fs::read_to_string(bundle(&case, after.header.id).join("files.txt"));
    assert_eq!(
        files.expect("the list of changed files"),
        "A\tarrived\nD\tgone.txt\nA\tmore.txt\nA\tsub/kept.txt\n"
    );
    let after = record.jobs.last().unwrap();
    assert_eq!(status(after), JobStatus::Succeeded);
    record.upholds_invariants(&[job, after.id]);
    let left = fs::read_dir(case.home.data().join("work")).unwrap().count();
    assert_eq!(left, 0, "work directories");
}

fn bundle(case: &Case, run: RunId) -> PathBuf {
    case.home.data().join("runs").join(run.to_string())
}

/// Waits until the agent of another run has done its work. Its files are to be seen in its upper layer and nowhere else.
#[track_caller]
fn wait_for_agent(case: &Case, running: &Running, earlier: &[RunId]) {
    let earlier: Vec<String> = earlier.iter().map(RunId::to_string).collect();
    running.wait_for("the agent's sign", || {
        let Ok(runs) = fs::read_dir(case.home.data().join("work")) else {
            return false;
        };
        runs.flatten()
            .filter(|run| !earlier.contains(&run.file_name().to_string_lossy().into_owned()))
            .any(|run| run.path().join("overlay/upper/arrived").exists())
    });
}

/// Kills the command, the server and everything that they started.
#[track_caller]
fn kill_all(case: &Case, running: Running) {
    kill_tree(running.pid()).expect("the processes are gone");
    assert_eq!(running.wait().code, None, "a signal ended it");
    case.home.kill_everything().expect("the processes are gone");
}

/// A killed run was brought to its end: what the agent wrote is kept, nothing of it lives.
#[track_caller]
fn assert_orphan(case: &Case, record: &Record, job: JobId, run: RunId) {
    let header = record.job(job).run(run).expect("the run is on record");
    let closure = header.closed.as_ref().expect("the run is closed");
    assert_eq!(closure.outcome, RunOutcome::Orphaned);
    assert_eq!(header.cleanup.state, CleanupState::Removed, "{header:?}");
    let tree = closure.tree.as_deref().expect("the run left a tree");
    let tree = record.restored(job, tree);
    let kept = fs::read_to_string(tree.path().join("sub/kept.txt")).expect("what was written");
    assert_eq!(kept, format!("{run}\n"));
    assert!(tree.path().join("README.md").exists(), "from the base");
    assert!(!tree.path().join("gone.txt").exists());
    assert!(!tree.path().join("settings").exists(), "it only came along");
    let verification = verification(&case.home.data(), run);
    assert!(verification.valid, "{:?}", verification.findings);
    let alive = processes_with_env("DOGWATCH_RUN_ID", &run.to_string()).expect("/proc");
    assert_eq!(alive, [], "of {run}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&run.to_string()), "{mounts}");
}
