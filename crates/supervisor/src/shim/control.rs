//! The shim's side of the control socket: requests in, notices out, and nothing lost if nobody listens.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use crate::control::{Notice, OutputProgress, Request, Started};
use crate::os::socket::{self, ShortPath};

/// How many runners may be connected at once.
const CLIENTS: usize = 8;

/// The longest request.
const LINE_LEN: usize = 64 * 1024;

/// The shortest time between two progress notices.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The listening socket and whoever is connected.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
    started: Option<Started>,
    progress: Option<OutputProgress>,
    /// When progress that was not told yet is to be told.
    due: Option<Instant>,
    told_at: Option<Instant>,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    closed: bool,
}

impl Control {
    pub(super) fn listen(path: &Path) -> io::Result<Self> {
        Ok(Self {
            listener: socket::bind_private(path)?,
            path: path.to_owned(),
            clients: Vec::new(),
            started: None,
            progress: None,
            due: None,
            told_at: None,
        })
    }

    /// What to wait for, the listener first.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let clients = self.clients.iter().map(|client| {
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, !client.output.is_empty());
            (client.stream.as_fd(), flags)
        });
        std::iter::once((self.listener.as_fd(), PollFlags::POLLIN)).chain(clients)
    }

    /// Accepts, reads and writes as far as possible without waiting, and returns the requests that came in.
    pub(super) fn serve(&mut self) -> Vec<Request> {
        self.accept();
        let mut requests = Vec::new();
        for client in &mut self.clients {
            client.receive(&mut requests);
            client.transmit();
        }
        self.clients.retain(|client| !client.closed);
        requests
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() >= CLIENTS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let mut client = Client {
                stream,
                input: Vec::new(),
                output: Vec::new(),
                closed: false,
            };
            if let Some(started) = &self.started {
                client.queue(&Notice::Started(started.clone()));
            }
            if let Some(progress) = &self.progress {
                client.queue(&Notice::Progress(progress.clone()));
            }
            self.clients.push(client);
        }
    }

    pub(super) fn started(&mut self, started: Started) {
        self.tell(&Notice::Started(started.clone()));
        self.started = Some(started);
    }

    /// Takes note of progress; it is told when the interval allows.
    pub(super) fn progress(&mut self, progress: OutputProgress, now: Instant) {
        self.progress = Some(progress);
        let due = self
            .told_at
            .map_or(now, |told_at| told_at + PROGRESS_INTERVAL);
        self.due.get_or_insert(due);
    }

    /// Tells progress that is due.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now >= due) {
            self.told_at = Some(now);
            self.flush();
        }
    }

    /// When progress must be told at the latest.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.due
    }

    fn flush(&mut self) {
        if let Some(progress) = self.progress.clone() {
            self.tell(&Notice::Progress(progress));
        }
        self.due = None;
    }

    fn tell(&mut self, notice: &Notice) {
        for client in &mut self.clients {
            // Progress that a slow client has not taken yet is overtaken by the next one.
            if client.output.is_empty() || !matches!(notice, Notice::Progress(_)) {
                client.queue(notice);
                client.transmit();
            }
        }
    }

    /// Tells the last progress and removes the socket.
    pub(super) fn finish(mut self) {
        self.accept();
        for client in &mut self.clients {
            client.transmit();
        }
        if self.due.is_some() {
            self.flush();
        }
        if let Ok(short) = ShortPath::of(&self.path) {
            let _ = std::fs::remove_file(short.path());
        }
    }
}

impl Client {
    fn receive(&mut self, requests: &mut Vec<Request>) {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.closed = true;
                    break;
                }
                Ok(got) => self.input.extend_from_slice(&chunk[..got]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.closed |= error.kind() != io::ErrorKind::WouldBlock;
                    break;
                }
            }
            if self.input.len() > LINE_LEN {
                self.closed = true;
                return;
            }
        }
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(request) => {
                    requests.push(request);
                    self.queue(&Notice::Accepted {});
                }
                Err(error) => self.queue(&Notice::Refused {
                    message: error.to_string(),
                }),
            }
        }
    }

    fn queue(&mut self, notice: &Notice) {
        match serde_json::to_vec(notice) {
            Ok(line) => {
                self.output.extend(line);
                self.output.push(b'\n');
            }
            Err(_) => self.closed = true,
        }
        // Only a client that asks without ever listening gets here.
        self.closed |= self.output.len() > 4 * LINE_LEN;
    }

    fn transmit(&mut self) {
        while !self.output.is_empty() && !self.closed {
            match self.stream.write(&self.output) {
                Ok(sent) => drop(self.output.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.closed = error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }
}
