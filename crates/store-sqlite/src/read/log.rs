//! The control log over all streams, in the order of commits.

use dogwatch_store::{LogFilter, LogLine};
use rusqlite::{Connection, params};

use crate::fault::Fault;
use crate::project::integer;

const ALL: &str =
    "SELECT position, line FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
const OF_PROJECT: &str = "SELECT position, line FROM events
     WHERE project = ?3 AND position > ?1 ORDER BY position LIMIT ?2";
const OF_JOB: &str = "SELECT position, line FROM events
     WHERE job = ?3 AND project = ifnull(?4, project) AND position > ?1 ORDER BY position LIMIT ?2";

/// The lines after a position.
pub(crate) fn log(connection: &Connection, filter: &LogFilter) -> Result<Vec<LogLine>, Fault> {
    let after = integer(filter.after);
    let limit = filter.limit;
    let project = filter.project.map(|project| project.to_string());
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows: Vec<(i64, Vec<u8>)> = match (filter.job, project) {
        (None, None) => connection
            .prepare_cached(ALL)?
            .query_map(params![after, limit], read)?
            .collect::<Result<_, _>>()?,
        (None, Some(project)) => connection
            .prepare_cached(OF_PROJECT)?
            .query_map(params![after, limit, project], read)?
            .collect::<Result<_, _>>()?,
        (Some(job), project) => connection
            .prepare_cached(OF_JOB)?
            .query_map(params![after, limit, job.to_string(), project], read)?
            .collect::<Result<_, _>>()?,
    };
    rows.into_iter()
        .map(|(position, line)| {
            let position = u64::try_from(position)
                .map_err(|error| Fault::corrupt("the position of an event", error))?;
            Ok(LogLine { position, line })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_nothing_that_it_leaves_out() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        for (sql, index) in [
            (ALL, "INTEGER PRIMARY KEY"),
            (OF_PROJECT, "events_of_project"),
            (OF_JOB, "events_of_job"),
        ] {
            let sql = sql
                .replace("?1", "5")
                .replace("?2", "5")
                .replace("?3", "'a'")
                .replace("?4", "'b'");
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
        }
    }
}
