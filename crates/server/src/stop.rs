//! The one signal that the server is stopping, and the count of work that must be waited for.

use tokio::sync::{mpsc, watch};

/// Tells whether the server is stopping.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

/// Says that the server is stopping.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

pub(crate) fn pair() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Resolves when the server is stopping, or is gone.
    pub(crate) async fn begun(&self) {
        let mut receiver = self.0.clone();
        let _ = receiver.wait_for(|stopping| *stopping).await;
    }

    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

/// Held by whoever must not be cut off; see [`Pending`].
#[derive(Clone, Debug)]
pub(crate) struct Unfinished(#[expect(dead_code, reason = "only its existence counts")] mpsc::Sender<()>);

/// Waits until nobody holds an [`Unfinished`].
#[derive(Debug)]
pub(crate) struct Pending(mpsc::Receiver<()>);

pub(crate) fn unfinished() -> (Unfinished, Pending) {
    let (sender, receiver) = mpsc::channel(1);
    (Unfinished(sender), Pending(receiver))
}

impl Pending {
    /// Resolves when all have finished.
    pub(crate) async fn none(&mut self) {
        while self.0.recv().await.is_some() {}
    }
}
