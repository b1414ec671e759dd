//! One file per payload: `<first two digits>/<digest>`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_store::{BlobError, Blobs};

use crate::directory;
use crate::key_locks::KeyLocks;

/// Where payloads are written before they have their names.
const INCOMING: &str = "incoming";

/// Payloads as files. A payload is written and synced under another name first, so that its own name is there whole or not at all.
#[derive(Clone, Debug)]
pub struct FileBlobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    limit: u64,
    locks: KeyLocks<Sha256Digest>,
    shards: Mutex<[bool; 256]>,
}

impl FileBlobs {
    /// How large a payload may be, unless it is said otherwise: 256 MiB.
    pub const LIMIT: u64 = 256 << 20;

    /// Opens a directory of payloads, or makes one. What a killed process was writing is cleared away.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_with_limit(root, Self::LIMIT)
    }

    /// The same with a limit of `limit` bytes for one payload.
    pub fn open_with_limit(root: impl Into<PathBuf>, limit: u64) -> io::Result<Self> {
        let root = root.into();
        let incoming = root.join(INCOMING);
        directory::create(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            fs::remove_file(entry?.path())?;
        }
        directory::sync(&root)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                limit,
                locks: KeyLocks::default(),
                shards: Mutex::new([false; 256]),
            }),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| BlobError::Unavailable {
                reason: error.to_string(),
            })?
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<(), BlobError> {
        let lock = self.inner.locks.lock(digest).await;
        self.run(move |inner| {
            let _lock = lock;
            inner.put(digest, &bytes)
        })
        .await
    }

    async fn get(&self, digest: Sha256Digest) -> Result<Option<Vec<u8>>, BlobError> {
        self.run(move |inner| inner.get(digest)).await
    }

    async fn has(&self, digest: Sha256Digest) -> Result<bool, BlobError> {
        self.run(move |inner| inner.open(digest).map(|file| file.is_some()))
            .await
    }
}

impl Inner {
    fn shard(&self, digest: Sha256Digest) -> PathBuf {
        self.root.join(&digest.to_string()[..2])
    }

    fn path(&self, digest: Sha256Digest) -> PathBuf {
        self.shard(digest).join(digest.to_string())
    }

    fn put(&self, digest: Sha256Digest, bytes: &[u8]) -> Result<(), BlobError> {
        self.check_size(bytes.len() as u64)?;
        let actual = Sha256Digest::of(bytes);
        if actual != digest {
            return Err(BlobError::DigestMismatch { digest, actual });
        }
        let stored = match self.get(digest) {
            Ok(stored) => stored.is_some(),
            // The right bytes are at hand: they take the place of the wrong ones.
            Err(BlobError::Corrupt { .. } | BlobError::TooLarge { .. }) => false,
            Err(error) => return Err(error),
        };
        if stored {
            // Whoever wrote it may have been killed before its name was durable.
            directory::sync(&self.shard(digest)).map_err(unavailable)?;
            return self.sync_shard_name(digest).map_err(unavailable);
        }
        self.write(digest, bytes).map_err(unavailable)?;
        tracing::debug!(%digest, bytes = bytes.len(), "payload stored");
        Ok(())
    }

    fn write(&self, digest: Sha256Digest, bytes: &[u8]) -> io::Result<()> {
        let shard = self.shard(digest);
        directory::create_one(&shard)?;
        self.sync_shard_name(digest)?;
        let mut file = tempfile::Builder::new().tempfile_in(self.root.join(INCOMING))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.path(digest))
            .map_err(|error| error.error)?;
        directory::sync(&shard)
    }

    /// Once per shard and process is enough.
    fn sync_shard_name(&self, digest: Sha256Digest) -> io::Result<()> {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let durable = &mut shards[usize::from(digest.as_bytes()[0])];
        if !*durable {
            directory::sync(&self.root)?;
            *durable = true;
        }
        Ok(())
    }

    fn open(&self, digest: Sha256Digest) -> Result<Option<fs::File>, BlobError> {
        directory::open(&self.root, &self.path(digest)).map_err(|error| {
            if directory::is_wrong_kind(&error) {
                BlobError::Corrupt {
                    digest,
                    reason: error.to_string(),
                }
            } else {
                unavailable(error)
            }
        })
    }

    fn get(&self, digest: Sha256Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let Some(file) = self.open(digest)? else {
            return Ok(None);
        };
        self.check_size(file.metadata().map_err(unavailable)?.len())?;
        let mut bytes = Vec::new();
        file.take(self.limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unavailable)?;
        let actual = Sha256Digest::of(&bytes);
        if actual != digest {
            return Err(BlobError::Corrupt {
                digest,
                reason: format!("its {} bytes hash to {actual}", bytes.len()),
            });
        }
        Ok(Some(bytes))
    }

    fn check_size(&self, size: u64) -> Result<(), BlobError> {
        if size > self.limit {
            return Err(BlobError::TooLarge {
                size,
                limit: self.limit,
            });
        }
        Ok(())
    }
}

fn unavailable(error: io::Error) -> BlobError {
    BlobError::Unavailable {
        reason: error.to_string(),
    }
}
