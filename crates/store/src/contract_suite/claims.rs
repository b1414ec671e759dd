//! Who gets which job.

use std::collections::BTreeSet;
use std::time::Duration;

use dogwatch_core::event::Epoch;
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::job::{JobStatus, Refusal};

use super::bench::{Bench, ManualClock};
use super::commands::{Held, held};
use super::concurrently::concurrently;
use crate::{JobFilter, StoreError};

/// And nothing else decides.
pub async fn the_greatest_priority_then_the_oldest(bench: &Bench) {
    let mut jobs = Vec::new();
    for priority in [0, 5, -3, 5, 0, i32::MAX, i32::MIN, 5] {
        let job = bench.submit_with(|facts| facts.priority = priority).await;
        jobs.push((std::cmp::Reverse(priority), job));
    }
    // The sort is stable, so the older of two equals stays in front.
    jobs.sort_by_key(|(priority, _)| *priority);
    for (_, job) in jobs {
        bench.claim(job).await;
    }
    assert_eq!(bench.try_claim().await, None);
}

/// However important it will be.
pub async fn a_scheduled_job_waits_and_blocks_nobody(bench: &Bench) {
    let later = bench.now().plus(Duration::from_secs(60));
    let scheduled = bench
        .submit_with(|facts| {
            facts.not_before = Some(later);
            facts.priority = 100;
        })
        .await;
    let plain = bench.submit().await;
    let last = bench.submit().await;
    bench.claim(plain).await;
    bench.clock.set(later);
    bench.claim(scheduled).await;
    bench.claim(last).await;
    assert_eq!(bench.try_claim().await, None);

    // A clock that is set back takes a job's turn away, and nobody else's.
    let later = bench.now().plus(Duration::from_secs(60));
    let scheduled = bench
        .submit_with(|facts| {
            facts.not_before = Some(later);
            facts.priority = 100;
        })
        .await;
    bench.clock.set(later);
    let urgent = bench.submit_with(|facts| facts.priority = 200).await;
    bench.claim(urgent).await;
    bench.clock.set(ManualClock::START);
    let plain = bench.submit().await;
    bench.claim(plain).await;
    assert_eq!(bench.try_claim().await, None);
    bench.clock.set(later);
    bench.claim(scheduled).await;
}

/// A filter names the project whose jobs may be taken.
pub async fn a_claim_keeps_to_its_project(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let foreign = bench
        .submit_with(|facts| {
            facts.project = other;
            facts.priority = 9;
        })
        .await;
    let own = bench.submit().await;
    let filter = JobFilter {
        project: Some(bench.project),
        statuses: Vec::new(),
    };
    let claim = |filter: JobFilter| bench.store.update_next_ready(filter, bench.claiming());
    let claimed = claim(filter.clone()).await.unwrap().unwrap();
    assert_eq!(held(&claimed).job, own);
    assert!(claim(filter).await.unwrap().is_none());
    // The events of a stream are of the stream's project, whoever writes them.
    let claimed = claim(JobFilter::default()).await.unwrap().unwrap();
    assert_eq!(held(&claimed).job, foreign);
    assert!(
        claimed
            .events
            .iter()
            .all(|event| event.envelope.project == other)
    );
    let running_only = JobFilter {
        project: None,
        statuses: vec![JobStatus::Running],
    };
    bench.submit().await;
    assert!(claim(running_only).await.unwrap().is_none());
}

/// Eight claimers, forty jobs: every job once, and each claimer in order.
pub async fn many_claimers_get_each_job_once(bench: &Bench) {
    let mut jobs = Vec::new();
    for number in 0..40 {
        let priority = number % 3;
        let job = bench.submit_with(|facts| facts.priority = priority).await;
        jobs.push((std::cmp::Reverse(priority), job));
    }
    jobs.sort_by_key(|(priority, _)| *priority);
    let order: Vec<JobId> = jobs.into_iter().map(|(_, job)| job).collect();

    let claimers = (0..8).map(|_| async {
        let mut claimed: Vec<Held> = Vec::new();
        while let Some(held) = bench.try_claim().await {
            claimed.push(held);
        }
        claimed
    });
    let claimed = concurrently(claimers).await;
    for one in &claimed {
        let places: Vec<_> = one
            .iter()
            .map(|held| order.iter().position(|job| *job == held.job).unwrap())
            .collect();
        assert!(places.is_sorted(), "{places:?}");
    }
    let all: Vec<Held> = claimed.into_iter().flatten().collect();
    let distinct: BTreeSet<JobId> = all.iter().map(|held| held.job).collect();
    assert_eq!((all.len(), distinct.len()), (40, 40));
    let mut active: Vec<Held> = bench
        .store
        .active_leases()
        .await
        .unwrap()
        .iter()
        .map(|(job, lease)| Held::of(*job, lease))
        .collect();
    let mut all = all;
    all.sort_by_key(|held| held.job);
    active.sort_by_key(|held| held.job);
    assert_eq!(active, all);
}

/// Over every way a lease can end.
pub async fn epochs_only_grow(bench: &Bench) {
    let job = bench.submit_with(|facts| facts.max_attempts = 9).await;
    let mut last = Epoch::default();
    for round in 0..6 {
        let held = bench.claim(job).await;
        assert!(held.epoch > last, "{} after {last}", held.epoch);
        last = held.epoch;
        let end = if round % 2 == 0 {
            bench.release_command(held)
        } else {
            bench.revoke_command(held)
        };
        bench.command(job, end).await.unwrap();
        assert_eq!(bench.job(job).await.epoch, last);
    }
}

/// The refusal comes back, and nothing was written.
pub async fn a_refused_claim_leaves_the_job_ready(bench: &Bench) {
    let job = bench.submit().await;
    let at = bench.now();
    let refusing = bench.deciding(move |_, _| Err(Refusal::NotYet(at)));
    let error = bench
        .store
        .update_next_ready(JobFilter::default(), refusing)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::NotYet(_))),
        "{error:?}"
    );
    assert_eq!(bench.log(job).await.len(), 2);
    bench.claim(job).await;
}
