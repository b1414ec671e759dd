//! Choosing the next job: the first row of an index, however many jobs wait, were finished, or are not due.

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_core::queue::Offer;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::fault::Fault;

const MOVE_DUE: &str = "UPDATE ready SET due = 1 WHERE due = 0 AND not_before <= ?1";
const MOVE_BACK: &str = "UPDATE ready SET due = 0 WHERE job = ?1";

/// Of all jobs that any machine may take.
const NEXT: &str = "SELECT rank, schedule, created_at, job, project, not_before FROM ready
     WHERE due = 1 AND machine IS NULL AND (rank, schedule, created_at, job) > (?1, ?2, ?3, ?4)
     ORDER BY rank, schedule, created_at, job LIMIT 1";
/// Of those of one project.
const NEXT_IN_PROJECT: &str = "SELECT rank, schedule, created_at, job, project, not_before FROM ready
     WHERE due = 1 AND machine IS NULL AND project = ?5 AND (rank, schedule, created_at, job) > (?1, ?2, ?3, ?4)
     ORDER BY rank, schedule, created_at, job LIMIT 1";
/// Of the parked runs that only one machine can go on with.
const NEXT_ON_MACHINE: &str =
    "SELECT rank, schedule, created_at, job, project, not_before FROM ready
     WHERE machine = ?5 AND (rank, schedule, created_at, job) > (?1, ?2, ?3, ?4)
     ORDER BY rank, schedule, created_at, job LIMIT 1";

/// The jobs that a machine may be given, in the order they are given out: the greatest priority first, then the earliest schedule, then
/// the oldest.
pub(super) struct Candidates<'a> {
    connection: &'a Connection,
    offer: &'a Offer,
    now: Timestamp,
    sources: Vec<Source>,
}

/// One of the orders that are merged.
struct Source {
    sql: &'static str,
    /// The project or machine it is about, where it is about one.
    of: Option<String>,
    next: Next,
}

enum Next {
    /// Has to be looked up: whatever comes after this place.
    After(Place),
    /// Was looked up.
    Known(Candidate),
    /// There is no more.
    End,
}

/// A place in the order of claims.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rank: i64,
    schedule: i64,
    created_at: i64,
    job: String,
}

struct Candidate {
    place: Place,
    project: String,
    not_before: Option<i64>,
}

impl Source {
    fn new(sql: &'static str, of: Option<String>) -> Self {
        let first = Place {
            rank: i64::MIN,
            schedule: i64::MIN,
            created_at: i64::MIN,
            job: String::new(),
        };
        Self {
            sql,
            of,
            next: Next::After(first),
        }
    }

    /// The next place of this order.
    fn look(&mut self, connection: &Connection) -> Result<Option<&Place>, Fault> {
        if let Next::After(place) = &self.next {
            self.next = seek(connection, self.sql, self.of.as_deref(), place)?
                .map_or(Next::End, Next::Known);
        }
        match &self.next {
            Next::Known(candidate) => Ok(Some(&candidate.place)),
            Next::After(_) | Next::End => Ok(None),
        }
    }

    fn take(&mut self) -> Option<Candidate> {
        match std::mem::replace(&mut self.next, Next::End) {
            Next::Known(candidate) => {
                self.next = Next::After(candidate.place.clone());
                Some(candidate)
            }
            next @ (Next::After(_) | Next::End) => {
                self.next = next;
                None
            }
        }
    }
}

fn seek(
    connection: &Connection,
    sql: &str,
    of: Option<&str>,
    after: &Place,
) -> Result<Option<Candidate>, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Candidate {
            place: Place {
                rank: row.get(0)?,
                schedule: row.get(1)?,
                created_at: row.get(2)?,
                job: row.get(3)?,
            },
            project: row.get(4)?,
            not_before: row.get(5)?,
        })
    };
    let mut statement = connection.prepare_cached(sql)?;
    let candidate = match of {
        None => statement.query_row(
            params![after.rank, after.schedule, after.created_at, after.job],
            read,
        ),
        Some(of) => statement.query_row(
            params![after.rank, after.schedule, after.created_at, after.job, of],
            read,
        ),
    };
    Ok(candidate.optional()?)
}

impl<'a> Candidates<'a> {
    /// What an offer may be given now.
    pub(super) fn of(
        connection: &'a Connection,
        offer: &'a Offer,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        // Each job is moved once in its life, so this costs a claim no more than its own share.
        connection
            .prepare_cached(MOVE_DUE)?
            .execute([now.as_micros()])?;
        let mut sources = vec![Source::new(
            NEXT_ON_MACHINE,
            Some(offer.machine.to_string()),
        )];
        match &offer.projects {
            None => sources.push(Source::new(NEXT, None)),
            Some(projects) => sources.extend(
                projects
                    .iter()
                    .map(|project| Source::new(NEXT_IN_PROJECT, Some(project.to_string()))),
            ),
        }
        Ok(Self {
            connection,
            offer,
            now,
            sources,
        })
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<JobId>, Fault> {
        while let Some(candidate) = self.first()? {
            let job = &candidate.place.job;
            // The clock was set back after the job was moved: it is not due any more, and must not stand in the way of those that are.
            if candidate
                .not_before
                .is_some_and(|at| at > self.now.as_micros())
            {
                self.connection.prepare_cached(MOVE_BACK)?.execute([job])?;
                continue;
            }
            let corrupt = |error: dogwatch_core::ids::ParseIdError| {
                Fault::corrupt(format_args!("ready job `{job}`"), error)
            };
            let project = candidate.project.parse().map_err(corrupt)?;
            let offered = self
                .offer
                .projects
                .as_ref()
                .is_none_or(|projects| projects.contains(&project));
            if offered {
                return job.parse().map(Some).map_err(corrupt);
            }
        }
        Ok(None)
    }

    /// The first of what all orders have next.
    fn first(&mut self) -> Result<Option<Candidate>, Fault> {
        let mut first: Option<(usize, Place)> = None;
        for (index, source) in self.sources.iter_mut().enumerate() {
            if let Some(place) = source.look(self.connection)?
                && first.as_ref().is_none_or(|(_, first)| place < first)
            {
                first = Some((index, place.clone()));
            }
        }
        Ok(first.and_then(|(index, _)| self.sources[index].take()))
    }
}

#[cfg(test)]
mod tests {
    use dogwatch_core::ids::{MachineId, ProjectId};
    use rusqlite::StatementStatus;

    use super::*;

    fn project(number: u32) -> ProjectId {
        format!("prj_{number:032x}").parse().unwrap()
    }

    fn machine(number: u32) -> MachineId {
        format!("mch_{number:032x}").parse().unwrap()
    }

    /// 5,000 jobs of one project that are due, 5,000 more important ones of another that are not, and as many parked on each of two
    /// machines.
    fn crowded() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        connection
            .pragma_update(None, "foreign_keys", false)
            .unwrap();
        let (one, two) = (project(1), project(2));
        let (here, there) = (machine(1), machine(2));
        for values in [
            format!("printf('job_%032x', i), '{one}', NULL, i % 7, i, i, NULL, 1"),
            format!(
                "printf('job_%032x', i + 90000), '{two}', NULL, -9, 1000000 + i, i, 1000000 + i, 0"
            ),
            format!("printf('job_%032x', i + 200000), '{one}', '{here}', 3, i, i, NULL, 1"),
            format!("printf('job_%032x', i + 300000), '{one}', '{there}', -99, i, i, NULL, 1"),
        ] {
            connection
                .execute_batch(&format!(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                     INSERT INTO ready (job, project, machine, rank, schedule, created_at, not_before, due) SELECT {values} FROM n",
                ))
                .unwrap();
        }
        connection
    }

    #[test]
    fn a_claim_is_a_seek_in_an_index() {
        let connection = crowded();
        let after = |sql: &str, of: String| {
            let job = format!("'job_{:032x}'", 2500);
            sql.replace("?1", "3")
                .replace("?2", "2500")
                .replace("?3", "2500")
                .replace("?4", &job)
                .replace("?5", &format!("'{of}'"))
        };
        for (sql, index) in [
            (MOVE_DUE.replace("?1", "5"), "ready_later"),
            (after(NEXT, String::new()), "ready_in_order"),
            (
                after(NEXT_IN_PROJECT, project(1).to_string()),
                "ready_in_project",
            ),
            (
                after(NEXT_ON_MACHINE, machine(1).to_string()),
                "ready_on_machine",
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

            let mut statement = connection.prepare(&sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap().is_some() {}
            drop(rows);
            let steps = statement.get_status(StatementStatus::VmStep);
            assert!(steps < 200, "{steps} steps: {sql}");
        }
    }

    fn take(connection: &Connection, offer: &Offer, now: i64, count: usize) -> Vec<u32> {
        let now = Timestamp::from_micros(now);
        let mut candidates = Candidates::of(connection, offer, now).unwrap();
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some(job) = candidates.next().unwrap()
        {
            let digits = job.to_string();
            taken.push(u32::from_str_radix(&digits["job_".len()..], 16).unwrap());
        }
        taken
    }

    #[test]
    fn jobs_move_when_they_are_due_and_back_when_the_clock_is_set_back() {
        let connection = crowded();
        let any = Offer::anything(machine(9));
        let next = |now| take(&connection, &any, now, 1);
        assert_eq!(next(1_000_000), [7]);
        assert_eq!(next(1_000_001), [90001]);
        assert_eq!(next(1_000_000), [7]);
        assert_eq!(next(2_000_000), [90001]);
    }

    #[test]
    fn the_orders_are_merged_into_one() {
        let connection = crowded();
        let places = |offer: &Offer, count| -> Vec<(i64, i64)> {
            take(&connection, offer, 1_000_500, count)
                .into_iter()
                .map(|job| {
                    connection
                        .query_row(
                            "SELECT rank, schedule FROM ready WHERE job = ?1",
                            [format!("job_{job:032x}")],
                            |row| Ok((row.get(0)?, row.get(1)?)),
                        )
                        .unwrap()
                })
                .collect()
        };
        // Everything that is due, and what is parked here but not there.
        let anything = Offer::anything(machine(1));
        let order = places(&anything, usize::MAX);
        assert_eq!(order.len(), 500 + 5000 + 5000);
        assert!(order.is_sorted());
        let both = Offer {
            projects: Some([project(1), project(2)].into()),
            ..anything.clone()
        };
        assert_eq!(places(&both, usize::MAX), order);
        let two = Offer {
            projects: Some([project(2), project(3)].into()),
            ..anything.clone()
        };
        assert_eq!(places(&two, usize::MAX).len(), 500);
        let nothing = Offer {
            projects: Some([].into()),
            ..anything
        };
        assert_eq!(places(&nothing, 1), []);
    }
}
