//! Reading the `limits` table of a contract or a configuration.

use serde_json::Value;

use super::table::{LIMITS, LimitsDraft};
use crate::strict::{Fields, Problem, ProblemCode, Problems};

impl LimitsDraft {
    /// Reads every limit that `fields` sets; keys that are no limits are left to the schema.
    pub fn read(fields: &Fields<'_>, problems: &mut Problems) -> Self {
        let mut draft = Self::default();
        for spec in LIMITS.iter().filter(|spec| spec.settable) {
            let Some(value) = fields.raw(spec.name) else {
                continue;
            };
            match positive(value, &fields.path_of(spec.name)) {
                Ok(value) => {
                    draft.set(spec.name, value);
                }
                Err(problem) => problems.push(problem),
            }
        }
        draft
    }

    /// Sets a limit from text, as an environment variable or a flag gives it. `None` if there is no such limit.
    pub fn set_text(&mut self, name: &str, text: &str, path: &str) -> Option<Result<(), Problem>> {
        if !LIMITS.iter().any(|spec| spec.settable && spec.name == name) {
            return None;
        }
        let value = text
            .parse::<u64>()
            .map_or_else(|_| Value::from(text), Value::from);
        Some(positive(&value, path).map(|value| {
            self.set(name, value);
        }))
    }
}

fn positive(value: &Value, path: &str) -> Result<u64, Problem> {
    match value.as_u64() {
        Some(0) => Err(zero(path)),
        Some(number) if number < (1 << 53) => Ok(number),
        _ => {
            let message = format!("`{path}` is {value}, not a whole number from 1 to 2^53-1");
            Err(Problem::new(ProblemCode::InvalidValue, path, message))
        }
    }
}

/// The problem of a limit of zero.
fn zero(path: &str) -> Problem {
    Problem::new(
        ProblemCode::LimitZero,
        path,
        format!("`{path}` is 0, which would mean nothing or no limit at all"),
    )
    .hint("give a number of at least 1, or leave it out for the default")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zeros_and_other_values_are_refused_each_by_name() {
        let value = json!({
            "max_turns": 0, "turn_budget_ms": -1, "wall_ms": "2h", "kill_grace_ms": 5, "output_bytes": 1.5
        });
        let mut problems = Problems::default();
        let fields = Fields::of(&value, "limits", &mut problems).unwrap();
        let draft = LimitsDraft::read(&fields, &mut problems);
        assert_eq!(draft.kill_grace_ms, Some(5));
        assert_eq!(draft.max_turns, None);
        let messages: Vec<String> = problems
            .into_vec()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            messages,
            [
                "`limits.max_turns` is 0, which would mean nothing or no limit at all; give a number of at least 1, or leave it out for the default",
                "`limits.turn_budget_ms` is -1, not a whole number from 1 to 2^53-1",
                "`limits.wall_ms` is \"2h\", not a whole number from 1 to 2^53-1",
                "`limits.output_bytes` is 1.5, not a whole number from 1 to 2^53-1",
            ]
        );
    }

    #[test]
    fn text_is_read_like_a_document() {
        let mut draft = LimitsDraft::default();
        assert!(draft.set_text("max_turns", "4", "X").unwrap().is_ok());
        assert_eq!(draft.max_turns, Some(4));
        let zero = draft.set_text("max_turns", "0", "X").unwrap().unwrap_err();
        assert_eq!(zero.code, ProblemCode::LimitZero);
        assert!(draft.set_text("max_turns", "4x", "X").unwrap().is_err());
        assert!(draft.set_text("lease_ttl_ms", "4", "X").is_none());
    }
}
