//! The end of a run, for a tired person: what happened, what stands behind it, what to type next.

use std::io::Write;

use dogwatch_core::job::{Assurance, Job, JobStatus, RunOutcome};
use dogwatch_runner::{Finished, Recovery};
use serde_json::json;

use super::reading::print_failure;
use super::story;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{plain, print, print_json_line};

/// How many changed paths are named.
const NAMED: usize = 12;

/// Says what was mended before anything else was done.
pub(super) fn recovery(recovery: &Recovery) {
    let mut stderr = std::io::stderr().lock();
    for recovered in &recovery.recovered {
        let run = recovered
            .run
            .map_or_else(|| "no run".to_owned(), |run| run.to_string());
        let outcome = recovered.outcome.map_or("released", RunOutcome::as_str);
        let _ = writeln!(
            stderr,
            "recovered: {run} of a process that died is {outcome}; {} is {}",
            recovered.job, recovered.status
        );
        if recovered.status == JobStatus::Queued {
            let _ = writeln!(
                stderr,
                "  next: dogwatch jobs retry {}",
                recovered.job.short()
            );
        }
    }
}

/// Prints how a run ended.
pub(super) fn run(context: &Context, finished: &Finished) -> Exit {
    let exit = Exit::of(finished.outcome);
    if context.json {
        print_json_line(&json!({
            "type": "result",
            "job_id": finished.job,
            "job_status": finished.status,
            "run_id": finished.run,
            "outcome": finished.outcome,
            "failure": finished.failure,
            "assurance": finished.assurance,
            "containment": "none",
            "tree": finished.tree,
            "turns": finished.turns,
            "gates": finished.gates,
            "bundle": finished.bundle.to_string_lossy(),
            "manifest_sha256": finished.manifest,
            "cleanup": finished.cleanup,
        }));
        return exit;
    }
    print(&format!(
        "{} after {} turn(s)  {}",
        headline(finished.outcome),
        finished.turns,
        finished.run
    ));
    if let Some(failure) = &finished.failure {
        print_failure(failure);
    }
    for line in story::lines(&finished.bundle, finished.run) {
        print(&line);
    }
    print_changes(finished);
    print(&format!("assurance    {}", assurance(finished)));
    print("containment  none (the agent could reach whatever you can; see `dogwatch doctor`)");
    print(&format!(
        "bundle       {}",
        plain(&finished.bundle.to_string_lossy())
    ));
    print(&format!("next         {}", next(finished)));
    exit
}

const fn headline(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Blocked => "blocked",
        RunOutcome::Stopped => "stopped",
        RunOutcome::TimedOut => "timed out",
        RunOutcome::Orphaned => "orphaned",
    }
}

fn print_changes(finished: &Finished) {
    let files = finished.bundle.join("files.txt");
    let text = std::fs::read_to_string(files).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        print("changed      nothing");
        return;
    }
    for (index, line) in lines.iter().take(NAMED).enumerate() {
        let label = if index == 0 { "changed" } else { "" };
        print(&format!("{label:<12} {}", plain(line).replace('\t', " ")));
    }
    if lines.len() > NAMED {
        print(&format!("{:<12} and {} more", "", lines.len() - NAMED));
    }
}

const fn assurance(finished: &Finished) -> &'static str {
    match (finished.outcome, finished.assurance) {
        (_, Assurance::Gates) => "gates (dogwatch ran them on the tree itself)",
        (RunOutcome::Succeeded, Assurance::None) => {
            "none (no acceptance gate: the agent's word only)"
        }
        (_, Assurance::None) => "none",
    }
}

fn next(finished: &Finished) -> String {
    let run = finished.run.short();
    match finished.outcome {
        RunOutcome::Succeeded => format!("dogwatch diff {run}   dogwatch verify {run}"),
        RunOutcome::Failed | RunOutcome::Blocked | RunOutcome::TimedOut => {
            format!(
                "dogwatch logs {run}   dogwatch jobs retry {}",
                finished.job.short()
            )
        }
        RunOutcome::Stopped | RunOutcome::Orphaned => {
            format!(
                "dogwatch diff {run}   dogwatch jobs retry {}",
                finished.job.short()
            )
        }
    }
}

/// Prints how a job ended that no run was started for.
pub(super) fn not_run(context: &Context, job: &Job, status: JobStatus) -> Exit {
    if context.json {
        print_json_line(&json!({ "type": "result", "job_id": job.id, "job_status": status }));
    } else {
        print(&format!("{} is {status}", job.id));
        if let Some(failure) = job.state.failure() {
            print_failure(failure);
        }
    }
    match status {
        JobStatus::Succeeded => Exit::Success,
        JobStatus::Cancelled => Exit::Stopped,
        JobStatus::Blocked | JobStatus::AwaitingApproval | JobStatus::Parked => Exit::Blocked,
        JobStatus::Queued
        | JobStatus::Leased
        | JobStatus::Running
        | JobStatus::Failed
        | JobStatus::TimedOut
        | JobStatus::Denied
        | JobStatus::Expired => Exit::Failure,
    }
}
