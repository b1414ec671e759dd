//! How patient a client is.

use std::time::Duration;

/// How patient a client is. The defaults are for a server on this machine and for one far away alike.
#[derive(Clone, Debug)]
pub struct Options {
    /// For a connection to be there.
    pub connect_time: Duration,
    /// For an answer, and for what comes after the end of a long poll. A little longer than the server gives itself, so that its own word
    /// comes first.
    pub answer_time: Duration,
    /// How often a call that may be repeated is repeated.
    pub repeats: usize,
    /// Before the first repetition; it doubles from there, and some chance is added.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long a stream may show no sign of life before it is taken for broken. The server gives one every few seconds.
    pub stream_silence: Duration,
    /// How often in a row a broken stream is opened again without anything coming.
    pub stream_repeats: usize,
    /// Whether `http://` may lead to other machines, where something else keeps the way private.
    pub plain_text: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(5),
            answer_time: Duration::from_secs(35),
            repeats: 4,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            stream_silence: Duration::from_secs(60),
            stream_repeats: 12,
            plain_text: false,
        }
    }
}
