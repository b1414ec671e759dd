//! Actions that print.

use std::io::{self, Write};

use super::{ActionError, Stage};
use crate::action::{Repeat, Stream, unhex};

/// How much is written at a time, so that a flood of any size needs no memory.
const PIECE: usize = 64 * 1024;

impl Stage<'_> {
    pub(super) fn print(&mut self, text: &str, stream: Stream) -> Result<(), ActionError> {
        let out = self.stream(stream);
        // In one piece: standard error is not buffered, and a line end of its own could come after what the other stream says next.
        out.write_all(format!("{text}\n").as_bytes())
            .and_then(|()| out.flush())
            .map_err(ActionError::Print)
    }

    pub(super) fn print_bytes(
        &mut self,
        hex: Option<&str>,
        repeat: Option<&Repeat>,
        stream: Stream,
    ) -> Result<(), ActionError> {
        let bytes = hex
            .map(unhex)
            .transpose()
            .map_err(|problem| ActionError::Print(io::Error::other(problem)))?
            .unwrap_or_default();
        let out = self.stream(stream);
        out.write_all(&bytes)
            .and_then(|()| repeat.map_or(Ok(()), |repeat| flood(out, repeat)))
            .and_then(|()| out.flush())
            .map_err(ActionError::Print)?;
        let count = bytes.len() as u64 + repeat.map_or(0, |repeat| repeat.count);
        self.note(&format!("printed {count} bytes"));
        Ok(())
    }

    fn stream(&mut self, stream: Stream) -> &mut dyn Write {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }
}

fn flood(out: &mut dyn Write, repeat: &Repeat) -> io::Result<()> {
    let piece = vec![repeat.byte; PIECE];
    let mut left = repeat.count;
    while left > 0 {
        let now = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        out.write_all(&piece[..now])?;
        left -= now as u64;
    }
    Ok(())
}
