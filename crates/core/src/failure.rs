//! Why something did not work, in the same five fields everywhere: for people, for programs and for the record.

use serde::{Deserialize, Serialize};

/// The longest reason or next action kept in an event; the full output stands in the bundle.
pub const MAX_TEXT: usize = 600;

/// What kind of thing went wrong: it decides who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// What the user gave cannot be used.
    Input,
    /// A rule forbids it.
    Policy,
    /// The agent failed or misbehaved.
    Agent,
    /// The produced work did not pass a check.
    Gate,
    /// A named limit ran out.
    Limit,
    /// The machine, the disk, git or the network.
    Infrastructure,
    /// The lease was lost.
    Lease,
    /// A person stopped it.
    Stopped,
}

/// A refusal or failure with its stable code and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of thing went wrong.
    pub class: FailureClass,
    /// Stable, in snake case; append only.
    pub code: String,
    /// Where in the run it happened, such as `preparing` or `gates`.
    pub stage: String,
    /// What happened, for a person.
    pub reason: String,
    /// What to do next, for a person.
    pub next_action: String,
}

impl Failure {
    /// A failure; over-long texts are clipped so that it fits into an event.
    pub fn new(
        class: FailureClass,
        code: &str,
        stage: &str,
        reason: impl AsRef<str>,
        next_action: impl AsRef<str>,
    ) -> Self {
        Self {
            class,
            code: code.to_owned(),
            stage: stage.to_owned(),
            reason: clip(reason.as_ref(), MAX_TEXT),
            next_action: clip(next_action.as_ref(), MAX_TEXT),
        }
    }
}

/// At most `max` bytes of a text, cut at a character border, with a mark where something is missing.
pub fn clip(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mark = " [...]";
    let mut end = max.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_never_splits_a_character_and_says_so() {
        let clipped = clip(&"é".repeat(100), 21);
        assert!(
            clipped.len() <= 21 && clipped.ends_with("[...]"),
            "{clipped}"
        );
        assert_eq!(clip("short", 21), "short");
    }
}
