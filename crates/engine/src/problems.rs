//! From refusals and store errors to problems, in one place.

use dogwatch_api::{Problem, ProblemCode, Scope};
use dogwatch_core::ids::ProjectId;
use dogwatch_core::job::Refusal;
use dogwatch_store::StoreError;

pub(crate) fn forbidden(scope: Scope) -> Problem {
    let scope = format!("{scope:?}").to_lowercase();
    Problem::new(
        ProblemCode::Forbidden,
        "scope_missing",
        format!("the caller does not have the scope `{scope}`"),
        "use a token that has it",
    )
}

pub(crate) fn foreign_project(project: ProjectId) -> Problem {
    Problem::new(
        ProblemCode::Forbidden,
        "project_forbidden",
        format!("the caller may not see {project}"),
        "use a token of that project",
    )
}

pub(crate) fn not_found(code: &str, what: &str) -> Problem {
    Problem::new(
        ProblemCode::NotFound,
        code,
        format!("there is no {what}"),
        "list what there is with `dogwatch jobs list` or `dogwatch runs list`",
    )
}

pub(crate) fn invalid(code: &str, detail: impl Into<String>, next: &str) -> Problem {
    Problem::new(ProblemCode::Invalid, code, detail, next)
}

pub(crate) fn conflict(code: &str, detail: impl Into<String>, next: &str) -> Problem {
    Problem::new(ProblemCode::Conflict, code, detail, next)
}

pub(crate) fn from_store(error: StoreError) -> Problem {
    let code = error.code();
    let detail = error.to_string();
    let (kind, next) = match &error {
        StoreError::Refused(refusal) => from_refusal(refusal),
        StoreError::IdempotencyConflict { .. } => (
            ProblemCode::Conflict,
            "use a new key, or send the same request again",
        ),
        StoreError::JournalFork { .. } => (
            ProblemCode::Conflict,
            "the run has two histories: it ends as failed, its bundle has both",
        ),
        StoreError::JournalGap { .. } => (ProblemCode::Conflict, "send the lines from that one on"),
        StoreError::JournalLine { .. } | StoreError::Event(_) => (
            ProblemCode::Invalid,
            "this is a defect of the runner: please report it with the run's bundle",
        ),
        StoreError::Corrupt { .. } => (
            ProblemCode::Internal,
            "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`",
        ),
        StoreError::BadCursor(_) => (ProblemCode::Invalid, "start again without a cursor"),
        StoreError::Version(_) => (
            ProblemCode::Internal,
            "use the matching version of dogwatch",
        ),
        StoreError::Unavailable { .. } => (
            ProblemCode::Unavailable,
            "check free space on the data directory, then try again",
        ),
    };
    Problem::new(kind, code, detail, next)
}

fn from_refusal(refusal: &Refusal) -> (ProblemCode, &'static str) {
    match refusal {
        Refusal::NoSuchJob => (
            ProblemCode::NotFound,
            "list what there is with `dogwatch jobs list`",
        ),
        Refusal::LeaseLost { .. } => (
            ProblemCode::LeaseLost,
            "end the run's processes and write nothing more for it",
        ),
        Refusal::AlreadyExists(_) | Refusal::WrongState { .. } | Refusal::WrongRun => (
            ProblemCode::Conflict,
            "look at where the job stands with `dogwatch jobs show`",
        ),
        Refusal::NotYet(_) => (ProblemCode::Conflict, "wait until then"),
    }
}
