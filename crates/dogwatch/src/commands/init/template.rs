//! The first `dogwatch.toml` of a repository, with the gate that its files suggest.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// A gate that the files of a repository suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SuggestedGate {
    /// The command.
    pub(super) run: &'static str,
    /// The file that suggests it.
    pub(super) because: &'static str,
}

/// The gates that the files at the top of a repository suggest, the likeliest first.
pub(super) fn gates(top: &Path) -> Vec<SuggestedGate> {
    let has = |name: &str| top.join(name).is_file();
    let text = |name: &str| std::fs::read_to_string(top.join(name)).unwrap_or_default();
    let candidates = [
        (has("Cargo.toml"), "cargo test", "Cargo.toml"),
        (
            has_npm_test(&text("package.json")),
            "npm test",
            "package.json",
        ),
        (has("go.mod"), "go test ./...", "go.mod"),
        (has("pyproject.toml"), "pytest", "pyproject.toml"),
        (
            has("setup.py") && !has("pyproject.toml"),
            "pytest",
            "setup.py",
        ),
        (has_make_test(&text("Makefile")), "make test", "Makefile"),
    ];
    candidates
        .into_iter()
        .filter(|(found, ..)| *found)
        .map(|(_, run, because)| SuggestedGate { run, because })
        .collect()
}

/// Whether a package has a test script of its own, and not the one `npm init` writes, which only fails.
fn has_npm_test(package: &str) -> bool {
    serde_json::from_str::<Value>(package)
        .ok()
        .and_then(|package| package["scripts"]["test"].as_str().map(str::to_owned))
        .is_some_and(|script| !script.trim().is_empty() && !script.contains("no test specified"))
}

/// Whether a makefile has a rule for `test`.
fn has_make_test(makefile: &str) -> bool {
    makefile.lines().any(|line| {
        line.split_once(':').is_some_and(|(targets, rest)| {
            !line.starts_with(['\t', '#', '.'])
                && !rest.starts_with('=')
                && targets.split_whitespace().any(|target| target == "test")
        })
    })
}

/// The file. The first gate counts; the others are there to be chosen.
pub(super) fn text(gates: &[SuggestedGate]) -> String {
    let mut text = HEAD.to_owned();
    let example = SuggestedGate {
        run: "./run-tests.sh",
        because: "an example",
    };
    let (first, others) = match gates {
        [] => (None, [example].to_vec()),
        [first, others @ ..] => (Some(first), others.to_vec()),
    };
    if let Some(gate) = first {
        let _ = write!(
            text,
            "\n[[acceptance]]\nname = \"tests\"\nrun = \"{}\"\n",
            gate.run
        );
    }
    for (number, gate) in others.iter().enumerate() {
        let name = if first.is_none() && number == 0 {
            "tests".to_owned()
        } else {
            format!("tests-{}", number + 2)
        };
        let _ = write!(
            text,
            "\n# [[acceptance]]\n# name = \"{name}\"\n# run = \"{}\"\n",
            gate.run
        );
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = r#"# dogwatch: how tasks in this repository are done and checked.
# A run reads this file as it is committed at its base, so commit what you change here.
# `dogwatch config show --origin` says what applies and why.

# The agent for tasks that name none. Needed only where more than one is defined.
# agent = "codex"

# An agent is any command that works in its current directory and ends. It finds its task in the file that
# $DOGWATCH_PROMPT_FILE names; exit code 0 means done. It sees PATH, HOME and a few other variables of yours, and may be
# given more by name (API keys, say) with `env = [...]`, which only your own config.toml may do.
#
# [agents.codex]
# driver = "exec"
# command = ["sh", "-c", "codex exec --sandbox workspace-write - < \"$DOGWATCH_PROMPT_FILE\""]
#
# [agents.claude]
# driver = "exec"
# command = ["sh", "-c", "claude -p --permission-mode acceptEdits < \"$DOGWATCH_PROMPT_FILE\""]

# What every result has to pass. dogwatch runs these itself, on exactly the tree the agent left, in a fresh checkout.
# Without one, a success is only the agent's word.
"#;

const TAIL: &str = r#"
# Limits that differ from the defaults. 0 is refused: leave a limit out for its default.
# [limits]
# max_turns = 8
# turn_budget_ms = 1800000
# stall_window_ms = 300000
"#;

#[cfg(test)]
mod tests {
    use dogwatch_config::{Layers, Source};

    use super::*;

    fn config(text: &str) -> dogwatch_config::Config {
        let project = Some(Source {
            path: "dogwatch.toml".to_owned(),
            text: text.to_owned(),
        });
        Layers {
            project,
            ..Layers::default()
        }
        .load()
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The file with the examples taken out of their comments.
    fn uncommented(text: &str) -> String {
        let is_code = |line: &str| {
            line.starts_with('[')
                || line
                    .split_once(" = ")
                    .is_some_and(|(key, _)| !key.contains(' '))
        };
        text.lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(code) if is_code(code) => code,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    const CARGO: SuggestedGate = SuggestedGate {
        run: "cargo test",
        because: "Cargo.toml",
    };
    const MAKE: SuggestedGate = SuggestedGate {
        run: "make test",
        because: "Makefile",
    };

    #[test]
    fn the_file_is_valid_and_has_the_first_gate() {
        assert!(config(&text(&[])).acceptance.is_empty());
        let gates = config(&text(&[CARGO, MAKE])).acceptance;
        assert_eq!(gates.len(), 1);
        assert_eq!(gates[0].run.to_string(), "cargo test");
    }

    #[test]
    fn every_example_in_it_is_valid_too() {
        for gates in [&[][..], &[CARGO], &[CARGO, MAKE, MAKE]] {
            let all = config(&uncommented(&text(gates)));
            assert_eq!(all.acceptance.len(), gates.len().max(1));
            assert_eq!(all.agents.len(), 2);
            assert_eq!(all.agent.as_deref(), Some("codex"));
            assert_eq!(all.limits.limits.max_turns, 8);
        }
    }

    #[test]
    fn files_suggest_gates() {
        let directory = tempfile::tempdir().unwrap();
        assert!(gates(directory.path()).is_empty());
        for (file, content) in [
            ("setup.py", ""),
            ("Makefile", "test: all\n\t./t\n"),
            ("go.mod", "module x\n"),
            ("package.json", r#"{"scripts":{"test":"vitest"}}"#),
        ] {
            std::fs::write(directory.path().join(file), content).unwrap();
        }
        let found: Vec<_> = gates(directory.path())
            .iter()
            .map(|gate| gate.run)
            .collect();
        assert_eq!(found, ["npm test", "go test ./...", "pytest", "make test"]);
    }

    #[test]
    fn a_test_script_or_rule_is_one_that_tests() {
        for package in [
            "",
            "{",
            "{}",
            r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#,
        ] {
            assert!(!has_npm_test(package), "{package}");
        }
        for makefile in ["test: a b", "all test: x", "test:\n", "test::"] {
            assert!(has_make_test(makefile), "{makefile}");
        }
        for makefile in [
            "tests: a",
            "\techo test: x",
            "# test: x",
            "test := 1",
            ".PHONY: test",
            "",
        ] {
            assert!(!has_make_test(makefile), "{makefile}");
        }
    }
}
