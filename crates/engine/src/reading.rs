//! Reading without an engine: what commands that only look need, on any store they may only read.

use dogwatch_api::{JobRef, Problem, ProblemCode, RunDetail};
use dogwatch_store::{Reads, RunView};

use crate::problems;

/// What a short id names in a store.
pub async fn resolve<R: Reads + ?Sized>(reads: &R, text: &str) -> Result<JobRef, Problem> {
    let found = reads
        .find_ids(text, 5)
        .await
        .map_err(problems::from_store)?;
    named(&found, text)
}

/// The one thing among those that were found.
pub(crate) fn named(found: &[String], text: &str) -> Result<JobRef, Problem> {
    match found {
        [] => Err(problems::not_found(
            "not_found",
            &format!("job or run `{text}`"),
        )),
        [one] => one
            .parse()
            .map(JobRef::Job)
            .or_else(|_| one.parse().map(JobRef::Run))
            .map_err(|error| {
                Problem::new(
                    ProblemCode::Internal,
                    "store_corrupt",
                    error.to_string(),
                    "run `dogwatch doctor`",
                )
            }),
        several => Err(Problem::new(
            ProblemCode::Invalid,
            "ambiguous_id",
            format!("`{text}` could be {}", several.join(", ")),
            "give more of the id",
        )),
    }
}

/// A run as the API shows it.
pub fn detail(view: RunView) -> RunDetail {
    RunDetail {
        id: view.header.id,
        job: view.job,
        project: view.project,
        header: view.header,
        state: view.state,
    }
}
