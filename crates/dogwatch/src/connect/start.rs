//! Starting the server of a data directory, as a process of its own that outlives the command.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use dogwatch_config::ENVIRONMENT_PREFIX;

use crate::context::Context;
use crate::error::CliError;
use crate::output::say;
use crate::server::{Announcement, RecoveredJob, logs_directory};

/// How long a server may take until it answers. It may have to keep what a dead runner left behind first.
const READY_TIME: Duration = Duration::from_secs(300);

/// The variables a server takes from the command that starts it. All others configure that command, or the run it is part of.
const INHERITED: [&str; 6] = [
    "DOGWATCH_LOG",
    "DOGWATCH_IDLE_MS",
    "DOGWATCH_DISK_RESERVE",
    "DOGWATCH_DISK_RETRY_MS",
    "DOGWATCH_FAILPOINT",
    "DOGWATCH_FAILPOINT_MARKER",
];

/// What came of it.
pub(super) enum Started {
    /// It answers.
    Ready(Vec<RecoveredJob>),
    /// Another process has the data directory.
    Taken(CliError),
}

/// How long a server is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// Until nothing is left to do.
    WhileNeeded,
    /// Until it is told to go.
    ForGood,
}

/// Starts a server that stays, unless one is there.
pub(crate) async fn start_to_stay(context: &Context) -> Result<(), CliError> {
    match start(context, Stay::ForGood).await? {
        Started::Ready(recovered) => {
            for job in &recovered {
                say(&job.sentence());
            }
            Ok(())
        }
        // It is there.
        Started::Taken(_) => super::connect(context).await.map(|_| ()),
    }
}

/// Starts it and waits until it answers or says why it does not.
pub(super) async fn start(context: &Context, stay: Stay) -> Result<Started, CliError> {
    let context = context.clone();
    let waiting = tokio::task::spawn_blocking(move || start_and_listen(&context, stay));
    match tokio::time::timeout(READY_TIME, waiting).await {
        Ok(Ok(started)) => started,
        Ok(Err(error)) => Err(CliError::new("server_not_running", error.to_string())),
        Err(_) => Err(CliError::new(
            "server_not_running",
            format!(
                "the server did not answer within {} s",
                READY_TIME.as_secs()
            ),
        )
        .next(
            "look at logs/ in the data directory; `dogwatch up --foreground` shows what it does",
        )),
    }
}

fn start_and_listen(context: &Context, stay: Stay) -> Result<Started, CliError> {
    let failed = |what: &str, error: std::io::Error| {
        CliError::new("server_not_running", format!("cannot {what}: {error}"))
            .next("mend the permissions of the data directory, or set DOGWATCH_HOME to another one")
    };
    let program =
        std::env::current_exe().map_err(|error| failed("find dogwatch's own program", error))?;
    let logs = logs_directory(&context.layout);
    let stderr = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&logs)
        .and_then(|()| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(logs.join("server.stderr"))
        })
        .map_err(|error| failed("write the server's log", error))?;
    let mut command = Command::new(program);
    command
        .arg("__server")
        .args((stay == Stay::ForGood).then_some("--stay"))
        .current_dir(context.layout.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with(ENVIRONMENT_PREFIX) && !INHERITED.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    // The directory may be one below the caller's: everything is named absolutely from here on.
    command.env("DOGWATCH_HOME", context.layout.root());
    let mut child = command
        .spawn()
        .map_err(|error| failed("start the server", error))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| failed("hear from the server", error))?;
    }
    match serde_json::from_str(&line) {
        Ok(Announcement::Ready { recovered }) => Ok(Started::Ready(recovered)),
        Ok(Announcement::Failed {
            code,
            message,
            next_action,
        }) => {
            // It is gone or about to be: nobody else would collect it.
            let _ = child.wait();
            let error = CliError::new(&code, message);
            let error = match next_action {
                Some(next) => error.next(next),
                None => error,
            };
            if code == "already_running" {
                Ok(Started::Taken(error))
            } else {
                Err(error)
            }
        }
        Err(_) => {
            let ended = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            Err(CliError::new(
                "server_not_running",
                format!("the server ended before it answered ({ended})"),
            )
            .next(format!("look at {}", logs.join("server.stderr").display())))
        }
    }
}
