//! Following one job until it is over, or waits for a person.

use std::time::Duration;

use dogwatch_api::{CancelJob, ControlPlane, OutputStream, Problem, ReadOutput};
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{CleanupState, Job, JobState, JobStatus};
use dogwatch_core::run::{RunEvent, RunState};
use tokio::time::{Instant, sleep};

use super::interrupts::{Interrupts, Wish};
use super::outcome::Finished;
use super::view::View;
use crate::connect::{Connection, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::output::say;

/// How long between two looks. A look is a request over a socket of this machine and a few rows.
const LOOK: Duration = Duration::from_millis(100);

/// How long the removal of a workspace is waited for once all else is over.
const CLEAN_UP_TIME: Duration = Duration::from_secs(10);

/// How often a server that went away is started again.
const RESTARTS: u32 = 3;

/// How much of an agent's last output is looked at for the live line, in bytes.
const TAIL: u32 = 2_048;

/// How following ended.
pub(crate) enum Followed {
    /// The job is over or waits for a person, and its last run ended so.
    Finished(Box<Finished>),
    /// It is over or waits for a person, and no run of it ended.
    NotRun(Box<Job>),
    /// A person does not want to watch any more; the job goes on.
    Left,
    /// It was not over in time; it goes on. Where it is, for a person.
    NotInTime(String),
}

/// Follows a job, for no longer than `limit` where there is one.
pub(crate) async fn follow(
    context: &Context,
    connection: &Connection,
    job: JobId,
    limit: Option<Duration>,
    view: &mut dyn View,
) -> Result<Followed, CliError> {
    let end = limit.map(|limit| Instant::now() + limit);
    let mut interrupts =
        Interrupts::new().map_err(|error| CliError::new("signals", error.to_string()))?;
    let mut follower = Follower {
        context,
        connection: connection.clone(),
        job,
        runs: Vec::new(),
        over_since: None,
        status: None,
        restarts: 0,
    };
    loop {
        let wish = tokio::select! {
            wish = interrupts.next() => wish,
            () = reached(end) => return Ok(Followed::NotInTime(follower.whereabouts())),
            looked = follower.look(view) => match looked? {
                Some(followed) => return Ok(followed),
                None => continue,
            },
        };
        match wish {
            Wish::Explain => say(&format!(
                "stopped watching; {job} goes on. Come back with `dogwatch wait {0}` or `dogwatch logs -f {0}`; press Ctrl-C again within 3 s to cancel it",
                job.short()
            )),
            Wish::Cancel => {
                say("cancelling; press Ctrl-C again to leave without waiting for its end");
                follower.cancel().await?;
            }
            Wish::Leave => return Ok(Followed::Left),
        }
    }
}

/// What was shown of a run.
struct Shown {
    run: RunId,
    lines: u64,
    state: RunState,
}

struct Follower<'a> {
    context: &'a Context,
    connection: Connection,
    job: JobId,
    runs: Vec<Shown>,
    over_since: Option<Instant>,
    status: Option<JobStatus>,
    restarts: u32,
}

impl Follower<'_> {
    /// Looks once and shows what is new; then waits a little.
    async fn look(&mut self, view: &mut dyn View) -> Result<Option<Followed>, CliError> {
        let job = match self.advance(view).await {
            Ok(job) => job,
            Err(problem) if problem.code == "server_unreachable" => {
                self.reconnect(problem).await?;
                return Ok(None);
            }
            Err(problem) => return Err(problem.into()),
        };
        view.job(&job);
        self.status = Some(job.state.status());
        if is_over(&job) && self.nothing_follows(&job) {
            return self.end(job).await.map(Some);
        }
        sleep(LOOK).await;
        Ok(None)
    }

    /// Shows the lines that were added.
    async fn advance(&mut self, view: &mut dyn View) -> Result<Job, Problem> {
        // The job first: the lines that are there then are at least those it knows of.
        let plane = self.connection.plane();
        let job = plane.job(self.job).await?.job;
        for header in &job.runs {
            let index = match self.runs.iter().position(|shown| shown.run == header.id) {
                Some(index) => index,
                None => {
                    self.runs.push(Shown {
                        run: header.id,
                        lines: 0,
                        state: RunState::default(),
                    });
                    self.runs.len() - 1
                }
            };
            if self.runs[index].state.ended.is_some() {
                continue;
            }
            loop {
                let shown = &mut self.runs[index];
                let lines = plane.run_lines(shown.run, shown.lines).await?;
                if lines.is_empty() {
                    break;
                }
                for line in lines {
                    shown.lines += 1;
                    shown.apply(&line);
                    view.line(&line, &shown.state);
                }
            }
            if let Some(turn) = self.runs[index].state.open_turn().map(|turn| turn.turn) {
                show_output(&*plane, header.id, turn, view).await;
            }
        }
        Ok(job)
    }

    /// Where the job was last seen: phase and checkpoint of its run, or its own state.
    fn whereabouts(&self) -> String {
        match self.runs.last() {
            Some(shown) => format!(
                "phase={}, checkpoint={}",
                shown.state.phase, shown.state.checkpoint
            ),
            None => self.status.map_or_else(
                || "not seen yet".to_owned(),
                |status| format!("state={status}"),
            ),
        }
    }

    /// Whether the clean-up is done too, or has taken long enough.
    fn nothing_follows(&mut self, job: &Job) -> bool {
        let pending = job
            .runs
            .last()
            .is_some_and(|run| run.closed.is_some() && run.cleanup.state == CleanupState::Pending);
        let since = *self.over_since.get_or_insert_with(Instant::now);
        !pending || since.elapsed() >= CLEAN_UP_TIME
    }

    async fn end(&self, job: Job) -> Result<Followed, CliError> {
        let last = job.runs.last().filter(|run| run.closed.is_some());
        let Some(header) = last else {
            return Ok(Followed::NotRun(Box::new(job)));
        };
        let detail = self.connection.plane().run(header.id).await?;
        let bundle = self.context.layout.bundle(header.id);
        let status = job.state.status();
        Ok(match Finished::of(detail, status, bundle) {
            Some(finished) => Followed::Finished(Box::new(finished)),
            None => Followed::NotRun(Box::new(job)),
        })
    }

    async fn cancel(&self) -> Result<(), CliError> {
        let request = CancelJob {
            job: self.job,
            reason: "interrupted at the terminal".to_owned(),
        };
        match self.connection.plane().cancel(request).await {
            Ok(_) => Ok(()),
            // It came to its end first.
            Err(problem) if problem.code == "wrong_state" => Ok(()),
            Err(problem) => Err(problem.into()),
        }
    }

    /// The server went away. One of this data directory is started again, so that the job goes on; another one is waited for.
    async fn reconnect(&mut self, problem: Problem) -> Result<(), CliError> {
        self.restarts += 1;
        if self.restarts > RESTARTS {
            return Err(problem.into());
        }
        if self.connection.local {
            say("the server went away; starting it again");
            self.connection = connect(self.context).await?;
        } else {
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}

impl Shown {
    /// Folds a line into what is shown. One that this version does not know changes nothing.
    fn apply(&mut self, line: &[u8]) {
        let Ok(envelope) = serde_json::from_slice::<Envelope>(line) else {
            return;
        };
        if let Ok(event) = RunEvent::from_parts(&envelope.kind, &envelope.data) {
            self.state = std::mem::take(&mut self.state).apply(&event, envelope.at);
        }
    }
}

/// Shows the end of what the agent printed. It is a courtesy: what goes wrong here goes unsaid.
async fn show_output(plane: &dyn ControlPlane, run: RunId, turn: u32, view: &mut dyn View) {
    let Ok(streams) = plane.list_output(run).await else {
        return;
    };
    let Some(stdout) = streams
        .items
        .iter()
        .find(|stream| stream.turn == turn && stream.stream == OutputStream::Stdout)
    else {
        return;
    };
    let request = ReadOutput {
        run,
        turn,
        stream: OutputStream::Stdout,
        offset: stdout.length.saturating_sub(u64::from(TAIL)),
        limit: TAIL,
    };
    if let Ok(piece) = plane.read_output(request).await {
        view.printed(&String::from_utf8_lossy(&piece.bytes));
    }
}

async fn reached(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Whether nothing happens to a job any more without a person.
fn is_over(job: &Job) -> bool {
    match &job.state {
        // What it waited for is there, and its machine is about to take it up again.
        JobState::Parked { due, .. } => !due,
        JobState::Blocked { .. } | JobState::AwaitingApproval { .. } => true,
        state => state.status().is_terminal(),
    }
}
