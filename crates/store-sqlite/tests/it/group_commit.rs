//! Many requests in one commit.

use dogwatch_core::job::{JobStatus, Refusal};
use dogwatch_store::StoreError;
use dogwatch_store::contract_suite::concurrently;

use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_takes_none_of_its_neighbours_with_it() {
    let place = Place::new();
    let bench = place.bench().await;
    let finished = bench.submit().await;
    bench
        .command(finished, bench.cancel_command())
        .await
        .unwrap();
    let requests = (0..300).map(|number| {
        let bench = &bench;
        async move {
            match number % 3 {
                0 => {
                    let job = bench.new_job();
                    let command = bench.submission(bench.facts(job));
                    bench.command(job, command).await.map(|_| Some(job))
                }
                1 => bench
                    .command(finished, bench.retry_command())
                    .await
                    .map(|_| None),
                _ => {
                    let update = bench.deciding(|_, _| panic!("a decision that panics on purpose"));
                    bench.store.update(finished, update).await.map(|_| None)
                }
            }
        }
    });
    let mut jobs = 0;
    for (number, answer) in concurrently(requests).await.into_iter().enumerate() {
        match (number % 3, answer) {
            (0, Ok(Some(job))) => {
                assert_eq!(bench.job(job).await.state.status(), JobStatus::Queued);
                jobs += 1;
            }
            (1, Err(StoreError::Refused(Refusal::WrongState { .. })))
            | (2, Err(StoreError::Unavailable { .. })) => {}
            (_, answer) => panic!("request {number}: {answer:?}"),
        }
    }
    assert_eq!(jobs, 100);
    let report = bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert_eq!(report.streams, 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_copied_while_the_store_is_in_use() {
    let place = Place::new();
    let bench = place.bench().await;
    let size = || std::fs::metadata(place.path()).unwrap().len();
    let first_pages = size();
    for _ in 0..5 {
        let submissions = (0..50).map(|_| {
            let bench = &bench;
            async move {
                let job = bench.new_job();
                bench
                    .command(job, bench.submission(bench.facts(job)))
                    .await
                    .unwrap();
            }
        });
        concurrently(submissions).await;
    }
    // Some hundred jobs are more pages than an idle moment leaves in the log; without a copy the database has only its first pages.
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while size() <= first_pages {
        assert!(std::time::Instant::now() < give_up, "{first_pages}");
        // SLEEP: between two looks at the size.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
