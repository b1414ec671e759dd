//! Why a run could not be carried on, by what has to happen next.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use dogwatch_agents::{ChooseError, DriverError};
use dogwatch_api::{Problem, ProblemCode};
use dogwatch_bundle::{JournalFileError, KeyError, SealError};
use dogwatch_core::contract::Containment;
use dogwatch_core::event::EnvelopeError;
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::RunId;
use dogwatch_core::run::RunRefusal;
use dogwatch_gates::GateRunError;
use dogwatch_workspace::fingerprint::FingerprintError;
use dogwatch_workspace::included::IncludeError;
use dogwatch_workspace::snapshot::RestoreError;
use dogwatch_workspace::trash::RemoveError;
use dogwatch_workspace::{
    CheckoutError, CloneError, GitError, OverlayError, SnapshotError, VaultError,
};

use crate::project::ProjectError;

/// What went wrong outside the agent's and the gates' own doing.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The lease is gone: nothing more may be written for this run.
    #[error("the lease is lost")]
    LeaseLost,
    /// The control plane refused.
    #[error("{0}")]
    Plane(Problem),
    /// The journal cannot be written: there is no run without evidence.
    #[error("write the journal")]
    Journal(#[from] JournalFileError),
    /// An event does not fit into the journal.
    #[error("record an event")]
    Event(#[from] EnvelopeError),
    /// A fact does not follow from the ones before it: a defect of dogwatch.
    #[error("record a fact out of order")]
    Order(#[from] RunRefusal),
    /// The bundle cannot be sealed.
    #[error("seal the bundle")]
    Seal(#[from] SealError),
    /// The signing key.
    #[error("load the signing key")]
    Key(#[from] KeyError),
    /// The project's checkout.
    #[error("find the project's checkout")]
    Project(#[from] ProjectError),
    /// The project's checkout.
    #[error("read the project's checkout")]
    Checkout(#[from] CheckoutError),
    /// The vault.
    #[error("use the vault")]
    Vault(#[from] VaultError),
    /// The private clone, or the checkout for the gates.
    #[error("make a checkout")]
    Clone(#[from] CloneError),
    /// The layers of a workspace.
    #[error("make a workspace")]
    Overlay(#[from] OverlayError),
    /// This machine cannot contain a run as its contract asks. Nothing was started.
    #[error("contain the run: {} is required and {} is what this machine gives ({})", .required.as_str(), .available.as_str(), .missing.join("; "))]
    Containment {
        /// What the contract asks for.
        required: Containment,
        /// What there is.
        available: Containment,
        /// What is missing.
        missing: Vec<String>,
    },
    /// A workspace could not be moved out of the way.
    #[error("clear a workspace")]
    Remove(#[from] RemoveError),
    /// Files of the user's checkout that should come along.
    #[error("bring along what .worktreeinclude names")]
    Include(#[from] IncludeError),
    /// The snapshot.
    #[error("take a snapshot")]
    Snapshot(#[from] SnapshotError),
    /// A workspace could not be made from a snapshot.
    #[error("restore a snapshot")]
    Restore(#[from] RestoreError),
    /// The snapshot that a run should go on from is not on this machine.
    #[error("go on from {run}: {reason}")]
    SnapshotMissing {
        /// The run whose snapshot it is.
        run: RunId,
        /// What is missing.
        reason: String,
    },
    /// The control plane and this machine do not agree on what a run did.
    #[error("{0}")]
    Fork(String),
    /// The diff.
    #[error("compare trees")]
    Git(#[from] GitError),
    /// The user's repository.
    #[error("look at the user's repository")]
    Fingerprint(#[from] FingerprintError),
    /// The agent's definition.
    #[error("choose the agent")]
    Agent(#[from] ChooseError),
    /// The agent's turn.
    #[error("give the agent a turn")]
    Turn(#[from] DriverError),
    /// A gate.
    #[error("run a gate")]
    Gate(#[from] GateRunError),
    /// The configuration of the project at its base.
    #[error("{0}")]
    Profile(String),
    /// A file of the run.
    #[error("{action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl From<Problem> for RunnerError {
    fn from(problem: Problem) -> Self {
        if problem.kind == ProblemCode::LeaseLost {
            Self::LeaseLost
        } else {
            Self::Plane(problem)
        }
    }
}

impl RunnerError {
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// The failure that the run ends with.
    pub(crate) fn failure(&self, stage: &str) -> Failure {
        let (class, code, next) = match self {
            Self::LeaseLost => (
                FailureClass::Lease,
                "lease_lost",
                "nothing: the job is queued again",
            ),
            Self::Plane(problem) => {
                return Failure::new(
                    FailureClass::Infrastructure,
                    &problem.code,
                    stage,
                    &problem.detail,
                    &problem.next_action,
                );
            }
            error if error.is_disk_full() => (
                FailureClass::Infrastructure,
                "disk_full",
                "make room where the data directory is, then retry",
            ),
            Self::Journal(_)
            | Self::Event(_)
            | Self::Order(_)
            | Self::Seal(_)
            | Self::File { .. } => (
                FailureClass::Infrastructure,
                "evidence_write",
                "check free space and permissions of the data directory, then retry",
            ),
            Self::Turn(DriverError::Capture(_) | DriverError::File { .. }) => (
                FailureClass::Infrastructure,
                "evidence_write",
                "check free space and permissions of the data directory, then retry",
            ),
            Self::Key(_) => (
                FailureClass::Infrastructure,
                "signing_key",
                "mend <data>/keys as the message says, then retry",
            ),
            Self::Project(_) | Self::Checkout(_) | Self::Fingerprint(_) => (
                FailureClass::Input,
                "project_moved",
                "run dogwatch once in the project's present place, then retry",
            ),
            Self::SnapshotMissing { .. } => (
                FailureClass::Input,
                "snapshot_missing",
                "retry without going on (`dogwatch jobs retry`) to start from the base, or retry where that run's project data is",
            ),
            Self::Fork(_) => (
                FailureClass::Infrastructure,
                "journal_fork",
                "look at journal.late.jsonl in the bundle and at who else writes to the data directory",
            ),
            Self::Containment { .. } | Self::Turn(DriverError::Containment(_)) => (
                FailureClass::Infrastructure,
                "containment_missing",
                "`dogwatch doctor` says how to get it, then `dogwatch jobs retry`; or run the task anew and ask for less with --containment",
            ),
            Self::Vault(_)
            | Self::Remove(_)
            | Self::Overlay(_)
            | Self::Include(_)
            | Self::Clone(_)
            | Self::Git(_)
            | Self::Restore(_) => (
                FailureClass::Infrastructure,
                "workspace",
                "look at the message; `dogwatch doctor` checks git and the data directory",
            ),
            Self::Snapshot(_) => (
                FailureClass::Infrastructure,
                "snapshot",
                "the workspace is kept: look at the file that could not be read, then retry",
            ),
            Self::Agent(_) => (
                FailureClass::Input,
                "agent_unknown",
                "define the agent as [agents.NAME] in dogwatch.toml or the user configuration",
            ),
            Self::Turn(_) | Self::Gate(_) => (
                FailureClass::Infrastructure,
                "supervisor",
                "`dogwatch doctor` says what this machine can isolate",
            ),
            Self::Profile(_) => (
                FailureClass::Input,
                "profile_invalid",
                "mend the configuration, commit it, then submit again",
            ),
        };
        Failure::new(class, code, stage, self.chain(), next)
    }

    /// Whether a write failed for want of room.
    fn is_disk_full(&self) -> bool {
        let full = |error: &(dyn Error + 'static)| {
            error.downcast_ref::<io::Error>().is_some_and(|error| {
                matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            })
        };
        let mut cause = self.source();
        while let Some(error) = cause {
            if full(error) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// The message with its causes.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_wherever_it_was_met() {
        let code = |kind: io::ErrorKind| {
            let error = RunnerError::file("write", "/data/file")(kind.into());
            error.failure("turn_persisting").code
        };
        assert_eq!(code(io::ErrorKind::StorageFull), "disk_full");
        assert_eq!(code(io::ErrorKind::QuotaExceeded), "disk_full");
        assert_eq!(code(io::ErrorKind::PermissionDenied), "evidence_write");
    }
}
