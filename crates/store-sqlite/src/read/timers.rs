//! What waits for time.

use dogwatch_core::Timestamp;
use dogwatch_store::JobTimer;
use rusqlite::{Connection, Params, params};

use crate::fault::Fault;

const STEADY: &str = "SELECT job, body FROM timers WHERE at IS NULL ORDER BY job, body";
const WALL: &str = "SELECT job, body FROM timers WHERE at <= ?1 ORDER BY at, job, body LIMIT ?2";

/// Everything that waits by a steady clock.
pub(crate) fn steady_timers(connection: &Connection) -> Result<Vec<JobTimer>, Fault> {
    timers(connection, STEADY, [])
}

/// What waits for an instant that is not after `until`, the earliest first.
pub(crate) fn wall_timers(
    connection: &Connection,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<JobTimer>, Fault> {
    timers(connection, WALL, params![until.as_micros(), limit])
}

fn timers(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<JobTimer>, Fault> {
    let rows = connection
        .prepare_cached(sql)?
        .query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, String)>, _>>()?;
    rows.into_iter()
        .map(|(job, body)| {
            Ok(JobTimer {
                timer: serde_json::from_str(&body)
                    .map_err(|error| Fault::corrupt(format_args!("timer of {job}"), error))?,
                job: job.parse().map_err(|error| Fault::corrupt(&job, error))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_the_timers_of_the_other_clock() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        for (sql, index) in [
            (STEADY.to_owned(), "timers_by_instant (at=?)"),
            (
                WALL.replace("?1", "5").replace("?2", "5"),
                "timers_by_instant (at<?)",
            ),
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
        }
    }
}
