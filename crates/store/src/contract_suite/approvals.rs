//! A person's decision, from the request to what comes of it.

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, ProjectId};
use dogwatch_core::job::{
    ApprovalKind, ApprovalState, DecisionEffect, JobCommand, JobState, JobStatus, Refusal,
    StartApproval, Timer, Verdict,
};

use super::asking::AGENT;
use super::bench::Bench;
use crate::{ApprovalFilter, ApprovalRow, JobTimer, PageRequest, StoreError};

const TTL_MS: u64 = 60_000;

/// Submits a job whose every start a person has to approve; the approval of its first start comes with it.
async fn submit(bench: &Bench) -> (JobId, ApprovalId) {
    let job = bench
        .submit_with(|facts| facts.approval = Some(StartApproval { ttl_ms: TTL_MS }))
        .await;
    (job, pending(bench, job).await)
}

/// The one approval that a job waits for.
async fn pending(bench: &Bench, job: JobId) -> ApprovalId {
    let job = bench.job(job).await;
    let pending: Vec<ApprovalId> = job
        .pending_approvals()
        .map(|approval| approval.id)
        .collect();
    assert_eq!(pending.len(), 1);
    pending[0]
}

async fn state(bench: &Bench, id: ApprovalId) -> ApprovalState {
    let row = bench.store.approval(id).await.unwrap().unwrap();
    // The row is the approval of the job, no other.
    let job = bench.job(row.job).await;
    assert_eq!(job.approval(id), Some(&row.approval));
    assert_eq!((row.project, row.title), (job.project, job.title));
    row.approval.state
}

async fn decide(bench: &Bench, job: JobId, id: ApprovalId, verdict: Verdict) {
    bench.tick();
    let command = bench.decide_command(id, verdict);
    bench.command(job, command).await.unwrap();
}

/// Nothing starts before it, and it covers one start.
pub async fn an_approval_is_used_once(bench: &Bench) {
    let (job, first) = submit(bench).await;
    assert_eq!(
        bench.job(job).await.state.status(),
        JobStatus::AwaitingApproval
    );
    assert_eq!(state(bench, first).await, ApprovalState::Pending);
    assert_eq!(bench.try_claim().await, None);
    let since = bench.job(job).await.created_at;
    let timer = JobTimer {
        job,
        timer: Timer::Approval {
            approval: first,
            ms: TTL_MS,
            since,
        },
    };
    assert_eq!(bench.store.steady_timers().await.unwrap(), [timer]);

    decide(bench, job, first, Verdict::Approve).await;
    assert_eq!(state(bench, first).await, ApprovalState::Approved);
    let row = bench.store.approval(first).await.unwrap().unwrap();
    let decision = row.approval.decision.unwrap();
    assert_eq!(
        (decision.by.as_str(), decision.at),
        ("user:ana", bench.now())
    );
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
    let held = bench.claim(job).await;
    assert_eq!(state(bench, first).await, ApprovalState::Used);

    bench.tick();
    bench
        .command(job, bench.release_command(held))
        .await
        .unwrap();
    assert_eq!(
        bench.job(job).await.state.status(),
        JobStatus::AwaitingApproval
    );
    let second = pending(bench, job).await;
    assert_ne!(first, second);
    assert_eq!(bench.try_claim().await, None);
    for used in [Verdict::Approve, Verdict::Reject] {
        let command = bench.decide_command(first, used);
        let error = bench.command(job, command).await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Refused(Refusal::ApprovalNotPending {
                    state: ApprovalState::Used,
                    ..
                })
            ),
            "{error:?}"
        );
    }
    decide(bench, job, second, Verdict::Approve).await;
    bench.claim(job).await;
}

/// A no is final.
pub async fn a_rejected_start_is_denied(bench: &Bench) {
    let (job, id) = submit(bench).await;
    decide(bench, job, id, Verdict::Reject).await;
    assert_eq!(state(bench, id).await, ApprovalState::Rejected);
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Denied);
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
    assert_eq!(bench.try_claim().await, None);
}

/// So is no answer.
pub async fn an_approval_expires_to_a_denial(bench: &Bench) {
    let (job, id) = submit(bench).await;
    let expire = JobCommand::ExpireApproval { approval: id };
    bench.command(job, expire.clone()).await.unwrap();
    assert_eq!(state(bench, id).await, ApprovalState::Expired);
    let JobState::Denied { failure } = bench.job(job).await.state else {
        panic!("a start that nobody approved is denied");
    };
    assert_eq!(failure.code, "approval_expired");
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
    for late in [expire, bench.decide_command(id, Verdict::Approve)] {
        let error = bench.command(job, late).await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Refused(Refusal::ApprovalNotPending { .. })
            ),
            "{error:?}"
        );
    }
}

/// It was about this contract under this policy, and another policy is in force when the job is taken.
pub async fn an_approval_is_superseded_by_another_policy(bench: &Bench) {
    let (job, first) = submit(bench).await;
    decide(bench, job, first, Verdict::Approve).await;
    bench.tick();
    let mut command = bench.claim_command();
    let JobCommand::Claim(claim) = &mut command else {
        panic!("a claim");
    };
    claim.decision = bench.decided("job.dispatch", DecisionEffect::Allow);
    claim.decision.policy_digest = Sha256Digest::of(b"another policy");
    let update = bench.update(command.clone());
    let asked = bench
        .store
        .update_next_ready(bench.offer(), update)
        .await
        .unwrap()
        .unwrap();
    // The claim was carried out, and what came of it is a question.
    assert_eq!(asked.stream.status(), Some(JobStatus::AwaitingApproval));
    assert_eq!(state(bench, first).await, ApprovalState::Superseded);
    let second = pending(bench, job).await;
    assert_eq!(bench.try_claim().await, None);

    decide(bench, job, second, Verdict::Approve).await;
    let update = bench.update(command);
    let claimed = bench
        .store
        .update_next_ready(bench.offer(), update)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claimed.stream.status(), Some(JobStatus::Leased));
    assert_eq!(state(bench, second).await, ApprovalState::Used);
}

/// While it runs, and never decides itself.
pub async fn a_running_agent_asks(bench: &Bench) {
    let (held, run) = bench.running().await;
    let id = bench.new_approval();
    let request = bench.request_command(held, run, id);
    bench.tick();
    bench.command(held.job, request.clone()).await.unwrap();
    // A reply that was lost is asked for again.
    let again = bench.command(held.job, request).await.unwrap();
    assert!(again.events.is_empty());
    let row = bench.store.approval(id).await.unwrap().unwrap();
    assert_eq!(row.approval.kind, ApprovalKind::AgentAction);
    assert_eq!((row.job, row.approval.run), (held.job, Some(run)));

    let command = bench.decide_command_of(AGENT, id, Verdict::Approve);
    let error = bench.command(held.job, command).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::ApprovalSelf(of)) if of == id),
        "{error:?}"
    );
    decide(bench, held.job, id, Verdict::Reject).await;
    assert_eq!(state(bench, id).await, ApprovalState::Rejected);
    assert_eq!(bench.job(held.job).await.state.status(), JobStatus::Running);

    // What nobody decided is void when the run is over.
    let open = bench.new_approval();
    bench
        .command(held.job, bench.request_command(held, run, open))
        .await
        .unwrap();
    bench
        .command(held.job, bench.expire_command(held))
        .await
        .unwrap();
    assert_eq!(state(bench, open).await, ApprovalState::Superseded);
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
}

async fn ids(bench: &Bench, filter: ApprovalFilter, limit: u32) -> Vec<ApprovalId> {
    let mut rows: Vec<ApprovalRow> = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest { limit, cursor };
        let page = bench
            .store
            .approvals(filter.clone(), request)
            .await
            .unwrap();
        assert!(page.items.len() <= limit as usize);
        rows.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    rows.into_iter().map(|row| row.approval.id).collect()
}

/// Page by page, in one state or several, of one project or all.
pub async fn approvals_are_listed_newest_first(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let (approved_job, approved) = submit(bench).await;
    let (rejected_job, rejected) = submit(bench).await;
    let foreign_job = bench
        .submit_with(|facts| {
            facts.project = other;
            facts.approval = Some(StartApproval { ttl_ms: TTL_MS });
        })
        .await;
    let foreign = pending(bench, foreign_job).await;
    let (_, open) = submit(bench).await;
    decide(bench, approved_job, approved, Verdict::Approve).await;
    decide(bench, rejected_job, rejected, Verdict::Reject).await;

    let filtered = async |project: Option<ProjectId>, states: &[ApprovalState]| {
        let filter = ApprovalFilter {
            project,
            states: states.to_vec(),
        };
        let all = ids(bench, filter.clone(), 50).await;
        for limit in [1, 2, 3] {
            assert_eq!(ids(bench, filter.clone(), limit).await, all);
        }
        all
    };
    use ApprovalState as S;
    let own = Some(bench.project);
    assert_eq!(
        filtered(None, &[]).await,
        [open, foreign, rejected, approved]
    );
    assert_eq!(filtered(own, &[]).await, [open, rejected, approved]);
    assert_eq!(filtered(None, &[S::Pending]).await, [open, foreign]);
    assert_eq!(filtered(own, &[S::Pending]).await, [open]);
    assert_eq!(filtered(Some(other), &[S::Pending]).await, [foreign]);
    assert_eq!(
        filtered(None, &[S::Approved, S::Pending, S::Pending]).await,
        [open, foreign, approved]
    );
    assert_eq!(
        filtered(own, &[S::Rejected, S::Approved]).await,
        [rejected, approved]
    );
    assert!(filtered(None, &[S::Used, S::Expired]).await.is_empty());
}
