//! What output suffers as files.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use dogwatch_blobs::FileOutput;
use dogwatch_core::frame::Stream;
use dogwatch_store::{Output as _, OutputError, OutputKey, OutputPart};
use tempfile::TempDir;

use crate::place::{assert_private, run, stdout};

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("output")
    }

    fn open(&self) -> FileOutput {
        FileOutput::open(self.root()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.root().join(run().to_string()).join("1.stdout")
    }
}

async fn whole(output: &FileOutput) -> Vec<u8> {
    output.read(stdout(), 0, usize::MAX).await.unwrap().bytes
}

#[tokio::test]
async fn it_outlives_the_process_and_is_private() {
    let place = Place::new();
    place
        .open()
        .append(stdout(), 0, b"abc".to_vec())
        .await
        .unwrap();
    let again = place.open();
    assert_eq!(whole(&again).await, b"abc");
    assert_eq!(again.append(stdout(), 3, b"de".to_vec()).await.unwrap(), 5);
    assert_eq!(fs::read(place.file()).unwrap(), b"abcde");
    assert_private(&place.root());
}

/// A process killed at any byte of a write: the stream is shorter, and the sender that saw no answer sends the chunk again.
#[tokio::test]
async fn a_torn_tail_is_a_shorter_stream() {
    let (acknowledged, chunk) = (b"acknowledged", b"torn at any byte");
    for torn_at in 0..=chunk.len() {
        let place = Place::new();
        place
            .open()
            .append(stdout(), 0, acknowledged.to_vec())
            .await
            .unwrap();
        let end = acknowledged.len() as u64;
        let file = OpenOptions::new().append(true).open(place.file()).unwrap();
        std::io::Write::write_all(&mut &file, &chunk[..torn_at]).unwrap();

        let output = place.open();
        let torn = output.read(stdout(), 0, usize::MAX).await.unwrap();
        assert_eq!(torn.total, end + torn_at as u64);
        assert_eq!(torn.bytes, [&acknowledged[..], &chunk[..torn_at]].concat());
        let after = output.append(stdout(), end, chunk.to_vec()).await.unwrap();
        assert_eq!(after, end + chunk.len() as u64);
        assert_eq!(
            whole(&output).await,
            [&acknowledged[..], &chunk[..]].concat()
        );
    }
}

/// Killed between the making of the file and its first byte.
#[tokio::test]
async fn a_stream_without_bytes_is_none() {
    let place = Place::new();
    let output = place.open();
    fs::create_dir(place.file().parent().unwrap()).unwrap();
    fs::write(place.file(), b"").unwrap();
    assert_eq!(output.streams(run()).await.unwrap(), []);
    assert_eq!(
        output.read(stdout(), 0, 9).await.unwrap(),
        OutputPart::default()
    );
    assert_eq!(output.append(stdout(), 0, b"a".to_vec()).await.unwrap(), 1);
}

/// A difference is found wherever it is, also past what is compared at a time.
#[tokio::test]
async fn a_fork_far_inside_a_long_stream_is_found() {
    let place = Place::new();
    let output = place.open();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    output.append(stdout(), 0, bytes.clone()).await.unwrap();
    for at in [0, 65_535, 65_536, 131_071, 131_072, 299_999] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        for from in [0, at / 2, at] {
            let error = output
                .append(stdout(), from as u64, other[from..].to_vec())
                .await
                .unwrap_err();
            assert!(
                matches!(error, OutputError::Fork { offset } if offset == at as u64),
                "{error:?}"
            );
        }
    }
    let part = output.read(stdout(), 65_000, 100_000).await.unwrap();
    assert_eq!(part.bytes, &bytes[65_000..165_000]);
    assert_eq!(part.total, 300_000);
}

/// It would be read as "never printed anything".
#[tokio::test]
async fn a_directory_that_has_gone_is_an_error() {
    let place = Place::new();
    let output = place.open();
    output.append(stdout(), 0, b"abc".to_vec()).await.unwrap();
    fs::rename(place.root(), place.directory.path().join("elsewhere")).unwrap();
    for code in [
        output.read(stdout(), 0, 9).await.unwrap_err().code(),
        output.streams(run()).await.unwrap_err().code(),
        output
            .append(stdout(), 0, b"abc".to_vec())
            .await
            .unwrap_err()
            .code(),
    ] {
        assert_eq!(code, "store_unavailable");
    }
    assert!(!place.root().exists());
}

#[tokio::test]
async fn links_are_not_followed() {
    let place = Place::new();
    let output = place.open();
    let outside = place.directory.path().join("outside");
    fs::write(&outside, b"private").unwrap();
    fs::create_dir(place.file().parent().unwrap()).unwrap();
    symlink(&outside, place.file()).unwrap();
    for code in [
        output.read(stdout(), 0, 9).await.unwrap_err().code(),
        output.streams(run()).await.unwrap_err().code(),
        output
            .append(stdout(), 7, b"more".to_vec())
            .await
            .unwrap_err()
            .code(),
    ] {
        assert_eq!(code, "output_corrupt");
    }
    assert_eq!(fs::read(&outside).unwrap(), b"private");
}

/// A stream that a list left out would look as if it had never been printed.
#[tokio::test]
async fn a_file_that_is_no_stream_is_an_error() {
    for name in [
        "01.stdout",
        "+1.stdout",
        "1.stdout.old",
        "1",
        "1.other",
        "4294967296.stdout",
    ] {
        let place = Place::new();
        let output = place.open();
        output.append(stdout(), 0, b"abc".to_vec()).await.unwrap();
        fs::write(place.file().with_file_name(name), b"x").unwrap();
        let error = output.streams(run()).await.unwrap_err();
        assert!(
            matches!(error, OutputError::Corrupt { .. }),
            "{name}: {error:?}"
        );
    }
}

/// All of what many tasks send arrives, each stream in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_are_written_at_once() {
    let place = Place::new();
    let output = place.open();
    let tasks: Vec<_> = (1..=16_u32)
        .flat_map(|turn| Stream::ALL.map(|stream| (turn, stream)))
        .map(|(turn, stream)| {
            let output = output.clone();
            tokio::spawn(async move {
                let key = OutputKey {
                    run: run(),
                    turn,
                    stream,
                };
                let mut end = 0;
                for number in 0..turn {
                    let line = format!("{number}\n").into_bytes();
                    end = output.append(key, end, line).await.unwrap();
                }
                let all: String = (0..turn).map(|number| format!("{number}\n")).collect();
                let part = output.read(key, 0, usize::MAX).await.unwrap();
                assert_eq!(part.bytes, all.into_bytes());
                assert_eq!(part.total, end);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(output.streams(run()).await.unwrap().len(), 32);
}
