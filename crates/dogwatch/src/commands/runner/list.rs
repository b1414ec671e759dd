//! `dogwatch runner list`.

use dogwatch_core::{Clock as _, Timestamp};
use dogwatch_supervisor::os::clock::SystemClock;

use crate::connect::connect;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, print, print_json};

pub(super) async fn list(context: &Context) -> Result<Exit, CliError> {
    let runners = connect(context).await?.plane().list_runners().await?;
    if context.json {
        print_json(&runners);
        return Ok(Exit::Success);
    }
    if runners.items.is_empty() {
        print("no runner has said anything yet");
        return Ok(Exit::Success);
    }
    let now = SystemClock.now();
    let mut table = Table::new(&["MACHINE", "NAME", "SEEN", "SLOTS", "JOBS", "VERSION"]);
    for runner in &runners.items {
        table.row(vec![
            runner.runner.offer.machine.short(),
            runner.runner.name.clone(),
            if runner.seen_at == Timestamp::EPOCH {
                "not since the server started".to_owned()
            } else {
                age(runner.seen_at, now)
            },
            runner.runner.slots.to_string(),
            runner.jobs.len().to_string(),
            runner.runner.version.clone(),
        ]);
    }
    table.print();
    Ok(Exit::Success)
}
