//! Lines of what people read about a job or a run.

use dogwatch_bundle::{BundleReader, BundleState, ReadError};
use dogwatch_core::failure::Failure;
use dogwatch_core::job::RunHeader;

use crate::output::{duration, plain, print};

/// A label and what belongs to it, on one line.
pub(in crate::commands) fn line(label: &str, text: &str) {
    let text = plain(text).replace(['\n', '\t'], " ");
    print(&format!("{label:<12} {text}"));
}

/// Why something failed and what to do about it.
pub(in crate::commands) fn print_failure(failure: &Failure) {
    line("why", &format!("{} [{}]", failure.reason, failure.code));
    line("what to do", &failure.next_action);
}

/// A run in one line.
pub(in crate::commands) fn run_line(run: &RunHeader) -> String {
    let head = format!("{} attempt {}", run.id.short(), run.attempt);
    let Some(closed) = &run.closed else {
        return format!("{head}: under way since {}", run.created_at);
    };
    let took = duration(closed.at.since(run.created_at));
    let why = closed
        .failure
        .as_ref()
        .map(|failure| format!(": {} [{}]", failure.reason, failure.code))
        .unwrap_or_default();
    let outcome = closed.outcome.as_str();
    format!(
        "{head}: {outcome} after {} turn(s), {took}{why}",
        closed.turns
    )
}

/// How far the evidence of a run is: `sealed`, `unsealed`, `half_sealed`, `absent` or `unreadable`.
pub(in crate::commands) fn bundle_state(directory: &std::path::Path) -> &'static str {
    match BundleReader::open(directory).map(|bundle| bundle.state()) {
        Ok(BundleState::Sealed) => "sealed",
        Ok(BundleState::HalfSealed) => "half_sealed",
        Ok(BundleState::Unsealed) => "unsealed",
        Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            "absent"
        }
        Err(_) => "unreadable",
    }
}

/// Something worth knowing, beside the data.
pub(in crate::commands) fn note(text: &str) {
    say("note", text);
}

/// Something wrong that does not stop the command.
pub(in crate::commands) fn warning(text: &str) {
    say("warning", text);
}

fn say(kind: &str, text: &str) {
    crate::output::say(&format!("{kind}: {text}"));
}
