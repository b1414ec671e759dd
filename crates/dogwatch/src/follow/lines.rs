//! The journal as JSON Lines, each as it is written.

use dogwatch_core::job::Job;
use dogwatch_core::run::RunState;

use super::view::View;
use crate::output::print_bytes;

/// Prints each line of the journal.
#[derive(Debug)]
pub(crate) struct LineView;

impl View for LineView {
    fn line(&mut self, line: &[u8], _state: &RunState) {
        let mut line = line.to_vec();
        line.push(b'\n');
        print_bytes(&line);
    }

    fn job(&mut self, _job: &Job) {}

    fn printed(&mut self, _text: &str) {}
}
