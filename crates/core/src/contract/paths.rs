//! Path rules: gitignore-style globs without negation, over the bytes of a path.
//!
//! A rule with a slash in it is anchored at the root of the repository, one without matches at any depth, one that ends in a slash
//! matches what is in such directories only, and a rule that matches a directory matches everything below it. Spellings that git and
//! our matcher would read differently are refused instead of guessed.

use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// The longest rule.
const MAX_RULE_BYTES: usize = 4096;

/// Why a rule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRuleError {
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// Longer than a path can be.
    #[error("is longer than {MAX_RULE_BYTES} bytes")]
    TooLong,
    /// `!`.
    #[error("starts with `!`: rules are never negated; use forbidden_paths to exclude")]
    Negated,
    /// A NUL character.
    #[error("contains a NUL character, which no path can")]
    Nul,
    /// `.`, `..` or nothing between two slashes.
    #[error("has an empty, `.` or `..` component, which no path in a repository has")]
    Component,
    /// A spelling with more than one reading.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Not a glob.
    #[error("is not a valid glob: {0}")]
    Glob(String),
}

/// What the rules say about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathVerdict<'r> {
    /// It may change.
    Allowed,
    /// A forbidden rule matches.
    Forbidden {
        /// The rule.
        rule: &'r str,
    },
    /// No allowed rule matches.
    NotAllowed,
}

/// The rules of a contract, ready to match.
#[derive(Clone, Debug)]
pub struct PathRules {
    allowed: Rules,
    forbidden: Rules,
}

#[derive(Clone, Debug)]
struct Rules {
    globs: GlobSet,
    /// The rule each glob belongs to.
    rules: Vec<String>,
}

impl PathRules {
    /// Prepares rules; the error names the rule.
    pub fn new(allowed: &[String], forbidden: &[String]) -> Result<Self, (String, PathRuleError)> {
        Ok(Self {
            allowed: Rules::new(allowed)?,
            forbidden: Rules::new(forbidden)?,
        })
    }

    /// What the rules say about a path relative to the root of the repository. Forbidden wins. Of a rename both names count, so ask
    /// about both.
    pub fn check(&self, path: &[u8]) -> PathVerdict<'_> {
        let candidate = Candidate::from_bytes(path);
        if let Some(rule) = self.forbidden.first(&candidate) {
            PathVerdict::Forbidden { rule }
        } else if self.allowed.first(&candidate).is_some() {
            PathVerdict::Allowed
        } else {
            PathVerdict::NotAllowed
        }
    }
}

impl Rules {
    fn new(rules: &[String]) -> Result<Self, (String, PathRuleError)> {
        let mut set = GlobSetBuilder::new();
        let mut owners = Vec::new();
        for rule in rules {
            for glob in compile(rule).map_err(|error| (rule.clone(), error))? {
                set.add(glob);
                owners.push(rule.clone());
            }
        }
        let globs = set.build().map_err(|error| {
            let rule = error.glob().unwrap_or_default().to_owned();
            (rule, PathRuleError::Glob(error.kind().to_string()))
        })?;
        Ok(Self {
            globs,
            rules: owners,
        })
    }

    fn first(&self, path: &Candidate<'_>) -> Option<&str> {
        let matches = self.globs.matches_candidate(path);
        let first = matches.into_iter().min()?;
        self.rules.get(first).map(String::as_str)
    }
}

/// Checks one rule.
pub(super) fn check_rule(rule: &str) -> Result<(), PathRuleError> {
    compile(rule).map(|_| ())
}

fn compile(rule: &str) -> Result<Vec<Glob>, PathRuleError> {
    if rule.is_empty() {
        return Err(PathRuleError::Empty);
    }
    if rule.len() > MAX_RULE_BYTES {
        return Err(PathRuleError::TooLong);
    }
    if rule.starts_with('!') {
        return Err(PathRuleError::Negated);
    }
    if rule.contains('\0') {
        return Err(PathRuleError::Nul);
    }
    let body = rule.strip_prefix('/').unwrap_or(rule);
    let (body, directories_only) = match body.strip_suffix('/') {
        Some(body) => (body, true),
        None => (body, false),
    };
    let components: Vec<&str> = body.split('/').collect();
    if components
        .iter()
        .any(|component| matches!(*component, "" | "." | ".."))
    {
        return Err(PathRuleError::Component);
    }
    if directories_only && components.last() == Some(&"**") {
        return Err(PathRuleError::Unsupported(
            "ends in `**/`; leave the last slash out to match everything below",
        ));
    }
    let anchored = rule.starts_with('/') || components.len() > 1;
    let translated = translate(body)?;
    let base = if anchored {
        translated
    } else {
        format!("**/{translated}")
    };
    let mut globs = vec![glob(&format!("{base}/**"))?];
    if !directories_only {
        globs.push(glob(&base)?);
    }
    Ok(globs)
}

fn glob(pattern: &str) -> Result<Glob, PathRuleError> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| PathRuleError::Glob(error.kind().to_string()))
}

/// From git's language of globs to the matcher's, where they differ: braces are plain characters, and no class matches a slash.
fn translate(body: &str) -> Result<String, PathRuleError> {
    use PathRuleError::Unsupported;
    // Git reads these by where the first wildcard stands, which nobody expects.
    if body
        .split('/')
        .any(|component| component.contains("**") && component != "**")
    {
        return Err(Unsupported(
            "has `**` beside something else; it has to be a whole component",
        ));
    }
    let mut translated = String::with_capacity(body.len() + 8);
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' => translated.extend(['\\', character]),
            '\\' => match characters.next() {
                None => return Err(Unsupported("ends in a backslash that escapes nothing")),
                Some('/') => return Err(Unsupported("escapes a slash")),
                Some(escaped) => translated.extend(['\\', escaped]),
            },
            '[' => {
                let rest = characters.as_str();
                let end = rest
                    .find(']')
                    .ok_or(Unsupported("has a `[` without its `]`"))?;
                translated.push_str(&class(&rest[..end])?);
                characters = rest[end + 1..].chars();
            }
            other => translated.push(other),
        }
    }
    Ok(translated)
}

fn class(members: &str) -> Result<String, PathRuleError> {
    use PathRuleError::Unsupported;
    let (members, negated) = match members.strip_prefix(['!', '^']) {
        Some(members) => (members, true),
        None => (members, false),
    };
    let bytes = members.as_bytes();
    if bytes.is_empty() || bytes[0] == b'-' {
        return Err(Unsupported(
            "has a `[...]` that starts with `]` or `-`; write them as `\\]` and `\\-` outside of it",
        ));
    }
    if !bytes.iter().all(u8::is_ascii_graphic) || bytes.iter().any(|byte| b"\\/[".contains(byte)) {
        return Err(Unsupported(
            "has a `[...]` with more than plain characters and ranges",
        ));
    }
    let spans_slash = |window: &[u8]| window[1] == b'-' && (window[0]..=window[2]).contains(&b'/');
    if bytes.windows(3).any(spans_slash) {
        return Err(Unsupported("has a range that contains the slash"));
    }
    Ok(if negated {
        format!("[!/{members}]")
    } else {
        format!("[{members}]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(rule: &str, path: &str) -> bool {
        let rules = PathRules::new(&[rule.to_owned()], &[]).unwrap();
        rules.check(path.as_bytes()) == PathVerdict::Allowed
    }

    /// Rule, path, whether `git check-ignore --no-index` says they match.
    const AS_GIT_DOES: &[(&str, &str, bool)] = &[
        ("*.rs", "a.rs", true),
        ("*.rs", "src/deep/a.rs", true),
        ("*.rs", "a.rs.txt", false),
        ("src", "src/a", true),
        ("src", "deep/src/a/b", true),
        ("src", "srcs/a", false),
        ("src/", "src", false),
        ("src/", "src/a", true),
        ("src/", "x/src/a/b", true),
        ("/src", "src/a", true),
        ("/src", "x/src/a", false),
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", true),
        ("a/b", "x/a/b", false),
        ("src/*", "src/a", true),
        ("src/*", "src/a/b", true),
        ("src/*.rs", "src/a/b.rs", false),
        ("src/**", "src/a/b", true),
        ("src/**", "src", false),
        ("**/gen", "gen", true),
        ("**/gen", "a/b/gen/c", true),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "ab", false),
        ("**", "anything/at/all", true),
        ("**", "a", true),
        ("a?c", "abc", true),
        ("a?c", "a/c", false),
        ("a[!b]c", "adc", true),
        ("a[!b]c", "abc", false),
        ("a[!b]c", "a/c", false),
        ("a[^b]c", "adc", true),
        ("a[0-9]", "a7", true),
        ("a[0-9]", "ax", false),
        ("a[x-]", "a-", true),
        ("a[!x-]", "a-", false),
        ("a[!x-]", "ay", true),
        ("{a,b}", "a", false),
        ("{a,b}", "{a,b}", true),
        ("a\\*", "a*", true),
        ("a\\*", "ab", false),
        ("README", "readme", false),
        ("*", ".hidden", true),
        ("foo/*/bar", "foo/x/bar", true),
        ("foo/*/bar", "foo/bar", false),
        ("#x", "#x", true),
    ];

    #[test]
    fn rules_mean_what_they_mean_to_git() {
        for (rule, path, expected) in AS_GIT_DOES {
            assert_eq!(matches(rule, path), *expected, "{rule} on {path}");
        }
    }

    #[test]
    fn spellings_with_two_readings_are_refused() {
        let refused = [
            ("", "is empty"),
            (
                "!a",
                "starts with `!`: rules are never negated; use forbidden_paths to exclude",
            ),
            (
                "a/../b",
                "has an empty, `.` or `..` component, which no path in a repository has",
            ),
            (
                "./a",
                "has an empty, `.` or `..` component, which no path in a repository has",
            ),
            (
                "a//b",
                "has an empty, `.` or `..` component, which no path in a repository has",
            ),
            (
                "/",
                "has an empty, `.` or `..` component, which no path in a repository has",
            ),
            ("a\0b", "contains a NUL character, which no path can"),
            (
                "a/**/",
                "ends in `**/`; leave the last slash out to match everything below",
            ),
            (
                "***",
                "has `**` beside something else; it has to be a whole component",
            ),
            (
                "a**/b",
                "has `**` beside something else; it has to be a whole component",
            ),
            ("a\\", "ends in a backslash that escapes nothing"),
            ("a[b", "has a `[` without its `]`"),
            (
                "[[:alpha:]]",
                "has a `[...]` with more than plain characters and ranges",
            ),
            ("[+-9]", "has a range that contains the slash"),
            (
                "[]a]",
                "has a `[...]` that starts with `]` or `-`; write them as `\\]` and `\\-` outside of it",
            ),
            ("[z-a]", "is not a valid glob: invalid range; 'z' > 'a'"),
        ];
        for (rule, message) in refused {
            assert_eq!(
                check_rule(rule).unwrap_err().to_string(),
                message,
                "{rule:?}"
            );
        }
        assert_eq!(check_rule(&"a".repeat(4097)), Err(PathRuleError::TooLong));
    }

    #[test]
    fn forbidden_wins_and_names_its_rule() {
        let rules = PathRules::new(
            &["src/**".to_owned(), "docs".to_owned()],
            &["*.lock".to_owned(), "src/secret".to_owned()],
        )
        .unwrap();
        assert_eq!(rules.check(b"src/a.rs"), PathVerdict::Allowed);
        assert_eq!(rules.check(b"docs/x"), PathVerdict::Allowed);
        assert_eq!(
            rules.check(b"src/secret/k"),
            PathVerdict::Forbidden { rule: "src/secret" }
        );
        assert_eq!(
            rules.check(b"src/Cargo.lock"),
            PathVerdict::Forbidden { rule: "*.lock" }
        );
        assert_eq!(rules.check(b"build.rs"), PathVerdict::NotAllowed);
        let none = PathRules::new(&[], &[]).unwrap();
        assert_eq!(
            none.check(b"a"),
            PathVerdict::NotAllowed,
            "no rule allows nothing"
        );
    }

    #[test]
    fn paths_are_bytes() {
        let rules = PathRules::new(&["src/*".to_owned()], &["*.key".to_owned()]).unwrap();
        assert_eq!(rules.check(b"src/\xff\xfe"), PathVerdict::Allowed);
        assert_eq!(rules.check(b"src/a\nb"), PathVerdict::Allowed);
        assert_eq!(
            rules.check(b"src/\xff\n.key"),
            PathVerdict::Forbidden { rule: "*.key" }
        );
        assert_eq!(rules.check(b"\xffsrc/a"), PathVerdict::NotAllowed);
    }

    proptest! {
        #[test]
        fn a_path_spelled_out_matches_itself_and_what_is_below(
            components in proptest::collection::vec("[a-z{},!#. é-]{0,4}[a-zA-Z0-9]", 1..5), below in "[a-z]{1,5}",
        ) {
            let path = components.join("/");
            prop_assume!(!path.starts_with('!'));
            let rule = format!("/{path}");
            prop_assert!(matches(&rule, &path));
            let inside = format!("{path}/{below}");
            prop_assert!(matches(&rule, &inside));
            let beside = format!("{path}{below}");
            prop_assert!(!matches(&rule, &beside));
        }

        #[test]
        fn no_text_makes_the_matcher_panic(rule in "\\PC{0,20}", path in proptest::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(rules) = PathRules::new(&[rule], &[]) {
                let _ = rules.check(&path);
            }
        }
    }
}
