//! The one signal that the server is stopping, and the work that is waited for.

use tokio::sync::{mpsc, watch};

/// Tells whether the server is stopping.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

/// Says that the server is stopping. Dropping it says so too.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

pub(crate) fn signal() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Resolves when the server is stopping.
    pub(crate) async fn begun(&self) {
        let mut receiver = self.0.clone();
        let _ = receiver.wait_for(|stopping| *stopping).await;
    }

    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

/// Held by whoever must not be cut off.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished(mpsc::Sender<()>);

/// Gives an [`Unfinished`] as long as the server has not stopped.
#[derive(Clone, Debug)]
pub(crate) struct WeakUnfinished(mpsc::WeakSender<()>);

/// Waits until nobody holds an [`Unfinished`].
#[derive(Debug)]
pub(crate) struct Pending(mpsc::Receiver<()>);

pub(crate) fn unfinished() -> (Unfinished, Pending) {
    let (sender, receiver) = mpsc::channel(1);
    (Unfinished(sender), Pending(receiver))
}

impl Unfinished {
    pub(crate) fn weak(&self) -> WeakUnfinished {
        WeakUnfinished(self.0.downgrade())
    }
}

impl WeakUnfinished {
    pub(crate) fn hold(&self) -> Option<Unfinished> {
        self.0.upgrade().map(Unfinished)
    }
}

impl Pending {
    /// Resolves when all have finished.
    pub(crate) async fn none(&mut self) {
        while self.0.recv().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_signal_reaches_those_who_ask_later() {
        let (stop, stopping) = signal();
        assert!(!stopping.has_begun());
        stop.now();
        stopping.begun().await;
        assert!(stopping.clone().has_begun());
        let (stop, stopping) = signal();
        drop(stop);
        stopping.begun().await;
    }

    #[tokio::test]
    async fn what_is_unfinished_is_waited_for() {
        let (unfinished, mut pending) = unfinished();
        let weak = unfinished.weak();
        let held = weak.hold().unwrap();
        drop(unfinished);
        let waiting = tokio::spawn(async move { pending.none().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap();
        assert!(weak.hold().is_none());
    }
}
