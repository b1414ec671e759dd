//! From refusals and store errors to problems, in one place.

use dogwatch_api::{Problem, ProblemCode, Scope};
use dogwatch_core::ids::{ProjectId, RunId};
use dogwatch_core::job::Refusal;
use dogwatch_core::server::ServerRefusal;
use dogwatch_store::{BlobError, OutputError, StoreError};

const DAMAGED: &str =
    "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`";
const FREE_SPACE: &str = "check free space on the data directory, then try again";

pub(crate) fn forbidden(scopes: &[Scope]) -> Problem {
    let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    Problem::new(
        ProblemCode::Forbidden,
        "scope_missing",
        format!(
            "the caller does not have the scope `{}`",
            names.join("` or `")
        ),
        "use a token that has it",
    )
}

pub(crate) fn other_run(own: RunId) -> Problem {
    Problem::new(
        ProblemCode::Forbidden,
        "scope_missing",
        format!("the token speaks for {own} and its lease, and for nothing else"),
        "ask about that run only",
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

/// A field of a request has a value that is not allowed.
pub(crate) fn field(name: &str, reason: impl std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::Invalid,
        "request_invalid",
        format!("`{name}` {reason}"),
        "compare the request with the route in `/v1/openapi.json`",
    )
}

pub(crate) fn conflict(code: &str, detail: impl Into<String>, next: &str) -> Problem {
    Problem::new(ProblemCode::Conflict, code, detail, next)
}

pub(crate) fn from_store(error: StoreError) -> Problem {
    let code = error.code();
    let detail = error.to_string();
    let (kind, next) = match &error {
        StoreError::Refused(refusal) => from_refusal(refusal),
        StoreError::ServerRefused(refusal) => match refusal {
            ServerRefusal::NoSuchToken(_) => (
                ProblemCode::NotFound,
                "list what there is with `dogwatch token list`",
            ),
            ServerRefusal::TokenExists(_) => (
                ProblemCode::Conflict,
                "look at it with `dogwatch token list`",
            ),
        },
        StoreError::BundleConflict { .. } => (
            ProblemCode::Conflict,
            "a run has one bundle for ever: leave the one that was declared",
        ),
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
        StoreError::Corrupt { .. } => (ProblemCode::Internal, DAMAGED),
        StoreError::BadCursor(_) => (ProblemCode::Invalid, "start again without a cursor"),
        StoreError::Version(_) => (
            ProblemCode::Internal,
            "use the matching version of dogwatch",
        ),
        StoreError::Unavailable { .. } => (ProblemCode::Unavailable, FREE_SPACE),
    };
    let problem = Problem::new(kind, code, detail, next);
    match error {
        StoreError::JournalGap { expected, .. } => problem.with("expected", expected),
        StoreError::JournalFork { seq, .. } => problem.with("line", seq),
        StoreError::Refused(Refusal::LeaseLost { current }) => problem.with("epoch", current.0),
        StoreError::Refused(Refusal::NotYet(at)) => problem.with("not_before", at.to_string()),
        _ => problem,
    }
}

fn from_refusal(refusal: &Refusal) -> (ProblemCode, &'static str) {
    match refusal {
        Refusal::NoSuchJob => (
            ProblemCode::NotFound,
            "list what there is with `dogwatch jobs list`",
        ),
        Refusal::NoSuchApproval(_) => (
            ProblemCode::NotFound,
            "list what waits with `dogwatch approvals list`",
        ),
        Refusal::LeaseLost { .. } => (
            ProblemCode::LeaseLost,
            "end the run's processes and write nothing more for it",
        ),
        Refusal::AlreadyExists(_) | Refusal::WrongState { .. } | Refusal::WrongRun => (
            ProblemCode::Conflict,
            "look at where the job stands with `dogwatch jobs show`",
        ),
        Refusal::RunNotClosed => (
            ProblemCode::Conflict,
            "wait until it is over: `dogwatch wait`",
        ),
        Refusal::EvidenceIncomplete => (
            ProblemCode::Conflict,
            "there is nothing to judge by: run the job again with `dogwatch jobs retry`",
        ),
        Refusal::OtherEvidence { .. } => (
            ProblemCode::Conflict,
            "look at the run again with `dogwatch runs show`, and judge what it really left",
        ),
        Refusal::NotPromotable(_) => (
            ProblemCode::Conflict,
            "only a success can be promoted; `dogwatch jobs retry --continue` goes on from where it stopped",
        ),
        Refusal::AlreadyLanded => (
            ProblemCode::Conflict,
            "a change that landed is taken back with git, not with a verdict",
        ),
        Refusal::NotPromoted => (
            ProblemCode::Conflict,
            "promote it first: `dogwatch promote`",
        ),
        Refusal::NotYet(_) => (ProblemCode::Conflict, "wait until then"),
        Refusal::BackingOff(_) => (ProblemCode::Conflict, "wait until the wait is over"),
        Refusal::Policy => (
            ProblemCode::Conflict,
            "change the policy, or cancel the job",
        ),
        Refusal::Unmet(_) => (
            ProblemCode::Conflict,
            "let another runner take it; `dogwatch why` names what each one lacks",
        ),
        Refusal::ApprovalNotPending { .. } => (
            ProblemCode::Conflict,
            "look at it with `dogwatch approvals show`; what is still wanted asks again by itself",
        ),
        Refusal::ApprovalSelf(_) => (ProblemCode::Forbidden, "have another person decide"),
        Refusal::TooLong { .. } => (ProblemCode::Invalid, "shorten it"),
    }
}

pub(crate) fn from_output(error: OutputError) -> Problem {
    let detail = error.to_string();
    match error {
        OutputError::Gap { expected } => conflict(
            "log_gap",
            detail,
            "send the bytes from the offset `expected` on",
        )
        .with("expected", expected),
        OutputError::Fork { offset } => conflict(
            "log_fork",
            detail,
            "the stream has two histories: send no more of it",
        )
        .with("offset", offset),
        OutputError::Corrupt { .. } => {
            Problem::new(ProblemCode::Internal, "output_corrupt", detail, DAMAGED)
        }
        OutputError::Unavailable { .. } => Problem::new(
            ProblemCode::Unavailable,
            "store_unavailable",
            detail,
            FREE_SPACE,
        ),
    }
}

pub(crate) fn from_blob(error: BlobError) -> Problem {
    let code = error.code();
    let detail = error.to_string();
    let (kind, next) = match error {
        BlobError::DigestMismatch { .. } => {
            (ProblemCode::Invalid, "send the bytes that the digest names")
        }
        BlobError::Corrupt { .. } => (
            ProblemCode::Internal,
            "send the payload again if it is at hand, and run `dogwatch doctor`",
        ),
        BlobError::TooLarge { .. } => (ProblemCode::TooLarge, "send less"),
        BlobError::Unavailable { .. } => (ProblemCode::Unavailable, FREE_SPACE),
    };
    Problem::new(kind, code, detail, next)
}
