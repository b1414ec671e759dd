//! What a holder can do that is none any more.

use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Refusal, RunOutcome};

use super::bench::Bench;
use super::commands::Held;
use super::journal::JournalWriter;
use crate::StoreError;

fn lost<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::LeaseLost { .. })),
        "{error:?}"
    );
}

/// Neither does a guessed epoch.
pub async fn a_stale_epoch_changes_nothing(bench: &Bench) {
    let (stale, old_run) = bench.running().await;
    bench
        .command(stale.job, bench.revoke_command(stale))
        .await
        .unwrap();
    let current = bench.claim(stale.job).await;
    let run = bench.start(current).await;
    let before = (bench.job(stale.job).await, bench.log(stale.job).await);

    let guessed = Held {
        epoch: current.epoch,
        ..stale
    };
    let wrong_epoch = Held {
        epoch: stale.epoch,
        ..current
    };
    for held in [stale, guessed, wrong_epoch] {
        let new_run = RunId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
        for command in [
            bench.start_command(held, new_run),
            bench.close_command(held, old_run, RunOutcome::Succeeded),
            bench.close_command(held, run, RunOutcome::Succeeded),
            bench.release_command(held),
        ] {
            lost(bench.command(held.job, command).await);
        }
        assert_eq!(bench.store.run(new_run).await.unwrap(), None);
    }
    let after = (bench.job(stale.job).await, bench.log(stale.job).await);
    assert_eq!(after, before);
}

/// Not even the right line.
pub async fn a_revoked_holder_writes_no_line(bench: &Bench) {
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let first = journal.started(bench);
    journal.send(bench, vec![first]).await.unwrap();
    bench
        .command(held.job, bench.revoke_command(held))
        .await
        .unwrap();
    let second = journal.note(bench, "still here");
    lost(journal.send(bench, vec![second]).await);
    assert_eq!(bench.store.run_lines(run, 0, 10).await.unwrap().len(), 1);
}
