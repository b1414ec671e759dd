//! Running a command on data that an attacker made: with an end in time, in memory and in what it may say.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::command::{GitCommand, Output};
use super::{GitError, command};
use crate::os;

/// How much one command may take. Whatever exceeds it is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When it must be over.
    pub(crate) until: Instant,
    /// Bytes of memory in use at a time.
    pub(crate) memory: u64,
    /// Bytes of its answer.
    pub(crate) output: u64,
}

/// What a bounded command reads.
pub(crate) enum Feed<'a> {
    /// From where the file stands.
    File(File),
    Bytes(&'a [u8]),
}

impl GitCommand {
    /// As [`run`](Self::run), but killed when it exceeds its bounds.
    pub(crate) fn run_within(
        mut self,
        feed: Feed<'_>,
        bounds: &Bounds,
    ) -> Result<Vec<u8>, GitError> {
        let name = self.name();
        let (stdin, bytes) = match feed {
            Feed::File(file) => (Stdio::from(file), &[][..]),
            Feed::Bytes(&[]) => (Stdio::null(), &[][..]),
            Feed::Bytes(bytes) => (Stdio::piped(), bytes),
        };
        let mut child = self.spawn_piped(stdin)?;
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            if let Some(mut input) = input {
                // A command that stops reading early tells so by its exit code.
                scope.spawn(move || input.write_all(bytes));
            }
            let answer = scope.spawn(move || {
                let mut answer = Vec::new();
                let read = output.map(|stream| stream.take(bounds.output + 1));
                read.map_or(Ok(0), |mut stream| stream.read_to_end(&mut answer))
                    .map(|_| answer)
            });
            let said = scope.spawn(move || errors.map(command::drain).unwrap_or_default());
            let waited = wait(&mut child, bounds);
            if waited.is_err() {
                // Both fail only when the process is gone already.
                let _ = child.kill();
                let _ = child.wait();
            }
            let pipe = |source| GitError::Pipe {
                command: name.to_owned(),
                source,
            };
            let stdout = answer
                .join()
                .unwrap_or_else(|_| Ok(Vec::new()))
                .map_err(pipe);
            let stderr = said.join().unwrap_or_default();
            let stopped = |limit| GitError::Stopped {
                command: name.to_owned(),
                limit,
            };
            let status = waited.map_err(|failure| match failure {
                Failure::Limit(limit) => stopped(limit),
                Failure::Io(source) => pipe(source),
            })?;
            let stdout = stdout?;
            if stdout.len() as u64 > bounds.output {
                return Err(stopped("bytes of its answer"));
            }
            Output {
                status,
                stdout,
                stderr,
            }
            .success(name)
        })
    }
}

enum Failure {
    Limit(&'static str),
    Io(std::io::Error),
}

fn wait(child: &mut Child, bounds: &Bounds) -> Result<std::process::ExitStatus, Failure> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::Io)? {
            return Ok(status);
        }
        if Instant::now() >= bounds.until {
            return Err(Failure::Limit("time"));
        }
        if os::resident_bytes(child.id()).is_some_and(|bytes| bytes > bounds.memory) {
            return Err(Failure::Limit("memory"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Duration = Duration::from_secs(60);

    fn stopped(name: &'static str, arguments: &[&str], feed: Feed<'_>, bounds: Bounds) -> String {
        let command = GitCommand::trusted(std::path::Path::new("/nonexistent"), name).unwrap();
        match command.args(arguments).run_within(feed, &bounds) {
            Err(GitError::Stopped { limit, .. }) => limit.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_bound_ends_a_command() {
        let endless = || Feed::File(File::open("/dev/zero").unwrap());
        let bounds = Bounds {
            until: Instant::now() + ROOMY,
            memory: 64 << 20,
            output: 1,
        };
        let hash = ["--stdin"];
        assert_eq!(stopped("hash-object", &hash, endless(), bounds), "memory");
        let short = Bounds {
            until: Instant::now() + Duration::from_millis(20),
            memory: u64::MAX,
            ..bounds
        };
        assert_eq!(stopped("hash-object", &hash, endless(), short), "time");
        let answer = stopped("version", &[], Feed::Bytes(b""), bounds);
        assert_eq!(answer, "bytes of its answer");
        let command = GitCommand::trusted(std::path::Path::new("/nonexistent"), "version").unwrap();
        let enough = Bounds {
            output: 100,
            ..bounds
        };
        let said = command.run_within(Feed::Bytes(b""), &enough).unwrap();
        assert!(said.starts_with(b"git version"));
    }
}
