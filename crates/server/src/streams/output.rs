//! What a run's agent prints, as it comes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{ControlPlane, OutputPiece, OutputStream, ReadOutput};
use dogwatch_core::ids::RunId;
use dogwatch_core::schemars::JsonSchema;
use dogwatch_engine::Hint;
use serde::Serialize;

use super::Looks;
use crate::problem::HttpProblem;
use crate::problem_codes::HEADER_INVALID;
use crate::sse::{Batch, Item, Source};

/// The bytes of one event.
const PIECE: u32 = 64 * 1024;

/// Pieces that are read at once, so that a token is looked at between them.
const PIECES: usize = 16;

/// A piece of output, and where it belongs.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "dogwatch_core::schemars")]
pub(crate) struct OutputEvent {
    /// The turn.
    turn: u32,
    /// Which stream.
    stream: OutputStream,
    #[serde(flatten)]
    piece: OutputPiece,
}

/// The output of one run.
pub(crate) struct Output {
    plane: Arc<dyn ControlPlane>,
    run: RunId,
    looks: Looks,
}

impl Output {
    pub(crate) fn new(plane: Arc<dyn ControlPlane>, run: RunId, looks: Looks) -> Self {
        Self { plane, run, looks }
    }

    /// Says what is wrong before the stream is opened.
    pub(crate) async fn known(&self, cursor: Option<&str>) -> Result<(), HttpProblem> {
        Progress::parse(cursor)?;
        self.plane.run(self.run).await?;
        Ok(())
    }
}

#[async_trait]
impl Source for Output {
    async fn after(&mut self, cursor: Option<&str>, _: usize) -> Result<Batch, HttpProblem> {
        let mut progress = Progress::parse(cursor)?;
        let closed = self.plane.run(self.run).await?.header.closed.is_some();
        let mut items = Vec::new();
        let mut more = false;
        for known in self.plane.list_output(self.run).await?.items {
            let (turn, stream) = (known.turn, known.stream);
            let mut offset = progress.of(turn, stream);
            while offset < known.length {
                if items.len() >= PIECES {
                    more = true;
                    break;
                }
                let request = ReadOutput {
                    run: self.run,
                    turn,
                    stream,
                    offset,
                    limit: PIECE,
                };
                let piece = self.plane.read_output(request).await?;
                if piece.bytes.is_empty() {
                    break;
                }
                offset = piece.offset + piece.bytes.len() as u64;
                progress.reached(turn, stream, offset);
                let event = OutputEvent {
                    turn,
                    stream,
                    piece,
                };
                items.push(Item {
                    cursor: Some(progress.to_string()),
                    event: "output",
                    data: super::data(&event)?,
                });
            }
        }
        Ok(Batch {
            more,
            ended: (closed && !more).then_some("run_closed"),
            items,
        })
    }

    async fn changed(&mut self) {
        let run = self.run;
        self.looks
            .next(|hint| hint == Hint::Output(run) || matches!(hint, Hint::Job(_)))
            .await;
    }
}

/// How far each stream of each turn was read. As a cursor it reads `1.120.0-2.55.3`: turn, bytes of stdout, bytes of stderr.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress(BTreeMap<u32, [u64; 2]>);

impl Progress {
    fn parse(cursor: Option<&str>) -> Result<Self, HttpProblem> {
        let Some(text) = cursor else {
            return Ok(Self::default());
        };
        let turn = |part: &str| {
            let mut numbers = part.split('.');
            let turn = numbers.next()?.parse().ok()?;
            let stdout = numbers.next()?.parse().ok()?;
            let stderr = numbers.next()?.parse().ok()?;
            numbers.next().is_none().then_some((turn, [stdout, stderr]))
        };
        text.split('-')
            .map(turn)
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| HEADER_INVALID.because("`last-event-id` is not one of this stream's"))
    }

    fn of(&self, turn: u32, stream: OutputStream) -> u64 {
        self.0.get(&turn).map_or(0, |read| read[index(stream)])
    }

    fn reached(&mut self, turn: u32, stream: OutputStream, offset: u64) {
        self.0.entry(turn).or_default()[index(stream)] = offset;
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (turn, [stdout, stderr])) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_char('-')?;
            }
            write!(f, "{turn}.{stdout}.{stderr}")?;
        }
        Ok(())
    }
}

fn index(stream: OutputStream) -> usize {
    match stream {
        OutputStream::Stdout => 0,
        OutputStream::Stderr => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_how_far_everything_was_read() {
        let mut progress = Progress::parse(Some("1.120.0-2.55.3")).unwrap();
        assert_eq!(progress.of(2, OutputStream::Stderr), 3);
        assert_eq!(progress.of(3, OutputStream::Stdout), 0);
        progress.reached(3, OutputStream::Stdout, 7);
        assert_eq!(progress.to_string(), "1.120.0-2.55.3-3.7.0");
        assert_eq!(
            Progress::parse(Some(&progress.to_string())).unwrap(),
            progress
        );
        for bad in [
            "", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.3-", "-1.2.3", "1.2.3 ",
        ] {
            assert!(Progress::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
