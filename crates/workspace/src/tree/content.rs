//! Reading one file, which may change while it is read.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use super::import::Import;
use super::{BaseTree, TreeError, TreeLimits};
use crate::object_id::{BlobHasher, ObjectFormat, ObjectId};
use crate::os;

/// Files up to this size are read at once.
const IN_MEMORY: u64 = 4 << 20;

/// How often a large file is read before it counts as never still.
const ATTEMPTS: usize = 3;

/// Turns content into blobs of the vault.
pub(super) struct BlobWriter<'a> {
    import: &'a mut Import,
    format: ObjectFormat,
    limits: TreeLimits,
    new_bytes: u64,
    buffer: Vec<u8>,
}

impl<'a> BlobWriter<'a> {
    pub(super) fn new(import: &'a mut Import, format: ObjectFormat, limits: TreeLimits) -> Self {
        Self {
            import,
            format,
            limits,
            new_bytes: 0,
            buffer: Vec::new(),
        }
    }

    /// Stores bytes that are in memory.
    pub(super) fn bytes(
        &mut self,
        base: &BaseTree,
        path: &[u8],
        bytes: &[u8],
    ) -> Result<ObjectId, TreeError> {
        let id = BlobHasher::blob(self.format, bytes);
        if !base.holds(id) {
            self.account(path, bytes.len() as u64)?;
            self.import.blob(bytes)?;
        }
        Ok(id)
    }

    /// Stores the content of an open file and returns its length. The length is that of the bytes read, whatever the file system says.
    pub(super) fn file(
        &mut self,
        base: &BaseTree,
        path: &[u8],
        file: &mut File,
    ) -> Result<(ObjectId, u64), TreeError> {
        let unreadable = |source| TreeError::unreadable(path, source);
        for _ in 0..ATTEMPTS {
            let size = os::metadata_of(&*file).map_err(unreadable)?.size;
            if size > self.limits.file_bytes {
                return Err(limit(path, "bytes in one file", self.limits.file_bytes));
            }
            file.rewind().map_err(unreadable)?;
            if size <= IN_MEMORY {
                let mut buffer = std::mem::take(&mut self.buffer);
                buffer.clear();
                (&mut *file)
                    .take(IN_MEMORY + 1)
                    .read_to_end(&mut buffer)
                    .map_err(unreadable)?;
                let read = buffer.len() as u64;
                let stored = if read <= IN_MEMORY {
                    Some(self.bytes(base, path, &buffer)?)
                } else {
                    None
                };
                self.buffer = buffer;
                if let Some(id) = stored {
                    return Ok((id, read));
                }
            } else if let Some(id) = self.large(base, path, file, size)? {
                return Ok((id, size));
            }
        }
        Err(TreeError::Unstable { path: path.into() })
    }

    /// Reads a large file twice: to know whether it is new, and to send it. None if it was shorter than it said.
    fn large(
        &mut self,
        base: &BaseTree,
        path: &[u8],
        file: &mut File,
        size: u64,
    ) -> Result<Option<ObjectId>, TreeError> {
        let unreadable = |source| TreeError::unreadable(path, source);
        let mut hasher = BlobHasher::new(self.format, size);
        let read = copy(file, size, |chunk| {
            hasher.update(chunk);
            Ok(())
        });
        if read.map_err(unreadable)? < size {
            return Ok(None);
        }
        let id = hasher.finish();
        if base.holds(id) {
            return Ok(Some(id));
        }
        self.account(path, size)?;
        file.rewind().map_err(unreadable)?;
        let mut hasher = BlobHasher::new(self.format, size);
        let mut failure = None;
        self.import.begin_blob(size)?;
        let read = copy(file, size, |chunk| {
            hasher.update(chunk);
            if failure.is_none() {
                failure = self.import.part(chunk).err();
            }
            Ok(())
        });
        if let Some(error) = failure {
            return Err(error.into());
        }
        let read = read.map_err(unreadable)?;
        // The length was announced; a blob of the wrong content is one that nothing refers to.
        let zeros = [0; 8192];
        let mut missing = size - read;
        while missing > 0 {
            let take = usize::try_from(missing).map_or(zeros.len(), |left| left.min(zeros.len()));
            self.import.part(&zeros[..take])?;
            missing -= take as u64;
        }
        self.import.end_blob()?;
        Ok((read == size).then(|| hasher.finish()))
    }

    fn account(&mut self, path: &[u8], len: u64) -> Result<(), TreeError> {
        self.new_bytes = self.new_bytes.saturating_add(len);
        if self.new_bytes > self.limits.new_bytes {
            return Err(limit(path, "new bytes", self.limits.new_bytes));
        }
        Ok(())
    }
}

pub(super) fn limit(path: &[u8], what: &'static str, limit: u64) -> TreeError {
    TreeError::Limit {
        path: path.into(),
        what,
        limit,
    }
}

/// Passes on up to `size` bytes and returns how many there were.
fn copy(
    file: &mut File,
    size: u64,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut done = 0;
    while done < size {
        let want = usize::try_from(size - done).map_or(buffer.len(), |left| left.min(buffer.len()));
        match file.read(&mut buffer[..want]) {
            Ok(0) => break,
            Ok(read) => {
                each(&buffer[..read])?;
                done += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
