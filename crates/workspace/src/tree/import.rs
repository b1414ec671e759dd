//! One `git fast-import` that receives blobs while the walk goes on, and at the end the commit.
//!
//! It writes blobs, trees, commit and ref in one process, looks every blob up by the id that was computed here (so that a different
//! hash is an error, not a different tree), and with `--done` takes a stream that breaks off for the failure it is.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};

use super::Mode;
use crate::git::{GitError, Running, quote_path};
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// A running import.
pub(crate) struct Import {
    // First, so that an import that is given up is killed before it sees its input end and reports a crash.
    process: Running,
    input: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// One path that differs from base.
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) mode: Mode,
    pub(crate) id: ObjectId,
}

/// What a commit says besides its tree.
pub(crate) struct CommitText<'a> {
    pub(crate) parent: ObjectId,
    pub(crate) message: &'a str,
    /// Seconds since the Unix epoch.
    pub(crate) seconds: i64,
}

impl Import {
    pub(crate) fn start(vault: &Vault) -> Result<Self, GitError> {
        let mut process = vault
            .command("fast-import")?
            .args(["--quiet", "--done", "--force", "--depth=0"])
            .start(Stdio::piped())?;
        let input = BufWriter::with_capacity(256 * 1024, process.take_stdin()?);
        let answers = BufReader::new(process.take_stdout()?);
        Ok(Self {
            input,
            answers,
            process,
        })
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.begin_blob(bytes.len() as u64)?;
        self.part(bytes)?;
        self.end_blob()
    }

    pub(super) fn begin_blob(&mut self, size: u64) -> Result<(), GitError> {
        self.part(format!("blob\ndata {size}\n").as_bytes())
    }

    pub(super) fn end_blob(&mut self) -> Result<(), GitError> {
        self.part(b"\n")
    }

    pub(super) fn part(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.input
            .write_all(bytes)
            .map_err(|source| self.process.pipe_error(source))
    }

    /// Writes the commit under `name`: base's tree without `deleted` and with `changed`. Returns its id and its tree's.
    pub(crate) fn commit<'p>(
        mut self,
        name: &str,
        base: ObjectId,
        text: &CommitText<'_>,
        deleted: impl Iterator<Item = &'p [u8]>,
        changed: &[Change],
    ) -> Result<(ObjectId, ObjectId), GitError> {
        let written = self.write_commit(name, base, text, deleted, changed);
        let Self {
            input,
            answers,
            process,
        } = self;
        drop(input);
        drop(answers);
        // What git says about a failure tells more than the pipe that broke because of it.
        process.finish()?;
        written
    }

    /// Writes a commit under `name` that has no parent and nothing but `changed`.
    pub(crate) fn commit_alone(
        mut self,
        name: &str,
        message: &str,
        seconds: i64,
        changed: &[Change],
    ) -> Result<ObjectId, GitError> {
        let written = self.write_alone(name, message, seconds, changed);
        let Self {
            input,
            answers,
            process,
        } = self;
        drop(input);
        drop(answers);
        process.finish()?;
        written
    }

    fn write_alone(
        &mut self,
        name: &str,
        message: &str,
        seconds: i64,
        changed: &[Change],
    ) -> Result<ObjectId, GitError> {
        let identity = format!("dogwatch <dogwatch@localhost> {seconds} +0000");
        let length = message.len();
        let header = format!(
            "commit {name}\nmark :1\nauthor {identity}\ncommitter {identity}\ndata {length}\n{message}\n"
        );
        self.part(header.as_bytes())?;
        self.changes(changed)?;
        let commit = self.end_commit()?;
        self.done()?;
        Ok(commit)
    }

    fn write_commit<'p>(
        &mut self,
        name: &str,
        base: ObjectId,
        text: &CommitText<'_>,
        deleted: impl Iterator<Item = &'p [u8]>,
        changed: &[Change],
    ) -> Result<(ObjectId, ObjectId), GitError> {
        let base_tree = self.root_of(&base.to_string())?;
        let CommitText {
            parent,
            message,
            seconds,
        } = text;
        let identity = format!("dogwatch <dogwatch@localhost> {seconds} +0000");
        let length = message.len();
        let header = format!(
            "commit {name}\nmark :1\nauthor {identity}\ncommitter {identity}\ndata {length}\n{message}\nfrom {parent}\nM 040000 {base_tree} \"\"\n"
        );
        self.part(header.as_bytes())?;
        let mut line = Vec::new();
        for path in deleted {
            line.clear();
            line.extend_from_slice(b"D ");
            quote_path(path, &mut line);
            line.push(b'\n');
            self.part(&line)?;
        }
        self.changes(changed)?;
        let commit = self.end_commit()?;
        let tree = self.root_of(":1")?;
        self.done()?;
        Ok((commit, tree))
    }

    fn changes(&mut self, changed: &[Change]) -> Result<(), GitError> {
        let mut line = Vec::new();
        for change in changed {
            line.clear();
            line.extend_from_slice(format!("M {} {} ", change.mode.as_str(), change.id).as_bytes());
            quote_path(&change.path, &mut line);
            line.push(b'\n');
            self.part(&line)?;
        }
        Ok(())
    }

    fn end_commit(&mut self) -> Result<ObjectId, GitError> {
        self.part(b"\nget-mark :1\n")?;
        let commit = self.answer()?;
        ObjectId::from_hex(commit.trim_ascii_end())
            .map_err(|error| GitError::unexpected("fast-import", error.to_string()))
    }

    fn done(&mut self) -> Result<(), GitError> {
        self.part(b"done\n")?;
        self.input
            .flush()
            .map_err(|source| self.process.pipe_error(source))
    }

    fn root_of(&mut self, commit: &str) -> Result<ObjectId, GitError> {
        self.part(format!("ls {commit} \"\"\n").as_bytes())?;
        let answer = self.answer()?;
        let id = answer
            .strip_prefix(b"040000 tree ")
            .and_then(|rest| rest.split(|byte| *byte == b'\t').next());
        id.and_then(|id| ObjectId::from_hex(id).ok())
            .ok_or_else(|| {
                GitError::unexpected(
                    "fast-import",
                    format!("`{}`", crate::PathBytes::new(answer.as_slice())),
                )
            })
    }

    fn answer(&mut self) -> Result<Vec<u8>, GitError> {
        self.input
            .flush()
            .map_err(|source| self.process.pipe_error(source))?;
        let mut line = Vec::new();
        self.answers
            .read_until(b'\n', &mut line)
            .map_err(|source| self.process.pipe_error(source))?;
        Ok(line)
    }
}
