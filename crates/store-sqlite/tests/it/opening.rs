//! Files that are opened, and files that are not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_store::contract_suite::Bench;
use dogwatch_store::{JobFilter, PageRequest, StoreError};
use dogwatch_store_sqlite::OpenError;

use crate::place::Place;

async fn refused(place: &Place) -> OpenError {
    let bench = Place::new().bench().await;
    place.open(&bench).unwrap_err()
}

async fn ids(reads: &impl dogwatch_store::Reads) -> Vec<String> {
    reads
        .jobs(JobFilter::default(), PageRequest::default())
        .await
        .unwrap()
        .items
        .iter()
        .map(|job| job.id.to_string())
        .collect()
}

#[tokio::test]
async fn a_reader_needs_a_database_and_makes_none() {
    let place = Place::new();
    let error = place.reader().unwrap_err();
    assert!(matches!(error, OpenError::NotFound { .. }), "{error:?}");
    assert!(error.to_string().contains("store.db"), "{error}");
    assert!(!place.path().exists());

    // A first opening that was cut short leaves an empty file.
    fs::write(place.path(), b"").unwrap();
    let error = place.reader().unwrap_err();
    assert!(matches!(error, OpenError::NotFound { .. }), "{error:?}");
    let bench = place.bench().await;
    bench.submit().await;
}

#[tokio::test]
async fn only_the_owner_can_read_it() {
    let place = Place::new();
    let bench = place.bench().await;
    bench.submit().await;
    let mode = |name: &str| {
        let path = place.path().with_file_name(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    drop(bench);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let bench = place.bench().await;
    bench.submit().await;
    assert_eq!(mode("store.db"), 0o600);
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_both() {
    let place = Place::new();
    drop(place.bench().await);
    place
        .vandal()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(place.path()).unwrap();
    for error in [refused(&place).await, place.reader().unwrap_err()] {
        assert!(
            matches!(error, OpenError::SchemaVersion { found: 99, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("newer"), "{error}");
        assert_eq!(StoreError::from(error).code(), "store_version");
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let place = Place::new();
    place
        .vandal()
        .execute_batch("CREATE TABLE jobs (id TEXT)")
        .unwrap();
    let before = fs::read(place.path()).unwrap();
    for error in [refused(&place).await, place.reader().unwrap_err()] {
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_damage_and_not_emptiness() {
    let place = Place::new();
    fs::write(place.path(), "not a database ".repeat(1000)).unwrap();
    for error in [refused(&place).await, place.reader().unwrap_err()] {
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn damage_is_found_after_an_unclean_end() {
    let place = Place::new();
    let bench = place.bench().await;
    for _ in 0..40 {
        bench.submit().await;
    }
    drop(bench);
    let root: i64 = place
        .vandal()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut bytes = fs::read(place.path()).unwrap();
    let page = 4096 * (usize::try_from(root).unwrap() - 1);
    bytes[page..page + 200].fill(0xee);
    fs::write(place.path(), &bytes).unwrap();
    // A writer that closed leaves an empty log.
    fs::write(place.path().with_file_name("store.db-wal"), b"torn").unwrap();
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn everything_is_there_again_after_closing() {
    let place = Place::new();
    let bench = place.bench().await;
    let (held, run) = bench.running().await;
    let job = bench.job(held.job).await;
    let view = bench.store.run(run).await.unwrap();
    let log = bench.log(held.job).await;
    let Bench { store, .. } = bench;
    drop(store);

    let log_file = place.path().with_file_name("store.db-wal");
    assert_eq!(fs::metadata(log_file).unwrap().len(), 0);
    let bench = place.bench().await;
    assert_eq!(bench.job(held.job).await, job);
    assert_eq!(bench.store.run(run).await.unwrap(), view);
    assert_eq!(bench.log(held.job).await, log);
    assert_eq!(bench.store.active_leases().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_sees_what_a_writer_commits_and_changes_nothing() {
    let place = Place::new();
    let bench = place.bench().await;
    let reader = place.reader().unwrap();
    let job = bench.submit().await;
    assert_eq!(ids(&reader).await, [job.to_string()]);
    let second = bench.submit().await;
    assert_eq!(ids(&reader).await, [second.to_string(), job.to_string()]);
    drop(bench);

    let before = fs::read(place.path()).unwrap();
    let late = place.reader().unwrap();
    assert_eq!(ids(&late).await.len(), 2);
    assert_eq!(ids(&reader).await.len(), 2);
    drop((late, reader));
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn a_reader_manages_without_the_files_beside_the_database() {
    let place = Place::new();
    let bench = place.bench().await;
    let job = bench.submit().await;
    drop(bench);
    for name in ["store.db-wal", "store.db-shm"] {
        fs::remove_file(place.path().with_file_name(name)).unwrap();
    }
    let before = fs::read(place.path()).unwrap();
    assert_eq!(ids(&place.reader().unwrap()).await, [job.to_string()]);
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn many_readers_wait_for_their_turn() {
    let place = Place::new();
    let bench = place.bench().await;
    let job = bench.submit().await;
    let reads = (0..64).map(|_| bench.job(job));
    let jobs = dogwatch_store::contract_suite::concurrently(reads).await;
    assert_eq!(jobs.len(), 64);
}
