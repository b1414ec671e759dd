//! What a runner mirrors: journal lines, output, messages.

use dogwatch_api::{
    AppendOutput, ListEvents, OutputStream, PostMessage, Problem, ProblemCode, ReadOutput,
};
use dogwatch_core::run::Phase;

use super::bench::{Bench, Held};

/// Byte for byte, from any line on; sent again they change nothing, alone or with more.
pub async fn journal_lines_are_kept_once(bench: &Bench) {
    let mut held = bench.run_of("task").await;
    let mut lines = vec![held.journal.started(bench)];
    lines.push(held.journal.phase(bench, Phase::Preflight));
    assert_eq!(bench.append(&held, lines.clone()).await.unwrap(), 2);
    assert_eq!(bench.append(&held, lines.clone()).await.unwrap(), 2);
    assert_eq!(bench.append(&held, lines[..1].to_vec()).await.unwrap(), 1);
    lines.push(held.journal.phase(bench, Phase::BeforeHook));
    assert_eq!(bench.append(&held, lines.clone()).await.unwrap(), 3);
    let stored = async |after| bench.user.run_lines(held.run, after).await.unwrap();
    assert_eq!(stored(0).await, lines);
    assert_eq!(stored(2).await, lines[2..]);
    assert!(stored(3).await.is_empty());
    assert!(stored(99).await.is_empty());
    let detail = bench.user.run(held.run).await.unwrap();
    assert_eq!(detail.state.phase, Phase::BeforeHook);
}

/// So that the runner knows where to go on from.
pub async fn a_journal_gap_names_the_next_line(bench: &Bench) {
    let mut held = bench.run_of("task").await;
    let first = held.journal.started(bench);
    let _lost = held.journal.phase(bench, Phase::Preflight);
    let third = held.journal.phase(bench, Phase::BeforeHook);
    bench.append(&held, vec![first.clone()]).await.unwrap();
    for lines in [vec![third.clone()], vec![first.clone(), third]] {
        let problem = bench.append(&held, lines).await.unwrap_err();
        assert_eq!(problem.kind, ProblemCode::Conflict);
        assert_eq!(problem.code, "journal_gap");
        assert_eq!(problem.facts["expected"], 2);
    }
    assert_eq!(bench.user.run_lines(held.run, 0).await.unwrap(), [first]);
}

/// A run has one history, and what is no line of it is refused whole.
pub async fn a_journal_fork_is_refused(bench: &Bench) {
    let mut held = bench.run_of("task").await;
    let first = held.journal.started(bench);
    let mut other = held.journal.clone();
    let second = held.journal.phase(bench, Phase::Preflight);
    let stored = vec![first.clone(), second.clone()];
    bench.append(&held, stored.clone()).await.unwrap();
    let forked = other.phase(bench, Phase::BeforeHook);
    let problem = bench.append(&held, vec![forked]).await.unwrap_err();
    assert_eq!(problem.code, "journal_fork");
    assert_eq!(problem.kind, ProblemCode::Conflict);
    let good = held.journal.phase(bench, Phase::BeforeHook);
    let problem = bench
        .append(&held, vec![good, b"{}".to_vec()])
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Invalid);
    assert_eq!(bench.user.run_lines(held.run, 0).await.unwrap(), stored);
}

async fn print(bench: &Bench, held: &Held, offset: u64, bytes: &[u8]) -> Result<u64, Problem> {
    let request = AppendOutput {
        held: held.lease,
        run: held.run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset,
        bytes: bytes.to_vec(),
    };
    bench
        .runner
        .append_output(request)
        .await
        .map(|appended| appended.next_offset)
}

async fn printed(bench: &Bench, held: &Held, offset: u64, limit: u32) -> (Vec<u8>, u64) {
    let request = ReadOutput {
        run: held.run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset,
        limit,
    };
    let piece = bench.user.read_output(request).await.unwrap();
    assert_eq!(piece.offset, offset);
    (piece.bytes, piece.length)
}

/// Any bytes, sent twice or with more behind them.
pub async fn output_is_kept_once(bench: &Bench) {
    let held = bench.run_of("task").await;
    assert_eq!(print(bench, &held, 0, b"one\n\xff\0").await.unwrap(), 6);
    assert_eq!(print(bench, &held, 0, b"one\n\xff\0").await.unwrap(), 6);
    assert_eq!(print(bench, &held, 2, b"e\n").await.unwrap(), 6);
    assert_eq!(print(bench, &held, 4, b"\xff\0two").await.unwrap(), 9);
    assert_eq!(
        printed(bench, &held, 0, 100).await,
        (b"one\n\xff\0two".to_vec(), 9)
    );
    assert_eq!(printed(bench, &held, 6, 2).await, (b"tw".to_vec(), 9));
    assert_eq!(printed(bench, &held, 50, 2).await, (Vec::new(), 9));
    let list = bench.user.list_output(held.run).await.unwrap().items;
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].turn, list[0].length), (1, 9));
    assert_eq!(list[0].stream, OutputStream::Stdout);
}

/// And the bytes that differ are named by their place.
pub async fn an_output_gap_names_the_next_offset(bench: &Bench) {
    let held = bench.run_of("task").await;
    let problem = print(bench, &held, 1, b"x").await.unwrap_err();
    assert_eq!(
        (problem.kind, problem.code.as_str()),
        (ProblemCode::Conflict, "log_gap")
    );
    assert_eq!(problem.facts["expected"], 0);
    print(bench, &held, 0, b"abc").await.unwrap();
    let problem = print(bench, &held, 7, b"x").await.unwrap_err();
    assert_eq!(problem.facts["expected"], 3);
    let problem = print(bench, &held, 0, b"abX").await.unwrap_err();
    assert_eq!(
        (problem.kind, problem.code.as_str()),
        (ProblemCode::Conflict, "log_fork")
    );
    assert_eq!(printed(bench, &held, 0, 9).await, (b"abc".to_vec(), 3));
}

/// They are facts of the control log, for whoever follows.
pub async fn messages_are_told(bench: &Bench) {
    let held = bench.run_of("task").await;
    let message = |topic: &str, text: &str| PostMessage {
        held: held.lease,
        run: held.run,
        topic: topic.to_owned(),
        text: text.to_owned(),
    };
    bench
        .runner
        .post_message(message("progress", "half \u{1b}[31mdone"))
        .await
        .unwrap();
    let agent = bench.bearer(&held.token).await;
    agent
        .post_message(message("intent", "the rest"))
        .await
        .unwrap();
    let problem = bench
        .runner
        .post_message(message("gossip", "x"))
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Invalid);
    let request = ListEvents {
        job: Some(held.lease.job),
        limit: Some(1000),
        ..ListEvents::default()
    };
    let events = bench.user.list_events(request).await.unwrap().items;
    let told: Vec<_> = events
        .iter()
        .filter_map(|entry| entry.event.data.get("text")?.as_str())
        .collect();
    assert_eq!(told, ["half \u{1b}[31mdone", "the rest"]);
}
