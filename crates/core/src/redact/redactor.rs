//! The seam: every captured byte passes through a [`Redactor`] on its way to the disk.

use crate::frame::Stream;

/// A streaming filter over captured output, one state per stream.
pub trait Redactor {
    /// Takes the next bytes of a stream and appends what may be stored to `out`. Bytes that could begin a secret may be held back.
    fn push(&mut self, stream: Stream, chunk: &[u8], out: &mut Vec<u8>);

    /// The stream has ended: appends whatever was held back, redacted as far as it must be.
    fn finish(&mut self, stream: Stream, out: &mut Vec<u8>);
}

/// The redactor of a run that was given no secrets: every byte passes unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Redactor for NoSecrets {
    fn push(&mut self, _: Stream, chunk: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(chunk);
    }

    fn finish(&mut self, _: Stream, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_secrets_every_byte_passes() {
        let mut out = b"kept ".to_vec();
        let mut redactor = NoSecrets;
        redactor.push(Stream::Stdout, b"\xff\x00as is", &mut out);
        redactor.finish(Stream::Stdout, &mut out);
        assert_eq!(out, b"kept \xff\x00as is");
    }
}
