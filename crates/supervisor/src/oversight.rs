//! One command from start to record, obeying whoever oversees it: orders, a moving deadline, and progress in return.

use std::path::Path;

use dogwatch_core::redact::SecretSet;
use tokio::sync::watch;

use crate::record::ExitRecord;
use crate::spec::ShimSpec;
use crate::supervised::{ControlError, Progress, ShimProgram, Supervised, SupervisorError};

/// What an overseer wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Let it run.
    #[default]
    GoOn,
    /// End the tree, with its grace.
    Stop {
        /// Why, for the record.
        reason: String,
    },
    /// End the tree without a grace.
    Kill {
        /// Why, for the record.
        reason: String,
    },
}

/// The strings a command hangs on.
#[derive(Clone, Debug)]
pub struct Oversight {
    /// What to do. An order that stands when the command starts holds for it too.
    pub orders: watch::Receiver<Order>,
    /// Until when, in nanoseconds of CLOCK_BOOTTIME, the tree may live without a new deadline.
    pub deadline: watch::Receiver<Option<u64>>,
    /// What is taken out of its output before that is stored or told.
    pub secrets: SecretSet,
    /// Where progress goes.
    pub progress: watch::Sender<Progress>,
}

/// Runs a command under a shim until no process of it is left.
pub async fn oversee(
    program: &ShimProgram,
    mut spec: ShimSpec,
    directory: &Path,
    mut oversight: Oversight,
) -> Result<ExitRecord, SupervisorError> {
    spec.deadline_boottime_ns = *oversight.deadline.borrow_and_update();
    let mut supervised = Supervised::spawn(program, &spec, &oversight.secrets, directory).await?;
    let control = supervised.control().clone();
    let mut progress = supervised.progress();
    // Seen as changed once, so that an order given before the start is obeyed.
    oversight.orders.mark_changed();
    let (mut has_orders, mut has_deadline, mut has_progress) = (true, true, true);
    loop {
        tokio::select! {
            record = supervised.wait() => {
                oversight.progress.send_replace(progress.borrow().clone());
                return record;
            }
            changed = oversight.orders.changed(), if has_orders => {
                has_orders = changed.is_ok();
                let order = oversight.orders.borrow_and_update().clone();
                let sent = match &order {
                    Order::GoOn => Ok(()),
                    Order::Stop { reason } => control.stop(reason).await,
                    // The reason first: a shim that is killed names the first one it was given.
                    Order::Kill { reason } => match control.stop(reason).await {
                        Ok(()) => control.kill().await,
                        Err(error) => Err(error),
                    },
                };
                unless_ended(sent);
            }
            changed = oversight.deadline.changed(), if has_deadline => {
                has_deadline = changed.is_ok();
                let deadline = *oversight.deadline.borrow_and_update();
                if let Some(deadline) = deadline {
                    unless_ended(control.set_deadline(deadline).await);
                }
            }
            changed = progress.changed(), if has_progress => {
                has_progress = changed.is_ok();
                let seen = progress.borrow_and_update().clone();
                oversight.progress.send_replace(seen);
            }
        }
    }
}

/// A shim that cannot be reached has ended or is ending, and `wait` says how. It also ends by itself at its deadline.
fn unless_ended(sent: Result<(), ControlError>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "the shim was not reached");
    }
}
