//! Waiting for something to claim.

use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};

use crate::Engine;
use crate::hints::Hint;

/// How long a lost hint can delay a claim. What becomes due by the clock alone is found this way too.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    /// Waits until it is worth another look, at the latest until `deadline`; false when there is no more waiting.
    pub(crate) async fn wait_for_work(
        &self,
        hints: &mut Receiver<Hint>,
        deadline: Instant,
    ) -> bool {
        let now = Instant::now();
        if now >= deadline || self.is_draining() {
            return false;
        }
        let look = deadline.min(now + LOOK);
        let mut draining = self.draining.subscribe();
        loop {
            tokio::select! {
                _ = draining.wait_for(|drain| *drain) => return false,
                () = sleep_until(look) => return true,
                hint = hints.recv() => match hint {
                    Ok(Hint::JobAvailable) | Err(RecvError::Lagged(_)) => return true,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return false,
                },
            }
        }
    }
}
