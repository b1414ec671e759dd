//! Fields that are part of the contract's language and that dogwatch does not enforce yet. A contract that sets one is refused, because
//! the person who wrote it relies on something that would not happen.

use schemars::Schema;
use serde_json::Value;

use crate::strict::{self, Problem, ProblemCode, Problems};

/// The fields with what they will hold.
pub const NOT_ENFORCED_FIELDS: &[(&str, &[&str])] = &[
    ("role", &[]),
    ("required_outputs", &[]),
    ("setup", &[]),
    ("permissions", &["filesystem", "shell", "network", "tools"]),
    ("environment", &[]),
    (
        "output",
        &[
            "emit_to",
            "silent_unless_blocked",
            "require_approval_before_emit",
        ],
    ),
    ("rollback", &[]),
    ("trust", &[]),
];

/// Puts the fields into the schema of a contract, marked.
pub(super) fn reserve_contract_fields(schema: &mut Schema) {
    for (field, keys) in NOT_ENFORCED_FIELDS {
        strict::reserve(schema.ensure_object(), field, keys);
    }
}

/// Puts the reserved field of a gate into its schema, marked.
pub(super) fn reserve_acceptance_fields(schema: &mut Schema) {
    strict::reserve(schema.ensure_object(), "reuse_build", &[]);
}

/// Compares the keys of `value` with its schema. `noun` is what the file is, such as "a contract".
pub fn key_problems(schema: &Value, value: &Value, noun: &str, problems: &mut Problems) {
    let findings = strict::check(schema, value);
    // The fields themselves first: a message about a key inside one does not stand for the field.
    for reserved in findings.reserved {
        let message = format!(
            "`{}` is not enforced yet, so {noun} may not rely on it",
            reserved.path
        );
        let problem = Problem::new(ProblemCode::NotEnforced, reserved.path, message);
        problems.push(problem.hint("remove it"));
    }
    for unknown in findings.unknown {
        let message = format!("`{}` is not a key of {noun}", unknown.path);
        let problem = Problem::new(ProblemCode::UnknownKey, unknown.path, message);
        let limit = crate::limits::limit_spec(&unknown.key).filter(|limit| !limit.settable);
        problems.push(match (limit, unknown.nearest) {
            (Some(_), _) => problem.hint("the timing of leases belongs to the server"),
            (None, Some(nearest)) => problem.hint(format!("did you mean `{nearest}`?")),
            (None, None) => problem,
        });
    }
}
