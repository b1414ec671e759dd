//! Lists and single things.

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, LeaseId, ProjectId, RunId};
use dogwatch_core::job::{JobStatus, RunOutcome};

use super::bench::Bench;
use crate::{ApprovalFilter, JobFilter, PageRequest, RunFilter, StoreError};

fn page(limit: u32, cursor: Option<String>) -> PageRequest {
    PageRequest { limit, cursor }
}

async fn ids(bench: &Bench, filter: JobFilter, limit: u32) -> Vec<JobId> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = bench
            .store
            .jobs(filter.clone(), page(limit, cursor))
            .await
            .unwrap();
        assert!(page.items.len() <= limit as usize);
        ids.extend(page.items.iter().map(|job| job.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return ids;
        }
        assert!(!page.items.is_empty(), "a cursor after nothing");
    }
}

/// Also where several were made in the same instant.
pub async fn pages_are_newest_first_and_complete(bench: &Bench) {
    let mut expected = Vec::new();
    for number in 0..11 {
        if number % 3 != 0 {
            expected.push(bench.submit().await);
            continue;
        }
        let job = bench.new_job();
        bench
            .command(job, bench.submission(bench.facts(job)))
            .await
            .unwrap();
        expected.push(job);
    }
    expected.reverse();
    for limit in [1, 2, 3, 10, 11, 50] {
        assert_eq!(ids(bench, JobFilter::default(), limit).await, expected);
    }
}

/// New things come before the first page, not between the others.
pub async fn a_page_does_not_move_under_new_jobs(bench: &Bench) {
    let mut old = Vec::new();
    for _ in 0..4 {
        old.push(bench.submit().await);
    }
    let first = bench
        .store
        .jobs(JobFilter::default(), page(2, None))
        .await
        .unwrap();
    bench.submit().await;
    let second = bench
        .store
        .jobs(JobFilter::default(), page(2, first.next_cursor))
        .await
        .unwrap();
    let seen: Vec<_> = second.items.iter().map(|job| job.id).collect();
    assert_eq!(seen, [old[1], old[0]]);
    assert_eq!(second.next_cursor, None);
}

/// One state or several, of one project or all.
pub async fn jobs_are_filtered_by_project_and_status(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let leased = bench.submit_with(|facts| facts.priority = 1).await;
    bench.claim(leased).await;
    let cancelled = bench.submit().await;
    bench
        .command(cancelled, bench.cancel_command())
        .await
        .unwrap();
    let foreign = bench.submit_with(|facts| facts.project = other).await;
    let queued = bench.submit().await;
    let filtered = async |project: Option<ProjectId>, statuses: &[JobStatus]| {
        let filter = JobFilter {
            project,
            statuses: statuses.to_vec(),
        };
        let all = ids(bench, filter.clone(), 50).await;
        assert_eq!(ids(bench, filter, 1).await, all);
        all
    };
    let own = Some(bench.project);
    assert_eq!(
        filtered(None, &[]).await,
        [queued, foreign, cancelled, leased]
    );
    assert_eq!(filtered(own, &[]).await, [queued, cancelled, leased]);
    assert_eq!(
        filtered(None, &[JobStatus::Queued]).await,
        [queued, foreign]
    );
    assert_eq!(filtered(own, &[JobStatus::Queued]).await, [queued]);
    assert_eq!(
        filtered(
            None,
            &[JobStatus::Leased, JobStatus::Queued, JobStatus::Queued]
        )
        .await,
        [queued, foreign, leased]
    );
    assert_eq!(
        filtered(own, &[JobStatus::Cancelled, JobStatus::Leased]).await,
        [cancelled, leased]
    );
    assert!(filtered(None, &[JobStatus::Failed]).await.is_empty());
}

/// The same for runs.
pub async fn runs_are_filtered_by_job_and_project(bench: &Bench) {
    let (held, first) = bench.running().await;
    bench
        .command(held.job, bench.revoke_command(held))
        .await
        .unwrap();
    bench.tick();
    let again = bench.claim(held.job).await;
    let second = bench.start(again).await;
    let (_, third) = bench.running().await;
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let filtered = async |job: Option<JobId>, project: Option<ProjectId>| {
        let mut runs: Vec<RunId> = Vec::new();
        let mut cursor = None;
        loop {
            let filter = RunFilter { project, job };
            let page = bench.store.runs(filter, page(1, cursor)).await.unwrap();
            runs.extend(page.items.iter().map(|view| view.header.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return runs;
            }
        }
    };
    let own = Some(bench.project);
    assert_eq!(filtered(None, None).await, [third, second, first]);
    assert_eq!(filtered(None, own).await, [third, second, first]);
    assert_eq!(filtered(Some(held.job), None).await, [second, first]);
    assert_eq!(filtered(Some(held.job), own).await, [second, first]);
    assert!(filtered(Some(held.job), Some(other)).await.is_empty());
    assert!(filtered(None, Some(other)).await.is_empty());
}

/// Whatever may still happen to them.
pub async fn unfinished_jobs_are_counted(bench: &Bench) {
    let count = async || bench.store.unfinished().await.unwrap();
    assert_eq!(count().await, 0);
    let (held, run) = bench.running().await;
    let (blocked, blocked_run) = bench.running().await;
    bench.close(blocked, blocked_run, RunOutcome::Blocked).await;
    let queued = bench.submit().await;
    assert_eq!(count().await, 3);
    bench.close(held, run, RunOutcome::Succeeded).await;
    assert_eq!(count().await, 2);
    for job in [queued, blocked.job] {
        bench.command(job, bench.cancel_command()).await.unwrap();
    }
    assert_eq!(count().await, 0);
}

/// It is not taken for the first page.
pub async fn a_forged_cursor_is_refused(bench: &Bench) {
    bench.submit().await;
    for forged in ["", "1", "1.run_x", "x.y", "' OR 1=1 --"] {
        let request = page(1, Some(forged.to_owned()));
        let error = bench
            .store
            .jobs(JobFilter::default(), request.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::BadCursor(_)), "{error:?}");
        let error = bench
            .store
            .approvals(ApprovalFilter::default(), request.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::BadCursor(_)), "{error:?}");
        let error = bench
            .store
            .runs(RunFilter::default(), request)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::BadCursor(_)), "{error:?}");
    }
}

/// And no error.
pub async fn an_unknown_id_is_nothing(bench: &Bench) {
    let (clock, entropy) = (bench.clock.as_ref(), bench.entropy.as_ref());
    let run = RunId::mint(clock, entropy);
    assert_eq!(bench.store.job(bench.new_job()).await.unwrap(), None);
    assert_eq!(bench.store.run(run).await.unwrap(), None);
    let approval = ApprovalId::mint(clock, entropy);
    assert_eq!(bench.store.approval(approval).await.unwrap(), None);
    assert_eq!(bench.store.bundle_files(run).await.unwrap(), None);
    assert!(bench.log(bench.new_job()).await.is_empty());
    assert!(bench.store.run_lines(run, 0, 10).await.unwrap().is_empty());
    let hash = Sha256Digest::of(b"never stored");
    assert_eq!(bench.store.contract(hash).await.unwrap(), None);
    let lease = LeaseId::mint(clock, entropy);
    assert_eq!(bench.store.renewals(lease).await.unwrap(), 0);
}
