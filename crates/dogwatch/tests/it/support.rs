//! What the end-to-end tests share: a home, a repository and a scripted agent; a command under way; what came of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dogwatch_bundle::{BundleLayout, load_trusted_keys, verify};
use dogwatch_testkit::{
    AsUser, Home, Pid, Repo, give_to_65534, kill_tree, processes_with_env, wait_for, wait_until,
};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

/// How long a command may take in all before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dogwatch"))
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    // A JSON string is a TOML string.
    Value::from(text).to_string()
}

/// A home, a repository, and an agent that does what a script says.
pub(crate) struct Case {
    pub(crate) home: Home,
    pub(crate) repo: Repo,
    commands: AtomicU32,
    user: Option<AsUser>,
}

impl Case {
    /// A repository with one commit, and the turns of an agent.
    pub(crate) fn new(turns: Value) -> Self {
        Self::in_repo(Repo::with_commit(), turns)
    }

    /// The same in a repository of the test's own making.
    pub(crate) fn in_repo(repo: Repo, turns: Value) -> Self {
        let home = Home::new();
        let case = Self {
            home,
            repo,
            commands: AtomicU32::new(0),
            user: None,
        };
        case.script(turns);
        let script = case.script_path();
        case.agent(&[
            &program().to_string_lossy(),
            "__scripted-agent",
            "--script",
            &script.to_string_lossy(),
        ]);
        case
    }

    /// An agent that is a command of the test's own making.
    pub(crate) fn of_command(command: &[&str]) -> Self {
        let case = Self::new(json!([]));
        case.agent(command);
        case
    }

    /// From now on everything is user 65534's: home, repository and commands.
    #[track_caller]
    pub(crate) fn hand_over(&mut self, user: AsUser) {
        give_to_65534(self.home.root());
        give_to_65534(self.repo.root());
        self.user = Some(user);
    }

    /// Writes the agent's script anew.
    pub(crate) fn script(&self, turns: Value) {
        let script = json!({"version": 1, "turns": turns});
        fs::write(self.script_path(), script.to_string()).expect("the agent's script");
    }

    fn script_path(&self) -> PathBuf {
        self.home.root().join("script.json")
    }

    fn agent(&self, command: &[&str]) {
        self.home.write_config(&format!(
            "[agents.scripted]\ndriver = \"exec\"\ncommand = {}\n",
            json!(command)
        ));
    }

    /// A place that agent and test meet at.
    pub(crate) fn meeting(&self, name: &str) -> PathBuf {
        self.home.root().join("tmp").join(name)
    }

    /// A dogwatch command in the repository.
    pub(crate) fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = self.home.command(program());
        command
            .args(args)
            // Scripts meet their tests outside of the workspace.
            .env("DOGWATCH_RUN_CONTAINMENT", "none")
            .current_dir(self.repo.path());
        match &self.user {
            Some(user) => {
                let mut wrapped = user.wrap(&command);
                wrapped.stdin(Stdio::null());
                wrapped
            }
            None => command,
        }
    }

    /// Runs a dogwatch command to its end.
    pub(crate) fn dogwatch(&self, args: &[&str]) -> Ended {
        self.start(self.command(args)).wait()
    }

    /// Starts a command and goes on.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let number = self.commands.fetch_add(1, Ordering::SeqCst);
        let place = |stream| self.home.root().join(format!("{number}.{stream}"));
        let (stdout, stderr) = (place("out"), place("err"));
        command
            .stdout(File::create(&stdout).expect("a file for the output"))
            .stderr(File::create(&stderr).expect("a file for the errors"));
        let child = command.spawn().expect("dogwatch starts");
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Runs a task.
    pub(crate) fn run(&self) -> Ended {
        self.dogwatch(&["run", "--json", "do it"])
    }

    /// Runs a contract: `schema` and `task` are added to it.
    pub(crate) fn run_contract(&self, contract: Value) -> Ended {
        self.start_contract(contract).wait()
    }

    /// Starts a run of a contract and goes on.
    pub(crate) fn start_contract(&self, contract: Value) -> Running {
        let file = self.write_contract(contract);
        self.start(self.command([
            OsStr::new("run"),
            OsStr::new("--json"),
            OsStr::new("--contract"),
            file.as_os_str(),
        ]))
    }

    /// Writes a contract: `schema` and `task` are added to it.
    pub(crate) fn write_contract(&self, mut contract: Value) -> PathBuf {
        contract["schema"] = json!(1);
        contract["task"] = json!("do it");
        let file = self.home.root().join("contract.json");
        fs::write(&file, contract.to_string()).expect("the contract");
        file
    }

    /// What came of a run: its bundle has to verify, and nothing of it may be alive.
    #[track_caller]
    pub(crate) fn result(&self, ended: &Ended) -> Finished {
        let result = ended.result();
        let bundle = PathBuf::from(result["bundle"].as_str().expect("a bundle"));
        self.verified(&bundle);
        let run = result["run_id"].as_str().expect("a run").to_owned();
        let alive = processes_with_env("DOGWATCH_RUN_ID", &run).expect("/proc");
        assert_eq!(alive, [], "of run {run}\n{ended:?}");
        let journal = fs::read_to_string(BundleLayout::new(&bundle).journal()).expect("a journal");
        let journal: Vec<Value> = journal
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of a journal"))
            .collect();
        let finished = Finished {
            result,
            bundle: BundleLayout::new(bundle),
            journal,
        };
        let last = finished.journal.last().expect("a journal has lines");
        assert_eq!(last["kind"], "run.ended.v1");
        assert_eq!(last["data"]["outcome"], finished.result["outcome"]);
        finished
    }

    /// A bundle, sealed with the key of this home, and nothing in it changed since.
    #[track_caller]
    pub(crate) fn verified(&self, bundle: &Path) {
        let keys = load_trusted_keys(&self.home.data()).expect("the trusted keys");
        let verification = verify(bundle, &keys);
        assert!(
            verification.valid,
            "{bundle:?}: {:?}",
            verification.findings
        );
    }

    /// What came of a run that ended so: exit code, outcome, code of the failure.
    #[track_caller]
    pub(crate) fn expect(&self, ended: &Ended, exit: i32, outcome: &str, code: &str) -> Finished {
        assert_eq!(ended.code, Some(exit), "{ended:?}");
        let finished = self.result(ended);
        assert_eq!(finished.result["outcome"], outcome, "{ended:?}");
        assert_eq!(finished.result["failure"]["code"], code, "{ended:?}");
        finished
    }

    /// What came of a run that succeeded.
    #[track_caller]
    pub(crate) fn expect_success(&self, ended: &Ended) -> Finished {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let finished = self.result(ended);
        assert_eq!(finished.result["outcome"], "succeeded", "{ended:?}");
        assert_eq!(finished.result["job_status"], "succeeded", "{ended:?}");
        finished
    }
}

/// A command under way. It is killed with all its processes if the test ends before it.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill(self.pid(), Signal::SIGINT).expect("dogwatch is there");
    }

    /// What it has printed so far.
    pub(crate) fn out(&self) -> String {
        read_text(&self.stdout)
    }

    /// What it has said so far.
    pub(crate) fn err(&self) -> String {
        read_text(&self.stderr)
    }

    /// Waits for it to print something.
    #[track_caller]
    pub(crate) fn wait_for_out(&self, part: &str) {
        self.wait_for(part, || self.out().contains(part));
    }

    /// Waits for it to say something.
    #[track_caller]
    pub(crate) fn wait_for_err(&self, part: &str) {
        self.wait_for(part, || self.err().contains(part));
    }

    /// Waits for the agent or a gate to come to a place.
    #[track_caller]
    pub(crate) fn wait_for_file(&self, path: &Path) {
        self.wait_for(&path.to_string_lossy(), || path.exists());
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        if let Err(error) = wait_until(what, PATIENCE, condition) {
            panic!("{error}\n{}\n{}", self.out(), self.err());
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        let status = wait_for("the command ends", PATIENCE, || {
            self.child.try_wait().expect("a child of this process")
        });
        match status {
            Ok(status) => Ended {
                code: status.code(),
                out: self.out(),
                err: self.err(),
            },
            Err(error) => panic!("{error}\n{}\n{}", self.out(), self.err()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let killed = kill_tree(self.pid());
            let _ = self.child.wait();
            if !std::thread::panicking() {
                killed.expect("the command's processes are gone");
            }
        }
    }
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// How a command ended and what it said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{}\n{}", self.code, self.out, self.err)
    }
}

impl Ended {
    /// The last line of `run --json`.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        assert_eq!(value["type"], "result", "{self:?}");
        value
    }

    /// A refusal: exit code 1, this code, and these parts of the message; nothing was printed.
    #[track_caller]
    pub(crate) fn expect_refusal(&self, code: &str, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        // As a program sees it, or as a person does.
        let error = self.err.lines().last().unwrap_or_default();
        let (found, text) = match serde_json::from_str::<Value>(error) {
            Ok(error) => {
                let text = |key: &str| error["error"][key].as_str().unwrap_or_default().to_owned();
                (
                    text("code"),
                    format!("{}\n{}", text("message"), text("next_action")),
                )
            }
            Err(_) => {
                let code = self.err.split_once("error[").map(|(_, rest)| rest);
                let code = code.and_then(|rest| rest.split_once(']'));
                (
                    code.map(|(code, _)| code.to_owned()).unwrap_or_default(),
                    self.err.clone(),
                )
            }
        };
        assert_eq!(found, code, "{self:?}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}

/// A run that ended, and its evidence.
pub(crate) struct Finished {
    pub(crate) result: Value,
    pub(crate) bundle: BundleLayout,
    pub(crate) journal: Vec<Value>,
}

impl Finished {
    /// The data of the journal's lines of a kind.
    pub(crate) fn facts(&self, kind: &str) -> Vec<&Value> {
        self.journal
            .iter()
            .filter(|line| line["kind"] == kind)
            .map(|line| &line["data"])
            .collect()
    }

    /// The kinds of the journal's lines, in order, without phases.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.journal
            .iter()
            .filter_map(|line| line["kind"].as_str())
            .filter(|kind| *kind != "run.phase_entered.v1")
            .collect()
    }

    /// A turn that ended, from 1.
    #[track_caller]
    pub(crate) fn turn(&self, number: usize) -> &Value {
        let turns = self.facts("turn.ended.v1");
        assert!(turns.len() >= number, "{turns:?}");
        turns[number - 1]
    }

    /// Result and code of a gate in every round.
    pub(crate) fn gate(&self, name: &str) -> Vec<(&str, &str)> {
        self.facts("gate.finished.v1")
            .into_iter()
            .filter(|gate| gate["gate"] == name)
            .map(|gate| {
                let text = |key: &str| gate[key].as_str().unwrap_or_default();
                (text("result"), text("code"))
            })
            .collect()
    }

    /// The text of the note of a code.
    #[track_caller]
    pub(crate) fn note(&self, code: &str) -> &str {
        let notes = self.facts("run.noted.v1");
        let note = notes.iter().find(|note| note["code"] == code);
        let Some(note) = note else {
            panic!("there is no note {code} in {notes:?}");
        };
        note["text"].as_str().expect("a text")
    }

    /// Why the run did not succeed.
    pub(crate) fn reason(&self) -> &str {
        self.result["failure"]["reason"]
            .as_str()
            .unwrap_or_default()
    }

    /// The change, as text.
    #[track_caller]
    pub(crate) fn patch(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.bundle.patch()).expect("a patch")).into_owned()
    }

    /// The changed paths with their letters.
    #[track_caller]
    pub(crate) fn files(&self) -> String {
        fs::read_to_string(self.bundle.files()).expect("the list of changed files")
    }

    /// The short form of the job's id.
    pub(crate) fn job(&self) -> &str {
        self.result["job_id"].as_str().expect("a job")
    }
}
