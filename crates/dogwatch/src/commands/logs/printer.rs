//! Captured output on its way to a file, a terminal or a program.

use dogwatch_core::frame::{Plain, Record, Stream};
use serde_json::json;

use crate::output::{plain, print_bytes, print_json_line};

/// How output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it was captured.
    Bytes,
    /// As text that a terminal does not obey.
    Harmless,
    /// As JSON Lines.
    Lines,
}

/// Prints records of the streams that were asked for.
pub(super) struct Printer {
    style: Style,
    only: Option<Stream>,
    plain: Plain,
    text: [Utf8Stream; 2],
    /// How many bytes were not stored.
    pub(super) dropped: u64,
}

impl Printer {
    pub(super) fn new(style: Style, only: Option<Stream>) -> Self {
        Self {
            style,
            only,
            plain: Plain::new(),
            text: [Utf8Stream::default(), Utf8Stream::default()],
            dropped: 0,
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        let stream = match record {
            Record::Frame(frame) => frame.stream,
            Record::Dropped(dropped) => dropped.stream,
        };
        if self.only.is_some_and(|only| only != stream) {
            return;
        }
        if let Record::Dropped(dropped) = record {
            self.dropped = self.dropped.saturating_add(dropped.bytes);
        }
        match self.style {
            Style::Lines => self.json(record),
            Style::Bytes | Style::Harmless => {
                let mut bytes = Vec::new();
                self.plain.render(record, &mut bytes);
                if self.style == Style::Bytes {
                    print_bytes(&bytes);
                } else {
                    let text = self.text[stream.index()].push(&bytes);
                    print_bytes(plain(&text).as_bytes());
                }
            }
        }
    }

    fn json(&mut self, record: &Record) {
        match record {
            Record::Frame(frame) => {
                let text = self.text[frame.stream.index()].push(&frame.bytes);
                print_json_line(&json!({
                    "type": "output", "at": frame.at, "stream": frame.stream, "text": text,
                }));
            }
            Record::Dropped(dropped) => print_json_line(&json!({
                "type": "dropped", "at": dropped.at, "stream": dropped.stream, "bytes": dropped.bytes,
            })),
        }
    }

    /// Prints what was held back because the rest of a character was to come.
    pub(super) fn finish(&mut self) {
        for stream in Stream::ALL {
            let text = self.text[stream.index()].finish();
            if text.is_empty() {
                continue;
            }
            if self.style == Style::Lines {
                print_json_line(&json!({ "type": "output", "stream": stream, "text": text }));
            } else {
                print_bytes(plain(&text).as_bytes());
            }
        }
    }
}

/// Text from bytes that may be cut anywhere, also in the middle of a character. What is no text is replaced.
#[derive(Debug, Default)]
struct Utf8Stream {
    held: Vec<u8>,
}

impl Utf8Stream {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            Err(_) => complete_length(&self.held),
        };
        let rest = self.held.split_off(whole);
        let whole = std::mem::replace(&mut self.held, rest);
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

/// How many bytes stand before a character that has only begun at the end.
fn complete_length(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let start = bytes.len() - back;
        let begun = match bytes[start] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            // The middle of a character: its beginning is further back.
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if begun > back { start } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_may_be_cut_anywhere() {
        let text = "größe → 🐕 ok";
        for piece in 1..6 {
            let mut stream = Utf8Stream::default();
            let mut seen = String::new();
            for part in text.as_bytes().chunks(piece) {
                seen.push_str(&stream.push(part));
            }
            seen.push_str(&stream.finish());
            assert_eq!(seen, text, "{piece}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_held_back_no_longer_than_a_character() {
        let mut stream = Utf8Stream::default();
        assert_eq!(stream.push(b"a\xff"), "a\u{fffd}");
        assert_eq!(stream.push(b"\xc3"), "");
        assert_eq!(stream.push(b"\xc3\xb6"), "\u{fffd}ö");
        assert_eq!(stream.push(b"\xf0\x9f"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.push(b"\x80\x80\x80\x80").chars().count(), 4);
    }
}
