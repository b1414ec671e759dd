//! Ctrl-C while following: once stops watching, again within three seconds cancels the job, and a third time does not wait for that.
//! A closed terminal and a terminated command only stop watching.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

/// How long a second Ctrl-C means the job.
const AGAIN_WITHIN: Duration = Duration::from_secs(3);

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To know how this goes on: said after the first Ctrl-C.
    Explain,
    /// To call the job off.
    Cancel,
    /// To go.
    Leave,
}

/// The signals of a following command.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    asked: u32,
    leave_at: Option<Instant>,
}

impl Interrupts {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            asked: 0,
            leave_at: None,
        })
    }

    /// The next wish. Can be dropped and asked again.
    pub(super) async fn next(&mut self) -> Wish {
        let leave_at = self.leave_at;
        let silence = async move {
            match leave_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => self.asked_again(),
            _ = self.terminate.recv() => Wish::Leave,
            _ = self.hangup.recv() => Wish::Leave,
            () = silence => Wish::Leave,
        }
    }

    fn asked_again(&mut self) -> Wish {
        self.asked += 1;
        match self.asked {
            1 => {
                self.leave_at = Some(Instant::now() + AGAIN_WITHIN);
                Wish::Explain
            }
            2 => {
                self.leave_at = None;
                Wish::Cancel
            }
            _ => Wish::Leave,
        }
    }
}
