//! How someone outside a run influences it.

use std::sync::Arc;

use dogwatch_supervisor::Order;
use tokio::sync::{Notify, watch};

/// How someone outside influences a run.
#[derive(Clone, Debug)]
pub struct RunControl {
    pub(crate) orders: watch::Sender<Order>,
    pub(crate) wake: Arc<Notify>,
}

impl Default for RunControl {
    fn default() -> Self {
        Self {
            orders: watch::Sender::new(Order::GoOn),
            wake: Arc::new(Notify::new()),
        }
    }
}

impl RunControl {
    /// Makes the next heartbeat happen now, so that a cancellation is seen at once.
    pub fn look_now(&self) {
        self.wake.notify_one();
    }

    /// Ends the run's processes without a grace. The run is sealed and reported as stopped.
    pub fn kill(&self, reason: &str) {
        self.orders.send_replace(Order::Kill {
            reason: reason.to_owned(),
        });
    }
}
