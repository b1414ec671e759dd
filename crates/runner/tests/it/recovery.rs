//! What a runner that comes back does with what is there.

use std::fs;
use std::sync::Arc;

use dogwatch_api::{CancelJob, ControlPlane, Verdict};
use dogwatch_core::job::{CleanupState, Holder, JobStatus};
use dogwatch_runner::{Ended, recover};
use dogwatch_store::Reads;

use crate::bench::{Bench, options, until};
use crate::faulty_plane::FaultyPlane;

const ASKS: &str = r#"
case "$DOGWATCH_TURN" in
1) echo draft > work.txt; touch "$M/asking"; wait_for asked; respond blocked ;;
*) respond done ;;
esac"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_is_left_alone() {
    let bench = Bench::new(ASKS);
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("asking").await;
    let approval = bench.ask(job).await;
    bench.touch("asked");
    let parked = bench.job_in(job, JobStatus::Parked).await;
    working.drain().await;
    let run = parked.runs[0].id;

    let leases = bench.store.active_leases().await.unwrap();
    let recovery = recover(&bench.parts(Arc::new(bench.system())), leases)
        .await
        .unwrap();
    assert!(recovery.recovered.is_empty() && recovery.cleaned == 0);
    assert_eq!(bench.job(job).await, parked);
    assert!(bench.layout.workspace(run).join("work.txt").exists());

    bench.decide(approval, Verdict::Approve, "").await;
    let working = bench.work();
    bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_died_while_it_was_set_aside_is_set_aside() {
    let bench = Bench::new(ASKS);
    let plane = FaultyPlane::over(bench.plane());
    plane.break_call("park");
    let mut parts = bench.parts(plane.clone());
    // A process that is dead as soon as anyone looks.
    let own = parts.holder.take().unwrap();
    parts.holder = Some(Holder {
        start_time: own.start_time + 1,
        ..own
    });
    let job = bench.submit().await;
    let working = bench.work_with(parts, options());
    bench.met("asking").await;
    let approval = bench.ask(job).await;
    bench.touch("asked");
    until("it gives up", async || working.runner.jobs().is_empty()).await;
    let worked = working.drain().await;
    assert!(
        matches!(worked.last, Some(Ended::Abandoned { .. })),
        "{:?}",
        worked.last
    );

    let leases = bench.store.active_leases().await.unwrap();
    assert_eq!(leases.len(), 1);
    let recovery = recover(&bench.parts(Arc::new(bench.system())), leases)
        .await
        .unwrap();
    assert_eq!(recovery.recovered[0].status, JobStatus::Parked);
    bench.decide(approval, Verdict::Approve, "").await;
    let working = bench.work();
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(done.runs.len(), 1);
    bench.assert_sealed(done.runs[0].id);
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_that_was_closed_without_its_machine_is_collected() {
    let bench = Bench::new(ASKS);
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("asking").await;
    bench.ask(job).await;
    bench.touch("asked");
    bench.job_in(job, JobStatus::Parked).await;
    working.drain().await;
    // Called off twice: the second does not wait for the machine.
    for _ in 0..2 {
        let request = CancelJob {
            job,
            reason: "gone".to_owned(),
        };
        bench.user().cancel(request).await.unwrap();
    }
    let closed = bench.job(job).await;
    assert_eq!(closed.state.status(), JobStatus::Cancelled);
    let run = closed.runs[0].id;
    let parts = bench.parts(Arc::new(bench.system()));
    let recovery = recover(&parts, Vec::new()).await.unwrap();
    assert_eq!(recovery.cleaned, 1);
    assert!(!bench.layout.work(run).exists());
    bench.assert_sealed(run);
    let local = fs::read(bench.layout.bundle(run).join("journal.jsonl")).unwrap();
    let mut copy = bench.plane().run_lines(run, 0).await.unwrap().join(&b'\n');
    copy.push(b'\n');
    assert!(local.starts_with(&copy) && local.len() > copy.len());
    assert_eq!(
        bench.job(job).await.runs[0].cleanup.state,
        CleanupState::Removed
    );
    assert_eq!(recover(&parts, Vec::new()).await.unwrap().cleaned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_control_plane_gets_a_copy_of_the_bundle() {
    let bench = Bench::new("echo x > x; respond done");
    let mut parts = bench.parts(Arc::new(bench.plane()));
    parts.remote = true;
    let job = bench.submit().await;
    let working = bench.work_with(parts, options());
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    let run = done.runs[0].id;
    let declared = bench.user().bundle(run).await.unwrap();
    let root = bench.layout.bundle(run);
    for file in crate::bench::files_below(&root) {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
        let digest = declared
            .files
            .get(path)
            .unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(
            bench.user().blob(*digest).await.unwrap(),
            fs::read(&file).unwrap()
        );
    }
    working.drain().await;
}
