//! A run's turns and gates, one line each, from its journal.

use std::path::Path;
use std::time::Duration;

use dogwatch_bundle::BundleReader;
use dogwatch_core::ids::RunId;
use dogwatch_core::run::{GateFinished, GateResult, RunEvent, TurnEnded};

use crate::output::{duration, plain};

/// The story of a run. A journal that cannot be read has none; `verify` says what is wrong with it.
pub(super) fn lines(bundle: &Path, run: RunId) -> Vec<String> {
    let Ok(reading) = BundleReader::open(bundle).and_then(|bundle| bundle.journal(run)) else {
        return Vec::new();
    };
    reading
        .entries
        .iter()
        .filter_map(|entry| RunEvent::from_parts(&entry.envelope.kind, &entry.envelope.data).ok())
        .filter_map(|event| line(&event))
        .collect()
}

fn line(event: &RunEvent) -> Option<String> {
    match event {
        RunEvent::TurnEnded(turn) => Some(turn_line(turn)),
        RunEvent::GateFinished(gate) => Some(gate_line(gate)),
        RunEvent::Stalled(stall) => Some(format!(
            "stall        turn {} went silent; started again after {} ms",
            stall.turn, stall.backoff_ms
        )),
        RunEvent::Noted(note) => Some(format!("note         {}", one_line(&note.text))),
        RunEvent::Parked(parked) => Some(format!("parked       for {}", parked.reason.as_str())),
        RunEvent::Resumed(resumed) => Some(format!("resumed      {}", one_line(&resumed.because))),
        RunEvent::CancelReceived { reason } => Some(format!("cancel       {}", one_line(reason))),
        RunEvent::Started(_)
        | RunEvent::PhaseEntered { .. }
        | RunEvent::WorkspaceReady(_)
        | RunEvent::TurnBegun(_)
        | RunEvent::SnapshotTaken(_)
        | RunEvent::Ended(_) => None,
    }
}

fn turn_line(turn: &TurnEnded) -> String {
    let mut said = one_line(if turn.summary.is_empty() {
        &turn.outcome_reason
    } else {
        &turn.summary
    });
    if turn.dropped_bytes > 0 {
        said.push_str(&format!(
            " ({} bytes of output not kept)",
            turn.dropped_bytes
        ));
    }
    if turn.leftovers > 0 {
        said.push_str(&format!(
            " ({} left-over process(es) ended)",
            turn.leftovers
        ));
    }
    format!(
        "turn {:<7} {} in {}: {said}",
        turn.turn,
        turn.status.as_str(),
        duration(Duration::from_millis(turn.duration_ms)),
    )
}

fn gate_line(gate: &GateFinished) -> String {
    let result = match gate.result {
        GateResult::Passed => "passed",
        GateResult::Failed => "failed",
        GateResult::Skipped => "skipped",
        GateResult::Error => "error",
    };
    let advisory = if gate.must_pass {
        ""
    } else {
        " (need not pass)"
    };
    let reason = if gate.result == GateResult::Passed {
        String::new()
    } else {
        format!(": {}", one_line(&gate.reason))
    };
    format!(
        "  gate       {} {result}{advisory}{reason}",
        plain(&gate.gate)
    )
}

fn one_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}
