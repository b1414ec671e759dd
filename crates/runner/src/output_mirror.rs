//! What an agent prints, on its way to whoever follows: a task reads the shim's growing capture file and sends its streams on.
//!
//! The capture file is the evidence. This copy may lag and may fail; the agent never waits for it. At the end of a turn it is brought up
//! to date, so that a turn that ended is there as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{AppendOutput, ControlPlane, HeldLease, OutputStream};
use dogwatch_core::frame::{Decoder, Plain, Stream};
use dogwatch_core::ids::RunId;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::error::RunnerError;
use crate::patience::{Patience, is_passing};

/// How long output waits before it is sent, at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// The most bytes in one piece; so many are sent without waiting.
pub(crate) const PIECE: usize = 64 * 1024;

/// The code of a note about output that the control plane does not have.
const NOT_MIRRORED: &str = "output_not_mirrored";

/// The code of a refusal that says where the control plane goes on.
const LOG_GAP: &str = "log_gap";

/// The output of one turn.
pub(crate) struct TurnOutput {
    pub(crate) plane: Arc<dyn ControlPlane>,
    pub(crate) held: HeldLease,
    pub(crate) run: RunId,
    pub(crate) turn: u32,
    /// The capture file, which need not exist yet.
    pub(crate) frames: PathBuf,
}

/// The task that mirrors the output of a turn.
pub(crate) struct OutputMirror {
    /// Told when there is much to send.
    hurry: Arc<Notify>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<Mirror>,
}

impl Drop for OutputMirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl OutputMirror {
    /// Starts to mirror.
    pub(crate) fn start(output: TurnOutput) -> Self {
        let hurry = Arc::new(Notify::new());
        let (end, ended) = oneshot::channel();
        let mirror = Mirror {
            source: Source::new(output.frames.clone()),
            output,
            given_up: None,
        };
        let task = tokio::spawn(mirror.follow(Arc::clone(&hurry), ended));
        Self {
            hurry,
            end: Some(end),
            task,
        }
    }

    /// What to tell when there is much to send.
    pub(crate) fn hurry(&self) -> Arc<Notify> {
        Arc::clone(&self.hurry)
    }

    /// Sends the rest, once the agent is gone. What is returned is a code and a text for the journal, where not all of it arrived.
    pub(crate) async fn finish(
        mut self,
        patience: &Patience,
    ) -> Result<Option<(&'static str, String)>, RunnerError> {
        drop(self.end.take());
        let mirror = (&mut self.task)
            .await
            .map_err(io::Error::other)
            .map_err(RunnerError::file("mirror the output", "output.frames"))?;
        mirror.finish(patience).await
    }
}

struct Mirror {
    output: TurnOutput,
    source: Source,
    /// Why nothing more is sent.
    given_up: Option<String>,
}

impl Mirror {
    async fn follow(mut self, hurry: Arc<Notify>, mut ended: oneshot::Receiver<()>) -> Self {
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = hurry.notified() => {}
                _ = &mut ended => return self,
            }
            // An answer that does not come must not hold up the end of the turn; what was not answered is sent again.
            tokio::select! {
                sent = self.send(&Patience::None) => {
                    if let Err(error) = sent {
                        tracing::debug!(error = error.chain(), "output waits");
                    }
                }
                _ = &mut ended => return self,
            }
        }
    }

    async fn finish(
        mut self,
        patience: &Patience,
    ) -> Result<Option<(&'static str, String)>, RunnerError> {
        self.send(patience).await?;
        Ok(self.given_up.map(|why| (NOT_MIRRORED, why)))
    }

    /// Sends what there is. An error means that the same may work later.
    async fn send(&mut self, patience: &Patience) -> Result<(), RunnerError> {
        while self.given_up.is_none() {
            match self.source.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => self.given_up = Some(error.to_string()),
            }
            for stream in Stream::ALL {
                self.send_stream(stream, patience).await?;
            }
        }
        Ok(())
    }

    async fn send_stream(
        &mut self,
        stream: Stream,
        patience: &Patience,
    ) -> Result<(), RunnerError> {
        while let Some((offset, bytes)) = self.source.piece(stream) {
            let request = AppendOutput {
                held: self.output.held,
                run: self.output.run,
                turn: self.output.turn,
                stream: wire(stream),
                offset,
                bytes,
            };
            let plane = &self.output.plane;
            let sent = patience.ask(|| plane.append_output(request.clone())).await;
            match sent {
                Ok(appended) if appended.next_offset > offset => {
                    self.source.arrived(stream, appended.next_offset);
                }
                Ok(appended) => {
                    let next = appended.next_offset;
                    self.given_up = Some(format!("sent from {offset} on, and asked for {next}"));
                    return Ok(());
                }
                Err(RunnerError::Plane(problem)) if !is_passing(&problem) => {
                    let expected = problem.facts.get("expected").and_then(Value::as_u64);
                    match expected.filter(|_| problem.code == LOG_GAP) {
                        Some(expected) if expected < offset => self.source.rewind(stream, expected),
                        _ => {
                            self.given_up = Some(format!("{}: {problem}", problem.code));
                            return Ok(());
                        }
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

const fn wire(stream: Stream) -> OutputStream {
    match stream {
        Stream::Stdout => OutputStream::Stdout,
        Stream::Stderr => OutputStream::Stderr,
    }
}

/// One stream on its way.
#[derive(Debug, Default)]
struct Pending {
    /// Where the control plane goes on.
    next: u64,
    /// What comes there.
    bytes: Vec<u8>,
    /// How long the stream is so far, as read from the file.
    read: u64,
}

impl Pending {
    /// Takes what comes next in the file, without what has arrived already.
    fn take(&mut self, bytes: &[u8]) {
        let wanted = self.next + self.bytes.len() as u64;
        let known = usize::try_from(wanted.saturating_sub(self.read)).unwrap_or(usize::MAX);
        self.read += bytes.len() as u64;
        self.bytes
            .extend_from_slice(bytes.get(known..).unwrap_or_default());
    }

    fn arrived(&mut self, next: u64) {
        let gone = usize::try_from(next.saturating_sub(self.next)).unwrap_or(usize::MAX);
        self.bytes.drain(..gone.min(self.bytes.len()));
        self.next = next.max(self.next);
    }
}

/// The capture file, as the plain bytes of its streams.
struct Source {
    path: PathBuf,
    file: Option<File>,
    decoder: Decoder,
    plain: Plain,
    pending: [Pending; 2],
}

impl Source {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            decoder: Decoder::new(),
            plain: Plain::new(),
            pending: Default::default(),
        }
    }

    /// Reads on; whether there is anything to send. What was just captured is in the page cache, so this is not worth a thread.
    fn fill(&mut self) -> io::Result<bool> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.file else {
            return Ok(false);
        };
        let mut chunk = vec![0; PIECE];
        while self
            .pending
            .iter()
            .all(|pending| pending.bytes.len() < PIECE)
        {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            self.decoder.push(&chunk[..count]);
            let mut bytes = Vec::new();
            while let Some(record) = self.decoder.next_record().map_err(io::Error::other)? {
                bytes.clear();
                let stream = self.plain.render(&record, &mut bytes);
                self.pending[stream.index()].take(&bytes);
            }
        }
        Ok(self.pending.iter().any(|pending| !pending.bytes.is_empty()))
    }

    /// The next piece of a stream and where it belongs.
    fn piece(&self, stream: Stream) -> Option<(u64, Vec<u8>)> {
        let pending = &self.pending[stream.index()];
        let end = pending.bytes.len().min(PIECE);
        (end > 0).then(|| (pending.next, pending.bytes[..end].to_vec()))
    }

    fn arrived(&mut self, stream: Stream, next: u64) {
        self.pending[stream.index()].arrived(next);
    }

    /// Goes back to where the control plane's copy of a stream really ends, which the file has as well.
    fn rewind(&mut self, stream: Stream, expected: u64) {
        self.file = None;
        self.decoder = Decoder::new();
        self.plain = Plain::new();
        for pending in &mut self.pending {
            pending.read = 0;
        }
        let pending = &mut self.pending[stream.index()];
        pending.next = expected;
        pending.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogwatch_core::Timestamp;
    use dogwatch_core::frame::encode_output;
    use std::io::Write;

    fn rest(source: &mut Source, stream: Stream) -> Vec<u8> {
        let mut all = Vec::new();
        while source.fill().unwrap() {
            let Some((offset, bytes)) = source.piece(stream) else {
                break;
            };
            all.extend_from_slice(&bytes);
            source.arrived(stream, offset + bytes.len() as u64);
        }
        all
    }

    #[test]
    fn what_the_other_side_lost_is_read_again_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.frames");
        let mut source = Source::new(path.clone());
        assert!(!source.fill().unwrap(), "there is no file yet");
        let mut frames = Vec::new();
        encode_output(Timestamp::EPOCH, Stream::Stdout, b"one two ", &mut frames);
        encode_output(Timestamp::EPOCH, Stream::Stderr, b"oh", &mut frames);
        encode_output(Timestamp::EPOCH, Stream::Stdout, b"three", &mut frames);
        let mut file = File::create(&path).unwrap();
        // The last frame is still being written.
        file.write_all(&frames[..frames.len() - 2]).unwrap();
        assert_eq!(rest(&mut source, Stream::Stdout), b"one two ");
        file.write_all(&frames[frames.len() - 2..]).unwrap();
        assert!(source.fill().unwrap());
        source.rewind(Stream::Stdout, 4);
        assert_eq!(rest(&mut source, Stream::Stdout), b"two three");
        assert_eq!(rest(&mut source, Stream::Stderr), b"oh");
    }
}
