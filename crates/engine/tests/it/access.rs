//! Scopes: what a caller may not do is refused by name, and changes nothing.

use std::collections::BTreeSet;

use dogwatch_api::{Caller, CancelJob, ControlPlane, Scope};
use dogwatch_core::ids::ProjectId;
use dogwatch_core::job::JobStatus;

use crate::bench::Bench;

#[tokio::test]
async fn each_door_needs_its_scope() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let nobody = bench.caller(Caller {
        scopes: BTreeSet::new(),
        ..Caller::local_user("user:nobody")
    });
    let cancel = CancelJob {
        job,
        reason: "x".to_owned(),
    };
    for code in [
        nobody.job(job).await.unwrap_err().code,
        nobody.submit(bench.request("two")).await.unwrap_err().code,
        nobody.cancel(cancel.clone()).await.unwrap_err().code,
        nobody
            .claim(bench.claim_request(None, 1))
            .await
            .unwrap_err()
            .code,
        // A runner's token does not operate, and a user's does not run.
        bench.runner().cancel(cancel).await.unwrap_err().code,
        bench
            .user()
            .claim(bench.claim_request(None, 1))
            .await
            .unwrap_err()
            .code,
    ] {
        assert_eq!(code, "scope_missing");
    }
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Queued);
}

#[tokio::test]
async fn a_caller_of_another_project_sees_and_changes_nothing() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy as &dyn dogwatch_core::Entropy);
    let stranger = bench.caller(Caller {
        projects: Some([elsewhere].into()),
        scopes: [Scope::Read, Scope::Submit, Scope::Operate].into(),
        ..Caller::local_user("user:stranger")
    });
    assert_eq!(
        stranger.job(job).await.unwrap_err().code,
        "project_forbidden"
    );
    assert_eq!(
        stranger
            .submit(bench.request("two"))
            .await
            .unwrap_err()
            .code,
        "project_forbidden"
    );
    let listed = stranger
        .list_jobs(dogwatch_api::ListJobs::default())
        .await
        .unwrap();
    assert!(listed.items.is_empty());
    let named = stranger.resolve(&job.short()).await.unwrap_err();
    assert_eq!(named.code, "not_found");
    let own = bench.caller(Caller {
        projects: Some([bench.project].into()),
        ..Caller::local_user("user:ana")
    });
    assert_eq!(
        own.resolve(&job.short()).await.unwrap(),
        dogwatch_api::JobRef::Job(job)
    );
}
