//! The thread that writes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use dogwatch_core::log_event::LogLane;

use super::error::OplogError;
use super::files::{LaneFile, Sizes};

/// How many lines may wait. Whoever makes more of them waits too: nothing is dropped, and the memory is bounded.
const WAITING: usize = 8 * 1024;

/// A line on its way to the disk.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) lane: LogLane,
    pub(super) is_error: bool,
    /// With its line feed.
    pub(super) bytes: Vec<u8>,
}

enum Message {
    Line(Line),
    Stop,
}

/// Where lines are handed over.
#[derive(Clone, Debug)]
pub(super) struct Lines(SyncSender<Message>);

impl Lines {
    pub(super) fn send(&self, line: Line) {
        // After the end nobody listens, and nobody was promised it.
        let _ = self.0.send(Message::Line(line));
    }
}

/// The thread, from outside.
#[derive(Debug)]
pub(super) struct Writer {
    lines: Lines,
    thread: Option<JoinHandle<u64>>,
}

impl Writer {
    /// Opens the file of every lane and starts.
    pub(super) fn start(directory: &Path, sizes: Sizes) -> Result<Self, OplogError> {
        let mut files = BTreeMap::new();
        for lane in LogLane::ALL {
            files.insert(lane, LaneFile::open(directory, lane, sizes)?);
        }
        let (sender, receiver) = sync_channel(WAITING);
        let thread = Builder::new()
            .name("oplog".to_owned())
            .spawn(move || Files::new(files).write_all(&receiver))
            .map_err(OplogError::Thread)?;
        Ok(Self {
            lines: Lines(sender),
            thread: Some(thread),
        })
    }

    pub(super) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Writes what was handed over until now, and says how many lines could not be written since the start.
    pub(super) fn finish(&mut self) -> Result<(), OplogError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        let _ = self.lines.0.send(Message::Stop);
        let lines = thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if lines == 0 {
            Ok(())
        } else {
            Err(OplogError::Lost { lines })
        }
    }
}

struct Files {
    files: BTreeMap<LogLane, LaneFile>,
    /// How many lines could not be written.
    lost: u64,
    /// Whether the last one could not.
    failing: bool,
}

impl Files {
    const fn new(files: BTreeMap<LogLane, LaneFile>) -> Self {
        Self {
            files,
            lost: 0,
            failing: false,
        }
    }

    fn write_all(mut self, lines: &Receiver<Message>) -> u64 {
        while let Ok(Message::Line(line)) = lines.recv() {
            self.write(line.lane, &line.bytes);
            if line.is_error && line.lane != LogLane::Error {
                self.write(LogLane::Error, &line.bytes);
            }
        }
        for file in self.files.values() {
            // The lines are with the operating system; only a power cut could still take them.
            let _ = file.sync();
        }
        self.lost
    }

    fn write(&mut self, lane: LogLane, line: &[u8]) {
        let written = match self.files.get_mut(&lane) {
            Some(file) => file.append(line),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        match written {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.lost += 1;
                if !self.failing {
                    // The one place that is left to say it; once, and not for every line.
                    let _ = writeln!(
                        io::stderr().lock(),
                        "warning: the log `{}` cannot be written: {error}",
                        lane.as_str()
                    );
                    self.failing = true;
                }
            }
        }
    }
}
