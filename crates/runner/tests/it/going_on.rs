//! Another attempt that continues an earlier one.

use std::fs;

use dogwatch_api::{Continue, ControlPlane, RetryJob};
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{JobStatus, StartFrom};

use crate::bench::Bench;

const FAILS: &str = "echo half > half.txt; rm README.md; ln -s half.txt link; respond failed";
const GOES_ON: &str = r#"
[ -e README.md ] && exit 7
[ "$(readlink link)" = half.txt ] || exit 8
[ "$(git status --porcelain | wc -l)" -eq 3 ] || exit 6
cp "$DOGWATCH_PROMPT_FILE" told.txt
echo rest >> half.txt
respond done"#;

/// A job that failed, and the one that continues it.
async fn continued(bench: &Bench) -> (JobId, JobId) {
    let failed = bench.submit().await;
    let working = bench.work();
    bench.job_in(failed, JobStatus::Failed).await;
    working.drain().await;
    bench.script(GOES_ON);
    let request = RetryJob {
        job: failed,
        reason: "once more".to_owned(),
        goes_on: Some(Continue {
            run: None,
            say: Some("mind the second half".to_owned()),
        }),
        idempotency_key: None,
    };
    let retried = bench.user().retry(request).await.unwrap();
    (failed, retried.job_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_finds_the_work_of_the_one_before_and_what_was_said() {
    let bench = Bench::new(FAILS);
    let (failed, job) = continued(&bench).await;
    let working = bench.work();
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
    let earlier = bench.job(failed).await.runs[0].id;
    let run = &done.runs[0];
    assert_eq!(run.continues, Some(earlier));
    assert_eq!(run.start_from, StartFrom::Snapshot);
    let tree = run.closed.as_ref().unwrap().tree.clone().unwrap();
    assert_eq!(
        bench.file_in(&tree, "half.txt").as_deref(),
        Some("half\nrest\n")
    );
    let told = bench.file_in(&tree, "told.txt").unwrap();
    assert!(
        told.contains("mind the second half") && told.contains(&earlier.to_string()),
        "{told}"
    );
    // The difference is one to the contract's base.
    let patch = fs::read_to_string(bench.layout.bundle(run.id).join("files.txt")).unwrap();
    assert!(
        patch.contains("A\thalf.txt") && patch.contains("D\tREADME.md"),
        "{patch}"
    );
    bench.assert_sealed(run.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_not_here_is_named() {
    let bench = Bench::new(FAILS);
    let (_, job) = continued(&bench).await;
    fs::remove_dir_all(bench.layout.root().join("vaults")).unwrap();
    let working = bench.work();
    let failed = bench.job_in(job, JobStatus::Failed).await;
    working.drain().await;
    let failure = failed.state.failure().unwrap();
    assert_eq!(failure.code, "snapshot_missing");
    assert!(failure.next_action.contains("jobs retry"), "{failure:?}");
    bench.assert_sealed(failed.runs[0].id);
}
