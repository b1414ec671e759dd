//! `dogwatch run`: a task, from the words to the bundle.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dogwatch_api::Submit;
use dogwatch_config::{Config, FlagValues};
use dogwatch_core::contract::{Containment, Contract, ContractDraft, ContractError, Expanded};
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::job::JobStatus;
use dogwatch_core::{Clock, Entropy, Timestamp};
use dogwatch_runner::{ProjectRecord, load_project_config};
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use dogwatch_workspace::{Checkout, CheckoutError, ObjectId, link};

use serde_json::json;

use super::reading::note;
use super::summary;
use crate::connect::{Connection, block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::{Finished, Followed, LineView, TerminalView, View, follow};
use crate::output::{print, print_json_line};

/// The topic of jobs that were submitted here.
const TOPIC: &str = "task";

/// Run a task to its end and follow it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch run \"fix the flaky login test\"
  dogwatch run --contract task.toml --agent codex
  dogwatch run --base v1.2 --json \"backport the fix\"

Ctrl-C stops watching and the run goes on; again within 3 seconds cancels it.

Exit codes: 0 succeeded, 1 failed, 2 stopped or no longer watched, 3 blocked or waiting for an approval, 4 not authorised.")]
pub(crate) struct RunArgs {
    /// The task, in your own words.
    #[arg(required_unless_present = "contract")]
    task: Option<String>,
    /// A contract in TOML or JSON: task, paths, gates, limits.
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// The agent, as defined by [agents.NAME] in dogwatch.toml or the user configuration.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The commit to start from.
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Leave the workspace in place afterwards.
    #[arg(long)]
    keep_workspace: bool,
    /// Submit the task and do not watch it.
    #[arg(long, short)]
    detach: bool,
    /// Run nothing before a person approves it.
    #[arg(long)]
    approve: bool,
    /// How far the run has to be kept apart from this machine: full, reduced or none.
    #[arg(long, value_name = "LEVEL", value_parser = containment)]
    containment: Option<Containment>,
    /// Greater is sooner.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    priority: i32,
    /// Do not start earlier, such as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    not_before: Option<Timestamp>,
    /// Do not start later.
    #[arg(long, value_name = "INSTANT")]
    deadline: Option<Timestamp>,
    /// Submit the same key twice and get the same job.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl RunArgs {
    /// A task for an agent, with everything else as it is by default.
    pub(super) fn of_task(
        task: &str,
        agent: &str,
        keep_workspace: bool,
        containment: Option<Containment>,
    ) -> Self {
        Self {
            task: Some(task.to_owned()),
            contract: None,
            agent: Some(agent.to_owned()),
            base: None,
            keep_workspace,
            containment,
            detach: false,
            approve: false,
            priority: 0,
            not_before: None,
            deadline: None,
            idempotency_key: None,
        }
    }

    fn flags(&self) -> FlagValues {
        FlagValues {
            agent: self.agent.clone(),
            keep_workspace: self.keep_workspace.then_some(true),
            containment: self.containment,
            ..FlagValues::default()
        }
    }
}

/// A request that is known to be sound, before anything was written.
struct Sound {
    checkout: Checkout,
    contract: Contract,
    notes: Vec<String>,
}

pub(crate) fn run(context: &Context, args: RunArgs) -> Result<Exit, CliError> {
    Ok(run_task(context, args)?.exit)
}

/// How a command that ran a job ends.
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// The last run, if there was one.
    pub(super) finished: Option<Box<Finished>>,
}

/// Runs a task to its end and prints how it went.
pub(super) fn run_task(context: &Context, args: RunArgs) -> Result<Ran, CliError> {
    let sound = examine(context, &args)?;
    for text in &sound.notes {
        note(text);
    }
    block_on(submit_and_follow(context, &args, sound))
}

/// Reads and checks everything that was asked for.
fn examine(context: &Context, args: &RunArgs) -> Result<Sound, CliError> {
    let mut draft = read_draft(context, args)?;
    let checkout =
        Checkout::discover(&context.directory).map_err(|error| checkout_error(&error))?;
    let wanted = args
        .base
        .as_deref()
        .or(draft.base_ref.as_deref())
        .unwrap_or("HEAD");
    let base = checkout
        .resolve(wanted)
        .map_err(|error| checkout_error(&error))?;
    if args.base.is_some() {
        draft.base_ref = Some(base.to_string());
    }
    let config = load_project_config(&checkout, base, &context.profile_input(args.flags())?)
        .map_err(|error| {
            CliError::new("config_invalid", error.chain()).next(
                "mend every problem named; a run reads dogwatch.toml as committed at its base",
            )
        })?;
    let mut notes: Vec<String> = config.warnings.clone();
    if let Some(agent) = &args.agent {
        draft.agent = Some(agent.clone());
    }
    if draft.agent.is_none() && config.agent.is_none() {
        let agent = only_agent(&config)?;
        notes.push(format!("agent: {agent} (the only one configured)"));
        draft.agent = Some(agent);
    }
    if args.approve {
        draft
            .review
            .get_or_insert_default()
            .approve_before_start
            .replace(true);
    }
    if args.keep_workspace {
        draft.keep_workspace = Some(true);
    }
    if let Some(level) = args.containment {
        draft.containment = Some(level);
    }
    let expanded = expand(&draft, &config, base)?;
    notes.extend(expanded.limits.notes.iter().map(ToString::to_string));
    let contract = expanded.contract;
    config.agent(&contract.agent).map_err(|error| {
        CliError::new("agent_unknown", error.to_string())
            .next("define it as [agents.NAME] with driver and command, see `dogwatch config show --origin`")
    })?;
    notes.extend(remarks(&checkout, &contract)?);
    Ok(Sound {
        checkout,
        contract,
        notes,
    })
}

fn containment(text: &str) -> Result<Containment, String> {
    [Containment::Full, Containment::Reduced, Containment::None]
        .into_iter()
        .find(|level| level.as_str() == text)
        .ok_or_else(|| "write full, reduced or none".to_owned())
}

/// The agent of a task that names none, where there is no choice.
fn only_agent(config: &Config) -> Result<String, CliError> {
    let mut names = config.agents.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(CliError::new("agent_missing", "no agent is configured").next(
            "define one as [agents.NAME] in dogwatch.toml (then commit it) or in the user configuration; `dogwatch init` writes examples",
        )),
        (Some(_), Some(_)) => {
            let known = config.agents.keys().cloned().collect::<Vec<_>>().join(", ");
            Err(CliError::new(
                "agent_missing",
                format!("no agent is named, and there are several: {known}"),
            )
            .next("give --agent NAME, or set `agent` in the configuration"))
        }
    }
}

fn read_draft(context: &Context, args: &RunArgs) -> Result<ContractDraft, CliError> {
    let Some(file) = &args.contract else {
        let task = args.task.clone().unwrap_or_default();
        return Ok(ContractDraft::of_task(task));
    };
    if args.task.is_some() {
        return Err(CliError::new(
            "usage",
            "a task and a contract were given, and the contract has a task of its own",
        )
        .next("give one of the two"));
    }
    let path = context.directory.join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        CliError::new(
            "contract_unreadable",
            format!("{} cannot be read: {error}", path.display()),
        )
        .next("give the path of a TOML or JSON file")
    })?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let draft = if is_json {
        ContractDraft::from_json(&text)
    } else {
        ContractDraft::from_toml(&text)
    };
    draft.map_err(|error| contract_error(&error).in_file(&path))
}

fn expand(draft: &ContractDraft, config: &Config, base: ObjectId) -> Result<Expanded, CliError> {
    draft
        .expand(&config.contract_context(base.to_string()))
        .map_err(|error| contract_error(&error))
}

/// Every problem of a contract at once; the code is that of the first.
fn contract_error(error: &ContractError) -> CliError {
    let code = error
        .problems
        .first()
        .and_then(|problem| serde_json::to_value(problem.code).ok())
        .and_then(|code| code.as_str().map(str::to_owned))
        .unwrap_or_else(|| "contract_invalid".to_owned());
    CliError::new(&code, error.to_string())
        .next("mend the contract; its schema is schemas/contract.schema.json")
}

pub(super) fn checkout_error(error: &CheckoutError) -> CliError {
    let next = match error.code() {
        "not_a_repository" => "go into a git repository, or run `git init` and commit something",
        "empty_repository" => "commit something: a run starts from a commit",
        "base_ref_not_found" => "name a branch, a tag or a commit that `git rev-parse` knows",
        _ => "look at the message; `dogwatch doctor` checks git",
    };
    CliError::from_error(error.code(), error).next(next)
}

/// What the user should know before the run, and need not decide.
fn remarks(checkout: &Checkout, contract: &Contract) -> Result<Vec<String>, CliError> {
    let mut remarks = Vec::new();
    let dirty = checkout.dirty().map_err(|error| checkout_error(&error))?;
    if !dirty.is_clean() {
        remarks.push(format!(
            "{} uncommitted path(s) are not included: the run starts from {} ({})",
            dirty.count,
            contract.base_ref,
            contract.base_commit.get(..12).unwrap_or_default(),
        ));
    }
    if contract.acceptance.is_empty() {
        remarks.push(
            "no acceptance gate is defined, so a success is only the agent's word (assurance: none); add [[acceptance]] to dogwatch.toml"
                .to_owned(),
        );
    }
    Ok(remarks)
}

async fn submit_and_follow(
    context: &Context,
    args: &RunArgs,
    sound: Sound,
) -> Result<Ran, CliError> {
    let connection = connect(context).await?;
    let project = know_project(context, &sound.checkout)?;
    let job = submit(&connection, project, &sound.contract, args).await?;
    if args.detach {
        return Ok(detached(context, job));
    }
    follow_to_the_end(context, &connection, job, None).await
}

/// Says how to come back to a job that nobody watches.
fn detached(context: &Context, job: JobId) -> Ran {
    if context.json {
        print_json_line(&json!({ "type": "submitted", "job_id": job }));
    } else {
        print(&format!("{job} is submitted"));
        print(&format!(
            "next         dogwatch wait {0}   dogwatch logs -f {0}",
            job.short()
        ));
    }
    Ran {
        exit: Exit::Success,
        finished: None,
    }
}

/// Follows a job and prints how it ended.
pub(super) async fn follow_to_the_end(
    context: &Context,
    connection: &Connection,
    job: JobId,
    limit: Option<Duration>,
) -> Result<Ran, CliError> {
    let followed = {
        // The live line goes before the summary comes.
        let mut view: Box<dyn View> = if context.json {
            Box::new(LineView)
        } else {
            Box::new(TerminalView::new())
        };
        follow(context, connection, job, limit, &mut *view).await?
    };
    Ok(match followed {
        Followed::Finished(finished) => {
            let exit = summary::run(context, &finished);
            // Called off between two runs: the last one came to its own end, and the job did not.
            let exit = match finished.status {
                JobStatus::Cancelled => Exit::Stopped,
                JobStatus::AwaitingApproval => Exit::Blocked,
                _ => exit,
            };
            Ran {
                exit,
                finished: Some(finished),
            }
        }
        Followed::NotRun(job) => Ran {
            exit: summary::not_run(context, &job),
            finished: None,
        },
        Followed::NotInTime(whereabouts) => {
            return Err(CliError::new(
                "wait_timeout",
                format!("{job} is not over yet ({whereabouts})"),
            )
            .next(format!(
                "wait longer, or look with `dogwatch why {}`",
                job.short()
            )));
        }
        Followed::Left => {
            if context.json {
                print_json_line(&json!({ "type": "left", "job_id": job }));
            }
            Ran {
                exit: Exit::Stopped,
                finished: None,
            }
        }
    })
}

/// The project's identity, minted on first use, and where its checkout is.
pub(super) fn know_project(context: &Context, checkout: &Checkout) -> Result<ProjectId, CliError> {
    let (clock, entropy) = (SystemClock, SystemEntropy);
    let candidate = ProjectId::mint(&clock as &dyn Clock, &entropy as &dyn Entropy);
    let link = link::read_or_mint(checkout, candidate, clock.now()).map_err(|error| {
        CliError::from_error("project_link", &error)
            .next("mend .git/dogwatch/link/project.json or its permissions")
    })?;
    ProjectRecord::remember(
        &context.layout,
        link.project_id,
        checkout.top_level(),
        clock.now(),
    )
    .map_err(|error| CliError::from_error("data_directory", &error))?;
    Ok(link.project_id)
}

async fn submit(
    connection: &Connection,
    project: ProjectId,
    contract: &Contract,
    args: &RunArgs,
) -> Result<JobId, CliError> {
    let stored = contract
        .to_stored()
        .map_err(|error| CliError::from_error("contract_invalid", &error))?;
    let submitted = connection
        .plane()
        .submit(Submit {
            project,
            session: None,
            exact: false,
            topic: TOPIC.to_owned(),
            contract: stored.bytes,
            contract_hash: stored.hash,
            priority: args.priority,
            not_before: args.not_before,
            deadline: args.deadline,
            context: None,
            idempotency_key: args.idempotency_key.clone(),
            trace: std::env::var("TRACEPARENT").ok(),
        })
        .await?;
    Ok(submitted.job_id)
}
