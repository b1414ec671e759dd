//! One command in a directory of its own, and the settings it is tried in.

use std::fs;
use std::future::Future;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dogwatch_core::frame::{PlainStreams, Record, Tail, decode_all, plain_streams};
use dogwatch_core::redact::SecretSet;
use dogwatch_supervisor::{
    Cause, EnvVar, ExitRecord, Rung, SPEC_VERSION, ShimProgram, ShimSpec, Supervised, WantedRung,
};
use nix::unistd::{Gid, Uid, chown, geteuid};
use tokio::task::JoinSet;

/// Long enough for anything on a loaded machine; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const NOBODY: u32 = 65534;

/// As whom and on which rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) as_nobody: bool,
    pub(crate) rung: Rung,
}

impl Setting {
    /// The one that exists everywhere.
    pub(crate) const fn here() -> Self {
        Self {
            as_nobody: false,
            rung: Rung::Subreaper,
        }
    }

    fn program(self) -> ShimProgram {
        let shim = env!("CARGO_BIN_EXE_dogwatch-shim-for-tests");
        if self.as_nobody {
            let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", shim];
            ShimProgram::with_arguments("/usr/bin/setpriv", arguments)
        } else {
            ShimProgram::with_arguments::<&str>(shim, [])
        }
    }

    fn wanted(self) -> WantedRung {
        match self.rung {
            Rung::PidNamespace => WantedRung::PidNamespace,
            Rung::Subreaper => WantedRung::Subreaper,
        }
    }
}

/// The settings that exist here. The subreaper works everywhere; the others are found by trying.
pub(crate) async fn settings() -> Vec<Setting> {
    let mut found = vec![Setting::here()];
    let mut candidates = vec![Setting {
        as_nobody: false,
        rung: Rung::PidNamespace,
    }];
    if geteuid().is_root() && Path::new("/usr/bin/setpriv").exists() {
        for rung in [Rung::Subreaper, Rung::PidNamespace] {
            candidates.push(Setting {
                as_nobody: true,
                rung,
            });
        }
    }
    for setting in candidates {
        let case = Case::new(setting, &["true"]);
        let Ok(mut trial) = case.try_spawn().await else {
            continue;
        };
        let record = trial.wait().await.unwrap();
        if record.cause == (Cause::Exited { code: 0 }) {
            found.push(setting);
        } else {
            assert_eq!(setting.rung, Rung::PidNamespace, "{record:?}");
        }
    }
    found
}

/// Runs a test in every setting at once.
pub(crate) async fn everywhere<F, Fut>(test: F)
where
    F: Fn(Setting) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for setting in settings().await {
        running.spawn(test(setting));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// A spec and the directory it writes to.
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) spec: ShimSpec,
    pub(crate) secrets: SecretSet,
    directory: PathBuf,
    _whole: tempfile::TempDir,
}

impl Case {
    pub(crate) fn new(setting: Setting, argv: &[&str]) -> Self {
        Self::below(setting, Path::new("turn"), argv)
    }

    pub(crate) fn sh(setting: Setting, script: &str) -> Self {
        Self::new(setting, &["sh", "-c", script])
    }

    /// A case whose directory has this relative path; the command works in `work` below it.
    pub(crate) fn below(setting: Setting, path: &Path, argv: &[&str]) -> Self {
        let whole = tempfile::tempdir().unwrap();
        let directory = whole.path().join(path);
        let work = directory.join("work");
        fs::create_dir_all(&work).unwrap();
        if setting.as_nobody {
            for owned in work
                .ancestors()
                .take_while(|path| path.starts_with(whole.path()))
            {
                let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                chown(owned, Some(uid), Some(gid)).unwrap();
            }
        }
        let spec = ShimSpec {
            v: SPEC_VERSION,
            argv: argv.iter().map(|text| (*text).into()).collect(),
            cwd: work.into(),
            env: vec![variable("PATH", "/usr/local/bin:/usr/bin:/bin")],
            frames_path: directory.join("output.frames").into(),
            exit_path: directory.join("exit.json").into(),
            control_path: directory.join("control.sock").into(),
            budget_ms: 120_000,
            stall_ms: None,
            grace_ms: 20_000,
            output_cap: 1 << 20,
            rung: setting.wanted(),
            deadline_boottime_ns: None,
            view: None,
            max_processes: 4096,
        };
        Self {
            setting,
            spec,
            secrets: SecretSet::default(),
            directory,
            _whole: whole,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.directory.join("work")
    }

    pub(crate) async fn spawn(&self) -> Supervised {
        self.try_spawn().await.unwrap()
    }

    pub(crate) async fn try_spawn(
        &self,
    ) -> Result<Supervised, dogwatch_supervisor::SupervisorError> {
        let program = self.setting.program();
        Supervised::spawn(&program, &self.spec, &self.secrets, self.path()).await
    }

    pub(crate) async fn run(&self) -> ExitRecord {
        self.spawn().await.wait().await.unwrap()
    }

    pub(crate) fn record(&self) -> Option<ExitRecord> {
        ExitRecord::read(self.spec.exit_path.as_path()).unwrap()
    }

    /// Takes away what the last command left, so that another one can run here.
    pub(crate) fn forget(&self) {
        for path in [&self.spec.exit_path, &self.spec.frames_path] {
            fs::remove_file(path.as_path()).unwrap();
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.spec.frames_path.as_path()).unwrap();
        let decoded = decode_all(&bytes).unwrap();
        assert_eq!(decoded.tail, Tail::Clean);
        decoded.records
    }

    pub(crate) fn plain(&self) -> PlainStreams {
        plain_streams(&self.records())
    }

    /// Waits until the command has made this file in its directory.
    pub(crate) async fn made(&self, name: &str) {
        let path = self.work().join(name);
        eventually(&format!("{name} appears"), || path.exists()).await;
    }

    /// Makes a file the command waits for.
    pub(crate) fn make(&self, name: &str) {
        fs::write(self.work().join(name), b"").unwrap();
    }
}

pub(crate) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: value.into(),
    }
}

/// Polls a condition; it must come true in time.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain until {what}");
        // SLEEP: between two looks at the condition.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A number of seconds that no other process sleeps for, to be found again among all processes.
pub(crate) fn marked_seconds() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("3600.{:07}{number:03}", std::process::id())
}

/// The processes of the machine, zombies aside, that were given the mark in any argument.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let Some(pid) = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        // A process that went away, or a zombie, has no command line.
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(mark) {
            found.push(pid);
        }
    }
    found
}

/// How many such processes there are.
pub(crate) fn running(mark: &str) -> usize {
    marked(mark).len()
}

/// The shell words that put a process into a session of its own, orphan it, and wait until it is there.
pub(crate) fn escape(mark: &str) -> String {
    format!(
        "(setsid sh -c 'touch up; exec sleep {mark}' &) ; until [ -e up ]; do sleep 0.02; done; "
    )
}

pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

/// What a measurement came to, or why a part of a test was left out: for whoever reads the output.
#[expect(clippy::print_stderr, reason = "the test runner shows it")]
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}
