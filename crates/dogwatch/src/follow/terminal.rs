//! A live line on a terminal: phase, turn, time and what the agent printed last.

use std::io::IsTerminal;
use std::time::Duration;

use dogwatch_core::job::{Job, JobStatus};
use dogwatch_core::run::{Phase, RunState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::view::View;
use crate::output::plain;

/// Shows a job on a terminal, and nothing anywhere else.
pub(crate) struct TerminalView {
    bar: ProgressBar,
}

impl TerminalView {
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

impl Drop for TerminalView {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl View for TerminalView {
    fn line(&mut self, _line: &[u8], state: &RunState) {
        self.bar.set_prefix(plain(&state.checkpoint));
        if state.phase != Phase::TurnExecuting {
            self.bar.set_message(String::new());
        }
    }

    fn job(&mut self, job: &Job) {
        match job.state.status() {
            JobStatus::Running => {}
            status => self.bar.set_prefix(status.to_string()),
        }
    }

    fn printed(&mut self, text: &str) {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        if let Some(last) = last {
            self.bar.set_message(plain(last).replace('\n', " "));
        }
    }
}
