//! Rows that someone or something changed. Damage is named, and is never taken for emptiness.

use dogwatch_core::ids::{ApprovalId, RunId, TokenId};
use dogwatch_core::job::{RunOutcome, StartApproval};
use dogwatch_core::server::ServerCommand;
use dogwatch_store::contract_suite::{Bench, Held, JournalWriter};
use dogwatch_store::{ApprovalFilter, JobFilter, PageRequest, StoreError};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use crate::place::Place;

struct Damaged {
    place: Place,
    bench: Bench,
    held: Held,
    run: RunId,
}

/// A running job with three lines in its journal, one that waits for an approval, and a token.
async fn waiting_history() -> (Damaged, ApprovalId) {
    let damaged = history().await;
    let bench = &damaged.bench;
    let later = bench.now().plus(std::time::Duration::from_secs(60));
    let job = bench
        .submit_with(|facts| {
            facts.approval = Some(StartApproval { ttl_ms: 60_000 });
            facts.deadline = Some(later);
        })
        .await;
    let approval = bench.job(job).await.approvals[0].id;
    let token = TokenId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    bench.server(bench.token_command(token)).await.unwrap();
    (damaged, approval)
}

/// A running job with three lines in its journal.
async fn history() -> Damaged {
    let place = Place::new();
    let bench = place.bench().await;
    let (held, run) = bench.running().await;
    let mut journal = JournalWriter::new(held, run);
    let lines = vec![
        journal.started(&bench),
        journal.note(&bench, "one"),
        journal.note(&bench, "two"),
    ];
    journal.send(&bench, lines).await.unwrap();
    Damaged {
        place,
        bench,
        held,
        run,
    }
}

impl Damaged {
    fn job(&self) -> String {
        self.held.job.to_string()
    }

    fn vandal(&self) -> Connection {
        let connection = self.place.vandal();
        connection
            .execute_batch(
                "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_deleted;
                 DROP TRIGGER run_lines_are_never_changed; DROP TRIGGER run_lines_are_never_deleted;
                 DROP TRIGGER terminal_is_final; DROP TRIGGER epochs_only_grow;",
            )
            .unwrap();
        connection
    }

    async fn close(&self) -> Result<(), StoreError> {
        let command = self
            .bench
            .close_command(self.held, self.run, RunOutcome::Succeeded);
        self.bench.command(self.held.job, command).await.map(|_| ())
    }
}

fn corrupt<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    error.to_string()
}

/// Every projection, as text.
fn dump(connection: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "jobs",
        "ready",
        "active_leases",
        "runs",
        "approvals",
        "timers",
        "server",
        "short_ids",
    ] {
        let mut statement = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = statement.column_count();
        let mut cursor = statement.query([]).unwrap();
        while let Some(row) = cursor.next().unwrap() {
            let values: Vec<String> = (0..columns)
                .map(|column| match row.get_ref(column).unwrap() {
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                })
                .collect();
            rows.push(format!("{table}: {}", values.join(" | ")));
        }
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn the_log_is_append_only_for_everyone() {
    let damaged = history().await;
    let vandal = damaged.place.vandal();
    for sql in [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "UPDATE run_lines SET line = x'00'",
        "DELETE FROM run_lines",
        "UPDATE jobs SET epoch = 0",
    ] {
        assert!(vandal.execute(sql, []).is_err(), "{sql}");
    }
    damaged.close().await.unwrap();
    let sql = "UPDATE jobs SET status = 'queued'";
    assert!(vandal.execute(sql, []).is_err(), "{sql}");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_corrupt() {
    let damaged = history().await;
    let job = damaged.held.job;
    for state in ["", "{", "null", "{\"id\":\"job_x\"}"] {
        damaged.vandal_once("UPDATE jobs SET state = ?1", state);
        let bench = &damaged.bench;
        corrupt(bench.store.job(job).await);
        corrupt(
            bench
                .store
                .jobs(JobFilter::default(), PageRequest::default())
                .await,
        );
        corrupt(damaged.close().await);
    }
    for (sql, value) in [
        ("UPDATE runs SET state = ?1", "{}"),
        ("UPDATE runs SET header = ?1", "{}"),
        ("UPDATE runs SET job = ?1", "nobody"),
    ] {
        damaged.vandal_once(sql, value);
        corrupt(damaged.bench.store.run(damaged.run).await);
    }
    damaged.vandal_once("UPDATE active_leases SET body = ?1", "{}");
    corrupt(damaged.bench.store.active_leases().await);
}

impl Damaged {
    fn vandal_once(&self, sql: &str, value: &str) {
        let connection = self.place.vandal();
        assert!(connection.execute(sql, [value]).unwrap() > 0, "{sql}");
    }
}

#[tokio::test]
async fn a_waiting_that_cannot_be_read_is_corrupt() {
    let (damaged, approval) = waiting_history().await;
    let store = &damaged.bench.store;
    damaged.vandal_once("UPDATE approvals SET body = ?1", "{}");
    corrupt(store.approval(approval).await);
    corrupt(
        store
            .approvals(ApprovalFilter::default(), PageRequest::default())
            .await,
    );
    damaged.vandal_once("UPDATE timers SET body = ?1 WHERE at IS NULL", "{}");
    corrupt(store.steady_timers().await);
    damaged.vandal_once("UPDATE timers SET body = ?1 WHERE at IS NOT NULL", "[]");
    let end_of_time = dogwatch_core::Timestamp::from_micros(i64::MAX);
    corrupt(store.wall_timers(end_of_time, 1).await);
}

#[tokio::test]
async fn a_server_without_its_state_has_not_lost_its_tokens() {
    let start = || ServerCommand::Start {
        version: "1".to_owned(),
    };
    for sql in [
        "DELETE FROM server",
        "UPDATE server SET state = '{'",
        "UPDATE server SET head = printf('%064d', 1)",
        "UPDATE server SET version = 2",
        "DELETE FROM events WHERE stream = 'server'",
    ] {
        let (damaged, _) = waiting_history().await;
        let bench = &damaged.bench;
        damaged.vandal().execute(sql, []).unwrap();
        corrupt(bench.server(start()).await);
        if sql.contains("DELETE FROM server") || sql.contains("state") {
            corrupt(bench.store.server_state().await);
        }
        if !sql.contains("state") {
            let findings = bench.store.check_chains().await.unwrap();
            assert!(
                findings.iter().any(|finding| finding.contains("server")),
                "{sql}: {findings:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_lost_projection_is_not_an_unknown_job() {
    let damaged = history().await;
    let job = damaged.held.job;
    damaged.vandal().execute("DELETE FROM jobs", []).unwrap();
    corrupt(damaged.bench.store.job(job).await);
    corrupt(damaged.close().await);
    let again = damaged.bench.submission(damaged.bench.facts(job));
    corrupt(damaged.bench.command(job, again).await);
}

#[tokio::test]
async fn nothing_is_decided_on_a_stream_whose_end_does_not_fit() {
    for sql in [
        "UPDATE jobs SET head = printf('%064d', 1)",
        "UPDATE jobs SET version = version - 1",
        "UPDATE events SET line = x'7b7d' WHERE seq = 5",
        "DELETE FROM events WHERE seq = 5",
        "DELETE FROM events",
    ] {
        let damaged = history().await;
        damaged.vandal().execute(sql, []).unwrap();
        corrupt(damaged.close().await);
        let findings = damaged.bench.store.check_chains().await.unwrap();
        assert!(
            findings
                .iter()
                .any(|finding| finding.contains(&damaged.job())),
            "{sql}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn no_line_is_appended_to_a_journal_whose_end_does_not_fit() {
    for sql in [
        "UPDATE runs SET head = printf('%064d', 1)",
        "UPDATE runs SET lines = lines - 1",
        "UPDATE run_lines SET line = x'7b7d' WHERE seq = 3",
        "DELETE FROM run_lines WHERE seq = 3",
        "DELETE FROM run_lines",
    ] {
        let damaged = history().await;
        damaged.vandal().execute(sql, []).unwrap();
        let line = JournalWriter::new(damaged.held, damaged.run).started(&damaged.bench);
        corrupt(
            damaged
                .bench
                .send(damaged.held, damaged.run, vec![line])
                .await,
        );
        let findings = damaged.bench.store.check_chains().await.unwrap();
        assert!(
            findings
                .iter()
                .any(|finding| finding.contains(&damaged.run.to_string())),
            "{sql}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn every_changed_line_is_named() {
    for seq in 1..=5 {
        let damaged = history().await;
        let vandal = damaged.vandal();
        let mut line: Vec<u8> = vandal
            .query_row(
                "SELECT line FROM events WHERE stream = ?1 AND seq = ?2",
                params![damaged.job(), seq],
                |row| row.get(0),
            )
            .unwrap();
        // Another actor, in the same number of bytes.
        let at = line
            .windows(10)
            .position(|window| window == b"user:suite")
            .unwrap();
        line[at] = b'l';
        vandal
            .execute(
                "UPDATE events SET line = ?1 WHERE stream = ?2 AND seq = ?3",
                params![line, damaged.job(), seq],
            )
            .unwrap();
        let findings = damaged.bench.store.check_chains().await.unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        // The link to a changed line stands in the one after it, or in the projection.
        let next = format!("line {}", seq + 1);
        assert!(
            findings[0].contains(&next) || (seq == 5 && findings[0].contains("head")),
            "{findings:?}"
        );
        if seq < 5 {
            corrupt(damaged.bench.store.rebuild().await);
        }
    }
}

#[tokio::test]
async fn a_hole_in_a_stream_is_not_read_over() {
    let damaged = history().await;
    damaged
        .vandal()
        .execute_batch("DELETE FROM events WHERE seq = 3; DELETE FROM run_lines WHERE seq = 2")
        .unwrap();
    let store = &damaged.bench.store;
    corrupt(store.events(damaged.held.job, 0, 10).await);
    corrupt(store.run_lines(damaged.run, 0, 10).await);
    assert_eq!(store.events(damaged.held.job, 0, 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_kind_is_corrupt() {
    let damaged = history().await;
    let vandal = damaged.vandal();
    vandal
        .execute(
            "UPDATE events SET line = CAST(replace(CAST(line AS TEXT), 'run.created.v1', 'run.conjured.v1') AS BLOB)",
            [],
        )
        .unwrap();
    let reason = corrupt(damaged.bench.store.rebuild().await);
    assert!(reason.contains("run.conjured.v1"), "{reason}");
}

#[tokio::test]
async fn a_contract_that_was_changed_is_corrupt() {
    let damaged = history().await;
    let bytes = b"{}".to_vec();
    let hash = dogwatch_core::Sha256Digest::of(&bytes);
    let mut update = damaged
        .bench
        .deciding(|_, _| Ok(dogwatch_store::Decision::default()));
    update.side = dogwatch_store::Side::Contract { hash, bytes };
    damaged
        .bench
        .store
        .update(damaged.held.job, update)
        .await
        .unwrap();
    damaged
        .place
        .vandal()
        .execute("UPDATE contracts SET bytes = x'5b5d'", [])
        .unwrap();
    corrupt(damaged.bench.store.contract(hash).await);
}

/// Invariant 6: projections equal a replay.
#[tokio::test]
async fn lost_projections_come_back_as_they_were() {
    let (damaged, _) = waiting_history().await;
    damaged.bench.submit().await;
    let vandal = damaged.place.vandal();
    let before = dump(&vandal);
    // Three jobs, a ready one, a lease, a run, an approval, two timers, a server, five ids.
    assert_eq!(before.len(), 15);
    vandal
        .execute_batch(
            "DELETE FROM ready; DELETE FROM active_leases; DELETE FROM runs; DELETE FROM approvals; DELETE FROM timers;
             DELETE FROM server; DELETE FROM jobs; DELETE FROM short_ids;",
        )
        .unwrap();
    let report = damaged.bench.store.rebuild().await.unwrap();
    assert!(!report.differences.is_empty());
    assert_eq!(dump(&vandal), before);
    damaged.close().await.unwrap();
    let report = damaged.bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
}

#[tokio::test]
async fn changed_projections_are_named_and_put_right() {
    let job = "job_00000000000000000000000000000000";
    let changes = [
        ("UPDATE jobs SET status = 'queued'", "jobs job_"),
        ("UPDATE jobs SET priority = 7", "jobs job_"),
        ("UPDATE jobs SET epoch = 9", "jobs job_"),
        (
            "UPDATE jobs SET state = replace(state, 'do it', 'do ti')",
            "jobs job_",
        ),
        (
            "INSERT INTO ready SELECT id, project, NULL, 0, 0, 0, NULL, 1 FROM jobs WHERE status = 'running'",
            "ready job_",
        ),
        ("DELETE FROM ready", "ready job_"),
        ("UPDATE ready SET rank = -9", "ready job_"),
        ("UPDATE ready SET schedule = 1", "ready job_"),
        ("UPDATE ready SET machine = 'mch'", "ready job_"),
        ("DELETE FROM active_leases", "active_leases job_"),
        ("UPDATE active_leases SET body = '{}'", "active_leases job_"),
        ("UPDATE runs SET header = '{}'", "runs run_"),
        ("UPDATE runs SET lines = 1", "runs (journal) run_"),
        ("UPDATE runs SET state = '{}'", "runs (journal) run_"),
        ("DELETE FROM runs", "runs run_"),
        ("DELETE FROM short_ids", "short_ids job_"),
        ("DELETE FROM short_ids WHERE id LIKE 'apr%'", "short_ids apr_"),
        ("DELETE FROM approvals", "approvals apr_"),
        ("UPDATE approvals SET state = 'used'", "approvals apr_"),
        ("UPDATE approvals SET body = '{}'", "approvals apr_"),
        ("UPDATE approvals SET title = ''", "approvals apr_"),
        (
            "INSERT INTO approvals SELECT 'apr_0', job, project, title, state, requested_at, body FROM approvals",
            "approvals apr_0: no event",
        ),
        ("DELETE FROM timers WHERE at IS NULL", "timers job_"),
        ("UPDATE timers SET at = 1 WHERE at IS NOT NULL", "timers job_"),
        (
            "INSERT INTO timers SELECT id, 1, '{}' FROM jobs WHERE status = 'running'",
            "timers job_",
        ),
        ("DELETE FROM server", "server server: missing"),
        ("UPDATE server SET state = '{}'", "server server"),
        (
            "INSERT INTO short_ids VALUES ('0', 'job_0')",
            "short_ids job_0: no event",
        ),
        (
            "INSERT INTO jobs SELECT 'job_00000000000000000000000000000000', project, status, 0, NULL, 0, 0, 0, 1, head, state
             FROM jobs LIMIT 1",
            job,
        ),
        (
            "INSERT INTO runs SELECT 'run_00000000000000000000000000000000', job, project, 0, header, 0, head, state
             FROM runs LIMIT 1",
            "runs run_00000000000000000000000000000000: no event",
        ),
    ];
    for (sql, named) in changes {
        let (damaged, _) = waiting_history().await;
        damaged.bench.submit().await;
        let vandal = damaged.vandal();
        let before = dump(&vandal);
        assert!(vandal.execute(sql, []).unwrap() > 0, "{sql}");
        let report = damaged.bench.store.rebuild().await.unwrap();
        assert!(
            report.differences.iter().any(|found| found.contains(named)),
            "{sql}: {:?}",
            report.differences
        );
        assert_eq!(dump(&vandal), before, "{sql}");
    }
}
