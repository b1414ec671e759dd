//! One thing wrong with a file, and the list of all of them.

use std::fmt;

use serde::Serialize;

use super::path::is_within;

/// What is wrong, as a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The text is not TOML.
    InvalidToml,
    /// The text is not JSON.
    InvalidJson,
    /// No such key.
    UnknownKey,
    /// A known key that dogwatch does not enforce yet, so nobody may rely on it.
    NotEnforced,
    /// A limit of zero, which people read as "none" and as "unlimited" alike.
    LimitZero,
    /// A value of the wrong type, or outside what is allowed.
    InvalidValue,
    /// A required key is absent.
    MissingField,
    /// A key that only the user's own configuration may set.
    UserOnly,
    /// A key that only a project's configuration may set.
    ProjectOnly,
}

impl ProblemCode {
    /// The code as it appears in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidToml => "invalid_toml",
            Self::InvalidJson => "invalid_json",
            Self::UnknownKey => "unknown_key",
            Self::NotEnforced => "not_enforced",
            Self::LimitZero => "limit_zero",
            Self::InvalidValue => "invalid_value",
            Self::MissingField => "missing_field",
            Self::UserOnly => "user_only",
            Self::ProjectOnly => "project_only",
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a text, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        Self {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count()
                + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of thing.
    pub code: ProblemCode,
    /// Where in the document: `limits.max_turns`; empty for the whole of it.
    pub path: String,
    /// What is wrong, as a lower-case fragment that names the place.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the text, if that is known.
    pub position: Option<Position>,
}

impl Problem {
    /// A problem without a hint. Control characters are escaped: the text may come from a file nobody has vetted.
    pub fn new(code: ProblemCode, path: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self {
            code,
            path: path.into(),
            message: printable(message.as_ref()),
            hint: None,
            position: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(printable(hint.as_ref()));
        self
    }

    /// The same with its place in the text.
    #[must_use]
    pub fn at(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// How many problems of one document are listed: beyond that a file is not mistyped but something else altogether.
const MAX_PROBLEMS: usize = 200;

/// Everything wrong with a document, in the order it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem, unless that place or something inside it is already known to be wrong: one slip gives one message.
    pub fn push(&mut self, problem: Problem) {
        if self.0.len() < MAX_PROBLEMS && !self.covers(&problem.path) {
            self.0.push(problem);
        }
    }

    /// Adds all of another list.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.push(problem);
        }
    }

    /// Whether something is wrong at `path` or inside it.
    pub fn covers(&self, path: &str) -> bool {
        self.0
            .iter()
            .any(|problem| !problem.path.is_empty() && is_within(&problem.path, path))
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_a_terminal() {
        let problem = Problem::new(ProblemCode::InvalidValue, "", "bad \u{1b}[2J\n name");
        assert_eq!(problem.message, r"bad \u{1b}[2J\n name");
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(Position::of("é = 1\nab", 3).to_string(), "1:3");
        assert_eq!(Position::of("é = 1\nab", 8).to_string(), "2:2");
        assert_eq!(Position::of("", 99).to_string(), "1:1");
    }
}
