//! The end of a run, for a tired person: what happened, what stands behind it, what to type next.

use dogwatch_core::contract::Containment;
use dogwatch_core::job::{Assurance, Job, JobState, JobStatus, ParkReason, RunOutcome};
use serde_json::json;

use super::reading::print_failure;
use super::story;
use crate::context::Context;
use crate::exit::Exit;
use crate::follow::Finished;
use crate::output::{plain, print, print_json_line};

/// How many changed paths are named.
const NAMED: usize = 12;

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
            "containment": finished.containment,
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
    if let Some(level) = finished.containment {
        print(&format!("containment  {}", containment(level)));
    }
    print(&format!(
        "bundle       {}",
        plain(&finished.bundle.to_string_lossy())
    ));
    print(&format!("next         {}", next(finished)));
    exit
}

/// What the level means for whoever reads on.
const fn containment(level: Containment) -> &'static str {
    match level {
        Containment::None => "none (the agent could reach whatever you can; see `dogwatch doctor`)",
        Containment::Reduced => {
            "reduced (writes land in its workspace and a copy of its home; the network is the machine's)"
        }
        Containment::Full => {
            "full (an ordinary user, its workspace and a copy of its home; the network is the machine's)"
        }
    }
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

/// Prints where a job stands that no run of ended.
pub(super) fn not_run(context: &Context, job: &Job) -> Exit {
    let status = job.state.status();
    let approval = job.pending_approvals().next();
    if context.json {
        print_json_line(&json!({
            "type": "result",
            "job_id": job.id,
            "job_status": status,
            "failure": job.state.failure(),
            "approval_id": approval.map(|approval| approval.id),
        }));
    } else {
        print(&format!("{} is {status}", job.id));
        if let Some(failure) = job.state.failure() {
            print_failure(failure);
        }
        if let Some(approval) = approval {
            let id = approval.id.short();
            print(&format!(
                "next         dogwatch approvals show {id}   dogwatch approvals approve {id}   dogwatch wait {}",
                job.id.short()
            ));
        }
    }
    if let JobState::Parked {
        reason: ParkReason::Limit,
        ..
    } = &job.state
    {
        return Exit::Parked;
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
