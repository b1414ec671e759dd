//! What a server that starts says to whoever started it: that it is ready and what it found, or why it is not.

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_runner::Recovery;
use serde::{Deserialize, Serialize};

/// One line, on the pipe to the starting command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Announcement {
    /// It answers.
    Ready {
        /// What a dead process had left behind.
        recovered: Vec<RecoveredJob>,
    },
    /// It does not, and is gone.
    Failed {
        /// The stable code.
        code: String,
        /// What happened.
        message: String,
        /// What to do next.
        next_action: Option<String>,
    },
}

/// A job whose runner had died.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecoveredJob {
    /// The job.
    pub(crate) job: JobId,
    /// Its run, if one had been started.
    pub(crate) run: Option<RunId>,
    /// How the run ended.
    pub(crate) outcome: Option<RunOutcome>,
    /// Where the job stands now.
    pub(crate) status: JobStatus,
}

impl RecoveredJob {
    /// The same for a person.
    pub(crate) fn sentence(&self) -> String {
        let run = self
            .run
            .map_or_else(|| "no run".to_owned(), |run| run.to_string());
        let outcome = self.outcome.map_or("released", RunOutcome::as_str);
        format!(
            "recovered: {run} of a process that died is {outcome}; {} is {}",
            self.job, self.status
        )
    }

    pub(super) fn all(recovery: &Recovery) -> Vec<Self> {
        recovery
            .recovered
            .iter()
            .map(|recovered| Self {
                job: recovered.job,
                run: recovered.run,
                outcome: recovered.outcome,
                status: recovered.status,
            })
            .collect()
    }
}
