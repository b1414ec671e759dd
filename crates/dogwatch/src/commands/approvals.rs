//! `dogwatch approvals`: what waits for a person's decision.

use clap::{Args, Subcommand};
use dogwatch_api::{ApprovalView, DecideApproval, ListApprovals, RequestApproval, Verdict};
use dogwatch_core::Clock;
use dogwatch_core::ids::{ApprovalId, RunId};
use dogwatch_core::job::{ApprovalKind, ApprovalState};
use dogwatch_supervisor::os::clock::SystemClock;
use serde_json::Value;

use super::reading::line;
use crate::connect::{Connection, block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, plain, print, print_json};

/// List, show and decide approvals.
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List what waits for a decision.
    List(ListArgs),
    /// Show exactly what would be approved.
    Show(ApprovalArg),
    /// Say yes. It counts once, for exactly what is shown.
    Approve(DecideArgs),
    /// Say no.
    Deny(DecideArgs),
    /// Ask, as the agent of a run. DOGWATCH_ENDPOINT and DOGWATCH_TOKEN say which.
    Request(RequestArgs),
}

/// List what waits for a decision.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Decided ones too.
    #[arg(long)]
    all: bool,
    /// The most items.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// Names an approval.
#[derive(Debug, Args)]
pub(crate) struct ApprovalArg {
    /// An approval, by its id or the end of it.
    approval: String,
}

/// Decides an approval.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// An approval, by its id or the end of it.
    approval: String,
    /// A word for the record, and for the agent that asked.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

/// Asks as the agent of a run.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// What is to be done, as JSON; this and nothing else is what is approved.
    action: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long it waits, in seconds; never longer than the contract says.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The run; the one this command runs in if not given.
    #[arg(long, value_name = "RUN", env = "DOGWATCH_RUN_ID")]
    run: RunId,
}

pub(crate) fn run(context: &Context, command: ApprovalsCommand) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        match command {
            ApprovalsCommand::List(args) => list(context, &connection, args).await,
            ApprovalsCommand::Show(args) => {
                let id = named(&connection, &args.approval).await?;
                show(context, &connection.plane().approval(id).await?);
                Ok(Exit::Success)
            }
            ApprovalsCommand::Approve(args) => {
                decide(context, &connection, args, Verdict::Approve).await
            }
            ApprovalsCommand::Deny(args) => {
                decide(context, &connection, args, Verdict::Reject).await
            }
            ApprovalsCommand::Request(args) => request(context, &connection, args).await,
        }
    })
}

async fn list(
    context: &Context,
    connection: &Connection,
    args: ListArgs,
) -> Result<Exit, CliError> {
    let states = if args.all {
        ApprovalState::ALL.to_vec()
    } else {
        Vec::new()
    };
    let page = connection
        .plane()
        .list_approvals(ListApprovals {
            states,
            limit: Some(args.limit),
            cursor: args.cursor,
            ..ListApprovals::default()
        })
        .await?;
    if context.json {
        print_json(&page);
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        print("nothing waits for a decision");
        return Ok(Exit::Success);
    }
    let now = SystemClock.now();
    let mut table = Table::new(&["APPROVAL", "STATE", "AGE", "JOB", "WHAT", "TASK"]);
    for item in &page.items {
        table.row(vec![
            item.approval.id.short(),
            item.approval.state.as_str().to_owned(),
            age(item.approval.requested_at, now),
            item.job.short(),
            what(item),
            item.title.clone(),
        ]);
    }
    table.print();
    if let Some(cursor) = &page.next_cursor {
        print(&format!("more with --cursor {}", plain(cursor)));
    }
    Ok(Exit::Success)
}

fn what(item: &ApprovalView) -> String {
    match item.approval.kind {
        ApprovalKind::StartRun => "start the job".to_owned(),
        ApprovalKind::AgentAction => dogwatch_core::failure::clip(&item.approval.action, 60),
    }
}

fn show(context: &Context, item: &ApprovalView) {
    if context.json {
        print_json(item);
        return;
    }
    let approval = &item.approval;
    print(&format!("{}  {}", approval.state.as_str(), approval.id));
    line("what", &what(item));
    line("task", &item.title);
    line("reason", &approval.reason);
    line("asked by", &approval.requested_by);
    line("asked", &approval.requested_at.to_string());
    line("waits", &format!("{} s", approval.ttl_ms / 1000));
    line("job", &item.job.to_string());
    if let Some(run) = approval.run {
        line("run", &run.to_string());
    }
    line("contract", &approval.contract.to_string());
    line("policy", &approval.policy.to_string());
    line("epoch", &approval.epoch.to_string());
    if let Some(decision) = &approval.decision {
        line("decided by", &format!("{} at {}", decision.by, decision.at));
        if let Some(note) = &decision.note {
            line("note", note);
        }
    }
    if let Some(reason) = &approval.superseded {
        line("superseded", reason);
    }
    line("digest", &approval.action_digest().to_string());
    print("the exact action");
    print(&format!("  {}", plain(&approval.action)));
    if approval.state == ApprovalState::Pending {
        let id = approval.id.short();
        print(&format!(
            "next         dogwatch approvals approve {id}   dogwatch approvals deny {id}"
        ));
    }
}

async fn decide(
    context: &Context,
    connection: &Connection,
    args: DecideArgs,
    verdict: Verdict,
) -> Result<Exit, CliError> {
    let approval = named(connection, &args.approval).await?;
    let decided = connection
        .plane()
        .decide_approval(DecideApproval {
            approval,
            verdict,
            note: args.message,
        })
        .await?;
    if context.json {
        print_json(&decided);
    } else {
        print(&format!(
            "{} is {}",
            decided.approval.id,
            decided.approval.state.as_str()
        ));
        print(&format!(
            "next         dogwatch wait {}",
            decided.job.short()
        ));
    }
    Ok(Exit::Success)
}

async fn request(
    context: &Context,
    connection: &Connection,
    args: RequestArgs,
) -> Result<Exit, CliError> {
    let action: Value = serde_json::from_str(&args.action).map_err(|error| {
        CliError::new("json_invalid", format!("the action is not JSON: {error}"))
            .next("give a JSON document, such as '{\"action\":\"deploy\"}'")
    })?;
    let asked = connection
        .plane()
        .request_approval(RequestApproval {
            held: None,
            run: args.run,
            id: None,
            action,
            reason: args.reason,
            ttl_ms: args.timeout.map(|seconds| seconds.saturating_mul(1000)),
        })
        .await?;
    if context.json {
        print_json(&asked);
    } else {
        print(&asked.approval.id.to_string());
    }
    Ok(Exit::Success)
}

/// The approval a person means. Ends of ids are looked for among the latest.
async fn named(connection: &Connection, text: &str) -> Result<ApprovalId, CliError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let page = connection
        .plane()
        .list_approvals(ListApprovals {
            states: ApprovalState::ALL.to_vec(),
            limit: Some(500),
            ..ListApprovals::default()
        })
        .await?;
    let mut found = page
        .items
        .iter()
        .map(|item| item.approval.id)
        .filter(|id| text.len() >= 4 && id.to_string().ends_with(text));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(CliError::new(
            "approval_not_found",
            format!("there is no approval `{text}`"),
        )
        .next("list what there is with `dogwatch approvals list --all`")),
        (Some(_), Some(_)) => Err(CliError::new(
            "ambiguous_id",
            format!("`{text}` is the end of several approvals"),
        )
        .next("give more of it")),
    }
}
