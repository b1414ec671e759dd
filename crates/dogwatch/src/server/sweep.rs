//! The clock of the control plane: once per sweep it looks for what only time brings.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_engine::Engine;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Sweeps for ever.
pub(super) async fn sweep(engine: Arc<Engine>, every: Duration) {
    let start = Instant::now();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A steady clock: nobody can set it, and two sweeps are as far apart as they are.
        if let Err(problem) = engine.tick(start.elapsed()).await {
            tracing::error!(
                lane = "runtime",
                event = "sweep.failed",
                code = problem.code,
                "{problem}"
            );
        }
    }
}
