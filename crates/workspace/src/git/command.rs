//! Building and running one git command.

use std::ffi::OsStr;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use super::error::stderr_tail;
use super::{GitError, binary};
use crate::object_id::ObjectFormat;

/// A git command that is being put together.
pub(crate) struct GitCommand {
    command: Command,
    name: &'static str,
}

/// What a finished command left behind.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Settings that hold in both profiles.
const COMMON: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Settings for repositories that are ours alone. A deep tree is an agent's right; git's own limit would refuse it.
const TRUSTED: &[&str] = &[
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "safe.bareRepository=explicit",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    "core.maxTreeDepth=20000",
    "core.fsync=objects,derived-metadata,reference",
    "core.fsyncMethod=fsync",
    "submodule.recurse=false",
    "advice.detachedHead=false",
];

/// Settings for changes to the user's checkout.
const LANDING: &[&str] = &[
    "protocol.allow=never",
    "submodule.recurse=false",
    "core.fsync=objects,derived-metadata,index,reference",
    "core.fsyncMethod=fsync",
];

fn forget_git_variables(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        if key.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(key);
        }
    }
}

impl GitCommand {
    /// A question to the user's own checkout at or above `directory`.
    pub(crate) fn in_user_repository(
        directory: &Path,
        name: &'static str,
    ) -> Result<Self, GitError> {
        let mut command = Command::new(binary::program()?);
        forget_git_variables(&mut command);
        command.arg("-C").arg(directory);
        Ok(Self::with_common(command, name, COMMON))
    }

    /// A change to the user's own checkout, which only a landing makes. As with questions the user's configuration applies, which means
    /// that the user's own filters write the user's own files; nothing of it comes from a run. Submodules are left alone, and what is
    /// written is on disk when the command is over.
    pub(crate) fn landing_in(directory: &Path, name: &'static str) -> Result<Self, GitError> {
        let mut command = Command::new(binary::program()?);
        forget_git_variables(&mut command);
        command.arg("-C").arg(directory);
        let settings: Vec<&str> = COMMON.iter().chain(LANDING).copied().collect();
        Ok(Self::with_common(command, name, &settings))
    }

    /// A command in a repository that only dogwatch has written to.
    pub(crate) fn trusted(git_dir: &Path, name: &'static str) -> Result<Self, GitError> {
        let mut this = Self::trusted_anywhere(name, |command| {
            let mut argument = std::ffi::OsString::from("--git-dir=");
            argument.push(git_dir);
            command.arg(argument);
        })?;
        // git looks at the current directory even when told everything; the root has nothing an agent could have put there.
        this.command.current_dir("/");
        Ok(this)
    }

    /// Makes an empty repository at `directory`.
    pub(crate) fn init(
        directory: &Path,
        format: ObjectFormat,
        branch: &str,
        bare: bool,
    ) -> Result<Self, GitError> {
        let mut this = Self::trusted_anywhere("init", |_| {})?;
        this.command.current_dir("/");
        this = this
            .args(["--quiet", "--template="])
            .arg(format!("--object-format={format}"));
        this = this.arg(format!("--initial-branch={branch}"));
        if bare {
            this = this.arg("--bare");
        }
        Ok(this.arg("--").arg(directory))
    }

    fn trusted_anywhere(
        name: &'static str,
        locate: impl FnOnce(&mut Command),
    ) -> Result<Self, GitError> {
        let mut command = Command::new(binary::program()?);
        command.env_clear();
        for key in ["PATH", "LD_LIBRARY_PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_DEFAULT_REF_FORMAT", "files");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "dogwatch")
                .env(format!("GIT_{role}_EMAIL"), "dogwatch@localhost");
        }
        locate(&mut command);
        let settings: Vec<&str> = COMMON.iter().chain(TRUSTED).copied().collect();
        Ok(Self::with_common(command, name, &settings))
    }

    fn with_common(mut command: Command, name: &'static str, settings: &[&str]) -> Self {
        command
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // Grafts would make git lie about parents; a path below a device cannot exist and is silently no file.
            .env("GIT_GRAFT_FILE", "/dev/null/none")
            .stdin(Stdio::null())
            // An interrupt typed at the terminal is for dogwatch to act on, not for a git that is writing a snapshot.
            .process_group(0);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command.arg(name);
        Self { command, name }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    #[cfg(test)]
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Lets the command work on another index than the repository's own.
    pub(crate) fn index_file(mut self, path: &Path) -> Self {
        self.command.env("GIT_INDEX_FILE", path);
        self
    }

    pub(crate) fn work_tree(mut self, directory: &Path) -> Self {
        self.command.env("GIT_WORK_TREE", directory);
        self
    }

    /// Runs to the end and returns the answer; a failure is an error.
    pub(crate) fn run(self) -> Result<Vec<u8>, GitError> {
        let name = self.name;
        let output = self.output(&[])?;
        output.success(name)
    }

    /// As [`run`](Self::run), with `input` on standard input.
    pub(crate) fn run_with_input(self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let name = self.name;
        self.output(input)?.success(name)
    }

    /// Runs to the end, whatever the outcome.
    pub(crate) fn output(mut self, input: &[u8]) -> Result<Output, GitError> {
        let name = self.name;
        let pipe = |source| GitError::Pipe {
            command: name.to_owned(),
            source,
        };
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !input.is_empty() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.spawn_raw()?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            if let Some(mut stdin) = stdin {
                // A command that stops reading early tells so by its exit code.
                scope.spawn(move || stdin.write_all(input));
            }
            child.wait_with_output()
        })
        .map_err(pipe)?;
        Ok(Output {
            status: output.status,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    /// Starts the command with a pipe on standard output and, if asked, on standard input.
    pub(crate) fn start(mut self, stdin: Stdio) -> Result<Running, GitError> {
        let name = self.name;
        let mut child = self.spawn_piped(stdin)?;
        let stderr = child
            .stderr
            .take()
            .map(|stream| std::thread::spawn(move || drain(stream)));
        Ok(Running {
            child: Some(child),
            stderr,
            name,
        })
    }

    /// Starts the command with both its answers on pipes.
    pub(super) fn spawn_piped(&mut self, stdin: Stdio) -> Result<Child, GitError> {
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.spawn_raw()
    }

    fn spawn_raw(&mut self) -> Result<Child, GitError> {
        self.command.spawn().map_err(|source| GitError::Spawn {
            program: self.command.get_program().into(),
            source,
        })
    }
}

impl Output {
    pub(crate) fn success(self, name: &str) -> Result<Vec<u8>, GitError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(GitError::Failed {
            command: name.to_owned(),
            exit: self.status.code(),
            stderr: stderr_tail(&self.stderr),
        })
    }
}

/// A started command. Dropping it kills and reaps the process, so that no error path leaves one behind.
pub(crate) struct Running {
    child: Option<Child>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    name: &'static str,
}

impl Running {
    pub(crate) fn pipe_error(&self, source: io::Error) -> GitError {
        GitError::Pipe {
            command: self.name.to_owned(),
            source,
        }
    }

    pub(crate) fn take_stdout(&mut self) -> Result<ChildStdout, GitError> {
        self.child
            .as_mut()
            .and_then(|child| child.stdout.take())
            .ok_or_else(|| GitError::unexpected(self.name, "its output was taken already"))
    }

    pub(crate) fn take_stdin(&mut self) -> Result<std::process::ChildStdin, GitError> {
        self.child
            .as_mut()
            .and_then(|child| child.stdin.take())
            .ok_or_else(|| GitError::unexpected(self.name, "its input was taken already"))
    }

    /// Waits for the end; a failure is an error. Pipes that were taken must have been dropped by then.
    pub(crate) fn finish(mut self) -> Result<(), GitError> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let status = child.wait().map_err(|source| self.pipe_error(source))?;
        let stderr = self
            .stderr
            .take()
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default();
        Output {
            status,
            stdout: Vec::new(),
            stderr,
        }
        .success(self.name)
        .map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only when the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads a stream to its end but keeps only its tail, so that a talkative process cannot fill our memory.
pub(super) fn drain(mut stream: impl Read) -> Vec<u8> {
    const KEPT: usize = 64 * 1024;
    let mut kept = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    kept
}
