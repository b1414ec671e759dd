//! `dogwatch audit`: the control log, every mutation with who did it.

use clap::Args;
use dogwatch_api::{ListEvents, LogEntry};

use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print, print_json_line};

/// How many events are read at once.
const PAGE: u32 = 500;

/// Print the control log: every mutation, with who did it and through which token.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch audit --follow
  dogwatch audit --job 3fa9c1 --json")]
pub(crate) struct AuditArgs {
    /// Go on with what comes.
    #[arg(long, short)]
    follow: bool,
    /// Only of this job, by its id or the end of it.
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only after this position.
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
}

pub(crate) fn run(context: &Context, args: &AuditArgs) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        let job = match &args.job {
            Some(text) => Some(connection.job_named(text).await?),
            None => None,
        };
        let mut request = ListEvents {
            after: args.after,
            job,
            project: None,
            limit: Some(PAGE),
        };
        if args.follow {
            let mut events = connection.client.events(request).await?;
            while let Some(entry) = events.next().await {
                show(context, &entry?);
            }
            return Ok(Exit::Success);
        }
        let plane = connection.plane();
        loop {
            let page = plane.list_events(request.clone()).await?;
            if page.items.is_empty() {
                return Ok(Exit::Success);
            }
            for entry in &page.items {
                show(context, entry);
            }
            request.after = page.items.last().map(|entry| entry.position);
        }
    })
}

fn show(context: &Context, entry: &LogEntry) {
    if context.json {
        print_json_line(entry);
        return;
    }
    let event = &entry.event;
    let token = event
        .actor
        .token_id
        .map(|token| format!(" ({token})"))
        .unwrap_or_default();
    print(&format!(
        "{:>6}  {}  {:<28}  {}{token}  {}",
        entry.position,
        event.at,
        plain(&event.kind),
        plain(&event.actor.principal),
        event.stream,
    ));
}
