//! What people say about closed runs.

use dogwatch_api::{ControlPlane, JudgeRun, LandRun, ProblemCode, RunVerdict};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{JobStatus, JudgementKind, Landed, LandedHow, RunOutcome};

use super::bench::{Bench, Held};

fn manifest() -> Sha256Digest {
    Sha256Digest::of(b"{}")
}

fn said(run: RunId, verdict: RunVerdict) -> JudgeRun {
    JudgeRun {
        run,
        verdict,
        manifest: manifest(),
        reason: Some("looked at it".into()),
    }
}

fn landed(run: RunId) -> LandRun {
    LandRun {
        run,
        manifest: manifest(),
        landed: Landed {
            how: LandedHow::FastForward,
            reference: "refs/heads/main".into(),
            commit: "1".repeat(40),
        },
    }
}

/// A run that closed with a sealed bundle.
async fn sealed(bench: &Bench, outcome: RunOutcome) -> Held {
    let mut held = bench.run_of(outcome.as_str()).await;
    let lines = held.journal.whole(bench, outcome);
    bench.append(&held, lines).await.unwrap();
    let mut request = bench.completion(&held, outcome);
    request.closure.manifest = Some(manifest());
    bench.runner.complete(request).await.unwrap();
    held
}

async fn refused(bench: &Bench, by: &dyn ControlPlane, request: JudgeRun) -> (ProblemCode, String) {
    let run = request.run;
    let before = bench.chief.run(run).await.unwrap().header;
    let problem = by.judge_run(request).await.unwrap_err();
    assert_eq!(bench.chief.run(run).await.unwrap().header, before);
    (problem.kind, problem.code)
}

/// A person says that a change is wanted, and says where it landed. Both are said once, however often they are sent.
pub async fn a_promoted_change_lands_once(bench: &Bench) {
    let held = sealed(bench, RunOutcome::Succeeded).await;
    let run = held.run;
    let early = bench.chief.land_run(landed(run)).await.unwrap_err();
    assert_eq!(early.code, "not_promoted");
    let request = said(run, RunVerdict::Promote);
    let first = bench.chief.judge_run(request.clone()).await.unwrap();
    let judgement = first.header.judgement.clone().unwrap();
    assert_eq!(judgement.kind, JudgementKind::Promote);
    assert_eq!(judgement.manifest, manifest());
    assert_eq!(judgement.reason.as_deref(), Some("looked at it"));
    let again = bench.chief.judge_run(request).await.unwrap();
    assert_eq!(again.header, first.header);
    for _ in 0..2 {
        let after = bench.chief.land_run(landed(run)).await.unwrap();
        assert_eq!(after.header.landed, Some(landed(run).landed));
    }
    let late = said(run, RunVerdict::Reject);
    let late = refused(bench, &*bench.chief, late).await;
    assert_eq!(late, (ProblemCode::Conflict, "already_landed".into()));
    let job = bench.job(held.lease.job).await;
    assert_eq!(job.state.status(), JobStatus::Succeeded);
}

/// A person says that a change is not wanted. The run's outcome stays what it was.
pub async fn a_run_is_rejected(bench: &Bench) {
    for outcome in [RunOutcome::Succeeded, RunOutcome::Failed] {
        let held = sealed(bench, outcome).await;
        let request = said(held.run, RunVerdict::Reject);
        let header = bench.chief.judge_run(request).await.unwrap().header;
        assert_eq!(header.judgement.unwrap().kind, JudgementKind::Reject);
        assert_eq!(header.closed.unwrap().outcome, outcome);
        let problem = bench.chief.land_run(landed(held.run)).await.unwrap_err();
        assert_eq!(problem.code, "not_promoted");
    }
}

/// There is no verdict about what left no evidence, is not over, is not a success, or is not what was looked at; and none by who runs jobs.
pub async fn a_verdict_needs_its_evidence(bench: &Bench) {
    let open = bench.run_of("task").await;
    let mut bare = bench.run_of("bare").await;
    bench.complete(&mut bare, RunOutcome::Succeeded).await;
    let failed = sealed(bench, RunOutcome::Failed).await;
    let done = sealed(bench, RunOutcome::Succeeded).await;
    let other = JudgeRun {
        manifest: Sha256Digest::of(b"another"),
        ..said(done.run, RunVerdict::Promote)
    };
    let promote = |held: &Held| said(held.run, RunVerdict::Promote);
    for (request, code) in [
        (promote(&open), "run_not_closed"),
        (promote(&bare), "evidence_incomplete"),
        (said(bare.run, RunVerdict::Reject), "evidence_incomplete"),
        (promote(&failed), "not_promotable"),
        (other, "evidence_changed"),
    ] {
        let refused = refused(bench, &*bench.chief, request).await;
        assert_eq!(refused, (ProblemCode::Conflict, code.into()));
    }
    let unknown = said(
        RunId::from_uuid(dogwatch_core::ids::uuid_v7(
            dogwatch_core::Timestamp::EPOCH,
            &[9; 10],
        )),
        RunVerdict::Reject,
    );
    let problem = bench.chief.judge_run(unknown).await.unwrap_err();
    assert_eq!(problem.code, "run_not_found");
    let by_runner = refused(bench, &*bench.runner, promote(&done)).await;
    assert_eq!(by_runner.0, ProblemCode::Forbidden);
}
