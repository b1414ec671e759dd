//! Signals: the first lets what runs come to its end, the second stops it now.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How urgently the server is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Not at all.
    Stay,
    /// When what runs has ended.
    Drain,
    /// Now.
    Now,
}

/// Tells how urgently the server is to end, as signals arrive.
pub(super) fn urgency() -> std::io::Result<watch::Receiver<Urgency>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A server outlives the terminal it was started from.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let (sender, receiver) = watch::channel(Urgency::Stay);
    tokio::spawn(async move {
        loop {
            let at_once = tokio::select! {
                _ = interrupt.recv() => false,
                _ = terminate.recv() => false,
                _ = quit.recv() => true,
                _ = hangup.recv() => continue,
            };
            sender.send_modify(|urgency| {
                *urgency = match *urgency {
                    _ if at_once => Urgency::Now,
                    Urgency::Stay => Urgency::Drain,
                    Urgency::Drain | Urgency::Now => Urgency::Now,
                };
            });
        }
    });
    Ok(receiver)
}
