//! The server's copy of a journal: which lines may be appended, and what they make of the run's projection.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_core::ids::RunId;
use dogwatch_core::run::{RunEvent, RunState};

/// Why lines were not appended.
#[derive(Debug, thiserror::Error)]
pub enum RunLogError {
    /// Lines are missing before these.
    #[error("line {expected} is next")]
    Gap {
        /// The line that comes next.
        expected: u64,
    },
    /// A line is not a journal line of this run, or does not link to the one before.
    #[error("line {seq}: {reason}")]
    Line {
        /// Where it was to stand.
        seq: u64,
        /// Why.
        reason: String,
    },
}

/// The end of a stored journal and the state its lines fold to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunLog {
    /// The run.
    pub run: RunId,
    /// How many lines are stored.
    pub count: u64,
    /// The link that the next line must carry.
    pub head: Sha256Digest,
    /// What the lines fold to.
    pub state: RunState,
}

impl RunLog {
    /// A journal without lines.
    pub fn empty(run: RunId) -> Self {
        Self {
            run,
            count: 0,
            head: StreamId::Run(run).genesis(),
            state: RunState::default(),
        }
    }

    /// The position a line claims, read without trusting the rest of it.
    pub fn claimed_seq(line: &[u8]) -> Option<u64> {
        #[derive(serde::Deserialize)]
        struct Position {
            seq: u64,
        }
        serde_json::from_slice::<Position>(line)
            .ok()
            .map(|position| position.seq)
    }

    /// Takes the next line, after checking that it is one.
    pub fn push(&mut self, line: &[u8]) -> Result<(), RunLogError> {
        let seq = self.count + 1;
        let bad = |reason: String| RunLogError::Line { seq, reason };
        let envelope: Envelope =
            serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        if envelope.seq != seq {
            return Err(if envelope.seq > seq {
                RunLogError::Gap { expected: seq }
            } else {
                bad(format!("it claims to be line {}", envelope.seq))
            });
        }
        let stream = StreamId::Run(self.run);
        if envelope.stream != stream || envelope.run != Some(self.run) {
            return Err(bad(format!("it belongs to {}", envelope.stream)));
        }
        if envelope.prev != self.head {
            return Err(bad("it does not link to the line before it".to_owned()));
        }
        let at = envelope.at;
        if self.state.ended.is_some() {
            return Err(bad("the journal has ended".to_owned()));
        }
        let event = RunEvent::from_parts(&envelope.kind, &envelope.data)
            .map_err(|error| bad(error.to_string()))?;
        let sealed = envelope.seal().map_err(|error| bad(error.to_string()))?;
        if sealed.line != line {
            return Err(bad("its bytes are not canonical".to_owned()));
        }
        self.state = std::mem::take(&mut self.state).apply(&event, at);
        self.count = seq;
        self.head = sealed.head;
        Ok(())
    }
}
