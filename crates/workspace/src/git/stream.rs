//! A `git cat-file --batch` that answers one request after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};

use super::command::Running;
use super::{GitCommand, GitError};
use crate::object_id::ObjectId;

/// Objects of a repository, read through one process.
pub(crate) struct CatFile {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    process: Running,
}

impl CatFile {
    /// Starts the reader on one of our own repositories.
    pub(crate) fn trusted(git_dir: &Path) -> Result<Self, GitError> {
        let mut process = GitCommand::trusted(git_dir, "cat-file")?
            .arg("--batch")
            .start(Stdio::piped())?;
        let input = process.take_stdin()?;
        let output = BufReader::with_capacity(64 * 1024, process.take_stdout()?);
        Ok(Self {
            input,
            output,
            process,
        })
    }

    /// Copies the content of blob `id` to `sink` and returns its length.
    pub(crate) fn blob_to(&mut self, id: ObjectId, sink: &mut dyn Write) -> Result<u64, CopyError> {
        let len = self.request(id).map_err(CopyError::Git)?;
        let mut remaining = len;
        while remaining > 0 {
            let chunk = self
                .output
                .fill_buf()
                .map_err(|source| CopyError::Git(self.process.pipe_error(source)))?;
            if chunk.is_empty() {
                return Err(CopyError::Git(GitError::unexpected(
                    "cat-file",
                    "it stopped in the middle of an object",
                )));
            }
            let take = usize::try_from(remaining).map_or(chunk.len(), |left| left.min(chunk.len()));
            sink.write_all(&chunk[..take]).map_err(CopyError::Sink)?;
            self.output.consume(take);
            remaining -= take as u64;
        }
        let mut newline = [0];
        self.output
            .read_exact(&mut newline)
            .map_err(|source| CopyError::Git(self.process.pipe_error(source)))?;
        Ok(len)
    }

    /// The content of blob `id`.
    pub(crate) fn blob(&mut self, id: ObjectId) -> Result<Vec<u8>, GitError> {
        let mut bytes = Vec::new();
        match self.blob_to(id, &mut bytes) {
            Ok(_) => Ok(bytes),
            Err(CopyError::Git(error)) => Err(error),
            Err(CopyError::Sink(source)) => Err(self.process.pipe_error(source)),
        }
    }

    fn request(&mut self, id: ObjectId) -> Result<u64, GitError> {
        let asked = writeln!(self.input, "{id}").and_then(|()| self.input.flush());
        asked.map_err(|source| self.process.pipe_error(source))?;
        let mut header = String::new();
        self.output
            .read_line(&mut header)
            .map_err(|source| self.process.pipe_error(source))?;
        match header.trim_end().split(' ').collect::<Vec<_>>()[..] {
            [_, "blob", size] => size
                .parse()
                .map_err(|_| GitError::unexpected("cat-file", format!("size `{size}`"))),
            _ => Err(GitError::unexpected(
                "cat-file",
                format!("`{}` where blob {id} was asked for", header.trim_end()),
            )),
        }
    }

    /// Ends the process.
    pub(crate) fn finish(self) -> Result<(), GitError> {
        drop(self.input);
        drop(self.output);
        self.process.finish()
    }
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// Reading from git.
    Git(GitError),
    /// Writing to the destination.
    Sink(std::io::Error),
}
