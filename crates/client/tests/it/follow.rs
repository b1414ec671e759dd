//! Streams of a real server.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    AppendOutput, ControlPlane as _, CreateToken, ListEvents, OutputStream, Problem, Scope,
};
use dogwatch_client::{Follow, PrintedPiece};
use dogwatch_core::job::RunOutcome;
use dogwatch_core::run::Phase;
use dogwatch_testkit::protocol_suite::{Bench, Held, Stage};
use tokio::time::timeout;

use crate::over_http::{Served, client};

const IN_TIME: Duration = Duration::from_secs(20);

async fn next<T>(follow: &mut Follow<T>) -> Option<Result<T, Problem>> {
    timeout(IN_TIME, follow.next()).await.unwrap()
}

/// A stage whose clients are used beside the bench.
async fn served() -> (Arc<Served>, Bench) {
    let served = Arc::new(Served::over_unix().await);
    let bench = Bench::new(Shared(served.clone())).await;
    (served, bench)
}

struct Shared(Arc<Served>);

#[async_trait::async_trait]
impl Stage for Shared {
    fn user(&self) -> Arc<dyn dogwatch_api::ControlPlane> {
        self.0.user()
    }
    fn runner(&self) -> Arc<dyn dogwatch_api::ControlPlane> {
        self.0.runner()
    }
    fn chief(&self) -> Arc<dyn dogwatch_api::ControlPlane> {
        self.0.chief()
    }
    async fn bearer(&self, token: &str) -> Arc<dyn dogwatch_api::ControlPlane> {
        self.0.bearer(token).await
    }
    fn clock(&self) -> dogwatch_testkit::SimClock {
        self.0.clock()
    }
    async fn sweep(&self, steady: Duration) {
        self.0.sweep(steady).await;
    }
    fn drain(&self, drain: bool) {
        self.0.drain(drain);
    }
}

/// What is there, and what comes; over when the run is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_followed_to_its_end() {
    let (served, bench) = served().await;
    let mut held = bench.run_of("task").await;
    let mut lines = vec![held.journal.started(&bench)];
    lines.push(held.journal.phase(&bench, Phase::Preflight));
    bench.append(&held, lines.clone()).await.unwrap();
    let mut follow = served.user.follow_journal(held.run, 1).await.unwrap();
    let line = next(&mut follow).await.unwrap().unwrap();
    assert_eq!((line.seq, &line.line), (2, &lines[1]));
    let rest = held.journal.whole(&bench, RunOutcome::Succeeded);
    bench.append(&held, rest.clone()).await.unwrap();
    for (expected, seq) in rest.iter().zip(3..) {
        let line = next(&mut follow).await.unwrap().unwrap();
        assert_eq!((line.seq, &line.line), (seq, expected));
    }
    let request = bench.completion(&held, RunOutcome::Succeeded);
    bench.runner.complete(request).await.unwrap();
    assert!(next(&mut follow).await.is_none());
}

async fn print(bench: &Bench, held: &Held, stream: OutputStream, offset: u64, text: &str) {
    let request = AppendOutput {
        held: held.lease,
        run: held.run,
        turn: 1,
        stream,
        offset,
        bytes: text.as_bytes().to_vec(),
    };
    bench.runner.append_output(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_followed_to_its_end() {
    let (served, bench) = served().await;
    let mut held = bench.run_of("task").await;
    print(&bench, &held, OutputStream::Stdout, 0, "one ").await;
    let mut follow = served.user.follow_output(held.run).await.unwrap();
    let piece: PrintedPiece = next(&mut follow).await.unwrap().unwrap();
    assert_eq!((piece.turn, piece.stream), (1, OutputStream::Stdout));
    assert_eq!(piece.piece.bytes, b"one ");
    print(&bench, &held, OutputStream::Stderr, 0, "warning").await;
    print(&bench, &held, OutputStream::Stdout, 4, "two").await;
    bench.complete(&mut held, RunOutcome::Succeeded).await;
    let mut seen = [b"one ".to_vec(), Vec::new()];
    while let Some(piece) = next(&mut follow).await {
        let piece = piece.unwrap();
        let own = &mut seen[usize::from(piece.stream == OutputStream::Stderr)];
        assert_eq!(piece.piece.offset, own.len() as u64, "nothing twice");
        own.extend(piece.piece.bytes);
    }
    assert_eq!(seen, [b"one two".to_vec(), b"warning".to_vec()]);
}

/// From any position, each entry once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_followed_from_a_position() {
    let (served, bench) = served().await;
    let job = bench.queued("task").await;
    let of_job = ListEvents {
        job: Some(job),
        ..ListEvents::default()
    };
    let mut follow = served.user.events(of_job.clone()).await.unwrap();
    let first = next(&mut follow).await.unwrap().unwrap();
    bench.leased(job).await;
    let there = bench.user.list_events(of_job.clone()).await.unwrap().items;
    let mut positions = vec![first.position];
    while positions.len() < there.len() {
        positions.push(next(&mut follow).await.unwrap().unwrap().position);
    }
    let expected: Vec<_> = there.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, expected);
    let later = ListEvents {
        after: Some(first.position),
        ..of_job
    };
    let mut follow = served.user.events(later).await.unwrap();
    let second = next(&mut follow).await.unwrap().unwrap();
    assert_eq!(second.position, expected[1]);
}

/// Within a moment, and with the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_ends_an_open_stream() {
    let (served, bench) = served().await;
    let request = CreateToken {
        label: "to be revoked".to_owned(),
        principal: None,
        scopes: [Scope::Read].into(),
        projects: None,
        expires_at: None,
    };
    let made = bench.chief.create_token(request).await.unwrap();
    bench.queued("task").await;
    let reader = client(&served.target, &made.secret);
    let mut follow = reader.events(ListEvents::default()).await.unwrap();
    next(&mut follow).await.unwrap().unwrap();
    bench.chief.revoke_token(made.token.id).await.unwrap();
    let problem = loop {
        match next(&mut follow).await {
            Some(Ok(_)) => {}
            Some(Err(problem)) => break problem,
            None => panic!("it ended without a reason"),
        }
    };
    assert_eq!(problem.code, "token_revoked");
    assert!(next(&mut follow).await.is_none());
    let problem = reader.list_runners().await.unwrap_err();
    assert_eq!(problem.code, "token_revoked");
}

#[tokio::test]
async fn a_stream_of_nothing_is_a_problem() {
    let (served, bench) = served().await;
    let problem = served
        .user
        .follow_journal(bench.run_id(), 0)
        .await
        .unwrap_err();
    assert_eq!(problem.code, "run_not_found");
    let problem = served.user.follow_output(bench.run_id()).await.unwrap_err();
    assert_eq!(problem.code, "run_not_found");
}
