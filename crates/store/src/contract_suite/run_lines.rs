//! The server's copy of a journal.

use dogwatch_core::ids::RunId;
use dogwatch_core::job::RunOutcome;
use dogwatch_core::run::Phase;

use super::bench::Bench;
use super::journal::JournalWriter;
use crate::StoreError;

async fn stored(bench: &Bench, run: RunId) -> Vec<Vec<u8>> {
    let lines = bench.store.run_lines(run, 0, 1000).await.unwrap();
    for (line, seq) in lines.iter().zip(1..) {
        assert_eq!(line.seq, seq);
    }
    lines.into_iter().map(|line| line.line).collect()
}

/// And folded into what lists show.
pub async fn lines_are_kept_byte_for_byte(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let lines = vec![
        journal.started(bench),
        journal.note(bench, "eins, \u{1f980}"),
        journal.note(bench, "two"),
        journal.ended(bench),
    ];
    journal.send(bench, lines[..2].to_vec()).await.unwrap();
    journal.send(bench, lines[2..].to_vec()).await.unwrap();
    assert_eq!(stored(bench, run).await, lines);
    let rest = bench.store.run_lines(run, 2, 1).await.unwrap();
    assert_eq!((rest.len(), rest[0].seq), (1, 3));

    let view = bench.store.run(run).await.unwrap().unwrap();
    assert!(view.state.started.is_some());
    assert_eq!(view.state.ended.unwrap().outcome, RunOutcome::Succeeded);
    // Lines say how the run went; only the control stream says that it is over.
    assert_eq!(view.header.closed, None);
    assert_eq!(bench.log(held.job).await.len(), 5);
}

/// A runner that did not see the answer sends them again, alone or with more.
pub async fn lines_sent_again_change_nothing(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let mut lines = vec![journal.started(bench), journal.note(bench, "one")];
    journal.send(bench, lines.clone()).await.unwrap();
    let before = bench.store.run(run).await.unwrap();
    journal.send(bench, lines.clone()).await.unwrap();
    journal.send(bench, lines[1..].to_vec()).await.unwrap();
    journal.send(bench, Vec::new()).await.unwrap();
    assert_eq!(bench.store.run(run).await.unwrap(), before);
    lines.push(journal.note(bench, "two"));
    journal.send(bench, lines.clone()).await.unwrap();
    assert_eq!(stored(bench, run).await, lines);
}

/// So that the runner knows where to go on from.
pub async fn a_gap_names_the_next_line(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let first = journal.started(bench);
    let _lost = journal.note(bench, "lost");
    let third = journal.note(bench, "third");
    journal.send(bench, vec![first.clone()]).await.unwrap();
    for lines in [vec![third.clone()], vec![first.clone(), third.clone()]] {
        let error = journal.send(bench, lines).await.unwrap_err();
        assert!(
            matches!(error, StoreError::JournalGap { run: of, expected: 2 } if of == run),
            "{error:?}"
        );
    }
    assert_eq!(stored(bench, run).await, vec![first]);
}

/// A line that is stored is never replaced.
pub async fn another_history_is_a_fork(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let first = journal.started(bench);
    let mut other = journal.clone();
    let lines = vec![first.clone(), journal.note(bench, "one")];
    journal.send(bench, lines.clone()).await.unwrap();
    let forked = vec![other.note(bench, "another"), other.note(bench, "more")];
    let error = other.send(bench, forked).await.unwrap_err();
    assert!(
        matches!(error, StoreError::JournalFork { run: of, seq: 2 } if of == run),
        "{error:?}"
    );
    assert_eq!(stored(bench, run).await, lines);
}

/// Neither a run of another job nor one that was never created.
pub async fn a_run_is_written_under_its_own_job(bench: &Bench) {
    let (held, run) = bench.running().await;
    let (other, other_run) = bench.running().await;
    let line = JournalWriter::new(held, run).started(bench);
    let unknown = RunId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let unknown_line = JournalWriter::new(other, unknown).started(bench);
    for (of, line) in [(run, &line), (unknown, &unknown_line), (other_run, &line)] {
        let error = bench.send(other, of, vec![line.clone()]).await.unwrap_err();
        assert!(
            matches!(error, StoreError::JournalLine { run, .. } if run == of),
            "{error:?}"
        );
        assert!(stored(bench, of).await.is_empty());
    }
}

/// Every line names the one before it.
pub async fn a_line_that_does_not_link_is_refused(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let mut other = JournalWriter::new(held, run);
    let first = journal.started(bench);
    let _another = other.note(bench, "another first line");
    let second = other.note(bench, "that links to it");
    journal.send(bench, vec![first.clone()]).await.unwrap();
    let error = journal.send(bench, vec![second]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::JournalLine { seq: 2, .. }),
        "{error:?}"
    );
    assert_eq!(stored(bench, run).await, vec![first]);
}

/// Other bytes, however close.
pub async fn what_is_no_line_is_refused(bench: &Bench) {
    let (held, run) = bench.running().await;
    let line = JournalWriter::new(held, run).started(bench);
    let text = String::from_utf8(line.clone()).unwrap();
    let mut with_end = line.clone();
    with_end.push(b'\n');
    let mut spaced = line.clone();
    spaced.insert(1, b' ');
    for bytes in [
        Vec::new(),
        b"{}".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"seq\":0}".to_vec(),
        line[..line.len() - 1].to_vec(),
        with_end,
        spaced,
        text.replace("run.started.v1", "run.startled.v1")
            .into_bytes(),
        text.replace("\"v\":1", "\"v\":1,\"zz\":1").into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let error = bench.send(held, run, vec![bytes]).await.unwrap_err();
        assert!(
            matches!(error, StoreError::JournalLine { .. }),
            "{error:?} for {shown}"
        );
    }
    assert!(stored(bench, run).await.is_empty());
    bench.send(held, run, vec![line]).await.unwrap();
}

/// A request is stored whole or not at all.
pub async fn a_bad_line_takes_the_good_ones_with_it(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let lines = vec![
        journal.started(bench),
        journal.note(bench, "good"),
        b"bad".to_vec(),
    ];
    journal.send(bench, lines).await.unwrap_err();
    assert!(stored(bench, run).await.is_empty());
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.state.phase, Phase::Preparing);
    assert_eq!(view.state.started, None);
}

/// The outcome is the last line.
pub async fn nothing_follows_the_end(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let lines = vec![journal.started(bench), journal.ended(bench)];
    journal.send(bench, lines.clone()).await.unwrap();
    let late = journal.note(bench, "by the way");
    let error = journal.send(bench, vec![late]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::JournalLine { seq: 3, .. }),
        "{error:?}"
    );
    assert_eq!(stored(bench, run).await, lines);
}
