//! What every store of output has to do. Each check gets an empty one.

use dogwatch_core::frame::Stream;
use dogwatch_core::ids::RunId;

use super::bench::{CountingEntropy, ManualClock};
use super::concurrently;
use crate::{Output, OutputError, OutputKey, OutputPart};

/// One `#[tokio::test]` per check, against the stores of output that the named function opens: an `async fn open() -> (impl Output, K)`,
/// where `K` is what has to live as long.
#[macro_export]
macro_rules! output_contract_suite {
    ($open:path) => {
        $crate::output_contract_suite!(@checks $open;
            chunks_follow_each_other;
            parts_are_read;
            a_chunk_sent_again_changes_nothing;
            a_gap_names_the_next_offset;
            another_history_is_a_fork;
            streams_are_apart;
            streams_are_listed_in_order;
            what_was_never_written_is_empty;
            many_may_send_at_once;
        );
    };
    (@checks $open:path; $($check:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let (store, _keep) = $open().await;
            $crate::contract_suite::output::$check(&store).await;
        }
    )*};
}

fn runs() -> (RunId, RunId) {
    let clock = ManualClock::default();
    let entropy = CountingEntropy::default();
    (RunId::mint(&clock, &entropy), RunId::mint(&clock, &entropy))
}

fn key(run: RunId, turn: u32, stream: Stream) -> OutputKey {
    OutputKey { run, turn, stream }
}

fn stdout() -> OutputKey {
    key(runs().0, 1, Stream::Stdout)
}

async fn whole(output: &dyn Output, key: OutputKey) -> Vec<u8> {
    let part = output.read(key, 0, usize::MAX).await.unwrap();
    assert_eq!(part.total, part.bytes.len() as u64);
    part.bytes
}

async fn put(output: &dyn Output, key: OutputKey, offset: u64, bytes: &[u8]) -> u64 {
    output.append(key, offset, bytes.to_vec()).await.unwrap()
}

/// One after the other.
pub async fn chunks_follow_each_other(output: &dyn Output) {
    let key = stdout();
    assert_eq!(put(output, key, 0, b"one\n").await, 4);
    assert_eq!(put(output, key, 4, b"\xff\0two").await, 9);
    assert_eq!(whole(output, key).await, b"one\n\xff\0two");
}

/// At any place, to any length; beyond the end there is nothing, and that is no error.
pub async fn parts_are_read(output: &dyn Output) {
    let key = stdout();
    put(output, key, 0, b"0123456789").await;
    for (offset, limit, bytes) in [
        (0, 4, &b"0123"[..]),
        (4, 4, b"4567"),
        (8, 4, b"89"),
        (3, 0, b""),
        (10, 4, b""),
        (11, 4, b""),
        (u64::MAX, usize::MAX, b""),
    ] {
        let part = output.read(key, offset, limit).await.unwrap();
        let expected = OutputPart {
            bytes: bytes.to_vec(),
            total: 10,
        };
        assert_eq!(part, expected, "{limit} bytes from {offset}");
    }
}

/// A sender that did not see the answer sends it again, alone or with more.
pub async fn a_chunk_sent_again_changes_nothing(output: &dyn Output) {
    let key = stdout();
    put(output, key, 0, b"abcdef").await;
    for (offset, bytes) in [
        (0, &b"abcdef"[..]),
        (0, b"a"),
        (2, b"cd"),
        (5, b"f"),
        (3, b""),
        (6, b""),
    ] {
        assert_eq!(put(output, key, offset, bytes).await, 6, "from {offset}");
    }
    assert_eq!(whole(output, key).await, b"abcdef");
    assert_eq!(put(output, key, 4, b"efgh").await, 8);
    assert_eq!(put(output, key, 0, b"abcdefghij").await, 10);
    assert_eq!(whole(output, key).await, b"abcdefghij");
}

/// So that the sender knows where to go on from.
pub async fn a_gap_names_the_next_offset(output: &dyn Output) {
    let key = stdout();
    for (offset, bytes) in [(1, &b"x"[..]), (u64::MAX, b"x"), (1, b"")] {
        let error = output
            .append(key, offset, bytes.to_vec())
            .await
            .unwrap_err();
        assert!(
            matches!(error, OutputError::Gap { expected: 0 }),
            "{error:?}"
        );
    }
    assert_eq!(output.streams(key.run).await.unwrap(), []);
    put(output, key, 0, b"abc").await;
    let error = output.append(key, 4, b"e".to_vec()).await.unwrap_err();
    assert_eq!(error.code(), "output_gap");
    assert!(
        matches!(error, OutputError::Gap { expected: 3 }),
        "{error:?}"
    );
    assert_eq!(whole(output, key).await, b"abc");
}

/// What is stored is never replaced, and nothing of a chunk that differs is kept.
pub async fn another_history_is_a_fork(output: &dyn Output) {
    let key = stdout();
    put(output, key, 0, b"abcdef").await;
    for (offset, bytes, differs) in [
        (0, &b"x"[..], 0),
        (5, b"x", 5),
        (0, b"abcdxf", 4),
        (4, b"exgh", 5),
        (0, b"abcdeXYZ", 5),
    ] {
        let error = output
            .append(key, offset, bytes.to_vec())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "output_fork");
        assert!(
            matches!(error, OutputError::Fork { offset } if offset == differs),
            "{error:?}"
        );
        assert_eq!(whole(output, key).await, b"abcdef");
    }
}

/// Streams, turns and runs.
pub async fn streams_are_apart(output: &dyn Output) {
    let (run, other) = runs();
    let keys = [
        key(run, 1, Stream::Stdout),
        key(run, 1, Stream::Stderr),
        key(run, 2, Stream::Stdout),
        key(run, 11, Stream::Stdout),
        key(run, u32::MAX, Stream::Stderr),
        key(other, 1, Stream::Stdout),
    ];
    for key in keys {
        put(output, key, 0, format!("{key:?}").as_bytes()).await;
    }
    for key in keys {
        assert_eq!(whole(output, key).await, format!("{key:?}").into_bytes());
    }
}

/// By turn as a number, then stdout before stderr; a stream without bytes is none.
pub async fn streams_are_listed_in_order(output: &dyn Output) {
    let (run, other) = runs();
    for (turn, stream, bytes) in [
        (10, Stream::Stderr, "four"),
        (2, Stream::Stderr, "yz"),
        (10, Stream::Stdout, "abc"),
        (2, Stream::Stdout, "x"),
        (3, Stream::Stdout, ""),
    ] {
        put(output, key(run, turn, stream), 0, bytes.as_bytes()).await;
    }
    put(output, key(other, 1, Stream::Stdout), 0, b"other").await;
    assert_eq!(
        output.streams(run).await.unwrap(),
        [
            (key(run, 2, Stream::Stdout), 1),
            (key(run, 2, Stream::Stderr), 2),
            (key(run, 10, Stream::Stdout), 3),
            (key(run, 10, Stream::Stderr), 4),
        ]
    );
}

/// Nothing is not an error.
pub async fn what_was_never_written_is_empty(output: &dyn Output) {
    let key = stdout();
    assert_eq!(
        output.read(key, 0, 10).await.unwrap(),
        OutputPart::default()
    );
    assert_eq!(output.streams(key.run).await.unwrap(), []);
}

/// The same chunks from many senders at once are one stream.
pub async fn many_may_send_at_once(output: &dyn Output) {
    let key = stdout();
    let text: Vec<u8> = (0..200_u8).collect();
    let mut end = 0;
    while end < text.len() {
        let sends = (1..=8).map(|length| {
            let to = (end + length).min(text.len());
            output.append(key, end as u64, text[end..to].to_vec())
        });
        let ends: Vec<u64> = concurrently(sends)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        end += 8;
        assert_eq!(ends.into_iter().max(), Some(end.min(text.len()) as u64));
    }
    assert_eq!(whole(output, key).await, text);
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_is_on_the_list() {
        let source = include_str!("output.rs");
        let mut checks = 0;
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = rest.split('(').next().unwrap_or_default();
            assert!(
                source.contains(&format!("            {name};\n")),
                "{name} is never run"
            );
            checks += 1;
        }
        assert!(checks >= 9, "{checks}");
    }
}
