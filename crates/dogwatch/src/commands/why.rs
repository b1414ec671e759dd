//! `dogwatch why`: the chain of causes that led to where a job or run stands.

use clap::Args;
use dogwatch_api::Why;
use dogwatch_core::queue::WaitingReason;

use super::reading::line;
use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print, print_json};

/// Say why a job or run stands where it stands.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// A job or a run, by its id or the end of it.
    id: String,
}

pub(crate) fn run(context: &Context, args: &WhyArgs) -> Result<Exit, CliError> {
    block_on(async {
        let plane = connect(context).await?.plane();
        let what = plane.resolve(&args.id).await?;
        let why = plane.why(what).await?;
        if context.json {
            print_json(&why);
        } else {
            show(&why);
        }
        Ok(Exit::Success)
    })
}

fn show(why: &Why) {
    print(&format!("{}  {}", why.status, why.job));
    line("why", &why.summary);
    if !why.next_action.is_empty() {
        line("next", &why.next_action);
    }
    if why.queue.waiting_reason == Some(WaitingReason::NoEligibleRunner) {
        for unmet in &why.unmet {
            line("no runner", &unmet.to_string());
        }
    }
    print("how it came here");
    for cause in &why.causes {
        print(&format!(
            "  {}  {}  {}",
            cause.at,
            plain(&cause.says),
            plain(&cause.by)
        ));
        print(&format!("      {} {}", cause.kind, cause.event));
    }
}
