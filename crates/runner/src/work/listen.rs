//! Hearing of work: wake-ups as long as there are some, and asking for new ones when they end.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{ControlPlane, Wakeup};
use dogwatch_core::ids::MachineId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The wait before wake-ups are asked for again; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The longest wait before they are asked for again.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// More hints than this say nothing more.
const BACKLOG: usize = 64;

/// The wake-ups of a machine, from as many streams as it takes.
pub(super) struct Listener {
    hints: mpsc::Receiver<Wakeup>,
    live: watch::Receiver<bool>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Listener {
    /// Listens.
    pub(super) fn start(plane: Arc<dyn ControlPlane>, machine: MachineId) -> Self {
        let (to, hints) = mpsc::channel(BACKLOG);
        let (now_live, live) = watch::channel(false);
        let task = tokio::spawn(listen(plane, machine, to, now_live));
        Self {
            hints,
            live,
            task: Some(task),
        }
    }

    /// Hears nothing, ever.
    pub(super) fn deaf() -> Self {
        Self {
            hints: mpsc::channel(1).1,
            live: watch::channel(false).1,
            task: None,
        }
    }

    /// Whether there is a stream right now.
    pub(super) fn is_live(&self) -> bool {
        *self.live.borrow()
    }

    /// The next hint. Never, for one that hears nothing.
    pub(super) async fn next(&mut self) -> Wakeup {
        match self.hints.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }
}

async fn listen(
    plane: Arc<dyn ControlPlane>,
    machine: MachineId,
    to: mpsc::Sender<Wakeup>,
    live: watch::Sender<bool>,
) {
    let mut wait = FIRST_WAIT;
    loop {
        match plane.wakeups(machine).await {
            Ok(mut stream) => {
                live.send_replace(true);
                // What came before the stream was open came to nobody.
                if to.send(Wakeup::Ready).await.is_err() {
                    return;
                }
                while let Some(hint) = stream.next().await {
                    wait = FIRST_WAIT;
                    if to.send(hint).await.is_err() {
                        return;
                    }
                }
                live.send_replace(false);
                // Until there is another stream, asking is what is left.
                if to.send(Wakeup::Timeout).await.is_err() {
                    return;
                }
                tracing::debug!("the wake-ups ended");
            }
            Err(problem) => {
                tracing::debug!(code = problem.code, "there are no wake-ups");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
