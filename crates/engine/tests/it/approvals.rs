//! A person's decision: bound to exactly what was asked, used once, and never that of whoever asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogwatch_api::{
    ApprovalView, Caller, CancelJob, ControlPlane, DecideApproval, ListApprovals, RequestApproval,
    RetryJob, Scope, Verdict,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Via;
use dogwatch_core::ids::{ApprovalId, JobId, TokenId};
use dogwatch_core::job::{ApprovalKind, ApprovalState, JobStatus, RunOutcome};
use dogwatch_policy::{AllowAll, PolicyDecider, PolicyDecision, PolicyError, PolicyRequest};
use serde_json::json;

use crate::bench::{Bench, Running};

const DAY_MS: u64 = 86_400_000;

/// A job whose every start needs a person.
async fn reviewed(bench: &Bench, timeout: Option<&str>) -> JobId {
    let mut review = json!({ "approve_before_start": true });
    if let Some(timeout) = timeout {
        review["approval_timeout"] = json!(timeout);
    }
    let request = bench.request_with_review(review);
    bench.user().submit(request).await.unwrap().job_id
}

async fn pending(bench: &Bench) -> Vec<ApprovalView> {
    let list = ListApprovals::default();
    bench.user().list_approvals(list).await.unwrap().items
}

async fn decide(
    bench: &Bench,
    approval: ApprovalId,
    verdict: Verdict,
) -> Result<ApprovalView, dogwatch_api::Problem> {
    let decision = DecideApproval {
        approval,
        verdict,
        note: Some("looked at it".to_owned()),
    };
    bench.user().decide_approval(decision).await
}

fn asks(running: &Running, ttl_ms: Option<u64>) -> RequestApproval {
    RequestApproval {
        held: Some(running.held),
        run: running.run,
        id: None,
        action: json!({"tool": "shell", "command": "rm -rf build"}),
        reason: "the build is stale".to_owned(),
        ttl_ms,
    }
}

async fn state(bench: &Bench, approval: ApprovalId) -> ApprovalState {
    let view = bench.user().approval(approval).await.unwrap();
    view.approval.state
}

#[tokio::test]
async fn nothing_runs_before_a_person_approves_and_one_approval_is_one_start() {
    let bench = Bench::new();
    let job = reviewed(&bench, None).await;
    assert_eq!(
        bench.job(job).await.state.status(),
        JobStatus::AwaitingApproval
    );
    let none = bench.runner().claim(bench.claim_request(None, 1)).await;
    assert!(none.unwrap().jobs.is_empty());
    let named = bench
        .runner()
        .claim(bench.claim_request(Some(job), 1))
        .await;
    assert_eq!(named.unwrap_err().code, "wrong_state");

    let asked = pending(&bench).await.remove(0).approval;
    assert_eq!((asked.kind, asked.ttl_ms), (ApprovalKind::StartRun, DAY_MS));
    assert!(asked.action.contains(&job.to_string()));
    let decided = decide(&bench, asked.id, Verdict::Approve).await.unwrap();
    assert_eq!(decided.approval.state, ApprovalState::Approved);
    assert_eq!(decided.approval.decision.unwrap().by, "user:test");

    let running = bench.taken(job).await;
    assert_eq!(state(&bench, asked.id).await, ApprovalState::Used);
    let again = decide(&bench, asked.id, Verdict::Approve).await;
    assert_eq!(again.unwrap_err().code, "approval_not_pending");

    // The second start is another one, and is asked for by itself.
    let after = bench.ended(&running, RunOutcome::Failed).await;
    assert_eq!(after.state.status(), JobStatus::AwaitingApproval);
    let next = pending(&bench).await.remove(0).approval;
    assert_ne!(next.id, asked.id);
    assert!(next.epoch > asked.epoch);
}

#[tokio::test]
async fn a_rejection_denies_the_start_with_its_reason() {
    let bench = Bench::new();
    let job = reviewed(&bench, None).await;
    let asked = pending(&bench).await.remove(0).approval.id;
    decide(&bench, asked, Verdict::Reject).await.unwrap();
    let job = bench.job(job).await;
    assert_eq!(job.state.status(), JobStatus::Denied);
    let failure = job.state.failure().unwrap();
    assert_eq!(failure.code, "approval_rejected");
    assert!(failure.reason.contains("looked at it"), "{failure:?}");
    assert!(pending(&bench).await.is_empty());
}

#[tokio::test]
async fn what_nobody_decides_in_time_is_denied() {
    let bench = Bench::new();
    let job = reviewed(&bench, Some("1s")).await;
    let asked = pending(&bench).await.remove(0).approval;
    assert_eq!(asked.ttl_ms, 1_000);
    let tick = |ms| bench.engine.tick(Duration::from_millis(ms));
    assert_eq!(tick(0).await.unwrap().approvals_expired, 0);
    assert_eq!(tick(999).await.unwrap().approvals_expired, 0);
    assert_eq!(tick(1_000).await.unwrap().approvals_expired, 1);
    assert_eq!(state(&bench, asked.id).await, ApprovalState::Expired);
    let job = bench.job(job).await;
    assert_eq!(job.state.failure().unwrap().code, "approval_expired");
    assert!(job.runs.is_empty());
    let late = decide(&bench, asked.id, Verdict::Approve).await;
    assert_eq!(late.unwrap_err().code, "approval_not_pending");
}

#[tokio::test]
async fn no_time_at_all_is_a_denial_at_once() {
    let bench = Bench::new();
    let job = reviewed(&bench, Some("0s")).await;
    let ticked = bench.engine.tick(Duration::ZERO).await.unwrap();
    assert_eq!(ticked.approvals_expired, 1);
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Denied);
}

#[tokio::test]
async fn a_running_agent_asks_and_is_told() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let asked = bench.runner().request_approval(asks(&running, None)).await;
    let asked = asked.unwrap().approval;
    assert_eq!(asked.action, r#"{"command":"rm -rf build","tool":"shell"}"#);
    assert_eq!(asked.requested_by, format!("agent:{}", running.run));
    assert_eq!(asked.ttl_ms, DAY_MS);
    decide(&bench, asked.id, Verdict::Approve).await.unwrap();
    assert_eq!(state(&bench, asked.id).await, ApprovalState::Approved);
    assert_eq!(
        bench.job(running.job).await.state.status(),
        JobStatus::Running
    );
    // It counts for this run alone.
    bench.ended(&running, RunOutcome::Succeeded).await;
    assert_eq!(state(&bench, asked.id).await, ApprovalState::Superseded);
}

#[tokio::test]
async fn a_request_may_shorten_its_time_and_never_lengthen_it() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    for (asked, given) in [(Some(5), 5), (Some(DAY_MS * 9), DAY_MS), (None, DAY_MS)] {
        let view = bench.runner().request_approval(asks(&running, asked)).await;
        assert_eq!(view.unwrap().approval.ttl_ms, given);
    }
}

#[tokio::test]
async fn the_same_request_again_is_the_same_approval_and_another_under_its_id_is_refused() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let id = ApprovalId::mint(&bench.clock, &*bench.entropy);
    let request = RequestApproval {
        id: Some(id),
        ..asks(&running, None)
    };
    let first = bench.runner().request_approval(request.clone()).await;
    let again = bench.runner().request_approval(request.clone()).await;
    assert_eq!(first.unwrap().approval, again.unwrap().approval);
    let other = RequestApproval {
        action: json!("something else"),
        ..request
    };
    let refused = bench.runner().request_approval(other).await.unwrap_err();
    assert_eq!(refused.code, "approval_not_pending");
}

#[tokio::test]
async fn nobody_approves_what_they_cannot_see_whole_and_nobody_is_flooded() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let large = RequestApproval {
        action: json!("x".repeat(1_200)),
        ..asks(&running, None)
    };
    let refused = bench.runner().request_approval(large).await.unwrap_err();
    assert_eq!(refused.code, "approval_too_large");
    // The largest that is shown fits into an event, whatever it is made of.
    let worst = RequestApproval {
        action: json!("\u{1}".repeat(199)),
        reason: "\u{1}".repeat(10_000),
        ..asks(&running, None)
    };
    bench.runner().request_approval(worst).await.unwrap();
    for _ in 1..20 {
        let asked = bench.runner().request_approval(asks(&running, None)).await;
        asked.unwrap();
    }
    let one_more = bench.runner().request_approval(asks(&running, None)).await;
    assert_eq!(one_more.unwrap_err().code, "too_many_requests");
}

#[tokio::test]
async fn only_a_person_decides_and_never_the_one_who_asked() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let token = TokenId::mint(&bench.clock, &*bench.entropy);
    let asking = Caller {
        token: Some(token),
        via: Via::Http,
        scopes: [Scope::Runner, Scope::Approve].into(),
        ..Caller::local_runner("runner:box")
    };
    let plane = bench.caller(asking.clone());
    let asked = plane.request_approval(asks(&running, None)).await.unwrap();
    let decision = DecideApproval {
        approval: asked.approval.id,
        verdict: Verdict::Approve,
        note: None,
    };
    let agent = bench
        .engine
        .authenticate(&running.token, Via::Http)
        .await
        .unwrap();
    let callers = [
        // The runner that asked, whatever else its token may do.
        (asking.clone(), "approval_self"),
        // The same token without the scope of a runner, had it lost that meanwhile.
        (
            Caller {
                scopes: [Scope::Approve].into(),
                ..asking
            },
            "approval_self",
        ),
        (agent.clone(), "scope_missing"),
        // Even with a scope that no run token ever has.
        (
            Caller {
                scopes: [Scope::Agent, Scope::Approve].into(),
                ..agent.clone()
            },
            "scope_missing",
        ),
        (
            Caller {
                scopes: [Scope::Agent, Scope::Approve].into(),
                lease: None,
                ..agent
            },
            "approval_self",
        ),
        (
            Caller {
                scopes: Scope::ALL.into(),
                ..Caller::system()
            },
            "approval_self",
        ),
        (
            Caller {
                scopes: [Scope::Read, Scope::Operate, Scope::Admin].into(),
                ..Caller::local_user("user:ana")
            },
            "scope_missing",
        ),
    ];
    for (caller, code) in callers {
        let name = format!("{caller:?}");
        let refused = bench.caller(caller).decide_approval(decision.clone()).await;
        assert_eq!(refused.unwrap_err().code, code, "{name}");
    }
    assert_eq!(
        state(&bench, asked.approval.id).await,
        ApprovalState::Pending
    );
    bench.user().decide_approval(decision).await.unwrap();
}

#[tokio::test]
async fn calling_a_job_off_leaves_nothing_to_decide() {
    let bench = Bench::new();
    let job = reviewed(&bench, None).await;
    let asked = pending(&bench).await.remove(0).approval.id;
    let cancel = CancelJob {
        job,
        reason: "x".to_owned(),
    };
    bench.user().cancel(cancel).await.unwrap();
    assert_eq!(state(&bench, asked).await, ApprovalState::Superseded);
    let late = decide(&bench, asked, Verdict::Approve).await;
    assert_eq!(late.unwrap_err().code, "approval_not_pending");
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Cancelled);
}

#[tokio::test]
async fn a_retry_asks_again() {
    let bench = Bench::new();
    let job = reviewed(&bench, None).await;
    let first = pending(&bench).await.remove(0).approval.id;
    decide(&bench, first, Verdict::Approve).await.unwrap();
    let running = bench.taken(job).await;
    let blocked = bench.ended(&running, RunOutcome::Blocked).await;
    assert_eq!(blocked.state.status(), JobStatus::Blocked);
    let retry = RetryJob {
        job,
        reason: "again".to_owned(),
        goes_on: None,
        idempotency_key: None,
    };
    bench.user().retry(retry).await.unwrap();
    assert_eq!(
        bench.job(job).await.state.status(),
        JobStatus::AwaitingApproval
    );
    assert_ne!(pending(&bench).await.remove(0).approval.id, first);
}

/// Allows everything, under a snapshot that can be exchanged.
struct Versioned(Mutex<u32>);

impl Versioned {
    fn name_of(version: u32) -> &'static str {
        ["test:v0@1", "test:v1@1"][version as usize]
    }
}

impl PolicyDecider for Versioned {
    fn name(&self) -> &str {
        Self::name_of(*self.0.lock().unwrap())
    }
    fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.name().as_bytes())
    }
    fn decide(&self, request: &PolicyRequest) -> Result<PolicyDecision, PolicyError> {
        AllowAll.decide(request)
    }
}

#[tokio::test]
async fn what_was_approved_under_another_policy_counts_for_nothing() {
    let policy = Arc::new(Versioned(Mutex::new(0)));
    let bench = Bench::under(policy.clone());
    let job = reviewed(&bench, None).await;
    let first = pending(&bench).await.remove(0).approval.id;
    decide(&bench, first, Verdict::Approve).await.unwrap();
    *policy.0.lock().unwrap() = 1;
    let claimed = bench.runner().claim(bench.claim_request(None, 1)).await;
    assert!(claimed.unwrap().jobs.is_empty());
    assert_eq!(state(&bench, first).await, ApprovalState::Superseded);
    assert_eq!(
        bench.job(job).await.state.status(),
        JobStatus::AwaitingApproval
    );
    let second = pending(&bench).await.remove(0).approval.id;
    decide(&bench, second, Verdict::Approve).await.unwrap();
    bench.taken(job).await;
    assert_eq!(state(&bench, second).await, ApprovalState::Used);
}

#[tokio::test]
async fn what_was_approved_at_another_epoch_counts_for_nothing() {
    let bench = Bench::new();
    let job = reviewed(&bench, None).await;
    let first = pending(&bench).await.remove(0).approval.id;
    decide(&bench, first, Verdict::Approve).await.unwrap();
    let (_, held) = bench.claimed(job).await;
    let release = dogwatch_api::ReleaseJob {
        held,
        reason: "drained".to_owned(),
    };
    bench.runner().release(release).await.unwrap();
    assert_eq!(state(&bench, first).await, ApprovalState::Used);
    let asked = pending(&bench).await.remove(0).approval;
    assert_eq!(asked.epoch, held.epoch);
}

#[tokio::test]
async fn approvals_are_listed_by_state_and_by_what_the_caller_may_see() {
    let bench = Bench::new();
    let kept = reviewed(&bench, None).await;
    let rejected = reviewed(&bench, None).await;
    let asked = bench.job(rejected).await.approvals[0].id;
    decide(&bench, asked, Verdict::Reject).await.unwrap();
    let waiting = pending(&bench).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].job, kept);
    let all = ListApprovals {
        states: vec![ApprovalState::Pending, ApprovalState::Rejected],
        ..ListApprovals::default()
    };
    let listed = bench.user().list_approvals(all.clone()).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    let elsewhere = dogwatch_core::ids::ProjectId::mint(&bench.clock, &*bench.entropy);
    let stranger = bench.caller(Caller {
        projects: Some([elsewhere].into()),
        ..Caller::local_user("user:stranger")
    });
    let listed = stranger.list_approvals(all).await.unwrap();
    assert!(listed.items.is_empty());
    let waiting = waiting[0].approval.id;
    let shown = stranger.approval(waiting).await.unwrap_err();
    assert_eq!(shown.code, "project_forbidden");
    let decision = DecideApproval {
        approval: waiting,
        verdict: Verdict::Approve,
        note: None,
    };
    let decided = stranger.decide_approval(decision).await.unwrap_err();
    assert_eq!(decided.code, "project_forbidden");
    let unknown = ApprovalId::mint(&bench.clock, &*bench.entropy);
    let missing = bench.user().approval(unknown).await.unwrap_err();
    assert_eq!(missing.code, "approval_not_found");
}
