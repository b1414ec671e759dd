//! Acceptance commands, each under a shim in a fresh checkout of T.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical;
use dogwatch_core::contract::Acceptance;
use dogwatch_core::limits::Limits;
use dogwatch_core::run::GateResult;
use dogwatch_supervisor::containment::View;
use dogwatch_supervisor::{
    Cause, ExitRecord, Oversight, PlainFiles, ShimPlaces, ShimProgram, ShimSpec, SupervisorError,
    derive_plain, oversee,
};
use tokio::task::spawn_blocking;

use crate::report::{GateReport, tail};

/// How much of the output stands in the report itself.
const TAIL_BYTES: usize = 16 * 1024;

/// Where a gate's evidence goes.
#[derive(Clone, Debug)]
pub struct AcceptanceFiles {
    /// What the shim leaves.
    pub shim: ShimPlaces,
    /// Plain stdout.
    pub stdout: PathBuf,
    /// Plain stderr.
    pub stderr: PathBuf,
}

/// One acceptance command to be run.
#[derive(Clone, Debug)]
pub struct AcceptanceRun {
    /// Its definition.
    pub gate: Acceptance,
    /// The tree that stands in `directory`.
    pub tree: String,
    /// The checkout to run it in.
    pub directory: PathBuf,
    /// Its environment beyond the allow-list.
    pub env: Vec<(OsString, OsString)>,
    /// Where its evidence goes.
    pub files: AcceptanceFiles,
    /// What the command may see and write; nothing means everything its user may.
    pub view: Option<View>,
    /// The limits of the run.
    pub limits: Limits,
}

/// A gate that could not be run for reasons that are not the command's.
#[derive(Debug, thiserror::Error)]
pub enum GateRunError {
    /// The shim.
    #[error("supervise the gate")]
    Supervisor(#[from] SupervisorError),
    /// Its evidence.
    #[error("keep the gate's output in {path}")]
    Evidence {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Runs an acceptance command. Exit 0 passes, every other end fails; a command that cannot be started, or is stopped, is an error.
pub async fn run_acceptance(
    run: AcceptanceRun,
    launcher: &ShimProgram,
    oversight: Oversight,
) -> Result<GateReport, GateRunError> {
    let record = oversee(launcher, spec(&run), &run.files.shim.directory, oversight).await?;
    let files = run.files.clone();
    let (output, output_tail) = spawn_blocking(move || keep_output(&files))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok(report(&run, &record, output, output_tail))
}

/// A test suite may well be silent for as long as it may run, so a gate has no stall window.
fn spec(run: &AcceptanceRun) -> ShimSpec {
    let mut env = dogwatch_supervisor::env::allowed(&[]);
    env.extend(run.env.iter().cloned());
    env.push(("DOGWATCH_GATE".into(), run.gate.name.clone().into()));
    let mut spec = ShimSpec::new(
        &run.gate.run.argv(),
        &run.directory,
        env,
        &run.files.shim,
        run.gate.timeout_ms,
        &run.limits,
    );
    spec.view.clone_from(&run.view);
    spec
}

fn keep_output(files: &AcceptanceFiles) -> Result<(Sha256Digest, String), GateRunError> {
    let evidence = |path: &Path| {
        let path = path.to_owned();
        move |source| GateRunError::Evidence { path, source }
    };
    let plain = PlainFiles {
        stdout: files.stdout.clone(),
        stderr: files.stderr.clone(),
    };
    derive_plain(&files.shim.frames, &plain).map_err(evidence(&files.shim.frames))?;
    let stdout = fs::read(&files.stdout).map_err(evidence(&files.stdout))?;
    let stderr = fs::read(&files.stderr).map_err(evidence(&files.stderr))?;
    let digest = Sha256Digest::of_parts(&[&stdout, &stderr]);
    let mut text = String::from_utf8_lossy(&stdout).into_owned();
    if !stderr.is_empty() {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&String::from_utf8_lossy(&stderr));
    }
    Ok((digest, tail(&text, TAIL_BYTES)))
}

fn report(
    run: &AcceptanceRun,
    record: &ExitRecord,
    output: Sha256Digest,
    output_tail: String,
) -> GateReport {
    let definition = canonical::to_bytes(&run.gate)
        .map(|bytes| Sha256Digest::of(&bytes))
        .unwrap_or_else(|_| Sha256Digest::of(b""));
    let (result, code, reason, exit_code) = judge(&record.cause, run.gate.timeout_ms);
    GateReport {
        gate: run.gate.name.clone(),
        acceptance: true,
        must_pass: run.gate.must_pass,
        result,
        code: code.to_owned(),
        reason,
        tree: run.tree.clone(),
        definition,
        command: Some(run.gate.run.to_string()),
        exit_code,
        output: Some(output),
        output_tail,
        dropped_bytes: record.stdout.dropped + record.stderr.dropped,
        leftovers: record.leftovers.count,
        duration_ms: u64::try_from(record.ended_at.since(record.started_at).as_millis())
            .unwrap_or(u64::MAX),
    }
}

fn judge(cause: &Cause, timeout_ms: u64) -> (GateResult, &'static str, String, Option<i32>) {
    match cause {
        Cause::Exited { code: 0 } => (
            GateResult::Passed,
            "passed",
            "exit code 0".to_owned(),
            Some(0),
        ),
        // The shell's own words for a command that is not there or cannot be run: the gate said nothing about the tree.
        Cause::Exited {
            code: code @ (126 | 127),
        } => (
            GateResult::Error,
            "gate_not_runnable",
            format!("exit code {code}: the command was not found or could not be run"),
            Some(*code),
        ),
        Cause::Exited { code } => (
            GateResult::Failed,
            "gate_failed",
            format!("exit code {code}"),
            Some(*code),
        ),
        Cause::Signalled { signal } => (
            GateResult::Failed,
            "gate_signal",
            format!("signal {signal} ended it"),
            None,
        ),
        Cause::Budget => (
            GateResult::Failed,
            "gate_timeout",
            format!("it took longer than {timeout_ms} ms"),
            None,
        ),
        Cause::Stalled { silent_ms } => (
            GateResult::Failed,
            "gate_timeout",
            format!("it printed nothing for {silent_ms} ms"),
            None,
        ),
        Cause::Stopped { reason } => (
            GateResult::Error,
            "gate_stopped",
            format!("it was stopped: {reason}"),
            None,
        ),
        Cause::Fenced => (
            GateResult::Error,
            "gate_stopped",
            "the lease was not renewed in time".to_owned(),
            None,
        ),
        Cause::SpawnFailed { message, .. } => (
            GateResult::Error,
            "gate_not_runnable",
            message.clone(),
            None,
        ),
        Cause::ContainmentMissing { reasons, .. } => (
            GateResult::Error,
            "gate_not_runnable",
            format!(
                "the containment required cannot be had: {}",
                reasons.join("; ")
            ),
            None,
        ),
        Cause::CaptureFailed { message } => (
            GateResult::Error,
            "gate_evidence",
            format!("its output could not be kept: {message}"),
            None,
        ),
        Cause::Lost => (
            GateResult::Error,
            "gate_lost",
            "its process vanished without an exit status".to_owned(),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exit_0_passes_and_what_says_nothing_about_the_tree_is_an_error() {
        for (cause, result) in [
            (Cause::Exited { code: 0 }, GateResult::Passed),
            (Cause::Exited { code: 1 }, GateResult::Failed),
            (Cause::Exited { code: 127 }, GateResult::Error),
            (Cause::Signalled { signal: 11 }, GateResult::Failed),
            (Cause::Budget, GateResult::Failed),
            (
                Cause::Stopped {
                    reason: String::new(),
                },
                GateResult::Error,
            ),
            (Cause::Fenced, GateResult::Error),
            (
                Cause::SpawnFailed {
                    errno: 2,
                    message: String::new(),
                },
                GateResult::Error,
            ),
            (Cause::Lost, GateResult::Error),
        ] {
            assert_eq!(judge(&cause, 1).0, result, "{cause:?}");
        }
    }
}
