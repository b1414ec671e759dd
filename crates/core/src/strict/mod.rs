//! Files that people write are read strictly: nothing in them is ignored, and everything wrong is reported at once.
//!
//! [`Document`] turns TOML or JSON into one value without losing what the two formats treat differently; [`check`] compares its keys
//! with the published schema; [`Fields`] reads it into types. Each adds to one list of [`Problem`]s.

mod document;
mod fields;
mod nearest;
mod path;
mod problem;
mod schema;

pub use document::{Document, MAX_DOCUMENT_BYTES};
pub use fields::Fields;
pub use nearest::nearest;
pub use path::{index, join};
pub use problem::{Position, Problem, ProblemCode, Problems};
pub use schema::{Findings, NOT_ENFORCED, ReservedKey, UnknownKey, check, reserve, unsupported};
