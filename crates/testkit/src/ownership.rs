//! Being an ordinary user, for tests that root starts.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::lchown;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Nobody's id, also in containers.
const NOBODY: u32 = 65534;

/// What to put before a command so that another user runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsUser {
    prefix: Vec<OsString>,
}

impl AsUser {
    /// The words that come before the command.
    pub fn prefix(&self) -> &[OsString] {
        &self.prefix
    }

    /// A command of that user.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.prefix[0]);
        command.args(&self.prefix[1..]).arg(program);
        command
    }

    /// The same command with its arguments, environment and directory, run by that user. What was set up for its pipes is lost.
    pub fn wrap(&self, command: &Command) -> Command {
        let mut wrapped = self.command(command.get_program());
        wrapped.args(command.get_args());
        // Whether the environment was cleared cannot be asked, so only what was set is passed on.
        wrapped.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        wrapped
    }
}

/// How to run commands as user 65534 without groups. Nothing where this is not root, or `setpriv` is absent or may not do it.
pub fn as_user_65534() -> Option<AsUser> {
    static ANSWER: OnceLock<Option<AsUser>> = OnceLock::new();
    ANSWER.get_or_init(probe).clone()
}

fn probe() -> Option<AsUser> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let words = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ];
    let user = AsUser {
        prefix: words.map(OsString::from).to_vec(),
    };
    // A container may have taken the right to change users from its root.
    let tried = user
        .command("true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success()).then_some(user)
}

/// Gives a file, or a directory with all it holds, to user 65534. Only root can.
#[track_caller]
pub fn give_to_65534(path: &Path) {
    if let Err(error) = give(path) {
        panic!("cannot give {} to user 65534: {error}", path.display());
    }
}

fn give(path: &Path) -> std::io::Result<()> {
    lchown(path, Some(NOBODY), Some(NOBODY))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in path.read_dir()? {
            give(&entry?.path())?;
        }
    }
    Ok(())
}
