//! Which paths a change may touch, and that there is a change at all. Pure: it looks at the list of changes only.

use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical;
use dogwatch_core::contract::{Contract, PathVerdict};
use dogwatch_core::run::GateResult;
use dogwatch_workspace::PathBytes;
use dogwatch_workspace::diff::Change;
use dogwatch_workspace::tree::unescape_component;
use serde_json::json;

use crate::report::GateReport;

/// The gate's name.
pub const DIFF_SCOPE: &str = "diff_scope";

/// How many offending paths are named.
const NAMED: usize = 20;

/// Holds a change to the contract's path rules. A rename is two changes, so both names count.
pub fn diff_scope(contract: &Contract, tree: &str, changes: &[Change]) -> GateReport {
    let definition = json!({
        "gate": DIFF_SCOPE,
        "allowed_paths": contract.allowed_paths,
        "forbidden_paths": contract.forbidden_paths,
        "allow_empty": contract.allow_empty,
    });
    let definition = canonical::value_to_bytes(&definition)
        .map(|bytes| Sha256Digest::of(&bytes))
        .unwrap_or_else(|_| Sha256Digest::of(b""));
    let mut report = GateReport {
        gate: DIFF_SCOPE.to_owned(),
        acceptance: false,
        must_pass: true,
        result: GateResult::Passed,
        code: "passed".to_owned(),
        reason: format!("{} path(s) changed, all allowed", changes.len()),
        tree: tree.to_owned(),
        definition,
        command: None,
        exit_code: None,
        output: None,
        output_tail: String::new(),
        dropped_bytes: 0,
        leftovers: 0,
        duration_ms: 0,
    };
    if changes.is_empty() {
        if !contract.allow_empty {
            report.result = GateResult::Failed;
            report.code = "empty_diff".to_owned();
            report.reason =
                "nothing was changed, and the contract does not say allow_empty".to_owned();
        }
        return report;
    }
    let rules = match contract.path_rules() {
        Ok(rules) => rules,
        Err((rule, error)) => {
            report.result = GateResult::Error;
            report.code = "path_rule_invalid".to_owned();
            report.reason = format!("path rule `{rule}` {error}");
            return report;
        }
    };
    let mut offending = Vec::new();
    let mut forbidden = false;
    for change in changes {
        // A path that git cannot carry is stored under another name; the rules are about the name the agent gave it.
        let real = unescaped(change.path.as_bytes());
        match rules.check(&real) {
            PathVerdict::Allowed => {}
            PathVerdict::Forbidden { rule } => {
                forbidden = true;
                offending.push(format!("{} (forbidden by `{rule}`)", PathBytes::new(real)));
            }
            PathVerdict::NotAllowed => {
                offending.push(format!("{} (not in allowed_paths)", PathBytes::new(real)));
            }
        }
    }
    if !offending.is_empty() {
        report.result = GateResult::Failed;
        report.code = if forbidden {
            "path_forbidden"
        } else {
            "path_not_allowed"
        }
        .to_owned();
        let more = offending.len().saturating_sub(NAMED);
        report.reason = format!("{} path(s) may not change", offending.len());
        offending.truncate(NAMED);
        report.output_tail = offending.join("\n");
        if more > 0 {
            report.output_tail.push_str(&format!("\nand {more} more"));
        }
    }
    report
}

fn unescaped(path: &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == b'/')
        .map(|component| unescape_component(component).into_owned())
        .collect::<Vec<_>>()
        .join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogwatch_workspace::diff::Status;
    use dogwatch_workspace::tree::escape_component;

    fn contract(allowed: &[&str], forbidden: &[&str], allow_empty: bool) -> Contract {
        let draft = dogwatch_core::contract::ContractDraft::from_json(
            &json!({
                "schema": 1,
                "task": "t",
                "agent": "a",
                "allowed_paths": allowed,
                "forbidden_paths": forbidden,
                "allow_empty": allow_empty,
            })
            .to_string(),
        )
        .unwrap();
        let context = dogwatch_core::contract::ContractContext {
            base_commit: "0".repeat(40),
            ..Default::default()
        };
        draft.expand(&context).unwrap().contract
    }

    fn changed(paths: &[&str]) -> Vec<Change> {
        paths
            .iter()
            .map(|path| Change {
                status: Status::Modified,
                path: PathBytes::new(path.as_bytes()),
                old_mode: "100644".to_owned(),
                new_mode: "100644".to_owned(),
            })
            .collect()
    }

    #[test]
    fn paths_are_held_to_the_rules_and_forbidden_wins() {
        let contract = contract(&["src/**"], &["src/secret.rs"], false);
        let check = |paths: &[&str]| diff_scope(&contract, "t", &changed(paths));
        assert_eq!(check(&["src/a.rs"]).result, GateResult::Passed);
        let outside = check(&["src/a.rs", "Makefile"]);
        assert_eq!(
            (outside.result, outside.code.as_str()),
            (GateResult::Failed, "path_not_allowed")
        );
        assert!(
            outside.output_tail.contains("Makefile") && !outside.output_tail.contains("src/a.rs")
        );
        assert_eq!(check(&["src/secret.rs"]).code, "path_forbidden");
    }

    #[test]
    fn an_escaped_name_is_judged_by_the_name_the_agent_gave_it() {
        let contract = contract(&["**"], &["**/.git/**"], false);
        let stored = escape_component(b".git", false).into_owned();
        let path = format!("vendor/{}/config", String::from_utf8(stored).unwrap());
        let report = diff_scope(&contract, "t", &changed(&[&path]));
        assert_eq!(report.code, "path_forbidden");
        assert!(
            report.output_tail.contains("vendor/.git/config"),
            "{}",
            report.output_tail
        );
    }

    #[test]
    fn changing_nothing_fails_unless_the_contract_says_otherwise() {
        assert_eq!(
            diff_scope(&contract(&["**"], &[], false), "t", &[]).code,
            "empty_diff"
        );
        let allowed = diff_scope(&contract(&["**"], &[], true), "t", &[]);
        assert_eq!(allowed.result, GateResult::Passed);
    }

    #[test]
    fn the_definition_changes_with_the_rules() {
        let one = diff_scope(&contract(&["src/**"], &[], false), "t", &[]);
        let other = diff_scope(&contract(&["lib/**"], &[], false), "t", &[]);
        assert_ne!(one.definition, other.definition);
    }
}
