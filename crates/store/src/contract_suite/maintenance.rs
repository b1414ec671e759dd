//! Checking a store that is well.

use std::time::Duration;

use dogwatch_core::job::RunOutcome;

use super::bench::Bench;
use super::journal::JournalWriter;
use crate::{JobFilter, PageRequest, RunFilter};

/// And replacing them changes nothing that can be seen.
pub async fn projections_equal_a_replay(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let lines = vec![journal.started(bench), journal.note(bench, "one")];
    journal.send(bench, lines).await.unwrap();
    let (other, other_run) = bench.running().await;
    bench.close(other, other_run, RunOutcome::Blocked).await;
    let later = bench.now().plus(Duration::from_secs(60));
    let scheduled = bench
        .submit_with(|facts| facts.not_before = Some(later))
        .await;
    let queued = bench.submit().await;

    let snapshot = async || {
        let jobs = bench
            .store
            .jobs(JobFilter::default(), PageRequest::default())
            .await
            .unwrap();
        let runs = bench
            .store
            .runs(RunFilter::default(), PageRequest::default())
            .await
            .unwrap();
        (jobs, runs, bench.store.active_leases().await.unwrap())
    };
    let before = snapshot().await;
    let report = bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    // Four jobs and two runs; 5 + 8 + 2 + 2 events and two lines.
    assert_eq!((report.streams, report.events), (6, 19));
    assert_eq!(snapshot().await, before);
    assert_eq!(
        bench.store.check_chains().await.unwrap(),
        Vec::<String>::new()
    );

    // The ready index came through as well.
    bench.claim(queued).await;
    assert_eq!(bench.try_claim().await, None);
    bench.clock.set(later);
    bench.claim(scheduled).await;
}
