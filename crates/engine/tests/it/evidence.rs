//! What a run leaves: journal, output, payloads, bundle.

use std::collections::BTreeMap;

use dogwatch_api::{
    AppendEvents, AppendOutput, ControlPlane, DeclareBundle, HeldLease, OutputStream, ReadOutput,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Epoch;
use dogwatch_core::job::RunOutcome;

use crate::bench::{Bench, Running};

fn piece(running: &Running, offset: u64, bytes: &[u8]) -> AppendOutput {
    AppendOutput {
        held: running.held,
        run: running.run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset,
        bytes: bytes.to_vec(),
    }
}

#[tokio::test]
async fn output_arrives_once_however_often_it_is_sent() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let runner = bench.runner();
    for _ in 0..2 {
        let appended = runner.append_output(piece(&running, 0, b"hello ")).await;
        assert_eq!(appended.unwrap().next_offset, 6);
    }
    let gap = runner.append_output(piece(&running, 9, b"x")).await;
    let gap = gap.unwrap_err();
    assert_eq!(gap.code, "log_gap");
    assert_eq!(gap.facts["expected"], 6);
    let fork = runner.append_output(piece(&running, 0, b"jello ")).await;
    assert_eq!(fork.unwrap_err().code, "log_fork");
    let more = runner
        .append_output(piece(&running, 0, b"hello world"))
        .await;
    assert_eq!(more.unwrap().next_offset, 11);

    let listed = bench.user().list_output(running.run).await.unwrap();
    assert_eq!((listed.items.len(), listed.items[0].length), (1, 11));
    let read = ReadOutput {
        run: running.run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset: 6,
        limit: 100,
    };
    let read = bench.user().read_output(read).await.unwrap();
    assert_eq!(
        (read.length, read.bytes.as_slice()),
        (11, b"world".as_slice())
    );
}

#[tokio::test]
async fn only_the_holder_of_the_lease_writes_output() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let other = bench.running("two").await;
    let runner = bench.runner();
    let mut stale = piece(&running, 0, b"x");
    stale.held = HeldLease {
        epoch: Epoch(0),
        ..stale.held
    };
    let refused = runner.append_output(stale).await.unwrap_err();
    assert_eq!(refused.code, "lease_lost");
    let mut foreign = piece(&running, 0, b"x");
    foreign.run = other.run;
    let refused = runner.append_output(foreign).await.unwrap_err();
    assert_eq!(refused.code, "wrong_run");
    let mut no_turn = piece(&running, 0, b"x");
    no_turn.turn = 0;
    let refused = runner.append_output(no_turn).await.unwrap_err();
    assert_eq!(refused.code, "request_invalid");
    bench.ended(&running, RunOutcome::Succeeded).await;
    let late = runner.append_output(piece(&running, 0, b"x")).await;
    assert_eq!(late.unwrap_err().code, "lease_lost");
    let listed = bench.user().list_output(running.run).await.unwrap();
    assert!(listed.items.is_empty());
}

#[tokio::test]
async fn a_journal_with_a_gap_is_refused_with_the_line_that_is_next() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let lines = bench.journal(running.held, running.run, RunOutcome::Succeeded);
    let append = |lines: &[Vec<u8>]| AppendEvents {
        held: running.held,
        run: running.run,
        lines: lines.to_vec(),
    };
    let runner = bench.runner();
    runner.append_events(append(&lines[..1])).await.unwrap();
    let gap = runner.append_events(append(&lines[2..])).await.unwrap_err();
    assert_eq!(gap.code, "journal_gap");
    assert_eq!(gap.facts["expected"], 2);
    let other = bench.journal(running.held, running.run, RunOutcome::Failed);
    let fork = runner.append_events(append(&other[..1])).await.unwrap_err();
    assert_eq!(fork.code, "journal_fork");
    runner.append_events(append(&lines)).await.unwrap();
}

#[tokio::test]
async fn a_payload_is_what_its_digest_says() {
    let bench = Bench::new();
    let digest = Sha256Digest::of(b"payload");
    let runner = bench.runner();
    let wrong = runner.put_blob(digest, b"other".to_vec()).await;
    assert_eq!(wrong.unwrap_err().code, "blob_digest_mismatch");
    let missing = bench.user().blob(digest).await.unwrap_err();
    assert_eq!(missing.code, "blob_not_found");
    for _ in 0..2 {
        runner.put_blob(digest, b"payload".to_vec()).await.unwrap();
    }
    assert_eq!(bench.user().blob(digest).await.unwrap(), b"payload");
}

#[tokio::test]
async fn a_bundle_is_declared_whole_or_not_at_all() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let runner = bench.runner();
    let digest = |text: &str| Sha256Digest::of(text.as_bytes());
    let declare = |files: &[&str]| DeclareBundle {
        held: running.held,
        run: running.run,
        files: files
            .iter()
            .map(|path| ((*path).to_owned(), digest(path)))
            .collect::<BTreeMap<_, _>>(),
    };
    let none = bench.user().bundle(running.run).await.unwrap_err();
    assert_eq!(none.code, "bundle_not_found");
    let files = ["manifest.json", "journal.jsonl", "turns/001/stdout"];
    let missing = runner.declare_bundle(declare(&files)).await.unwrap_err();
    assert_eq!(missing.code, "bundle_incomplete");
    assert_eq!(missing.facts["missing"].as_array().unwrap().len(), 3);
    for file in files {
        let bytes = file.as_bytes().to_vec();
        runner.put_blob(digest(file), bytes).await.unwrap();
    }
    let headless = runner.declare_bundle(declare(&files[1..])).await;
    assert_eq!(headless.unwrap_err().facts["missing"][0], "manifest.json");
    let outside = runner.declare_bundle(declare(&["manifest.json", "../x"]));
    assert_eq!(outside.await.unwrap_err().code, "request_invalid");
    for _ in 0..2 {
        runner.declare_bundle(declare(&files)).await.unwrap();
    }
    let other = runner.declare_bundle(declare(&files[..2])).await;
    assert_eq!(other.unwrap_err().code, "bundle_conflict");
    let bundle = bench.user().bundle(running.run).await.unwrap();
    assert_eq!(bundle.files.len(), 3);
}

#[tokio::test]
async fn of_what_is_missing_twenty_are_named() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let request = DeclareBundle {
        held: running.held,
        run: running.run,
        files: (0..50)
            .map(|n| (format!("f{n}"), Sha256Digest::of(&[n])))
            .collect(),
    };
    let missing = bench.runner().declare_bundle(request).await.unwrap_err();
    assert_eq!(missing.facts["missing"].as_array().unwrap().len(), 20);
}
