//! Choosing the next job: the first row of an index, however many jobs wait, were finished, or are not due.

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::JobStatus;
use dogwatch_store::JobFilter;
use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::Fault;

const MOVE_DUE: &str = "UPDATE ready SET due = 1 WHERE due = 0 AND not_before <= ?1";
const NEXT: &str = "SELECT job, not_before FROM ready WHERE due = 1
     ORDER BY rank, created_at, job LIMIT 1";
const NEXT_IN_PROJECT: &str = "SELECT job, not_before FROM ready WHERE due = 1 AND project = ?1
     ORDER BY rank, created_at, job LIMIT 1";
const MOVE_BACK: &str = "UPDATE ready SET due = 0 WHERE job = ?1";

/// The job that is next: the greatest priority first, then the oldest.
pub(super) fn next(
    connection: &Connection,
    filter: &JobFilter,
    now: Timestamp,
) -> Result<Option<JobId>, Fault> {
    if !filter.statuses.is_empty() && !filter.statuses.contains(&JobStatus::Queued) {
        return Ok(None);
    }
    // Each job is moved once in its life, so this costs a claim no more than its own share.
    connection
        .prepare_cached(MOVE_DUE)?
        .execute([now.as_micros()])?;
    loop {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let first: Option<(String, Option<i64>)> = match filter.project {
            None => connection.prepare_cached(NEXT)?.query_row([], read),
            Some(project) => connection
                .prepare_cached(NEXT_IN_PROJECT)?
                .query_row([project.to_string()], read),
        }
        .optional()?;
        let Some((job, not_before)) = first else {
            return Ok(None);
        };
        // The clock was set back after the job was moved: it is not due any more, and must not stand in the way of those that are.
        if not_before.is_some_and(|at| at > now.as_micros()) {
            connection.prepare_cached(MOVE_BACK)?.execute([&job])?;
            continue;
        }
        return job
            .parse()
            .map(Some)
            .map_err(|error| Fault::corrupt(format_args!("ready job `{job}`"), error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    /// 5,000 jobs of one project that are due, 5,000 more important ones that are not.
    fn crowded() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        connection
            .pragma_update(None, "foreign_keys", false)
            .unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 INSERT INTO ready SELECT printf('job_%032x', i), 'prj_a', i % 7, NULL, i, 1 FROM n;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 INSERT INTO ready SELECT printf('job_%032x', i + 90000), 'prj_b', -9, 1000000 + i, i, 0 FROM n;",
            )
            .unwrap();
        connection
    }

    #[test]
    fn a_claim_is_a_seek_in_an_index() {
        let connection = crowded();
        for (sql, index) in [
            (MOVE_DUE.replace("?1", "5"), "ready_later"),
            (NEXT.to_owned(), "ready_in_order"),
            (NEXT_IN_PROJECT.replace("?1", "'prj_a'"), "ready_in_project"),
        ] {
            let plan: Vec<String> = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap()
                .query_map([], |row| row.get("detail"))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");

            let mut statement = connection.prepare(&sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap().is_some() {}
            drop(rows);
            let steps = statement.get_status(StatementStatus::VmStep);
            assert!(steps < 200, "{steps} steps: {sql}");
        }
    }

    #[test]
    fn jobs_move_when_they_are_due_and_back_when_the_clock_is_set_back() {
        let connection = crowded();
        let at = Timestamp::from_micros;
        let any = JobFilter::default();
        let next = |now| {
            next(&connection, &any, at(now))
                .unwrap()
                .unwrap()
                .to_string()
        };
        let due = format!("job_{:032x}", 7);
        let later = format!("job_{:032x}", 90001);
        assert_eq!(next(1_000_000), due);
        assert_eq!(next(1_000_001), later);
        assert_eq!(next(1_000_000), due);
        assert_eq!(next(2_000_000), later);
    }

    #[test]
    fn a_filter_without_queued_jobs_finds_none() {
        let filter = JobFilter {
            project: None,
            statuses: vec![JobStatus::Running],
        };
        assert_eq!(next(&crowded(), &filter, Timestamp::EPOCH).unwrap(), None);
    }
}
