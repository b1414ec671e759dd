//! Whether anyone is using the server, for those who decide when it may go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts requests that are under way.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    open: usize,
    since: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let state = State {
            open: 0,
            since: Instant::now(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// For how long there has been no request, or nothing while there is one. An open stream is a request.
    pub fn idle_for(&self) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.open == 0).then(|| state.since.elapsed())
    }

    pub(crate) fn begin(&self) -> UnderWay {
        self.change(|open| open + 1);
        UnderWay(self.clone())
    }

    fn change(&self, count: impl FnOnce(usize) -> usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = count(state.open);
        state.since = Instant::now();
    }
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|open| open.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_when_the_last_request_ended() {
        let activity = Activity::new();
        let (one, two) = (activity.begin(), activity.begin());
        assert_eq!(activity.idle_for(), None);
        drop(one);
        assert_eq!(activity.idle_for(), None);
        drop(two);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(activity.idle_for(), Some(Duration::from_secs(60)));
    }
}
