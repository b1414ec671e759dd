//! Every code that the sources construct has an entry.

use std::collections::BTreeMap;

use dogwatch_api::codes;
use dogwatch_core::limits::LIMITS;
use regex::{Captures, Match, Regex};

use crate::sources::{Source, shipped};

/// Where codes arise: the code is the group, or every code-shaped literal of the group `within`.
const SITES: &[(&str, &str)] = &[
    (
        "errors of the command line",
        r#"CliError::(?:new|from_error)\(\s*"(?<code>\w+)""#,
    ),
    (
        "problems of the control plane",
        r#"\bProblem::new\(\s*(?:\w+::)*ProblemCode::\w+,\s*"(?<code>\w+)""#,
    ),
    (
        "problems by their kind",
        r#"\bproblems?::(?:invalid|conflict|not_found|forbidden|unavailable|internal)\(\s*"(?<code>\w+)""#,
    ),
    (
        "failures and their parts",
        r#"\bFailureClass::\w+,\s*"(?<code>\w+)""#,
    ),
    ("ends of a turn", r#"\bTurnStatus::\w+,\s*"(?<code>\w+)""#),
    (
        "verdicts of a gate",
        r#"\bGateResult::\w+,\s*"(?<code>\w+)""#,
    ),
    (
        "remarks of a run",
        r#"\.note\(\s*"(?<code>\w+)"|\bfindings\.push\(\(\s*"(?<or_code>\w+)""#,
    ),
    ("fields", r#"\bcode(?::| =) "(?<code>\w+)""#),
    (
        "tables of codes",
        r#"\n    [A-Z_]+ = "(?<code>\w+)", [A-Z_]+, "#,
    ),
    (
        "choices between codes",
        r"(?s)\bcode = (?<within>(?:if|match)\b.*?;)",
    ),
    (
        "choices of a code and more",
        r"(?s)\blet \([^)]*\bcode\b[^)]*\) = (?<within>if\b.*?;)",
    ),
    (
        "methods that give the code",
        r"(?s)\bfn code\(&?self\)[^{]*\{(?<within>.*?\n    \})",
    ),
    ("enums of codes", r"(?s)\nimpl \w+Code \{(?<within>.*?\n\})"),
    (
        "lists of what a tree showed",
        r"(?s)\nfn findings\(.*?let lists = (?<within>.*?\];)",
    ),
    (
        "constants of codes",
        r"(?s)\npub mod codes \{\n(?<within>.*?\n\})",
    ),
    (
        "constants of `verify`",
        r#"\nconst OTHER_\w+: &str = "(?<code>\w+)""#,
    ),
];

/// `core` and `config` have a `Problem` of their own, whose second argument is a key of a file.
fn applies(site: &str, source: &Source) -> bool {
    site != "problems of the control plane"
        || !(source.path.starts_with("core/") || source.path.starts_with("config/"))
}

/// The library is built without Unicode's tables, and sources need ASCII only.
fn compile(pattern: &str) -> Regex {
    let ascii = pattern
        .replace(r"\w", "[A-Za-z0-9_]")
        .replace(r"\s", "[ \n]")
        .replace(r"\b", r"(?-u:\b)");
    Regex::new(&ascii).unwrap()
}

fn named<'text>(capture: &Captures<'text>) -> Option<Match<'text>> {
    capture.name("code").or_else(|| capture.name("or_code"))
}

#[test]
fn every_code_in_the_sources_has_an_entry() {
    let sources = shipped();
    let literal = Regex::new(r#""([a-z][a-z0-9]*(?:_[a-z0-9]+)*)""#).unwrap();
    let mut missing: BTreeMap<String, String> = BTreeMap::new();
    for (site, pattern) in SITES {
        let pattern = compile(pattern);
        let mut found = 0;
        for source in sources.iter().filter(|source| applies(site, source)) {
            for capture in pattern.captures_iter(&source.text) {
                let seen = match (named(&capture), capture.name("within")) {
                    (Some(code), _) => vec![(code.start(), code.as_str())],
                    (None, Some(within)) => literal
                        .captures_iter(within.as_str())
                        .filter_map(|literal| literal.get(1))
                        .map(|code| (within.start() + code.start(), code.as_str()))
                        .collect(),
                    (None, None) => panic!("the pattern of `{site}` names nothing"),
                };
                for (offset, code) in seen {
                    found += 1;
                    if codes::find(code).is_none() {
                        let place = format!("{}:{}", source.path, source.line(offset));
                        missing.entry(code.to_owned()).or_insert(place);
                    }
                }
            }
        }
        assert!(
            found > 0,
            "nothing looks like `{site}` any more: mend its pattern"
        );
    }
    for limit in LIMITS {
        if codes::find(limit.code).is_none() {
            missing.insert(limit.code.to_owned(), format!("limit {}", limit.name));
        }
    }
    let list: Vec<String> = missing
        .iter()
        .map(|(code, place)| format!("  {code} ({place})"))
        .collect();
    assert!(
        list.is_empty(),
        "codes without an entry in crates/api/src/codes:\n{}",
        list.join("\n")
    );
}
