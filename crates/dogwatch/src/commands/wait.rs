//! `dogwatch wait`: follows a job that somebody submitted, from anywhere.

use std::time::Duration;

use clap::Args;

use super::run::follow_to_the_end;
use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Follow a job until it is over, or waits for a person.
#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops watching and the job goes on; again within 3 seconds cancels it.
The exit codes are those of `dogwatch run`."
)]
pub(crate) struct WaitArgs {
    /// A job or one of its runs, by its id or the end of it.
    job: String,
    /// Give up after so many seconds and say where the job is; it goes on.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

pub(crate) fn run(context: &Context, args: &WaitArgs) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        let job = connection.job_named(&args.job).await?;
        Ok(follow_to_the_end(
            context,
            &connection,
            job,
            args.timeout.map(Duration::from_secs),
        )
        .await?
        .exit)
    })
}
