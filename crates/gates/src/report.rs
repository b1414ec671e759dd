//! What a gate says, bound to the tree it was run on and to its own definition.

use dogwatch_core::Sha256Digest;
use dogwatch_core::failure::clip;
use dogwatch_core::run::{GateFinished, GateResult};
use dogwatch_core::turn::GateFeedback;
use serde::{Deserialize, Serialize};

/// How much of a gate's output the agent gets to read.
const FEEDBACK_BYTES: usize = 8 * 1024;

/// A gate's result, as `gates/<gate>/result.json` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateReport {
    /// The gate.
    pub gate: String,
    /// Whether it is one of the contract's acceptance commands.
    pub acceptance: bool,
    /// Whether the run cannot succeed without it.
    pub must_pass: bool,
    /// What it says.
    pub result: GateResult,
    /// A stable code.
    pub code: String,
    /// Why, for a person.
    pub reason: String,
    /// The tree it was run on.
    pub tree: String,
    /// The digest of its definition.
    pub definition: Sha256Digest,
    /// Its command.
    pub command: Option<String>,
    /// The exit code of its command.
    pub exit_code: Option<i32>,
    /// The digest of its output: SHA-256 over stdout, then stderr, as stored.
    pub output: Option<Sha256Digest>,
    /// The end of its output.
    pub output_tail: String,
    /// How many bytes of its output were not kept.
    pub dropped_bytes: u64,
    /// How many processes it left behind, which were ended.
    pub leftovers: u64,
    /// How long it took.
    pub duration_ms: u64,
}

impl GateReport {
    /// The journal's fact about it.
    pub fn fact(&self, round: u32) -> GateFinished {
        GateFinished {
            gate: self.gate.clone(),
            round,
            result: self.result,
            must_pass: self.must_pass,
            acceptance: self.acceptance,
            code: self.code.clone(),
            reason: clip(&self.reason, dogwatch_core::failure::MAX_TEXT),
            tree: self.tree.clone(),
            definition: self.definition,
            exit_code: self.exit_code,
            output: self.output,
            duration_ms: self.duration_ms,
        }
    }

    /// What the agent is told about it in its next turn.
    pub fn feedback(&self) -> GateFeedback {
        GateFeedback {
            gate: self.gate.clone(),
            code: self.code.clone(),
            reason: self.reason.clone(),
            command: self.command.clone(),
            output: tail(&self.output_tail, FEEDBACK_BYTES),
        }
    }

    /// Whether the agent has something to mend.
    pub fn is_failure(&self) -> bool {
        self.result == GateResult::Failed && self.must_pass
    }
}

/// The last `max` bytes of a text, from a line start where there is one.
pub(crate) fn tail(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut start = text.len() - max;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let rest = &text[start..];
    let rest = rest.split_once('\n').map_or(rest, |(_, lines)| lines);
    format!("[... {} bytes before]\n{rest}", text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_end_of_a_long_output_starts_at_a_line_and_says_what_is_missing() {
        let text = (0..100).map(|n| format!("line {n}\n")).collect::<String>();
        let end = tail(&text, 50);
        assert!(end.starts_with("[... "), "{end}");
        assert!(end.ends_with("line 99\n"));
        assert!(
            end.lines().skip(1).all(|line| line.starts_with("line ")),
            "{end}"
        );
        assert_eq!(tail("short", 50), "short");
    }
}
