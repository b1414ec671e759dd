//! Tokens of running agents: as much as one run needs, and as long as its lease.

use std::time::Duration;

use dogwatch_api::{
    CancelJob, Claim, ControlPlane, CreateToken, DecideApproval, Heartbeat, JobRef, ListApprovals,
    ListEvents, ListJobs, ListRuns, PostMessage, Problem, ReadOutput, RequestApproval, RetryJob,
    Scope, Verdict,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Via;
use dogwatch_core::job::{ApprovalState, RunOutcome};
use dogwatch_engine::{AuthFailure, InProcess};
use serde_json::json;

use crate::bench::{Bench, Running};

async fn agent(bench: &Bench, running: &Running) -> InProcess {
    let caller = bench.engine.authenticate(&running.token, Via::Http).await;
    bench.caller(caller.unwrap())
}

fn asks(running: &Running) -> RequestApproval {
    RequestApproval {
        held: None,
        run: running.run,
        id: None,
        action: json!({"tool": "shell"}),
        reason: "please".to_owned(),
        ttl_ms: None,
    }
}

fn message(running: &Running) -> PostMessage {
    PostMessage {
        held: running.held,
        run: running.run,
        topic: "progress".to_owned(),
        text: "half way".to_owned(),
    }
}

#[tokio::test]
async fn an_agent_speaks_for_its_own_run() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let caller = bench.engine.authenticate(&running.token, Via::Http).await;
    let caller = caller.unwrap();
    assert_eq!(caller.principal, format!("agent:{}", running.run));
    assert_eq!(
        (caller.via, &caller.scopes),
        (Via::Mcp, &[Scope::Agent].into())
    );
    let agent = bench.caller(caller);
    let asked = agent.request_approval(asks(&running)).await.unwrap();
    let own = agent.approval(asked.approval.id).await.unwrap();
    assert_eq!(own.approval.state, ApprovalState::Pending);
    let listed = agent
        .list_approvals(ListApprovals::default())
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    agent.post_message(message(&running)).await.unwrap();
    assert_eq!(agent.job(running.job).await.unwrap().job.id, running.job);
    assert_eq!(agent.run(running.run).await.unwrap().id, running.run);
}

#[tokio::test]
async fn an_agent_touches_no_other_run() {
    let bench = Bench::new();
    let (own, other) = (bench.running("own").await, bench.running("other").await);
    let request = RequestApproval {
        held: Some(other.held),
        ..asks(&other)
    };
    let foreign = bench.runner().request_approval(request).await;
    let foreign = foreign.unwrap().approval.id;
    let agent = agent(&bench, &own).await;
    let mut mixed = message(&own);
    mixed.held = other.held;
    let mut borrowed = asks(&own);
    borrowed.held = Some(other.held);
    let refused: Vec<Problem> = vec![
        agent.request_approval(asks(&other)).await.unwrap_err(),
        agent.request_approval(borrowed).await.unwrap_err(),
        agent.approval(foreign).await.unwrap_err(),
        agent.post_message(message(&other)).await.unwrap_err(),
        agent.post_message(mixed).await.unwrap_err(),
        agent.job(other.job).await.unwrap_err(),
        agent.run(other.run).await.unwrap_err(),
    ];
    for problem in refused {
        assert_eq!(problem.code, "scope_missing", "{problem}");
    }
    let listed = agent
        .list_approvals(ListApprovals::default())
        .await
        .unwrap();
    assert!(listed.items.is_empty());
}

#[tokio::test]
async fn an_agent_does_nothing_else_not_even_for_its_own_run() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let agent = agent(&bench, &running).await;
    let asked = agent.request_approval(asks(&running)).await.unwrap();
    let digest = Sha256Digest::of(b"x");
    let output = ReadOutput {
        run: running.run,
        turn: 1,
        stream: dogwatch_api::OutputStream::Stdout,
        offset: 0,
        limit: 1,
    };
    let token = CreateToken {
        label: "mine".to_owned(),
        principal: None,
        scopes: [Scope::Read].into(),
        projects: None,
        expires_at: None,
    };
    let cancel = CancelJob {
        job: running.job,
        reason: "x".to_owned(),
    };
    let retry = RetryJob {
        job: running.job,
        reason: "x".to_owned(),
        goes_on: None,
        idempotency_key: None,
    };
    let claim = Claim {
        wait_ms: 60_000,
        ..bench.claim_request(None, 1)
    };
    let heartbeat = Heartbeat {
        machine: bench.machine,
        leases: vec![running.held],
    };
    let decision = DecideApproval {
        approval: asked.approval.id,
        verdict: Verdict::Approve,
        note: None,
    };
    let completion = bench.completion(running.held, running.run, RunOutcome::Succeeded);
    let refused: Vec<Problem> = vec![
        agent.decide_approval(decision).await.unwrap_err(),
        agent.submit(bench.request("two")).await.unwrap_err(),
        agent.cancel(cancel).await.unwrap_err(),
        agent.retry(retry).await.unwrap_err(),
        agent.claim(claim).await.unwrap_err(),
        agent.heartbeat(heartbeat).await.unwrap_err(),
        agent.complete(completion).await.unwrap_err(),
        agent.wakeups(bench.machine).await.err().unwrap(),
        agent.list_jobs(ListJobs::default()).await.unwrap_err(),
        agent.list_runs(ListRuns::default()).await.unwrap_err(),
        agent.list_events(ListEvents::default()).await.unwrap_err(),
        agent.list_runners().await.unwrap_err(),
        agent.run_lines(running.run, 0).await.unwrap_err(),
        agent.list_output(running.run).await.unwrap_err(),
        agent.read_output(output).await.unwrap_err(),
        agent.bundle(running.run).await.unwrap_err(),
        agent.why(JobRef::Job(running.job)).await.unwrap_err(),
        agent.resolve("x").await.unwrap_err(),
        agent.contract(digest).await.unwrap_err(),
        agent.blob(digest).await.unwrap_err(),
        agent.put_blob(digest, b"x".to_vec()).await.unwrap_err(),
        agent.create_token(token).await.unwrap_err(),
        agent.list_tokens().await.unwrap_err(),
    ];
    for (at, problem) in refused.iter().enumerate() {
        assert_eq!(problem.code, "scope_missing", "{at}: {problem}");
    }
}

#[tokio::test]
async fn a_run_token_dies_with_its_lease() {
    let bench = Bench::new();
    let done = bench.running("done").await;
    let silent = bench.running("silent").await;
    let is_dead = async |running: &Running| {
        let answer = bench.engine.authenticate(&running.token, Via::Http).await;
        answer == Err(AuthFailure::Expired)
    };
    assert!(!is_dead(&done).await && !is_dead(&silent).await);
    let before = agent(&bench, &done).await;
    bench.ended(&done, RunOutcome::Succeeded).await;
    assert!(is_dead(&done).await);
    // A caller that was let in before its lease ended writes nothing either.
    let late = before.post_message(message(&done)).await.unwrap_err();
    assert_eq!(late.code, "lease_lost");
    let late = before.request_approval(asks(&done)).await.unwrap_err();
    assert_eq!(late.code, "lease_lost");

    bench.engine.tick(Duration::ZERO).await.unwrap();
    bench.engine.tick(Duration::from_secs(30)).await.unwrap();
    assert!(is_dead(&silent).await);
    let again = bench.taken(silent.job).await;
    assert!(is_dead(&silent).await, "the next lease is another one");
    assert!(!is_dead(&again).await);
}

#[tokio::test]
async fn a_forged_run_token_is_none() {
    let bench = Bench::new();
    let (own, other) = (bench.running("own").await, bench.running("other").await);
    let forged = own
        .token
        .replace(&own.run.to_string(), &other.run.to_string());
    let answer = bench.engine.authenticate(&forged, Via::Http).await;
    assert_eq!(answer, Err(AuthFailure::Unknown));
}

#[tokio::test]
async fn a_message_has_a_known_topic_and_always_fits() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let agent = agent(&bench, &running).await;
    let mut unknown = message(&running);
    unknown.topic = "gossip".to_owned();
    let refused = agent.post_message(unknown).await.unwrap_err();
    assert_eq!(refused.code, "request_invalid");
    let mut worst = message(&running);
    worst.text = "\u{1}".repeat(100_000);
    agent.post_message(worst).await.unwrap();
}
