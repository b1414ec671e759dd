//! Plain stdout and stderr from captured frames, a chunk at a time.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dogwatch_core::frame::{Decoder, Plain, Stream};

/// Where plain output goes.
#[derive(Clone, Debug)]
pub struct PlainFiles {
    /// Standard output.
    pub stdout: PathBuf,
    /// Standard error.
    pub stderr: PathBuf,
}

/// Derives both files, durably. A torn tail is left out: the shim that wrote it was killed in the middle of a frame.
pub fn derive_plain(frames: &Path, to: &PlainFiles) -> io::Result<()> {
    let mut input = File::open(frames)?;
    let mut stdout = BufWriter::new(File::create(&to.stdout)?);
    let mut stderr = BufWriter::new(File::create(&to.stderr)?);
    let mut decoder = Decoder::new();
    let mut plain = Plain::new();
    let mut chunk = vec![0; 64 * 1024];
    let mut bytes = Vec::new();
    loop {
        let count = input.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        decoder.push(&chunk[..count]);
        while let Some(record) = decoder.next_record().map_err(io::Error::other)? {
            bytes.clear();
            match plain.render(&record, &mut bytes) {
                Stream::Stdout => stdout.write_all(&bytes)?,
                Stream::Stderr => stderr.write_all(&bytes)?,
            }
        }
    }
    for file in [stdout, stderr] {
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
    }
    Ok(())
}
