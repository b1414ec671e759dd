//! `dogwatch reject`: puts on record that the result of a run is not wanted.

use clap::Args;
use dogwatch_api::RunVerdict;
use serde_json::json;

use super::judging::{Subject, write_statement};
use super::reading::line;
use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::print_json;

/// Put on record that the result of a run is not wanted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch reject 3fa9c1 --reason \"it removes the retry\"

Nothing is deleted: evidence, snapshots and the record stay, and a later `dogwatch promote` counts instead.")]
pub(crate) struct RejectArgs {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
    /// Why, for the record.
    #[arg(long, short, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(context: &Context, args: &RejectArgs) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        let mut subject = Subject::find(context, &connection, &args.run).await?;
        let reason = args.reason.clone();
        subject
            .judge(&connection, RunVerdict::Reject, reason)
            .await?;
        let verdict = write_statement(context, &subject)?;
        let judgement = subject.run.header.judgement.as_ref();
        let reason = judgement.and_then(|said| said.reason.as_deref());
        if context.json {
            print_json(&json!({
                "run_id": subject.run.id,
                "job_id": subject.run.job,
                "verdict": "reject",
                "reason": reason,
                "bundle": subject.bundle.to_string_lossy(),
                "manifest_sha256": subject.digest,
                "verdict_file": verdict.to_string_lossy(),
            }));
        } else {
            line("rejected", &subject.run.id.to_string());
            if let Some(reason) = reason {
                line("reason", reason);
            }
            line("verdict", &verdict.to_string_lossy());
            let job = subject.run.job.short();
            line("next", &format!("dogwatch jobs retry {job}"));
        }
        Ok(Exit::Success)
    })
}
