//! Processes by pid, start time and boot id, so that a reused pid is never mistaken for the process that had it before.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::os::pidfd::PidFd;
use crate::os::proc;

/// How long a killed process may take to disappear before that is reported as an error.
const DEATH_LIMIT: Duration = Duration::from_secs(30);

/// One exact process of one boot of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The boot the pid and the time belong to.
    pub boot_id: String,
    /// The pid.
    pub pid: i32,
    /// The start time in clock ticks after boot.
    pub start_time: u64,
}

/// How a process came to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was gone already.
    AlreadyGone,
    /// It ended when asked to.
    Terminated,
    /// It had to be killed.
    Killed,
}

/// A process that could not be identified or ended.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The machine could not be asked about it.
    #[error("look at process {pid}")]
    Look {
        /// The pid.
        pid: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No process has the pid.
    #[error("identify process {pid}: it does not exist")]
    NoSuchProcess {
        /// The pid.
        pid: i32,
    },
    /// A signal could not be sent.
    #[error("signal process {pid}")]
    Signal {
        /// The pid.
        pid: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was killed but did not disappear.
    #[error("confirm the end of process {pid}: it was killed but is still there")]
    StillThere {
        /// The pid.
        pid: i32,
    },
}

impl ProcessIdentity {
    /// The calling process.
    pub fn of_self() -> Result<Self, IdentityError> {
        Self::of_pid(i32::try_from(std::process::id()).expect("a pid on Linux is at most 2^22"))
    }

    /// The process that has this pid now.
    pub fn of_pid(pid: i32) -> Result<Self, IdentityError> {
        let look = |source| IdentityError::Look { pid, source };
        let stat = proc::stat(pid)
            .map_err(look)?
            .ok_or(IdentityError::NoSuchProcess { pid })?;
        Ok(Self {
            boot_id: proc::boot_id().map_err(look)?,
            pid,
            start_time: stat.start_time,
        })
    }

    /// Whether this very process still runs. A zombie does not: it can no longer act.
    pub fn is_alive(&self) -> Result<bool, IdentityError> {
        let look = |source| IdentityError::Look {
            pid: self.pid,
            source,
        };
        if proc::boot_id().map_err(look)? != self.boot_id {
            return Ok(false);
        }
        let stat = proc::stat(self.pid).map_err(look)?;
        Ok(stat.is_some_and(|stat| stat.start_time == self.start_time && stat.is_running()))
    }

    /// Asks this very process to end when it sees fit (SIGTERM), and does not wait. False when it is gone already.
    pub fn ask_to_end(&self) -> Result<bool, IdentityError> {
        self.signal(Signal::SIGTERM)
    }

    /// Asks this very process to end at once (SIGQUIT), and does not wait. False when it is gone already.
    pub fn ask_to_end_now(&self) -> Result<bool, IdentityError> {
        self.signal(Signal::SIGQUIT)
    }

    fn signal(&self, signal: Signal) -> Result<bool, IdentityError> {
        let pid = self.pid;
        let look = |source| IdentityError::Look { pid, source };
        if proc::boot_id().map_err(look)? != self.boot_id {
            return Ok(false);
        }
        let Some(process) = PidFd::open_exact(pid, self.start_time).map_err(look)? else {
            return Ok(false);
        };
        process
            .signal(signal)
            .map_err(|source| IdentityError::Signal { pid, source })?;
        Ok(true)
    }

    /// Ends this very process: asks it, kills it after the grace, and returns once it is gone. This waits; async callers run it on a
    /// blocking thread. A shim that is asked ends its whole tree first, so its grace should exceed the one in its spec.
    pub fn terminate(&self, grace: Duration) -> Result<Ended, IdentityError> {
        let pid = self.pid;
        let look = |source| IdentityError::Look { pid, source };
        let signal = |source| IdentityError::Signal { pid, source };
        if proc::boot_id().map_err(look)? != self.boot_id {
            return Ok(Ended::AlreadyGone);
        }
        let Some(process) = PidFd::open_exact(pid, self.start_time).map_err(look)? else {
            return Ok(Ended::AlreadyGone);
        };
        process.signal(Signal::SIGTERM).map_err(signal)?;
        if process.wait_ended(grace).map_err(look)? {
            return Ok(Ended::Terminated);
        }
        process.signal(Signal::SIGKILL).map_err(signal)?;
        if process.wait_ended(DEATH_LIMIT).map_err(look)? {
            Ok(Ended::Killed)
        } else {
            Err(IdentityError::StillThere { pid })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn spawn(script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn identity(child: &Child) -> ProcessIdentity {
        ProcessIdentity::of_pid(i32::try_from(child.id()).unwrap()).unwrap()
    }

    #[test]
    fn another_start_time_or_boot_is_another_process() {
        let own = ProcessIdentity::of_self().unwrap();
        assert!(own.is_alive().unwrap());
        let later = ProcessIdentity {
            start_time: own.start_time + 1,
            ..own.clone()
        };
        let rebooted = ProcessIdentity {
            boot_id: "another boot".to_owned(),
            ..own
        };
        for other in [later, rebooted] {
            assert!(!other.is_alive().unwrap());
            // If this signalled anything, it would be this test.
            assert_eq!(other.terminate(Duration::ZERO).unwrap(), Ended::AlreadyGone);
        }
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        let error = ProcessIdentity::of_pid(i32::MAX).unwrap_err().to_string();
        assert!(error.contains(&i32::MAX.to_string()), "{error}");
    }

    #[test]
    fn a_process_ends_when_asked_or_is_killed() {
        use std::io::Read as _;

        let mut willing = spawn("exec sleep 60");
        let process = identity(&willing);
        assert_eq!(
            process.terminate(Duration::from_secs(30)).unwrap(),
            Ended::Terminated
        );
        assert!(!process.is_alive().unwrap());
        willing.wait().unwrap();

        let mut stubborn = spawn("trap '' TERM; echo ready; while :; do sleep 1; done");
        let process = identity(&stubborn);
        let mut ready = [0; 6];
        stubborn
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        assert_eq!(
            process.terminate(Duration::from_millis(50)).unwrap(),
            Ended::Killed
        );
        assert!(!process.is_alive().unwrap());
        stubborn.wait().unwrap();
        assert_eq!(
            process.terminate(Duration::ZERO).unwrap(),
            Ended::AlreadyGone
        );
    }
}
