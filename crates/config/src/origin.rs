//! Where a value comes from.

use std::fmt;

use dogwatch_core::limits::LimitOrigin;
use dogwatch_core::schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A layer of configuration, weakest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum Layer {
    /// What applies when nobody says anything.
    Default,
    /// The user's file.
    User,
    /// The project's file.
    Project,
    /// A `DOGWATCH_*` variable.
    Environment,
    /// A flag of the command.
    Flag,
}

impl Layer {
    /// The layer as limits name it.
    pub const fn limit_origin(self) -> LimitOrigin {
        match self {
            Self::Default => LimitOrigin::Default,
            Self::User => LimitOrigin::User,
            Self::Project => LimitOrigin::Project,
            Self::Environment => LimitOrigin::Environment,
            Self::Flag => LimitOrigin::Job,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// The file or variable, as the caller named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The line in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Origin {
    /// A layer that is no file.
    pub(crate) const fn of(layer: Layer) -> Self {
        Self {
            layer,
            source: None,
            line: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)?;
        match (&self.source, self.line) {
            (Some(source), Some(line)) => write!(f, " ({source}:{line})"),
            (Some(source), None) => write!(f, " ({source})"),
            (None, _) => Ok(()),
        }
    }
}

/// One value that applies, for `config show --origin`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The key: `limits.max_turns`.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}
