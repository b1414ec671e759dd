//! Configuration that is refused.

use std::fmt;

use dogwatch_core::strict::Problem;
use serde::Serialize;

/// One thing wrong with one source of configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// The file as the caller named it, or `environment`.
    pub source: String,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.problem.position.is_some() {
            ":"
        } else {
            ": "
        };
        write!(f, "{}{separator}{}", self.source, self.problem)
    }
}

/// Configuration that is refused, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Never empty.
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration is refused")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {}: {problem}", problem.problem.code))
    }
}
