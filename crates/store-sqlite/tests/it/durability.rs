//! Writers that come to a sudden end. What they acknowledged is there.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dogwatch_core::ids::JobId;
use dogwatch_store::contract_suite::{Bench, Opened};
use dogwatch_store::{Reads, StoreError};
use dogwatch_store_sqlite::SqliteStore;

use crate::place::Place;

/// Names the database for the child; without it the child's test is nobody's.
const DATABASE: &str = "DOGWATCH_TEST_DATABASE";

/// The child's series of ids.
const SERIES: &str = "DOGWATCH_TEST_SERIES";

/// The process that is killed: it submits for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_submits() {
    // Only a part of other tests, which start it as a process; on its own there is nothing for it to do.
    let Some(path): Option<OsString> = std::env::var_os(DATABASE) else {
        return;
    };
    let series = std::env::var(SERIES).unwrap().parse().unwrap();
    let bench = Bench::open_series(series, |clock, entropy| async move {
        Opened {
            store: Arc::new(SqliteStore::open(Path::new(&path), clock, entropy).unwrap()),
            keep: Box::new(()),
        }
    })
    .await;
    let submitters = (0..4).map(|_| async {
        loop {
            let job = bench.new_job();
            let command = bench.submission(bench.facts(job));
            match bench.command(job, command).await {
                Ok(_) => say(&format!("ack {job}")),
                Err(error) => return error,
            }
        }
    });
    let errors = dogwatch_store::contract_suite::concurrently(submitters).await;
    for error in errors {
        say(&format!("stopped {} {error}", error.code()));
    }
    // Nothing is written any more, and that is all: what is there can be read.
    let job = bench.new_job();
    let command = bench.submission(bench.facts(job));
    if let Err(StoreError::Unavailable { reason }) = bench.command(job, command).await {
        say(&format!("afterwards {reason}"));
    }
    if let Ok(None) = bench.store.job(job).await {
        say("readable");
    }
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n{line}").unwrap();
    stdout.flush().unwrap();
}

fn start(place: &Place, shell: Option<&str>) -> Child {
    let exe = std::env::current_exe().unwrap();
    let test = ["--exact", "durability::child_that_submits", "--nocapture"];
    let mut command = match shell {
        None => {
            let mut command = Command::new(exe);
            command.args(test);
            command
        }
        Some(script) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(script).arg("sh").arg(exe).args(test);
            command
        }
    };
    command
        .env(DATABASE, place.path())
        .env(SERIES, place.next_series().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The lines of a child that begin with a word, until it ends or `enough` of them were read and it was killed.
fn listen(child: &mut Child, enough: usize) -> Vec<String> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut acks = 0;
    for line in stdout.lines().map_while(Result::ok) {
        acks += usize::from(line.starts_with("ack "));
        lines.push(line);
        if acks == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    lines
}

fn acknowledged(lines: &[String]) -> Vec<JobId> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("ack "))
        // The last line may have been cut off by the end of its process.
        .filter_map(|id| id.parse().ok())
        .collect()
}

async fn all_there(reads: &dyn Reads, jobs: &[JobId]) {
    for job in jobs {
        assert!(reads.job(*job).await.unwrap().is_some(), "{job} is lost");
    }
}

/// Invariant 1: an acknowledged job is never lost.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_jobs_survive_sigkill() {
    let place = Place::new();
    let mut jobs = Vec::new();
    // Each round starts from what the one before it left.
    for enough in [1, 60, 400] {
        let mut child = start(&place, None);
        let lines = listen(&mut child, enough);
        let acknowledged = acknowledged(&lines);
        assert!(acknowledged.len() >= enough, "{lines:?}");
        jobs.extend(acknowledged);

        // A list after the crash reads the log that nobody copied, and leaves the database as it is.
        let log = place.path().with_file_name("store.db-wal");
        assert!(fs::metadata(&log).unwrap().len() > 0);
        let before = (fs::read(place.path()).unwrap(), fs::read(&log).unwrap());
        // Whoever copied the files elsewhere does not have the index.
        if enough == 60 {
            fs::remove_file(place.path().with_file_name("store.db-shm")).unwrap();
        }
        let reader = place.reader().unwrap();
        all_there(&reader, &jobs).await;
        drop(reader);
        let after = (fs::read(place.path()).unwrap(), fs::read(&log).unwrap());
        assert!(before == after, "a reader changed the database");
    }
    let bench = place.bench().await;
    all_there(bench.store.as_ref(), &jobs).await;
    assert_eq!(
        bench.store.check_chains().await.unwrap(),
        Vec::<String>::new()
    );
    let report = bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
}

/// A disk that takes no more ends the writing, not what was written.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_stops_the_store_for_good() {
    let place = Place::new();
    // Files may grow to 2 MiB; without the signal, the write that goes beyond fails.
    let mut child = start(&place, Some("trap '' XFSZ; ulimit -f 4096; exec \"$@\""));
    let lines = listen(&mut child, usize::MAX);
    let jobs = acknowledged(&lines);
    assert!(jobs.len() > 20, "{lines:?}");
    let stopped: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("stopped "))
        .collect();
    assert_eq!(stopped.len(), 4, "{stopped:?}");
    assert!(
        stopped
            .iter()
            .all(|line| line.starts_with("stopped store_unavailable ")),
        "{stopped:?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("afterwards ")));
    assert!(lines.iter().any(|line| line == "readable"), "{lines:?}");

    let bench = place.bench().await;
    all_there(bench.store.as_ref(), &jobs).await;
    bench.submit().await;
    let report = bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
}
