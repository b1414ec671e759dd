//! A user's repository with a gate, and an agent that does its work and then waits where the test wants it to.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_testkit::{Pid, Repo, kill_tree, processes_with_env, wait_until};
use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::record::Record;
use crate::support::{Case, Ended, Running};

/// Far more than a killed process takes to be gone.
const SOON: Duration = Duration::from_secs(20);

/// What the agent leaves in the tree.
pub(crate) const KEPT: &str = "kept.txt";

/// Its content.
pub(crate) const WRITTEN: &str = "written by the agent\n";

/// A case whose agent waits.
pub(crate) struct Scene {
    case: Case,
}

impl Deref for Scene {
    type Target = Case;

    fn deref(&self) -> &Case {
        &self.case
    }
}

impl Scene {
    /// An agent that writes a file, leaves a process behind, says that it is there, and waits until it may go on.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let repo = Repo::init();
        repo.write("README.md", "# A project\n")
            .write(
                "dogwatch.toml",
                format!("[[acceptance]]\nname = \"check\"\nrun = \"grep -q written {KEPT}\"\n"),
            )
            .commit("start");
        let scene = Self {
            case: Case::in_repo(repo, json!([])),
        };
        scene.script(json!([{"actions": [
            {"write": {"path": KEPT, "content": WRITTEN}},
            {"spawn_daemon": {"command": "exec sleep 600 >/dev/null 2>&1"}},
            {"touch": {"path": scene.arrived()}},
            {"wait_for_file": {"path": scene.go(), "timeout_ms": 600_000}},
        ]}]));
        scene
    }

    /// Appears when the agent has done its work.
    pub(crate) fn arrived(&self) -> PathBuf {
        self.meeting("arrived")
    }

    /// What the agent waits for.
    fn go(&self) -> PathBuf {
        self.meeting("go")
    }

    /// Lets the agents go on, now and later.
    #[track_caller]
    pub(crate) fn let_go(&self) {
        fs::write(self.go(), "").expect("a sign");
    }

    /// Runs a command to its end, which has to be a good one.
    #[track_caller]
    pub(crate) fn succeeds(&self, args: &[&str]) -> Ended {
        let ended = self.dogwatch(args);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// What is on record.
    #[track_caller]
    pub(crate) fn record(&self) -> Record {
        Record::read(&self.home.data())
    }

    /// The living processes of a run.
    #[track_caller]
    pub(crate) fn processes_of(&self, run: RunId) -> Vec<Pid> {
        processes_with_env("DOGWATCH_RUN_ID", &run.to_string()).expect("the process table")
    }

    /// The living processes of all runs of a job.
    #[track_caller]
    pub(crate) fn processes_of_job(&self, job: JobId) -> Vec<Pid> {
        processes_with_env("DOGWATCH_JOB_ID", &job.to_string()).expect("the process table")
    }

    /// The bundle of a run.
    pub(crate) fn bundle(&self, run: RunId) -> PathBuf {
        self.home.data().join("runs").join(run.to_string())
    }
}

/// Kills a command, the server and everything they started, all at once.
#[track_caller]
pub(crate) fn kill_with_all(scene: &Scene, running: Running) {
    // The command first: it would start a server that went away again.
    kill_tree(running.pid()).expect("the processes are gone");
    assert_eq!(running.wait().code, None, "a signal ended it");
    scene
        .home
        .kill_everything()
        .expect("the processes are gone");
}

/// Kills a command and the server alone; what the server started lives on.
#[track_caller]
pub(crate) fn kill_alone(scene: &Scene, running: Running) {
    let server = scene.home.server().expect("the server is up");
    // The server is its child for as long as it lives, and is not to go with it.
    kill(running.pid(), Signal::SIGKILL).expect("it runs");
    assert_eq!(running.wait().code, None, "a signal ended it");
    kill(server, Signal::SIGKILL).expect("it runs");
    wait_until("the server is gone", SOON, || scene.home.server().is_none())
        .expect("it was killed");
}

impl Scene {
    /// Kills the server, if it is up, with what it started: the next command starts one of its own.
    #[track_caller]
    pub(crate) fn without_server(&self) {
        if let Some(server) = self.home.server() {
            kill_tree(server).expect("the server is gone");
        }
    }
}
