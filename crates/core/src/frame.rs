//! The frame format of captured output.
//!
//! A capture file is a sequence of records without a file header. Each record is a header of 13 bytes, little-endian, and a payload:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | length of the payload in bytes, 1 to [`MAX_PAYLOAD`] |
//! | 4 | 1 | kind: 0 stdout, 1 stderr, 2 dropped from stdout, 3 dropped from stderr |
//! | 5 | 8 | instant in microseconds since the Unix epoch, signed |
//! | 13 | length | kinds 0 and 1: the bytes; kinds 2 and 3: the exact count of bytes not stored, 8 bytes |
//!
//! Payloads are never empty, so a tail of zeros left by a crash is an error and not an endless run of empty frames. A record cut short
//! by the end of the file is a torn tail: it is reported, and everything before it stands.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The length of a record's header.
pub const HEADER_LEN: usize = 13;

/// The longest payload of one record (1 MiB).
pub const MAX_PAYLOAD: usize = 1 << 20;

/// One of the two captured streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both streams, in the order of their [`Stream::index`].
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// 0 for stdout, 1 for stderr: for tables with one entry per stream.
    pub const fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

/// Captured bytes of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the first of the bytes was read.
    pub at: Timestamp,
    /// Where they came from.
    pub stream: Stream,
    /// The bytes, as printed.
    pub bytes: Vec<u8>,
}

/// A gap: bytes of one stream that were read but not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// When the gap was recorded.
    pub at: Timestamp,
    /// The stream with the gap.
    pub stream: Stream,
    /// How many bytes are missing at this place, exactly.
    pub bytes: u64,
}

/// One record of a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Bytes.
    Frame(Frame),
    /// A gap.
    Dropped(Dropped),
}

impl Record {
    /// Appends the record in its file form. Bytes beyond [`MAX_PAYLOAD`] continue in further frames; an empty frame writes nothing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Frame(frame) => encode_output(frame.at, frame.stream, &frame.bytes, out),
            Self::Dropped(dropped) => encode_dropped(dropped, out),
        }
    }
}

/// Appends bytes of a stream as frames of at most [`MAX_PAYLOAD`] each; no bytes, no frame.
pub fn encode_output(at: Timestamp, stream: Stream, bytes: &[u8], out: &mut Vec<u8>) {
    let kind = match stream {
        Stream::Stdout => Kind::Stdout,
        Stream::Stderr => Kind::Stderr,
    };
    for payload in bytes.chunks(MAX_PAYLOAD) {
        encode_record(kind, at, payload, out);
    }
}

/// Appends a gap.
pub fn encode_dropped(dropped: &Dropped, out: &mut Vec<u8>) {
    let kind = match dropped.stream {
        Stream::Stdout => Kind::DroppedStdout,
        Stream::Stderr => Kind::DroppedStderr,
    };
    encode_record(kind, dropped.at, &dropped.bytes.to_le_bytes(), out);
}

fn encode_record(kind: Kind, at: Timestamp, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a payload is at most 1 MiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.push(kind as u8);
    out.extend_from_slice(&at.as_micros().to_le_bytes());
    out.extend_from_slice(payload);
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Stdout = 0,
    Stderr = 1,
    DroppedStdout = 2,
    DroppedStderr = 3,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Stdout),
            1 => Some(Self::Stderr),
            2 => Some(Self::DroppedStdout),
            3 => Some(Self::DroppedStderr),
            _ => None,
        }
    }
}

/// Bytes that are not a capture file, with the place where reading had to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The kind byte names no kind of record.
    #[error("unknown record kind {kind} at offset {offset}")]
    Kind {
        /// Where the record begins.
        offset: u64,
        /// The byte found.
        kind: u8,
    },
    /// The length is zero, above the cap, or wrong for the kind.
    #[error("record length {length} is out of range at offset {offset}")]
    Length {
        /// Where the record begins.
        offset: u64,
        /// The length found.
        length: u32,
    },
}

/// What stood after the last whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: the file ends with a whole record.
    Clean,
    /// The beginning of a record that was never finished.
    Torn {
        /// Where that record begins.
        offset: u64,
        /// How many of its bytes are there.
        bytes: u64,
    },
}

/// An incremental decoder: bytes go in as they arrive, whole records come out.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// The part of the buffer that has been decoded already.
    consumed: usize,
    /// The file offset at which the buffer begins.
    base: u64,
    failed: Option<FrameError>,
}

impl Decoder {
    /// A decoder at the beginning of a capture file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file offset of the next record.
    pub fn offset(&self) -> u64 {
        self.base + self.consumed as u64
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.consumed);
        self.base += self.consumed as u64;
        self.consumed = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole record, or nothing until more bytes are pushed. Once it fails it stays failed: there is no way to resynchronise.
    pub fn next_record(&mut self) -> Result<Option<Record>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let decoded = decode(&self.buffer[self.consumed..], self.offset());
        match decoded {
            Ok(Some((record, length))) => {
                self.consumed += length;
                Ok(Some(record))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// What is left when the file has ended and [`Decoder::next_record`] gives nothing more.
    pub fn tail(&self) -> Tail {
        let bytes = (self.buffer.len() - self.consumed) as u64;
        if bytes == 0 {
            Tail::Clean
        } else {
            Tail::Torn {
                offset: self.offset(),
                bytes,
            }
        }
    }
}

/// A capture file read as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The whole records, in order.
    pub records: Vec<Record>,
    /// What stood after them.
    pub tail: Tail,
}

/// Decodes a whole capture file. A torn tail is reported, garbage is an error.
pub fn decode_all(bytes: &[u8]) -> Result<Decoded, FrameError> {
    let mut records = Vec::new();
    let mut consumed = 0;
    while let Some((record, length)) = decode(&bytes[consumed..], consumed as u64)? {
        records.push(record);
        consumed += length;
    }
    let tail = if consumed == bytes.len() {
        Tail::Clean
    } else {
        Tail::Torn {
            offset: consumed as u64,
            bytes: (bytes.len() - consumed) as u64,
        }
    };
    Ok(Decoded { records, tail })
}

/// One record and its whole length, or nothing when the bytes end too early. The header is judged as soon as its parts are there.
fn decode(bytes: &[u8], offset: u64) -> Result<Option<(Record, usize)>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length);
    let payload_length = length as usize;
    if payload_length == 0 || payload_length > MAX_PAYLOAD {
        return Err(FrameError::Length { offset, length });
    }
    let Some((&kind, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let kind = Kind::of(kind).ok_or(FrameError::Kind { offset, kind })?;
    let gap = matches!(kind, Kind::DroppedStdout | Kind::DroppedStderr);
    if gap && payload_length != size_of::<u64>() {
        return Err(FrameError::Length { offset, length });
    }
    let Some((at, rest)) = rest.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let at = Timestamp::from_micros(i64::from_le_bytes(*at));
    let Some(payload) = rest.get(..payload_length) else {
        return Ok(None);
    };
    let stream = match kind {
        Kind::Stdout | Kind::DroppedStdout => Stream::Stdout,
        Kind::Stderr | Kind::DroppedStderr => Stream::Stderr,
    };
    let record = match payload.first_chunk::<8>() {
        Some(count) if gap => Record::Dropped(Dropped {
            at,
            stream,
            bytes: u64::from_le_bytes(*count),
        }),
        _ => Record::Frame(Frame {
            at,
            stream,
            bytes: payload.to_vec(),
        }),
    };
    Ok(Some((record, HEADER_LEN + payload_length)))
}

/// Derives the plain bytes of the streams, with a line of its own where bytes are missing.
#[derive(Debug, Default)]
pub struct Plain {
    mid_line: [bool; 2],
}

impl Plain {
    /// At the beginning of both streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what a record contributes to the plain bytes of its stream, and names that stream.
    pub fn render(&mut self, record: &Record, out: &mut Vec<u8>) -> Stream {
        match record {
            Record::Frame(frame) => {
                out.extend_from_slice(&frame.bytes);
                if let Some(last) = frame.bytes.last() {
                    self.mid_line[frame.stream.index()] = *last != b'\n';
                }
                frame.stream
            }
            Record::Dropped(dropped) => {
                let mid_line = &mut self.mid_line[dropped.stream.index()];
                if dropped.bytes > 0 {
                    if *mid_line {
                        out.push(b'\n');
                    }
                    let marker = format!("[dogwatch: {} bytes not stored]\n", dropped.bytes);
                    out.extend_from_slice(marker.as_bytes());
                    *mid_line = false;
                }
                dropped.stream
            }
        }
    }
}

/// The plain bytes of both streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainStreams {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Derives the plain bytes of both streams from their records.
pub fn plain_streams(records: &[Record]) -> PlainStreams {
    let mut plain = Plain::new();
    let mut streams = PlainStreams::default();
    for record in records {
        let stream = match record {
            Record::Frame(frame) => frame.stream,
            Record::Dropped(dropped) => dropped.stream,
        };
        let out = match stream {
            Stream::Stdout => &mut streams.stdout,
            Stream::Stderr => &mut streams.stderr,
        };
        plain.render(record, out);
    }
    streams
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> impl Strategy<Value = Stream> {
        prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
    }

    fn record() -> impl Strategy<Value = Record> {
        let frame = (
            any::<i64>(),
            stream(),
            prop::collection::vec(any::<u8>(), 1..200),
        )
            .prop_map(|(at, stream, bytes)| {
                Record::Frame(Frame {
                    at: Timestamp::from_micros(at),
                    stream,
                    bytes,
                })
            });
        let dropped = (any::<i64>(), stream(), any::<u64>()).prop_map(|(at, stream, bytes)| {
            Record::Dropped(Dropped {
                at: Timestamp::from_micros(at),
                stream,
                bytes,
            })
        });
        prop_oneof![4 => frame, 1 => dropped]
    }

    fn file(records: &[Record]) -> Vec<u8> {
        let mut out = Vec::new();
        for record in records {
            record.encode(&mut out);
        }
        out
    }

    proptest! {
        #[test]
        fn records_read_back_however_the_file_is_cut_into_pieces(
            records in prop::collection::vec(record(), 0..12),
            piece in 1_usize..64,
        ) {
            let bytes = file(&records);
            let mut decoder = Decoder::new();
            let mut seen = Vec::new();
            for part in bytes.chunks(piece) {
                decoder.push(part);
                while let Some(record) = decoder.next_record().unwrap() {
                    seen.push(record);
                }
            }
            prop_assert_eq!(decoder.tail(), Tail::Clean);
            prop_assert_eq!(decoder.offset(), bytes.len() as u64);
            prop_assert_eq!(&seen, &records);
            prop_assert_eq!(decode_all(&bytes).unwrap().records, records);
        }

        #[test]
        fn any_truncation_yields_a_prefix_and_reports_the_torn_tail(
            records in prop::collection::vec(record(), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = file(&records);
            let cut = cut.index(bytes.len());
            let decoded = decode_all(&bytes[..cut]).unwrap();
            prop_assert!(decoded.records.len() < records.len());
            prop_assert_eq!(&records[..decoded.records.len()], &decoded.records[..]);
            let whole = file(&decoded.records).len();
            let expected = if whole == cut {
                Tail::Clean
            } else {
                Tail::Torn { offset: whole as u64, bytes: (cut - whole) as u64 }
            };
            prop_assert_eq!(decoded.tail, expected);
        }

        #[test]
        fn garbage_never_panics_and_both_readers_agree(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            let mut seen = Vec::new();
            let outcome = loop {
                match decoder.next_record() {
                    Ok(Some(record)) => seen.push(record),
                    Ok(None) => break Ok(Decoded { records: seen, tail: decoder.tail() }),
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(decode_all(&bytes), outcome);
        }
    }

    fn frame(bytes: &[u8]) -> Record {
        Record::Frame(Frame {
            at: Timestamp::from_micros(1),
            stream: Stream::Stdout,
            bytes: bytes.to_vec(),
        })
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        assert_eq!(file(&[frame(b"hi")]), b"\x02\0\0\0\x00\x01\0\0\0\0\0\0\0hi");
        let dropped = Record::Dropped(Dropped {
            at: Timestamp::from_micros(-1),
            stream: Stream::Stderr,
            bytes: 258,
        });
        assert_eq!(
            file(&[dropped]),
            b"\x08\0\0\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01\0\0\0\0\0\0"
        );
    }

    #[test]
    fn a_bad_record_is_an_error_with_its_offset() {
        let good = file(&[frame(b"hi")]);
        let offset = good.len() as u64;
        let with = |tail: &[u8]| decode_all(&[good.as_slice(), tail].concat()).unwrap_err();
        assert_eq!(
            with(b"\x01\0\0\0\x04"),
            FrameError::Kind { offset, kind: 4 }
        );
        assert_eq!(
            with(b"\x01\0\x10\0\x00"),
            FrameError::Length {
                offset,
                length: 0x10_0001
            }
        );
        assert_eq!(with(&[0; 64]), FrameError::Length { offset, length: 0 });
        assert_eq!(
            with(b"\x07\0\0\0\x02"),
            FrameError::Length { offset, length: 7 }
        );
    }

    #[test]
    fn a_failed_decoder_stays_failed() {
        let mut decoder = Decoder::new();
        decoder.push(b"\x01\0\0\0\x09");
        let error = decoder.next_record().unwrap_err();
        decoder.push(&file(&[frame(b"hi")]));
        assert_eq!(decoder.next_record(), Err(error));
    }

    #[test]
    fn long_output_continues_in_further_frames() {
        let bytes = vec![7; MAX_PAYLOAD + 1];
        let decoded = decode_all(&file(&[frame(&bytes)])).unwrap();
        assert_eq!(decoded.records.len(), 2);
        assert_eq!(plain_streams(&decoded.records).stdout, bytes);
        assert!(file(&[frame(b"")]).is_empty());
    }

    #[test]
    fn missing_bytes_are_a_line_of_their_own() {
        let gap = |bytes| {
            Record::Dropped(Dropped {
                at: Timestamp::EPOCH,
                stream: Stream::Stdout,
                bytes,
            })
        };
        let plain = plain_streams(&[frame(b"begin"), gap(12), frame(b"end\n"), gap(0), gap(3)]);
        assert_eq!(
            String::from_utf8(plain.stdout).unwrap(),
            "begin\n[dogwatch: 12 bytes not stored]\nend\n[dogwatch: 3 bytes not stored]\n"
        );
        assert!(plain.stderr.is_empty());
    }
}
