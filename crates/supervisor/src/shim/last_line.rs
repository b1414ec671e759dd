//! The last line printed, made safe to show: it is text from untrusted code.

/// How many characters of a line are shown.
const SHOWN: usize = 200;

/// How many bytes of an unfinished line are remembered: enough for the characters shown, whatever their encoding.
const REMEMBERED: usize = 4 * SHOWN;

/// Follows a stream and remembers its last line that is not blank.
#[derive(Debug, Default)]
pub(super) struct LastLine {
    unfinished: Vec<u8>,
    finished: Vec<u8>,
}

impl LastLine {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        // Only the end of a chunk can hold its last line as far as it is shown.
        let bytes = &bytes[bytes.len().saturating_sub(8 * REMEMBERED)..];
        let mut pieces = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.extend(piece);
            if !self.unfinished.trim_ascii().is_empty() {
                self.finished = std::mem::take(&mut self.unfinished);
            }
            self.unfinished.clear();
        }
        self.extend(last);
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = REMEMBERED - self.unfinished.len();
        self.unfinished
            .extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// The line, clipped and without control characters.
    pub(super) fn shown(&self) -> String {
        if self.unfinished.trim_ascii().is_empty() {
            printable(&self.finished)
        } else {
            printable(&self.unfinished)
        }
    }
}

/// At most the shown number of characters; what could steer a terminal or reorder text is replaced.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end()
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            harmful if steers(harmful) => char::REPLACEMENT_CHARACTER,
            harmless => harmless,
        })
        .take(SHOWN)
        .collect()
}

/// Control characters, line separators, and the marks that reorder or hide text.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(chunks: &[&[u8]]) -> String {
        let mut line = LastLine::default();
        for chunk in chunks {
            line.push(chunk);
        }
        line.shown()
    }

    #[test]
    fn the_last_line_that_says_something_is_shown() {
        assert_eq!(after(&[]), "");
        assert_eq!(after(&[b"one\ntwo\n\n  \n"]), "two");
        assert_eq!(after(&[b"one\nhalf a ", b"line"]), "half a line");
        assert_eq!(after(&[b"10%\r50%\r"]), "50%");
        assert_eq!(after(&[b"a\n", &[b'x'; 100_000], b"\nlast"]), "last");
    }

    #[test]
    fn it_cannot_steer_a_terminal_and_is_clipped() {
        assert_eq!(
            after(&[b"\x1b[2Jhi\tthere\x07"]),
            "\u{fffd}[2Jhi there\u{fffd}"
        );
        assert_eq!(after(&["a\u{202e}b".as_bytes()]), "a\u{fffd}b");
        assert_eq!(after(&[b"bad \xff byte"]), "bad \u{fffd} byte");
        let long = "\u{1F600}".repeat(300);
        assert_eq!(after(&[long.as_bytes()]).chars().count(), 200);
    }
}
