//! One file per stream: `<run>/<turn>.<stream>`, with exactly the bytes of the stream.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dogwatch_core::frame::Stream;
use dogwatch_core::ids::RunId;
use dogwatch_store::{Output, OutputError, OutputKey, OutputPart};

use crate::directory;
use crate::key_locks::KeyLocks;

/// How much is compared or read at a time.
const STEP: usize = 64 << 10;

/// How many streams are remembered as having durable names.
const REMEMBERED: usize = 8192;

/// Output as files.
///
/// An acknowledged chunk has been through `fdatasync`, and the names of its file and directory through `fsync`. A process that is killed
/// while it writes leaves a prefix of the chunk; so does a power cut on a file system that makes a file longer only after its bytes are
/// on the disk (ext4 as it is mounted by default, XFS, btrfs, APFS).
#[derive(Clone, Debug)]
pub struct FileOutput {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    locks: KeyLocks<OutputKey>,
    named: Mutex<HashSet<OutputKey>>,
}

impl FileOutput {
    /// Opens a directory of output, or makes one.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        directory::create(&root)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                locks: KeyLocks::default(),
                named: Mutex::default(),
            }),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, OutputError> + Send + 'static,
    ) -> Result<T, OutputError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| OutputError::Unavailable {
                reason: error.to_string(),
            })?
    }
}

#[async_trait]
impl Output for FileOutput {
    async fn append(
        &self,
        key: OutputKey,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<u64, OutputError> {
        let lock = self.inner.locks.lock(key).await;
        self.run(move |inner| {
            let _lock = lock;
            inner.append(key, offset, &bytes)
        })
        .await
    }

    async fn read(
        &self,
        key: OutputKey,
        offset: u64,
        limit: usize,
    ) -> Result<OutputPart, OutputError> {
        self.run(move |inner| inner.read(key, offset, limit)).await
    }

    async fn streams(&self, run: RunId) -> Result<Vec<(OutputKey, u64)>, OutputError> {
        self.run(move |inner| inner.streams(run)).await
    }
}

impl Inner {
    fn directory(&self, run: RunId) -> PathBuf {
        self.root.join(run.to_string())
    }

    fn path(&self, key: OutputKey) -> PathBuf {
        self.directory(key.run).join(file_name(key))
    }

    /// What went wrong with a stream.
    fn failed(&self, key: OutputKey) -> impl Fn(io::Error) -> OutputError + Copy {
        move |error| {
            if directory::is_wrong_kind(&error) {
                OutputError::Corrupt {
                    what: format!(
                        "{} of turn {} of {}",
                        extension(key.stream),
                        key.turn,
                        key.run
                    ),
                    reason: error.to_string(),
                }
            } else {
                unavailable(&error)
            }
        }
    }

    fn append(&self, key: OutputKey, offset: u64, bytes: &[u8]) -> Result<u64, OutputError> {
        let failed = self.failed(key);
        let stored = directory::open(&self.root, &self.path(key)).map_err(failed)?;
        let length = match &stored {
            Some(file) => file.metadata().map_err(failed)?.len(),
            None => 0,
        };
        let Some(overlap) = length.checked_sub(offset) else {
            return Err(OutputError::Gap { expected: length });
        };
        let overlap = usize::try_from(overlap).map_or(bytes.len(), |some| some.min(bytes.len()));
        let (known, new) = bytes.split_at(overlap);
        if let Some(file) = &stored
            && let Some(differs) = first_difference(file, offset, known).map_err(failed)?
        {
            return Err(OutputError::Fork { offset: differs });
        }
        if bytes.is_empty() {
            return Ok(length);
        }
        self.write(key, length, new).map_err(failed)?;
        Ok(length + new.len() as u64)
    }

    /// Puts bytes, perhaps none, behind the last one, and makes the whole stream durable.
    fn write(&self, key: OutputKey, length: u64, new: &[u8]) -> io::Result<()> {
        let directory = self.directory(key.run);
        directory::create_one(&directory)?;
        let file = directory::open_or_create(&self.path(key))?;
        let written = file
            .write_all_at(new, length)
            .and_then(|()| file.sync_data());
        if let Err(error) = written {
            // What was refused is not kept. Where that fails too, what stays is the beginning of what will be sent again.
            if file.set_len(length).is_err() {
                tracing::warn!(run = %key.run, turn = key.turn, "a refused chunk could not be taken back");
            }
            return Err(error);
        }
        self.sync_names(key)
    }

    /// Also for a file that was there: whoever made it may have been killed before its name was durable.
    fn sync_names(&self, key: OutputKey) -> io::Result<()> {
        let named = || self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named().contains(&key) {
            return Ok(());
        }
        directory::sync(&self.directory(key.run))?;
        directory::sync(&self.root)?;
        let mut named = named();
        if named.len() >= REMEMBERED {
            named.clear();
        }
        named.insert(key);
        Ok(())
    }

    fn read(&self, key: OutputKey, offset: u64, limit: usize) -> Result<OutputPart, OutputError> {
        let failed = self.failed(key);
        let Some(file) = directory::open(&self.root, &self.path(key)).map_err(failed)? else {
            return Ok(OutputPart::default());
        };
        let total = file.metadata().map_err(failed)?.len();
        let available = usize::try_from(total.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = limit.min(available);
        let mut bytes = Vec::new();
        if wanted > 0 {
            let mut part = At {
                file: &file,
                offset,
            }
            .take(wanted as u64);
            part.read_to_end(&mut bytes).map_err(failed)?;
        }
        Ok(OutputPart { bytes, total })
    }

    fn streams(&self, run: RunId) -> Result<Vec<(OutputKey, u64)>, OutputError> {
        let entries = match fs::read_dir(self.directory(run)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.root.metadata().map_err(|error| unavailable(&error))?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(unavailable(&error)),
        };
        let mut streams = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unavailable(&error))?;
            let name = entry.file_name();
            let metadata = entry.metadata().map_err(|error| unavailable(&error))?;
            let key = name.to_str().and_then(|name| parse_file_name(run, name));
            let (Some(key), true) = (key, metadata.is_file()) else {
                return Err(OutputError::Corrupt {
                    what: format!("the output of {run}"),
                    reason: format!("{name:?} is no stream"),
                });
            };
            if metadata.len() > 0 {
                streams.push((key, metadata.len()));
            }
        }
        streams.sort_unstable();
        Ok(streams)
    }
}

/// Reads from a place without moving the place others read from.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Where stored bytes differ from these, all of which are within the file.
fn first_difference(file: &File, offset: u64, bytes: &[u8]) -> io::Result<Option<u64>> {
    let mut stored = vec![0; STEP.min(bytes.len())];
    let mut at = offset;
    for step in bytes.chunks(STEP) {
        let stored = &mut stored[..step.len()];
        file.read_exact_at(stored, at)?;
        if let Some(index) = step.iter().zip(&*stored).position(|(new, old)| new != old) {
            return Ok(Some(at + index as u64));
        }
        at += step.len() as u64;
    }
    Ok(None)
}

const fn extension(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

fn file_name(key: OutputKey) -> String {
    format!("{}.{}", key.turn, extension(key.stream))
}

/// Exactly the names that [`file_name`] makes.
fn parse_file_name(run: RunId, name: &str) -> Option<OutputKey> {
    let (turn, of) = name.split_once('.')?;
    let key = OutputKey {
        run,
        turn: turn.parse().ok()?,
        stream: Stream::ALL
            .into_iter()
            .find(|stream| extension(*stream) == of)?,
    };
    (file_name(key) == name).then_some(key)
}

fn unavailable(error: &io::Error) -> OutputError {
    OutputError::Unavailable {
        reason: error.to_string(),
    }
}
