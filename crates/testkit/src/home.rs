//! A home without the machine's configuration, for tests of the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::outcome::Outcome;
use crate::processes::{KillTreeError, Pid, kill_tree, processes_with_env};
use crate::scrub::Scrubber;

/// How long a server of a test stays with nothing to do, in milliseconds.
const IDLE_MS: &str = "5000";

/// A user's directories, all in one temporary directory that is gone afterwards. Commands see these and `PATH`, and nothing else.
#[derive(Debug)]
pub struct Home {
    root: TempDir,
    scrubber: Mutex<Scrubber>,
}

impl Home {
    /// An empty home.
    #[track_caller]
    pub fn new() -> Self {
        // A short name, as the path of a socket has room for little more than a hundred bytes.
        let root = tempfile::Builder::new()
            .prefix("dw")
            .tempdir()
            .expect("a temporary directory");
        let mut scrubber = Scrubber::new();
        scrubber.path(root.path(), "[HOME]");
        let home = Self {
            root,
            scrubber: Mutex::new(scrubber),
        };
        for (_, directory) in home.directories() {
            fs::create_dir_all(&directory).expect("the directories of a home");
        }
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(home.root().join("run"), private).expect("a private directory");
        home
    }

    /// The temporary directory that holds everything; `[HOME]` in snapshots.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `DOGWATCH_HOME`, the data directory. It is not there until something makes it.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The user's configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.root().join("config/dogwatch/config.toml")
    }

    /// Writes the user's configuration file.
    #[track_caller]
    pub fn write_config(&self, toml: &str) {
        let path = self.config_path();
        let directory = path.parent().expect("it lies in a directory");
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&path, toml))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// A command in this home, in its `HOME` directory, without anything to read.
    pub fn command(&self, bin: &Path) -> Command {
        let mut command = Command::new(bin);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.directories())
            .env("DOGWATCH_HOME", self.data())
            // A server that a test is done with goes soon.
            .env("DOGWATCH_IDLE_MS", IDLE_MS)
            // Agents of tests meet the test at files outside their workspace; what is about containment says so.
            .env("DOGWATCH_RUN_CONTAINMENT", "none")
            // A machine with little room is no reason for a test to wait.
            .env("DOGWATCH_DISK_RESERVE", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            // What the machine's administrator configured is not the test's either.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(self.root().join("home"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> Outcome {
        match command.output() {
            Ok(output) => Outcome::new(output, |text| self.scrub(text)),
            Err(error) => panic!("cannot run {command:?}: {error}"),
        }
    }

    /// The living dogwatch processes of this home: its server, and commands under way.
    pub fn processes(&self) -> Vec<Pid> {
        processes_with_env("DOGWATCH_HOME", &self.data().to_string_lossy()).unwrap_or_default()
    }

    /// The server of this home, if it is up.
    pub fn server(&self) -> Option<Pid> {
        let bytes = fs::read(self.data().join("server/endpoint.json")).ok()?;
        let endpoint: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        let pid = i32::try_from(endpoint["pid"].as_i64()?).ok()?;
        self.processes()
            .into_iter()
            .find(|process| process.as_raw() == pid)
    }

    /// Kills everything of this home that runs, and what that started.
    pub fn kill_everything(&self) -> Result<(), KillTreeError> {
        for process in self.processes() {
            kill_tree(process)?;
        }
        Ok(())
    }

    /// From now on snapshots show this path as the label, `[REPO]` say.
    pub fn label_path(&self, path: &Path, label: &str) {
        self.scrubber().path(path, label);
    }

    /// From now on snapshots show this text as the label.
    pub fn label(&self, text: &str, label: &str) {
        self.scrubber().text(text, label);
    }

    /// A text as snapshots show it.
    pub fn scrub(&self, text: &str) -> String {
        self.scrubber().scrub(text)
    }

    fn scrubber(&self) -> std::sync::MutexGuard<'_, Scrubber> {
        self.scrubber
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn directories(&self) -> [(&'static str, PathBuf); 7] {
        [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_DATA_HOME", "share"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
        ]
        .map(|(name, directory)| (name, self.root().join(directory)))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Nothing of a test outlives it, whatever became of it.
        let killed = self.kill_everything();
        if !std::thread::panicking() {
            killed.expect("the processes of this home are gone");
        }
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}
