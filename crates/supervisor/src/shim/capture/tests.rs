//! The pipes are real, the clock is not.

use dogwatch_core::frame::{Record, Tail as FileTail, decode_all, plain_streams};
use dogwatch_core::redact::{NoSecrets, SecretRedactor, SecretSet};

use super::*;
use crate::os::descriptors::Pipe;
use crate::shim::tail::TAIL_LEN;

struct Fixture {
    directory: tempfile::TempDir,
    capture: Capture,
    stdout: File,
    stderr: File,
}

fn fixture(cap: u64, redactor: Box<dyn Redactor>) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let mut capture =
        Capture::create(&directory.path().join("output.frames"), cap, redactor).unwrap();
    let pipes = [Pipe::new().unwrap(), Pipe::new().unwrap()];
    let [out, err] = pipes;
    for reader in [&out.reader, &err.reader] {
        descriptors::set_nonblocking(reader.as_fd()).unwrap();
    }
    capture.attach(out.reader, err.reader);
    Fixture {
        directory,
        capture,
        stdout: out.writer.into(),
        stderr: err.writer.into(),
    }
}

impl Fixture {
    fn records(&self) -> Vec<Record> {
        let bytes = std::fs::read(self.directory.path().join("output.frames")).unwrap();
        assert_eq!(bytes.len() as u64, self.capture.file_len());
        let decoded = decode_all(&bytes).unwrap();
        assert_eq!(decoded.tail, FileTail::Clean);
        decoded.records
    }
}

fn chunk(records: &[Record]) -> Vec<(Stream, Vec<u8>)> {
    records
        .iter()
        .map(|record| match record {
            Record::Frame(frame) => (frame.stream, frame.bytes.clone()),
            Record::Dropped(_) => panic!("nothing was dropped"),
        })
        .collect()
}

#[test]
fn small_writes_are_gathered_and_the_order_of_streams_is_kept() {
    let mut fixture = fixture(1000, Box::new(NoSecrets));
    let now = Instant::now();
    for (stream, text) in [
        (Stream::Stdout, "a"),
        (Stream::Stdout, "b"),
        (Stream::Stderr, "!"),
        (Stream::Stdout, "c"),
    ] {
        let mut pipe = match stream {
            Stream::Stdout => &fixture.stdout,
            Stream::Stderr => &fixture.stderr,
        };
        pipe.write_all(text.as_bytes()).unwrap();
        assert!(fixture.capture.read(stream, now).unwrap());
    }
    assert!(!fixture.capture.read(Stream::Stdout, now).unwrap());
    fixture.capture.finish(now).unwrap();
    assert_eq!(
        chunk(&fixture.records()),
        [
            (Stream::Stdout, b"ab".to_vec()),
            (Stream::Stderr, b"!".to_vec()),
            (Stream::Stdout, b"c".to_vec()),
        ]
    );
}

#[test]
fn alternating_streams_cannot_multiply_the_file() {
    let mut fixture = fixture(10_000, Box::new(NoSecrets));
    let now = Instant::now();
    for _ in 0..4000 {
        for stream in Stream::ALL {
            let mut pipe = match stream {
                Stream::Stdout => &fixture.stdout,
                Stream::Stderr => &fixture.stderr,
            };
            pipe.write_all(b"x").unwrap();
            fixture.capture.read(stream, now).unwrap();
        }
    }
    fixture.capture.finish(now).unwrap();
    assert!(fixture.records().len() <= SWITCHES as usize + 4);
    assert_eq!(fixture.capture.counts(Stream::Stderr).stored, 4000);
}

#[test]
fn gathered_bytes_are_written_when_their_time_is_up() {
    let mut fixture = fixture(10, Box::new(NoSecrets));
    let now = Instant::now();
    fixture.stdout.write_all(b"hi").unwrap();
    fixture.capture.read(Stream::Stdout, now).unwrap();
    fixture.capture.advance(now).unwrap();
    assert!(fixture.records().is_empty());
    let due = fixture.capture.next().unwrap();
    fixture.capture.advance(due).unwrap();
    assert_eq!(fixture.records().len(), 1);
    assert_eq!(fixture.capture.next(), None);
}

#[test]
fn beyond_the_cap_only_the_end_is_stored_and_the_gap_is_exact() {
    let mut fixture = fixture(10, Box::new(NoSecrets));
    let now = Instant::now();
    let total = 10 + 5 + TAIL_LEN;
    let all: Vec<u8> = (0..total).map(|n| (n % 253) as u8).collect();
    for part in all.chunks(1000) {
        fixture.stdout.write_all(part).unwrap();
        fixture.capture.read(Stream::Stdout, now).unwrap();
    }
    fixture.capture.finish(now).unwrap();
    let expected = StreamCounts {
        seen: total as u64,
        stored: (total - 5) as u64,
        dropped: 5,
    };
    assert_eq!(fixture.capture.counts(Stream::Stdout), expected);
    let plain = plain_streams(&fixture.records()).stdout;
    let marker = b"\n[dogwatch: 5 bytes not stored]\n";
    assert!(plain == [&all[..10], marker, &all[15..]].concat());
}

#[test]
fn draining_takes_what_is_there_and_tells_whether_a_pipe_is_held() {
    let mut fixture = fixture(1 << 20, Box::new(NoSecrets));
    let now = Instant::now();
    fixture.stdout.write_all(b"rest").unwrap();
    fixture.stderr.write_all(b"held").unwrap();
    let Fixture {
        stdout,
        stderr,
        capture,
        ..
    } = &mut fixture;
    *stdout = File::open("/dev/null").unwrap();
    assert!(capture.drain(now).unwrap());
    drop(stderr.try_clone());
    capture.finish(now).unwrap();
    let plain = plain_streams(&fixture.records());
    assert_eq!(
        (plain.stdout, plain.stderr),
        (b"rest".to_vec(), b"held".to_vec())
    );
}

/// Holds back everything until the stream ends, then says it in capitals.
#[derive(Default)]
struct Loud([Vec<u8>; 2]);

impl Redactor for Loud {
    fn push(&mut self, stream: Stream, chunk: &[u8], _: &mut Vec<u8>) {
        self.0[stream.index()].extend_from_slice(chunk);
    }

    fn finish(&mut self, stream: Stream, out: &mut Vec<u8>) {
        out.extend(self.0[stream.index()].to_ascii_uppercase());
    }
}

#[test]
fn nothing_reaches_the_disk_around_the_redactor() {
    let mut fixture = fixture(3, Box::new(Loud::default()));
    let now = Instant::now();
    fixture.stdout.write_all(b"secret").unwrap();
    fixture.capture.read(Stream::Stdout, now).unwrap();
    fixture.capture.finish(now).unwrap();
    assert_eq!(plain_streams(&fixture.records()).stdout, b"SECRET");
    assert_eq!(fixture.capture.last_line(), "SECRET");
}

#[test]
fn a_secret_at_the_cap_or_at_the_tail_is_never_half_stored() {
    const SECRET: &[u8] = b"S3CR3T-0123456789";
    let name = b"[redacted:N]";
    let now = Instant::now();
    for before in 0..=40 {
        let (secrets, _) = SecretSet::new([("N", SECRET)]);
        let mut fixture = fixture(32, Box::new(SecretRedactor::new(secrets)));
        // The second one ends up where the dropped bytes give way to the tail.
        let after = TAIL_LEN - 20 + before;
        let parts = [
            &vec![b'.'; before][..],
            SECRET,
            b"..",
            SECRET,
            &vec![b'.'; after],
        ];
        for piece in parts.concat().chunks(5) {
            fixture.stdout.write_all(piece).unwrap();
            fixture.capture.read(Stream::Stdout, now).unwrap();
        }
        fixture.capture.finish(now).unwrap();
        let counts = fixture.capture.counts(Stream::Stdout);
        assert_eq!(counts.seen, (before + after + 2 + 2 * name.len()) as u64);
        assert_eq!(counts.seen, counts.stored + counts.dropped);
        let plain = plain_streams(&fixture.records()).stdout;
        let said = String::from_utf8_lossy(&plain);
        for part in SECRET.windows(3) {
            assert!(!plain.windows(3).any(|window| window == part), "{said}");
        }
        let whole = [&vec![b'.'; before][..], name, b"..", name].concat();
        assert_eq!(plain[..32.min(whole.len())], whole[..32.min(whole.len())]);
    }
}

#[test]
fn output_that_is_held_back_is_still_progress() {
    let (secrets, _) = SecretSet::new([("N", "S3CR3T-0123456789")]);
    let mut fixture = fixture(100, Box::new(SecretRedactor::new(secrets)));
    let now = Instant::now();
    fixture.stdout.write_all(b"S3CR3T").unwrap();
    assert!(fixture.capture.read(Stream::Stdout, now).unwrap());
    assert!(fixture.capture.last_output_at().is_some());
    assert_eq!(fixture.capture.counts(Stream::Stdout).seen, 0);
    fixture.capture.finish(now).unwrap();
    assert_eq!(plain_streams(&fixture.records()).stdout, b"S3CR3T");
}

#[test]
fn an_existing_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("output.frames");
    std::fs::write(&path, b"earlier").unwrap();
    assert!(Capture::create(&path, 1, Box::new(NoSecrets)).is_err());
}
