//! The journal on disk: one writer, every line durable before anyone hears of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use dogwatch_core::event::{EnvelopeError, SealedEvent};
use dogwatch_core::ids::RunId;
use dogwatch_core::journal::{self, JournalDraft, JournalFinding, JournalHead};

use nix::fcntl::OFlag;

use crate::digest::read_capped;
use crate::durable::sync_directory;
use crate::layout::{MANIFEST, TORN};

/// The largest journal that is written, read or believed.
pub const MAX_JOURNAL_BYTES: u64 = 256 * 1024 * 1024;

/// Kept free for the last words of a run, whose kinds begin with `run.`.
const RESERVED_BYTES: u64 = 64 * 1024;

/// Neither a symlink is followed nor a named pipe waited for.
const PLAIN_FILE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK);

/// Why a journal could not be opened or continued.
#[derive(Debug, thiserror::Error)]
pub enum JournalFileError {
    /// The file system said no.
    #[error("{doing} journal {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another writer holds it.
    #[error("journal {path} is being written by another process")]
    Locked {
        /// The journal.
        path: PathBuf,
    },
    /// It does not read clean; nothing may be added to it.
    #[error("journal {path} is damaged at record {}: {} ({})", .finding.seq, .finding.detail, .finding.code)]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The first thing that is wrong.
        finding: JournalFinding,
    },
    /// It belongs to a sealed bundle.
    #[error("journal {path} is sealed")]
    Sealed {
        /// The journal.
        path: PathBuf,
    },
    /// It has reached [`MAX_JOURNAL_BYTES`].
    #[error("journal {path} is full")]
    Full {
        /// The journal.
        path: PathBuf,
    },
    /// The event has no line; the journal is as it was.
    #[error("event cannot be recorded")]
    Event(#[source] EnvelopeError),
    /// Someone else wrote to it or took it away.
    #[error("journal {path} was changed by something other than its writer")]
    Disturbed {
        /// The journal.
        path: PathBuf,
    },
    /// An earlier write failed, so what the file holds is not known.
    #[error("journal {path} could not be written before and is not written again")]
    Poisoned {
        /// The journal.
        path: PathBuf,
    },
}

/// The one writer of a run's journal. The file is locked as long as it lives.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    run: RunId,
    head: JournalHead,
    bytes: u64,
    poisoned: bool,
}

impl JournalWriter {
    /// Starts the journal of a run. The file must not exist.
    pub fn create(path: impl Into<PathBuf>, run: RunId) -> Result<Self, JournalFileError> {
        let path = path.into();
        let failed = |doing| io_error(doing, &path);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("create"))?;
        lock(&file, &path)?;
        sync_parent(&path).map_err(failed("create"))?;
        Ok(Self {
            file,
            path,
            run,
            head: JournalHead::genesis(run),
            bytes: 0,
            poisoned: false,
        })
    }

    /// Goes on with a journal after a restart, once the whole of it has been checked. An incomplete last line, which was never
    /// acknowledged, is moved to `journal.torn` beside it; anything else that is wrong is an error and changes nothing.
    pub fn open(path: impl Into<PathBuf>, run: RunId) -> Result<Self, JournalFileError> {
        let path = path.into();
        let failed = |doing| io_error(doing, &path);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .custom_flags(PLAIN_FILE.bits())
            .open(&path)
            .map_err(failed("open"))?;
        if !file.metadata().map_err(failed("look at"))?.is_file() {
            return Err(failed("open")(io::Error::other("not a regular file")));
        }
        lock(&file, &path)?;
        if fs::symlink_metadata(path.with_file_name(MANIFEST)).is_ok() {
            return Err(JournalFileError::Sealed { path });
        }
        let bytes = read_capped(&file, MAX_JOURNAL_BYTES).map_err(failed("read"))?;
        let Some(bytes) = bytes else {
            return Err(JournalFileError::Full { path });
        };
        let reading = journal::read(run, &bytes, false);
        let Some(head) = reading.continuation() else {
            let finding = reading.findings.into_iter().next();
            let finding = finding.expect("a journal that cannot be continued has a finding");
            return Err(JournalFileError::Damaged { path, finding });
        };
        let mut kept = bytes.len();
        if let Some(torn) = reading.torn_tail {
            keep_torn_tail(&path, &bytes[torn.clone()]).map_err(failed("repair"))?;
            kept = torn.start;
            file.set_len(kept as u64).map_err(failed("repair"))?;
            file.sync_all().map_err(failed("repair"))?;
        }
        Ok(Self {
            file,
            path,
            run,
            head,
            bytes: kept as u64,
            poisoned: false,
        })
    }

    /// Gives an event its place, writes its line and returns once it is durable.
    ///
    /// After a write that failed every further one is refused: whether the line is in the file is not known until it is opened again.
    pub fn append(&mut self, draft: JournalDraft) -> Result<SealedEvent, JournalFileError> {
        if self.poisoned {
            return Err(JournalFileError::Poisoned {
                path: self.path.clone(),
            });
        }
        let last_words = draft.kind.starts_with("run.");
        let sealed = draft
            .into_envelope(self.run, self.head)
            .seal()
            .map_err(JournalFileError::Event)?;
        let mut line = sealed.line.clone();
        line.push(b'\n');
        let bytes = self.bytes + line.len() as u64;
        let reserved = if last_words { 0 } else { RESERVED_BYTES };
        if bytes + reserved > MAX_JOURNAL_BYTES {
            return Err(JournalFileError::Full {
                path: self.path.clone(),
            });
        }
        self.write(&line).inspect_err(|_| self.poisoned = true)?;
        self.bytes = bytes;
        self.head = JournalHead {
            seq: sealed.envelope.seq,
            link: sealed.head,
        };
        Ok(sealed)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), JournalFileError> {
        let metadata = self
            .file
            .metadata()
            .map_err(io_error("look at", &self.path))?;
        // An agent that is not contained can reach the file. What it adds would break the chain, what it deletes would be written to
        // a file that nobody sees.
        if metadata.len() != self.bytes || metadata.nlink() == 0 {
            return Err(JournalFileError::Disturbed {
                path: self.path.clone(),
            });
        }
        self.file
            .write_all(line)
            .and_then(|()| self.file.sync_data())
            .map_err(io_error("write", &self.path))
    }

    /// Where the journal ends.
    pub const fn head(&self) -> JournalHead {
        self.head
    }

    /// The run it belongs to.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalFileError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalFileError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(JournalFileError::Io {
            doing: "lock",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Makes what is about to be cut off durable beside the journal. After a crash in between it is there already and not added twice.
fn keep_torn_tail(journal: &Path, tail: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(PLAIN_FILE.bits())
        .open(journal.with_file_name(TORN))?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("journal.torn is not a regular file"));
    }
    let mut kept = Vec::new();
    file.read_to_end(&mut kept)?;
    if !kept.ends_with(tail) {
        file.write_all(tail)?;
    }
    file.sync_all()?;
    sync_parent(journal)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalFileError {
    let path = path.to_owned();
    move |source| JournalFileError::Io {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogwatch_core::Timestamp;
    use dogwatch_core::event::{Actor, Via};
    use dogwatch_core::ids::{EventId, ProjectId, uuid_v7};

    fn draft(run: RunId) -> JournalDraft {
        JournalDraft {
            id: EventId::from_uuid(run.uuid()),
            kind: "run.noted.v1".to_owned(),
            at: Timestamp::EPOCH,
            actor: Actor::new("runner:test", Via::Runner),
            cause: None,
            trace: None,
            project: ProjectId::from_uuid(run.uuid()),
            job: None,
            epoch: None,
            data: serde_json::json!({}),
        }
    }

    #[test]
    fn a_write_that_failed_is_the_last_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let run = RunId::from_uuid(uuid_v7(Timestamp::EPOCH, &[1; 10]));
        let mut writer = JournalWriter::create(&path, run).unwrap();
        writer.append(draft(run)).unwrap();
        let before = fs::read(&path).unwrap();
        let good = std::mem::replace(&mut writer.file, File::open(&path).unwrap());
        let failed = writer.append(draft(run)).unwrap_err();
        assert!(matches!(
            failed,
            JournalFileError::Io { doing: "write", .. }
        ));
        writer.file = good;
        let refused = writer.append(draft(run)).unwrap_err();
        assert!(matches!(refused, JournalFileError::Poisoned { .. }));
        assert_eq!(fs::read(&path).unwrap(), before);
        drop(writer);
        let mut again = JournalWriter::open(&path, run).unwrap();
        assert_eq!(again.append(draft(run)).unwrap().envelope.seq, 2);
    }
}
