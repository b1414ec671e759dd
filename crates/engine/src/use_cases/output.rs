//! What agents print: taken in under the lease, handed out to whoever may look.

use dogwatch_api::{
    AppendOutput, Caller, OutputAppended, OutputLength, OutputList, OutputPiece, OutputStream,
    Problem, ReadOutput, Scope,
};
use dogwatch_core::frame::Stream;
use dogwatch_core::ids::RunId;
use dogwatch_store::{OutputKey, StoreError};

use super::events::writes_for;
use crate::Engine;
use crate::hints::Hint;
use crate::problems;

/// The most bytes of one piece.
const MAX_PIECE: u32 = 1024 * 1024;

impl Engine {
    /// Stores a piece of output. What is there already is compared and not written again.
    pub async fn append_output(
        &self,
        caller: &Caller,
        request: AppendOutput,
    ) -> Result<OutputAppended, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let held = request.held;
        let job = self.load(held.job).await?;
        Self::allow_project(caller, job.project)?;
        writes_for(&job, held, request.run)
            .map_err(|refusal| problems::from_store(StoreError::Refused(refusal)))?;
        if request.turn == 0 {
            return Err(problems::field("turn", "counts from 1"));
        }
        let key = OutputKey {
            run: request.run,
            turn: request.turn,
            stream: stored(request.stream),
        };
        let next_offset = self
            .output
            .append(key, request.offset, request.bytes)
            .await
            .map_err(problems::from_output)?;
        self.hints.send(Hint::Output(request.run));
        Ok(OutputAppended { next_offset })
    }

    /// The streams of a run.
    pub async fn list_output(&self, caller: &Caller, run: RunId) -> Result<OutputList, Problem> {
        Self::allow(caller, Scope::Read)?;
        self.run(caller, run).await?;
        let streams = self.output.streams(run).await;
        let items = streams
            .map_err(problems::from_output)?
            .into_iter()
            .map(|(key, length)| OutputLength {
                turn: key.turn,
                stream: shown(key.stream),
                length,
            })
            .collect();
        Ok(OutputList { items })
    }

    /// A piece of a stream.
    pub async fn read_output(
        &self,
        caller: &Caller,
        request: ReadOutput,
    ) -> Result<OutputPiece, Problem> {
        Self::allow(caller, Scope::Read)?;
        self.run(caller, request.run).await?;
        let key = OutputKey {
            run: request.run,
            turn: request.turn,
            stream: stored(request.stream),
        };
        let limit = usize::try_from(request.limit.clamp(1, MAX_PIECE)).unwrap_or(1);
        let part = self
            .output
            .read(key, request.offset, limit)
            .await
            .map_err(problems::from_output)?;
        Ok(OutputPiece {
            offset: request.offset,
            length: part.total,
            bytes: part.bytes,
        })
    }
}

const fn stored(stream: OutputStream) -> Stream {
    match stream {
        OutputStream::Stdout => Stream::Stdout,
        OutputStream::Stderr => Stream::Stderr,
    }
}

const fn shown(stream: Stream) -> OutputStream {
    match stream {
        Stream::Stdout => OutputStream::Stdout,
        Stream::Stderr => OutputStream::Stderr,
    }
}
