//! One control plane per data directory, by an operating-system lock that dies with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use dogwatch_runner::DataLayout;

use crate::error::CliError;

/// The lock. It is released when this is dropped or the process dies; children do not inherit it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(layout: &DataLayout) -> Result<Self, CliError> {
        let unusable = |error: std::io::Error| {
            CliError::new(
                "data_directory",
                format!("{} cannot be used: {error}", layout.root().display()),
            )
            .next("mend its permissions, or set DOGWATCH_HOME to another directory")
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(layout.root())
            .map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(layout.lock())
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                return Err(taken(pid.trim()));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn taken(pid: &str) -> CliError {
    let who = if pid.is_empty() {
        "another dogwatch process".to_owned()
    } else {
        format!("another dogwatch process (pid {pid})")
    };
    CliError::new(
        "already_running",
        format!("{who} is using this data directory"),
    )
    .next("wait for it, stop it with Ctrl-C in its terminal, or use another DOGWATCH_HOME")
}
