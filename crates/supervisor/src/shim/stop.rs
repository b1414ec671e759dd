//! The one way a tree ends: asked, given a grace, killed.

use std::io;
use std::time::{Duration, Instant};

use super::tree::Tree;
use crate::record::{Cause, Leftovers};

/// How often the tree is scanned again while it is being killed without a namespace.
const KILL_INTERVAL: Duration = Duration::from_millis(10);

/// How often a shim that cannot go on tries to kill its tree.
const FORCED_ATTEMPTS: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Asked { kill_at: Instant },
    Killed { again_at: Option<Instant> },
}

/// How far the end has come. The first cause stands; later ones can only make the end quicker.
#[derive(Debug)]
pub(super) struct Ladder {
    phase: Phase,
    grace: Duration,
    cause: Option<Cause>,
    leftovers: Option<Leftovers>,
}

impl Ladder {
    pub(super) const fn new(grace: Duration) -> Self {
        Self {
            phase: Phase::Running,
            grace,
            cause: None,
            leftovers: None,
        }
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.cause.is_some()
    }

    pub(super) fn outcome(self) -> (Option<Cause>, Leftovers) {
        (self.cause, self.leftovers.unwrap_or_default())
    }

    /// Begins to end the tree for this cause, unless that has begun already.
    pub(super) fn end(&mut self, cause: Cause, tree: &mut Tree, now: Instant) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        complain("ask the tree to end", tree.ask());
        self.phase = Phase::Asked {
            kill_at: now + self.grace,
        };
    }

    /// Kills without further grace.
    pub(super) fn end_now(&mut self, cause: Cause, tree: &mut Tree, now: Instant) {
        self.cause.get_or_insert(cause);
        if !matches!(self.phase, Phase::Killed { .. }) {
            self.kill(tree, now);
        }
    }

    /// The end of the main process, which may come before or after the ladder began.
    pub(super) fn main_ended(&mut self, cause: Cause, tree: &mut Tree, now: Instant) {
        self.count(tree);
        self.end(cause, tree, now);
    }

    /// Goes on as time passes.
    pub(super) fn advance(&mut self, tree: &mut Tree, now: Instant) {
        match self.phase {
            Phase::Asked { kill_at } if now >= kill_at => self.kill(tree, now),
            Phase::Killed {
                again_at: Some(again_at),
            } if now >= again_at => self.kill(tree, now),
            Phase::Running | Phase::Asked { .. } | Phase::Killed { .. } => {}
        }
    }

    /// When to go on at the latest.
    pub(super) const fn next(&self) -> Option<Instant> {
        match self.phase {
            Phase::Running => None,
            Phase::Asked { kill_at } => Some(kill_at),
            Phase::Killed { again_at } => again_at,
        }
    }

    fn kill(&mut self, tree: &mut Tree, now: Instant) {
        self.count(tree);
        let killed = tree.kill();
        // In a namespace once is enough, unless it could not be done.
        let again = killed.is_err() || !tree.dies_at_once();
        complain("kill the tree", killed);
        self.phase = Phase::Killed {
            again_at: again.then(|| now + KILL_INTERVAL),
        };
    }

    /// Leftovers are counted once: when the main process has ended, or else when everything is killed.
    fn count(&mut self, tree: &Tree) {
        self.leftovers.get_or_insert_with(|| tree.leftovers());
    }
}

/// Kills until nothing is left or it has been tried long enough: the last resort of a shim that cannot go on.
pub(super) fn end_by_force(tree: &mut Tree) {
    for _ in 0..FORCED_ATTEMPTS {
        complain("kill the tree", tree.kill());
        complain("reap the tree", tree.reap());
        if tree.is_empty() {
            return;
        }
        std::thread::sleep(KILL_INTERVAL);
    }
}

/// A step that failed is repeated or overtaken by the next one; the log says why.
fn complain(what: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        super::entry::log(&format!("cannot {what}: {error}"));
    }
}
