//! What rides in the transaction of an update.

use std::collections::BTreeMap;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use dogwatch_core::job::Refusal;

use super::bench::Bench;
use crate::{Decision, Side, StoreError, Updated};

/// Also when it is sent twice.
pub async fn a_contract_is_kept_byte_for_byte(bench: &Bench) {
    let bytes = b"{\"task\":\"\xc3\xa4 \xf0\x9f\xa6\x80\"}".to_vec();
    let hash = Sha256Digest::of(&bytes);
    assert_eq!(bench.store.contract(hash).await.unwrap(), None);
    for _ in 0..2 {
        let job = bench.new_job();
        let mut update = bench.update(bench.submission(bench.facts(job)));
        update.side = Side::Contract {
            hash,
            bytes: bytes.clone(),
        };
        bench.store.update(job, update).await.unwrap();
    }
    assert_eq!(bench.store.contract(hash).await.unwrap(), Some(bytes));
}

/// The hash is all that an approval sees of it.
pub async fn a_contract_under_a_wrong_hash_undoes_the_update(bench: &Bench) {
    let job = bench.new_job();
    let hash = Sha256Digest::of(b"one contract");
    let mut update = bench.update(bench.submission(bench.facts(job)));
    update.side = Side::Contract {
        hash,
        bytes: b"another contract".to_vec(),
    };
    bench.store.update(job, update).await.unwrap_err();
    assert_eq!(bench.store.contract(hash).await.unwrap(), None);
    assert_eq!(bench.store.job(job).await.unwrap(), None);
    assert!(bench.log(job).await.is_empty());
}

/// Once for each that was granted.
pub async fn renewals_are_counted(bench: &Bench) {
    let job = bench.submit().await;
    let held = bench.claim(job).await;
    let other = LeaseId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    for expected in 1..=3 {
        let mut update = bench.deciding(|_, _| Ok(Decision::default()));
        update.side = Side::Renewal { lease: held.lease };
        let updated = bench.store.update(job, update).await.unwrap();
        assert!(updated.events.is_empty());
        assert_eq!(bench.store.renewals(held.lease).await.unwrap(), expected);
    }
    let mut refused = bench.deciding(|_, _| Err(Refusal::WrongRun));
    refused.side = Side::Renewal { lease: held.lease };
    bench.store.update(job, refused).await.unwrap_err();
    assert_eq!(bench.store.renewals(held.lease).await.unwrap(), 3);
    assert_eq!(bench.store.renewals(other).await.unwrap(), 0);
    assert_eq!(bench.log(job).await.len(), 4);
}

async fn declare(
    bench: &Bench,
    job: JobId,
    run: RunId,
    files: &BTreeMap<String, Sha256Digest>,
) -> Result<Updated, StoreError> {
    let mut update = bench.deciding(|_, _| Ok(Decision::default()));
    update.side = Side::Bundle {
        run,
        files: files.clone(),
    };
    bench.store.update(job, update).await
}

/// Declared once, or again in the same words.
pub async fn a_run_has_one_bundle(bench: &Bench) {
    let (held, run) = bench.running().await;
    let (other, other_run) = bench.running().await;
    let mut files: BTreeMap<String, Sha256Digest> = ["manifest.json", "turns/001/\u{e4}", "a\"b"]
        .into_iter()
        .map(|path| (path.to_owned(), Sha256Digest::of(path.as_bytes())))
        .collect();
    assert_eq!(bench.store.bundle_files(run).await.unwrap(), None);
    for _ in 0..2 {
        declare(bench, held.job, run, &files).await.unwrap();
        let stored = bench.store.bundle_files(run).await.unwrap();
        assert_eq!(stored.as_ref(), Some(&files));
    }
    let first = files.clone();
    files.insert("late".to_owned(), Sha256Digest::of(b"late"));
    let error = declare(bench, held.job, run, &files).await.unwrap_err();
    assert!(
        matches!(error, StoreError::BundleConflict { run: of } if of == run),
        "{error:?}"
    );
    assert_eq!(bench.store.bundle_files(run).await.unwrap(), Some(first));

    // It is declared under the run's own job.
    let unknown = RunId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    for run in [other_run, unknown] {
        let error = declare(bench, held.job, run, &files).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Refused(Refusal::WrongRun)),
            "{error:?}"
        );
        assert_eq!(bench.store.bundle_files(run).await.unwrap(), None);
    }
    // None at all is a bundle too.
    let none = BTreeMap::new();
    declare(bench, other.job, other_run, &none).await.unwrap();
    assert_eq!(
        bench.store.bundle_files(other_run).await.unwrap(),
        Some(none)
    );
    assert!(bench.store.rebuild().await.unwrap().differences.is_empty());
    assert!(bench.store.bundle_files(run).await.unwrap().is_some());
}
