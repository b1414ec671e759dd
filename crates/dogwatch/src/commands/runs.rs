//! `dogwatch runs`: list runs, and tell the story of one.

use std::path::Path;

use clap::{Args, Subcommand};
use dogwatch_api::RunDetail;
use dogwatch_core::Clock;
use dogwatch_core::job::{Assurance, CleanupState, JudgementKind, RunOutcome};
use dogwatch_store::{Page, RunFilter};
use dogwatch_supervisor::os::clock::SystemClock;
use serde_json::json;

use super::reading::{PageArgs, Readings, bundle_state, line, print_failure};
use super::{kept, story};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, duration, print, print_json};

/// How many lines of a run's story are shown on one screen.
const SHOWN: usize = 24;

/// List and show runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first.
    List(RunListArgs),
    /// Show the story of a run: turns, gates, outcome, evidence.
    Show(RunArg),
}

/// List runs, newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch runs list --job 3fa9c1
  dogwatch runs list --kept
  dogwatch runs list --json --limit 10")]
pub(crate) struct RunListArgs {
    /// Only runs of this job, by its id or the end of it.
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only runs whose workspace is still on this machine's disk, and where it is; all of them, on one page.
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    kept: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// Names a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch runs show 3fa9c1
  dogwatch runs show run_01998f3e2b7c7d10 --json")]
pub(crate) struct RunArg {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
}

pub(crate) fn run(context: &Context, command: RunsCommand) -> Result<Exit, CliError> {
    match command {
        RunsCommand::List(args) => list(context, &args),
        RunsCommand::Show(args) => show(context, &args.run),
    }
}

fn list(context: &Context, args: &RunListArgs) -> Result<Exit, CliError> {
    let page = match &args.job {
        // A job that does not exist has no list of runs, not an empty one.
        Some(text) => {
            let readings = Readings::open(context)?;
            let job = Some(readings.job_named(text)?.id);
            let filter = RunFilter { project: None, job };
            if args.kept {
                return kept::list(context, Some(&readings), filter);
            }
            readings.runs(filter, args.page.request())?
        }
        None if args.kept => {
            let readings = Readings::open_if_any(context)?;
            return kept::list(context, readings.as_ref(), RunFilter::default());
        }
        None => match Readings::open_if_any(context)? {
            Some(readings) => readings.runs(RunFilter::default(), args.page.request())?,
            None => Page {
                items: Vec::new(),
                next_cursor: None,
            },
        },
    };
    let nothing = "there are no runs yet; start one: dogwatch run \"fix the flaky test\"";
    PageArgs::print(&page, context.json, nothing, print_runs);
    Ok(Exit::Success)
}

fn print_runs(runs: &[RunDetail]) {
    let now = SystemClock.now();
    let mut table = Table::new(&["RUN", "JOB", "STATUS", "TURNS", "AGE", "TOOK", "AGENT"]);
    for run in runs {
        let closed = run.header.closed.as_ref();
        let created = run.header.created_at;
        let started = run.state.started.as_ref();
        table.row(vec![
            run.id.short(),
            run.job.short(),
            status(run),
            run.state.turn_count().to_string(),
            age(created, now),
            duration(closed.map_or(now, |closed| closed.at).since(created)),
            started.map_or_else(|| "-".to_owned(), |started| started.agent.clone()),
        ]);
    }
    table.print();
}

/// The outcome of a run, or the phase it is in.
pub(super) fn status(run: &RunDetail) -> String {
    match outcome(run) {
        Some(outcome) => outcome.as_str().to_owned(),
        None => run.state.phase.as_str().to_owned(),
    }
}

/// How a run ended, as the control plane has it, or its journal where that is ahead.
fn outcome(run: &RunDetail) -> Option<RunOutcome> {
    let closed = run.header.closed.as_ref().map(|closed| closed.outcome);
    closed.or_else(|| run.state.ended.as_ref().map(|ended| ended.outcome))
}

fn show(context: &Context, text: &str) -> Result<Exit, CliError> {
    let run = Readings::open(context)?.run_named(text)?;
    let bundle = context.layout.bundle(run.id);
    let state = bundle_state(&bundle);
    if context.json {
        let mut document =
            serde_json::to_value(&run).map_err(|error| CliError::from_error("output", &error))?;
        document["bundle"] = json!(bundle.to_string_lossy());
        document["bundle_state"] = json!(state);
        print_json(&document);
        return Ok(Exit::Success);
    }
    print_story(context, &bundle, &run);
    line(
        "bundle",
        &format!("{} ({})", bundle.to_string_lossy(), state.replace('_', " ")),
    );
    line("next", &next(&run));
    Ok(Exit::Success)
}

fn print_story(context: &Context, bundle: &Path, run: &RunDetail) {
    let state = &run.state;
    print(&format!("{}  {}", status(run), run.id));
    if outcome(run).is_none() {
        let since = state.phase_started_at.map(|at| format!(", since {at}"));
        line(
            "phase",
            &format!("{}{}", state.checkpoint, since.unwrap_or_default()),
        );
    }
    let failure = run
        .header
        .closed
        .as_ref()
        .and_then(|closed| closed.failure.as_ref())
        .or_else(|| {
            state
                .ended
                .as_ref()
                .and_then(|ended| ended.failure.as_ref())
        });
    if let Some(failure) = failure {
        print_failure(failure);
    }
    if let Some(reason) = &state.cancel {
        line("cancelled", reason);
    }
    line(
        "job",
        &format!("{}, attempt {}", run.job, run.header.attempt),
    );
    if let Some(earlier) = run.header.continues {
        line("continues", &earlier.to_string());
    }
    if let Some(started) = &state.started {
        line("agent", &format!("{} ({})", started.agent, started.driver));
        line("base", &started.base);
    }
    let closed = run.header.closed.as_ref();
    let took = duration(
        closed
            .map_or_else(|| SystemClock.now(), |closed| closed.at)
            .since(run.header.created_at),
    );
    line("started", &format!("{} ({took})", run.header.created_at));
    print_events(bundle, run);
    if let Some(snapshot) = &state.snapshot {
        let tree = snapshot.tree.get(..12).unwrap_or(&snapshot.tree);
        line(
            "snapshot",
            &format!("{} tree {tree}, {} files", snapshot.label, snapshot.files),
        );
    }
    if let Some(closed) = closed {
        let assurance = match closed.assurance {
            Assurance::Gates => "gates",
            Assurance::None => "none",
        };
        line("assurance", assurance);
        line("workspace", &workspace(context, run));
        print_verdict(run);
    }
}

/// Turns, gates and stalls in the order they happened.
fn print_events(bundle: &Path, run: &RunDetail) {
    let lines = story::lines(bundle, run.id);
    if lines.is_empty() && run.state.turn_count() > 0 {
        let id = run.id.short();
        line(
            "journal",
            &format!("cannot be read; `dogwatch verify {id}` says why"),
        );
    }
    let hidden = lines.len().saturating_sub(SHOWN);
    if hidden > 0 {
        line(
            "earlier",
            &format!("{hidden} lines are not shown; they stand in the journal"),
        );
    }
    for line in &lines[hidden..] {
        print(line);
    }
}

/// What a person said about it, and where its change is.
fn print_verdict(run: &RunDetail) {
    if let Some(said) = &run.header.judgement {
        let kind = match said.kind {
            JudgementKind::Promote => "promoted",
            JudgementKind::Reject => "rejected",
        };
        let reason = said.reason.as_ref().map(|reason| format!(": {reason}"));
        let text = format!("{kind} by {}{}", said.by, reason.unwrap_or_default());
        line("verdict", &text);
    }
    if let Some(landed) = &run.header.landed {
        line(
            "landed",
            &format!("{} at {}", landed.reference, landed.commit),
        );
    }
}

fn workspace(context: &Context, run: &RunDetail) -> String {
    let cleanup = &run.header.cleanup;
    let state = match cleanup.state {
        CleanupState::Pending => "not cleaned up yet",
        CleanupState::Archived => "archived",
        CleanupState::Removed => "removed",
        CleanupState::Kept => "kept",
        CleanupState::Failed => "could not be cleaned up",
    };
    [&cleanup.hook_error, &cleanup.removal_error]
        .into_iter()
        .flatten()
        .chain(
            kept::place(context, run)
                .map(|place| place.display().to_string())
                .as_ref(),
        )
        .fold(state.to_owned(), |text, more| format!("{text}: {more}"))
}

fn next(run: &RunDetail) -> String {
    let id = run.id.short();
    if outcome(run).is_some() {
        format!("dogwatch diff {id}   dogwatch verify {id}   dogwatch logs {id}")
    } else {
        format!("dogwatch logs {id}")
    }
}
