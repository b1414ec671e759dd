//! Following a run: a live line on a terminal, or the journal as JSON Lines.

use std::io::IsTerminal;
use std::time::Duration;

use dogwatch_core::run::Phase;
use dogwatch_runner::{Activity, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{plain, print_bytes};

/// Shows phase, turn, time and the last line, on a terminal only.
pub(crate) struct TerminalFollower {
    bar: ProgressBar,
}

impl TerminalFollower {
    pub(crate) fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix:24!} {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }
}

impl Drop for TerminalFollower {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for TerminalFollower {
    fn line(&self, _line: &[u8]) {}

    fn phase(&self, phase: Phase, checkpoint: &str) {
        self.bar.set_prefix(plain(checkpoint));
        self.bar.set_message(String::new());
        if phase == Phase::Ended {
            self.bar.finish_and_clear();
        }
    }

    fn activity(&self, activity: &Activity) {
        self.bar
            .set_message(plain(&activity.last_line).replace('\n', " "));
    }
}

/// Prints each line of the journal as it is written.
#[derive(Debug)]
pub(crate) struct LineFollower;

impl Observer for LineFollower {
    fn line(&self, line: &[u8]) {
        let mut line = line.to_vec();
        line.push(b'\n');
        print_bytes(&line);
    }

    fn phase(&self, _phase: Phase, _checkpoint: &str) {}

    fn activity(&self, _activity: &Activity) {}
}
