//! Approvals: asked for by contracts and agents, decided by people.

use std::sync::Arc;

use dogwatch_api::{
    ApprovalView, CancelJob, ControlPlane, DecideApproval, ListApprovals, ParkRun, Problem,
    ProblemCode, RequestApproval, Verdict,
};
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{ApprovalState, JobStatus, ParkReason, RunOutcome};

use super::bench::{Bench, Held};

async fn decide(
    by: &Arc<dyn ControlPlane>,
    approval: ApprovalId,
    verdict: Verdict,
) -> Result<ApprovalView, Problem> {
    let note = Some("seen".to_owned());
    by.decide_approval(DecideApproval {
        approval,
        verdict,
        note,
    })
    .await
}

async fn pending(bench: &Bench) -> Vec<ApprovalId> {
    let page = bench.chief.list_approvals(ListApprovals::default()).await;
    let items = page.unwrap().items;
    items.into_iter().map(|view| view.approval.id).collect()
}

/// Nothing of the job runs before, and one yes is one start.
pub async fn a_start_waits_for_a_yes(bench: &Bench) {
    let job = bench.awaiting("task").await;
    assert_eq!(bench.status(job).await, JobStatus::AwaitingApproval);
    let claimed = bench.runner.claim(bench.claim(None, 9)).await.unwrap();
    assert!(claimed.jobs.is_empty());
    let problem = bench
        .runner
        .claim(bench.claim(Some(job), 1))
        .await
        .unwrap_err();
    assert_eq!(problem.code, "wrong_state");

    let asked = pending(bench).await;
    assert_eq!(asked.len(), 1);
    let view = bench.user.approval(asked[0]).await.unwrap();
    assert_eq!((view.job, view.title.as_str()), (job, "task"));
    assert!(view.approval.action.contains(&job.to_string()));
    for plane in [&bench.user, &bench.runner] {
        let problem = decide(plane, asked[0], Verdict::Approve).await.unwrap_err();
        assert_eq!(problem.kind, ProblemCode::Forbidden);
    }
    let decided = decide(&bench.chief, asked[0], Verdict::Approve)
        .await
        .unwrap();
    assert_eq!(decided.approval.state, ApprovalState::Approved);
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let problem = decide(&bench.chief, asked[0], verdict).await.unwrap_err();
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::Conflict, "approval_not_pending")
        );
    }
    assert!(pending(bench).await.is_empty());
    let mut run = bench.running(job).await;
    let used = bench.user.approval(asked[0]).await.unwrap();
    assert_eq!(used.approval.state, ApprovalState::Used);
    // The next start is asked for anew.
    let after = bench.complete(&mut run, RunOutcome::Stopped).await;
    assert_eq!(after.state.status(), JobStatus::AwaitingApproval);
    let again = pending(bench).await;
    assert!(again.len() == 1 && again != asked);
}

/// By a person or by time.
pub async fn a_no_denies_a_start(bench: &Bench) {
    let job = bench.awaiting("rejected").await;
    let asked = pending(bench).await[0];
    decide(&bench.chief, asked, Verdict::Reject).await.unwrap();
    assert_eq!(bench.status(job).await, JobStatus::Denied);

    let members = serde_json::json!({
        "review": {"approve_before_start": true, "approval_timeout": "60s"},
    });
    let request = bench.submission_with("too late", &members);
    let job = bench.user.submit(request).await.unwrap().job_id;
    let asked = pending(bench).await[0];
    bench.sweep(0).await;
    bench.sweep(59).await;
    assert_eq!(bench.status(job).await, JobStatus::AwaitingApproval);
    bench.sweep(61).await;
    assert_eq!(bench.status(job).await, JobStatus::Denied);
    let view = bench.user.approval(asked).await.unwrap();
    assert_eq!(view.approval.state, ApprovalState::Expired);
    let problem = decide(&bench.chief, asked, Verdict::Approve)
        .await
        .unwrap_err();
    assert_eq!(problem.code, "approval_not_pending");
    let claimed = bench.runner.claim(bench.claim(None, 9)).await.unwrap();
    assert!(claimed.jobs.is_empty());
}

fn ask(bench: &Bench, held: &Held, action: &str) -> RequestApproval {
    RequestApproval {
        held: None,
        run: held.run,
        id: Some(ApprovalId::mint(&bench.clock, &bench.entropy)),
        action: serde_json::json!({"run": action}),
        reason: "it leaves the machine".to_owned(),
        ttl_ms: None,
    }
}

/// With its own token, and as often as it takes; it never decides.
pub async fn an_agent_asks_and_a_person_decides(bench: &Bench) {
    let held = bench.run_of("task").await;
    let agent = bench.bearer(&held.token).await;
    let request = ask(bench, &held, "curl example.org");
    let asked = agent.request_approval(request.clone()).await.unwrap();
    assert_eq!(asked.approval.state, ApprovalState::Pending);
    assert_eq!(
        asked.approval.action, r#"{"run":"curl example.org"}"#,
        "the exact bytes"
    );
    let again = agent.request_approval(request.clone()).await.unwrap();
    assert_eq!(again.approval, asked.approval);
    let mut other = request.clone();
    other.action = serde_json::json!({"run": "curl evil.example"});
    let problem = agent.request_approval(other).await.unwrap_err();
    assert_eq!(problem.code, "approval_not_pending");
    let mut large = ask(bench, &held, &"x".repeat(2000));
    large.id = None;
    let problem = agent.request_approval(large).await.unwrap_err();
    assert_eq!(problem.code, "approval_too_large");

    let id = asked.approval.id;
    let problem = decide(&agent, id, Verdict::Approve).await.unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Forbidden);
    assert_eq!(pending(bench).await, [id]);
    decide(&bench.chief, id, Verdict::Approve).await.unwrap();
    let seen = agent.approval(id).await.unwrap();
    assert_eq!(seen.approval.state, ApprovalState::Approved);
    let decision = seen.approval.decision.unwrap();
    assert_eq!(decision.note.as_deref(), Some("seen"));
    assert_eq!(bench.status(held.lease.job).await, JobStatus::Running);
}

/// Its token is good for one run under one lease.
pub async fn an_agent_speaks_for_its_own_run_only(bench: &Bench) {
    let mut own = bench.run_of("own").await;
    let other = bench.run_of("other").await;
    let agent = bench.bearer(&own.token).await;
    let problem = agent
        .request_approval(ask(bench, &other, "x"))
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Forbidden);
    let request = bench.claim(None, 1);
    let job = own.lease.job;
    let cancel = CancelJob {
        job,
        reason: "r".to_owned(),
    };
    for problem in [
        agent.claim(request).await.unwrap_err(),
        agent.cancel(cancel).await.unwrap_err(),
        agent.submit(bench.submission("x")).await.unwrap_err(),
        agent.list_tokens().await.unwrap_err(),
    ] {
        assert_eq!(problem.kind, ProblemCode::Forbidden, "{problem:?}");
    }
    let asked = agent
        .request_approval(ask(bench, &own, "x"))
        .await
        .unwrap()
        .approval
        .id;
    bench.complete(&mut own, RunOutcome::Succeeded).await;
    let view = bench.user.approval(asked).await.unwrap();
    assert_eq!(view.approval.state, ApprovalState::Superseded);
    let problem = decide(&bench.chief, asked, Verdict::Approve)
        .await
        .unwrap_err();
    assert_eq!(problem.code, "approval_not_pending");
}

/// It frees its slot meanwhile, and is taken up again by whatever is decided.
pub async fn a_run_parked_for_an_approval_goes_on(bench: &Bench) {
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let held = bench.run_of("task").await;
        let mut request = ask(bench, &held, "x");
        request.held = Some(held.lease);
        let asked = bench.runner.request_approval(request).await.unwrap();
        let id = asked.approval.id;
        let park = ParkRun {
            held: held.lease,
            run: held.run,
            reason: ParkReason::Approval,
            until: None,
            approval: Some(id),
        };
        bench.runner.park(park).await.unwrap();
        let claimed = bench.runner.claim(bench.claim(None, 9)).await.unwrap();
        assert!(claimed.jobs.is_empty());
        decide(&bench.chief, id, verdict).await.unwrap();
        let (_, lease) = bench.leased(held.lease.job).await;
        let resumed = bench.start(lease, held.run).await.unwrap();
        assert_eq!(resumed.run.id, held.run);
    }
}
