//! A script: what the agent does in each of its turns.

use serde::Deserialize;

use crate::action::Action;
use crate::respond::Respond;

/// The version of the script format.
pub const SCRIPT_VERSION: u32 = 1;

/// A script, in JSON. Unknown fields are refused.
///
/// ```
/// use dogwatch_scripted::Script;
///
/// let script = Script::parse(r#"{
///     "version": 1,
///     "turns": [
///         {
///             "actions": [
///                 {"print": {"text": "thinking"}},
///                 {"write": {"path": "notes.txt", "content": "half of it\n"}}
///             ],
///             "respond": {"status": "continue", "summary": "half", "next_task": "the rest"}
///         },
///         {
///             "actions": [
///                 {"append": {"path": "notes.txt", "content": "the rest\n"}},
///                 {"shell": {"command": "wc -l notes.txt"}}
///             ]
///         }
///     ]
/// }"#)?;
/// assert_eq!(script.turns.len(), 2);
/// # Ok::<(), dogwatch_scripted::ScriptError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// [`SCRIPT_VERSION`].
    pub version: u32,
    /// The turns, the first one first.
    pub turns: Vec<Turn>,
    /// Whether the last turn is played again when the script is at its end. If not, a turn beyond it answers `failed`.
    #[serde(default)]
    pub repeat_last: bool,
    /// Whether actions keep to themselves, so that only `print`, `print_bytes` and commands make output.
    #[serde(default)]
    pub quiet: bool,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// What is done, in this order.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// The answer; `done` with a summary of its own if absent.
    pub respond: Option<Respond>,
}

/// Why a text is not a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is not JSON, or has not the form of a script.
    #[error("not a script")]
    Form(#[source] serde_json::Error),
    /// It is a script of another version.
    #[error("the script has version {found}, and this agent reads version {SCRIPT_VERSION}")]
    Version {
        /// The version it states.
        found: u32,
    },
    /// It has no turn.
    #[error("the script has no turns")]
    Empty,
    /// An action says something that cannot be done.
    #[error("turn {turn}, action {action} ({name}): {problem}")]
    Action {
        /// The turn, from 1.
        turn: usize,
        /// The action, from 1.
        action: usize,
        /// Its name.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        // The version is looked at first: a newer script fails for that reason, not for its new fields.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(ScriptError::Form)?;
        if version != SCRIPT_VERSION {
            return Err(ScriptError::Version { found: version });
        }
        let script: Self = serde_json::from_str(text).map_err(ScriptError::Form)?;
        if script.turns.is_empty() {
            return Err(ScriptError::Empty);
        }
        for (turn, actions) in script.turns.iter().map(|turn| &turn.actions).enumerate() {
            for (index, action) in actions.iter().enumerate() {
                if let Some(problem) = action.problem() {
                    return Err(ScriptError::Action {
                        turn: turn + 1,
                        action: index + 1,
                        name: action.name(),
                        problem,
                    });
                }
            }
        }
        Ok(script)
    }

    /// What is played in a turn, counted from 1; nothing beyond the end of the script.
    pub fn turn(&self, number: u32) -> Option<&Turn> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.turns
            .get(index)
            .or_else(|| self.turns.last().filter(|_| self.repeat_last))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn refusal(json: &str) -> String {
        let error = Script::parse(json).unwrap_err();
        match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn the_example_of_the_readme_is_a_script() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme.split_once("```json\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let script = Script::parse(example).unwrap();
        assert!(script.turns.len() > 1);
    }

    #[test]
    fn the_readme_names_every_action() {
        let readme = include_str!("../README.md");
        // What serde lists as known is what can be written.
        let error = serde_json::from_str::<Action>(r#""?""#)
            .unwrap_err()
            .to_string();
        let names: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(names.len(), 17, "{error}");
        for name in names {
            assert!(readme.contains(&format!("`{name}")), "{name}");
        }
    }

    #[test]
    fn the_turn_is_chosen_by_number() {
        let two = r#"{"version": 1, "turns": [{}, {"respond": "none"}]"#;
        let once = Script::parse(&format!("{two}}}")).unwrap();
        assert_eq!(once.turn(1), Some(&once.turns[0]));
        assert_eq!(once.turn(2), Some(&once.turns[1]));
        assert_eq!(once.turn(3), None);
        assert_eq!(once.turn(0), None);
        let again = Script::parse(&format!("{two}, \"repeat_last\": true}}")).unwrap();
        assert_eq!(again.turn(9), Some(&again.turns[1]));
        assert_eq!(again.turn(0), None);
    }

    #[test]
    fn what_is_not_a_script_is_refused_with_its_place() {
        for (json, part) in [
            ("", "EOF"),
            (r#"{"turns": [{}]}"#, "version"),
            (r#"{"version": 2, "future": 1}"#, "version 2"),
            (r#"{"version": 1, "turns": []}"#, "no turns"),
            (r#"{"version": 1, "turns": [{}], "repeat": true}"#, "repeat"),
            (
                r#"{"version": 1, "turns": [{"action": []}]}"#,
                "unknown field `action`",
            ),
            (
                r#"{"version": 1, "turns": [{"actions": [{"jump": {}}]}]}"#,
                "unknown variant `jump`",
            ),
            (
                r#"{"version": 1, "turns": [{"actions": [{"touch": {"path": "a", "mode": 1}}]}]}"#,
                "unknown field `mode`",
            ),
            (
                r#"{"version": 1, "turns": [{"actions": [{"exit": {"code": 256}}]}]}"#,
                "256",
            ),
            (
                r#"{"version": 1, "turns": [{}, {"actions": ["abort", {"print_bytes": {}}]}]}"#,
                "turn 2, action 2 (print_bytes): give either `hex` or `repeat`",
            ),
            (
                r#"{"version": 1, "turns": [{"actions": [{"print_bytes": {"hex": "0g"}}]}]}"#,
                "'g'",
            ),
            (
                r#"{"version": 1, "turns": [{"actions": [{"replace": {"path": "a", "from": "", "to": "b"}}]}]}"#,
                "`from` is empty",
            ),
        ] {
            let error = refusal(json);
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
