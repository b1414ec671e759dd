//! Decisions: recorded before their effect, and closed when they cannot be made.

use std::sync::Arc;

use dogwatch_api::ControlPlane;
use dogwatch_core::Sha256Digest;
use dogwatch_core::job::JobStatus;
use dogwatch_policy::{Action, PolicyDecider, PolicyDecision, PolicyError, PolicyRequest};
use dogwatch_store::Reads;

use crate::bench::Bench;

/// Allows one action and fails at every other.
#[derive(Debug)]
struct OnlyFor(Option<Action>);

impl PolicyDecider for OnlyFor {
    fn name(&self) -> &str {
        "test:only@1"
    }
    fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(b"only")
    }
    fn decide(&self, request: &PolicyRequest) -> Result<PolicyDecision, PolicyError> {
        if self.0 == Some(request.action) {
            dogwatch_policy::AllowAll.decide(request)
        } else {
            Err(PolicyError("the rules are unreadable".to_owned()))
        }
    }
}

async fn kinds(bench: &Bench, job: dogwatch_core::ids::JobId) -> Vec<String> {
    let lines = bench.store.events(job, 0, 100).await.unwrap();
    lines
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_slice(&line.line).unwrap();
            event["kind"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_decision_stands_before_its_effect() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    bench.claimed(job).await;
    assert_eq!(
        kinds(&bench, job).await,
        [
            "policy.decided.v1",
            "job.submitted.v1",
            "policy.decided.v1",
            "lease.granted.v1"
        ]
    );
}

#[tokio::test]
async fn a_policy_that_cannot_decide_denies_the_submission_on_record() {
    let bench = Bench::under(Arc::new(OnlyFor(None)));
    let job = bench.submitted("one").await;
    let job = bench.job(job).await;
    assert_eq!(job.state.status(), JobStatus::Denied);
    assert!(job.state.failure().unwrap().reason.contains("unreadable"));
    assert_eq!(
        kinds(&bench, job.id).await,
        ["policy.decided.v1", "job.submitted.v1", "job.denied.v1"]
    );
}

#[tokio::test]
async fn a_policy_that_cannot_decide_denies_the_dispatch_and_no_lease_is_granted() {
    let bench = Bench::under(Arc::new(OnlyFor(Some(Action::Submit))));
    let job = bench.submitted("one").await;
    let claimed = bench
        .runner()
        .claim(bench.claim_request(None, 1))
        .await
        .unwrap();
    assert!(claimed.jobs.is_empty());
    let job = bench.job(job).await;
    assert_eq!(job.state.status(), JobStatus::Denied);
    assert_eq!(job.lease, None);
}
