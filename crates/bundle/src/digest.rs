//! Reading files once, with a bound, and digesting what was read.

use std::fs::File;
use std::io::{self, Read};

use dogwatch_core::Sha256Digest;
use sha2::{Digest as _, Sha256};

const CHUNK: usize = 64 * 1024;

/// A reader that digests and counts everything that passes through it.
pub(crate) struct DigestingReader<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R: Read> DigestingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    /// The digest and number of the bytes that were read.
    pub(crate) fn finish(self) -> (Sha256Digest, u64) {
        (
            Sha256Digest::from_bytes(self.hasher.finalize().into()),
            self.bytes,
        )
    }
}

impl<R: Read> Read for DigestingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Digests a file without holding it in memory, but no more than `limit` bytes of it: a file may grow while it is read.
pub(crate) fn digest_file(file: &File, limit: u64) -> io::Result<(Sha256Digest, u64)> {
    let mut reader = DigestingReader::new(file.take(limit));
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(reader.finish()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The whole content of a file, or `None` if it is larger than `limit`.
pub(crate) fn read_capped(file: &File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}
