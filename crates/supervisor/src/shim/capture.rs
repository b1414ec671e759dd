//! The command's output: drained always, filtered by the redactor, stored up to a cap, counted beyond it.
//!
//! Small writes are gathered for a moment so that the file does not consist of headers, but a change of stream still begins a new frame,
//! within reason: a command that alternates streams byte by byte must not multiply its output on disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dogwatch_core::frame::{self, Dropped, Stream};
use dogwatch_core::redact::Redactor;
use dogwatch_core::{Clock as _, Timestamp};

use super::last_line::LastLine;
use super::tail::Tail;
use crate::os::clock::SystemClock;
use crate::os::{descriptors, durable};
use crate::record::StreamCounts;

/// How much is read at once.
const READ_LEN: usize = 64 * 1024;

/// How long bytes may wait to be joined by more.
const GATHER: Duration = Duration::from_millis(50);

/// How many changes of stream begin a frame of their own within one gathering time.
const SWITCHES: u32 = 64;

/// Both streams of a command and the file they are stored in.
pub(super) struct Capture {
    file: File,
    redactor: Box<dyn Redactor>,
    streams: [Captured; 2],
    read_buffer: Vec<u8>,
    filtered: Vec<u8>,
    encoded: Vec<u8>,
    gathered_since: Option<Instant>,
    switches: u32,
    file_len: u64,
    last_output_at: Option<Timestamp>,
    last_stream: Stream,
    /// After a failed write nothing more is written; output is still drained and counted.
    failed: bool,
}

#[derive(Default)]
struct Captured {
    pipe: Option<File>,
    /// How much may still be stored before bytes go to the tail.
    room: u64,
    pending: Vec<u8>,
    pending_at: Option<Timestamp>,
    tail: Tail,
    line: LastLine,
    seen: u64,
    stored: u64,
}

impl Capture {
    /// Creates the capture file, which must not exist.
    pub(super) fn create(path: &Path, cap: u64, redactor: Box<dyn Redactor>) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        if let Some(directory) = path.parent() {
            durable::sync_directory(directory)?;
        }
        let stream = || Captured {
            room: cap,
            ..Captured::default()
        };
        Ok(Self {
            file,
            redactor,
            streams: [stream(), stream()],
            read_buffer: vec![0; READ_LEN],
            filtered: Vec::new(),
            encoded: Vec::new(),
            gathered_since: None,
            switches: 0,
            file_len: 0,
            last_output_at: None,
            last_stream: Stream::Stdout,
            failed: false,
        })
    }

    /// Takes the ends of the command's pipes, which must not block.
    pub(super) fn attach(&mut self, stdout: OwnedFd, stderr: OwnedFd) {
        let [out, err] = &mut self.streams;
        out.pipe = Some(stdout.into());
        err.pipe = Some(stderr.into());
    }

    pub(super) fn pipe(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.streams[stream.index()]
            .pipe
            .as_ref()
            .map(|pipe| pipe.as_fd())
    }

    /// Reads once from a pipe. `true` means that output arrived.
    pub(super) fn read(&mut self, stream: Stream, now: Instant) -> io::Result<bool> {
        let got = self.read_pipe(stream, READ_LEN)?;
        if got == 0 {
            return Ok(false);
        }
        self.take(stream, got, now)?;
        Ok(true)
    }

    /// Reads what is left after the tree is gone: what is in the pipes now, and no more, for somebody outside may hold and fill them.
    /// `true` means that a pipe is still held open.
    pub(super) fn drain(&mut self, now: Instant) -> io::Result<bool> {
        let mut left_open = false;
        for stream in Stream::ALL {
            let mut waiting = match self.pipe(stream) {
                Some(pipe) => descriptors::waiting_bytes(pipe)?,
                None => continue,
            };
            while waiting > 0 {
                let got = self.read_pipe(stream, waiting)?;
                if got == 0 {
                    break;
                }
                waiting -= got;
                self.take(stream, got, now)?;
            }
            // An empty pipe that nobody holds says so when it is read.
            if self.pipe(stream).is_some() {
                let more = self.read_pipe(stream, 1)?;
                if more > 0 {
                    self.take(stream, more, now)?;
                }
            }
            left_open |= self.streams[stream.index()].pipe.take().is_some();
        }
        Ok(left_open)
    }

    /// Reads into the buffer. 0 means that nothing is there; at the end of the stream the pipe is closed as well.
    fn read_pipe(&mut self, stream: Stream, limit: usize) -> io::Result<usize> {
        let slot = &mut self.streams[stream.index()].pipe;
        let Some(pipe) = slot else {
            return Ok(0);
        };
        let limit = limit.min(READ_LEN);
        loop {
            match pipe.read(&mut self.read_buffer[..limit]) {
                Ok(0) => {
                    *slot = None;
                    return Ok(0);
                }
                Ok(got) => return Ok(got),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) => {
                    *slot = None;
                    return Err(error);
                }
            }
        }
    }

    fn take(&mut self, stream: Stream, got: usize, now: Instant) -> io::Result<()> {
        let at = SystemClock.now();
        self.last_output_at = Some(at);
        self.filtered.clear();
        self.redactor
            .push(stream, &self.read_buffer[..got], &mut self.filtered);
        self.store(stream, at, now)
    }

    /// Distributes the filtered bytes to the file and the tail.
    fn store(&mut self, stream: Stream, at: Timestamp, now: Instant) -> io::Result<()> {
        if self.filtered.is_empty() {
            return Ok(());
        }
        let switched = self.last_stream != stream;
        self.last_stream = stream;
        if switched && self.switches < SWITCHES {
            self.switches += 1;
            self.flush()?;
        }
        let captured = &mut self.streams[stream.index()];
        captured.seen += self.filtered.len() as u64;
        captured.line.push(&self.filtered);
        let room = usize::try_from(captured.room).unwrap_or(usize::MAX);
        let (head, rest) = self.filtered.split_at(room.min(self.filtered.len()));
        captured.room -= head.len() as u64;
        captured.tail.push(rest);
        if !head.is_empty() {
            captured.pending_at.get_or_insert(at);
            captured.pending.extend_from_slice(head);
            self.gathered_since.get_or_insert(now);
        }
        if captured.pending.len() >= READ_LEN {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what has been gathered long enough.
    pub(super) fn advance(&mut self, now: Instant) -> io::Result<()> {
        if self.next().is_some_and(|due| now >= due) {
            self.switches = 0;
            self.flush()?;
        }
        Ok(())
    }

    /// When gathered bytes must be written at the latest.
    pub(super) fn next(&self) -> Option<Instant> {
        self.gathered_since.map(|since| since + GATHER)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.gathered_since = None;
        // The stream that was gathered from first goes first.
        let mut order = Stream::ALL;
        order.sort_by_key(|stream| self.streams[stream.index()].pending_at);
        for stream in order {
            let captured = &mut self.streams[stream.index()];
            let Some(at) = captured.pending_at.take() else {
                continue;
            };
            let bytes = std::mem::take(&mut captured.pending);
            let written = self.write(at, stream, &bytes);
            // The buffer is used again.
            let captured = &mut self.streams[stream.index()];
            captured.pending = bytes;
            captured.pending.clear();
            written?;
        }
        Ok(())
    }

    fn write(&mut self, at: Timestamp, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.encoded.clear();
        frame::encode_output(at, stream, bytes, &mut self.encoded);
        if self.write_encoded()? {
            self.streams[stream.index()].stored += bytes.len() as u64;
        }
        Ok(())
    }

    /// `false` means that an earlier write failed and this one was not tried.
    fn write_encoded(&mut self) -> io::Result<bool> {
        if self.failed {
            return Ok(false);
        }
        let written = self.file.write_all(&self.encoded);
        self.failed = written.is_err();
        written?;
        self.file_len += self.encoded.len() as u64;
        Ok(true)
    }

    /// Ends both streams and makes the file durable.
    pub(super) fn finish(&mut self, now: Instant) -> io::Result<()> {
        let at = SystemClock.now();
        for stream in Stream::ALL {
            self.filtered.clear();
            self.redactor.finish(stream, &mut self.filtered);
            self.store(stream, at, now)?;
        }
        self.flush()?;
        for stream in Stream::ALL {
            let tail = std::mem::take(&mut self.streams[stream.index()].tail);
            if tail.forgotten() > 0 {
                self.encoded.clear();
                let dropped = Dropped {
                    at,
                    stream,
                    bytes: tail.forgotten(),
                };
                frame::encode_dropped(&dropped, &mut self.encoded);
                self.write_encoded()?;
            }
            self.write(at, stream, tail.kept())?;
        }
        self.file.sync_all()
    }

    pub(super) fn counts(&self, stream: Stream) -> StreamCounts {
        let captured = &self.streams[stream.index()];
        StreamCounts {
            seen: captured.seen,
            stored: captured.stored,
            dropped: captured.seen - captured.stored,
        }
    }

    pub(super) const fn file_len(&self) -> u64 {
        self.file_len
    }

    pub(super) const fn last_output_at(&self) -> Option<Timestamp> {
        self.last_output_at
    }

    /// The last line of the stream that printed last.
    pub(super) fn last_line(&self) -> String {
        self.streams[self.last_stream.index()].line.shown()
    }
}

#[cfg(test)]
mod tests;
