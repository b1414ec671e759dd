//! A directory to play scripts in, and what came of playing one.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Rehearsal {
    root: TempDir,
}

/// What came of a turn.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) response: Option<String>,
}

impl Played {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.stderr).unwrap()
    }

    pub(crate) fn response(&self) -> Value {
        serde_json::from_str(self.response.as_deref().expect("a response was written")).unwrap()
    }
}

impl Rehearsal {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("workspace")).unwrap();
        fs::create_dir(root.path().join("exchange")).unwrap();
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("workspace").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn exchange(&self, name: &str) -> PathBuf {
        self.root.path().join("exchange").join(name)
    }

    /// The agent, ready to play the turn that the request is for.
    pub(crate) fn agent(&self, script: &str, request: &Value) -> Command {
        fs::write(self.exchange("script.json"), script).unwrap();
        fs::write(self.exchange("request.json"), request.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_scripted-agent"));
        command
            .arg("--script")
            .arg(self.exchange("script.json"))
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("DOGWATCH_REQUEST_FILE", self.exchange("request.json"))
            .env("DOGWATCH_RESPONSE_FILE", self.exchange("response.json"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn played(&self, output: Output) -> Played {
        Played {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: output.stderr,
            response: fs::read_to_string(self.exchange("response.json")).ok(),
        }
    }

    pub(crate) fn play_request(&self, script: &str, request: &Value) -> Played {
        let output = self.agent(script, request).output().unwrap();
        self.played(output)
    }

    pub(crate) fn play_turn(&self, script: &Value, turn: u32) -> Played {
        self.play_request(&script.to_string(), &request(turn))
    }

    /// Plays a script of one turn.
    pub(crate) fn play(&self, actions: Value) -> Played {
        self.play_turn(&script(actions), 1)
    }
}

pub(crate) fn script(actions: Value) -> Value {
    json!({"version": 1, "turns": [{"actions": actions}]})
}

pub(crate) fn request(turn: u32) -> Value {
    json!({
        "version": 1,
        "job_id": "job_0",
        "run_id": "run_0",
        "turn": turn,
        "task": "the task",
        "current_task": "the task",
        "hint": null,
        "failed_gates": [],
    })
}

/// Waits for a file to appear.
pub(crate) fn wait_for(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{} did not appear",
            path.display()
        );
        // SLEEP: between two looks at the file.
        std::thread::sleep(Duration::from_millis(5));
    }
}
