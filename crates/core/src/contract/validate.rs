//! What names, refs and object ids look like.

use crate::strict::{Problem, ProblemCode, Problems};

/// The longest ref name.
const MAX_REF_BYTES: usize = 1024;

/// Whether `text` can name an agent or a gate: it becomes part of paths, so `.` and `..` cannot.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        && !matches!(text, "." | "..")
}

/// Whether `text` is a full object id, SHA-1 or SHA-256, in lower case.
pub fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn name(text: &str, path: &str, problems: &mut Problems) {
    if !is_name(text) {
        let message = format!("`{path}` is {text:?}, which is not a name");
        problems.push(
            Problem::new(ProblemCode::InvalidValue, path, message)
                .hint("use 1 to 64 letters, digits, dots, dashes and underscores"),
        );
    }
}

pub(super) fn base_ref(text: &str, path: &str, problems: &mut Problems) {
    let refused = |message: String| Problem::new(ProblemCode::InvalidValue, path, message);
    if is_shortened_id(text) {
        problems.push(
            refused(format!(
                "`{path}` is {text:?}, a shortened object id, which may come to mean another commit"
            ))
            .hint("give all of the id; if it is a branch, write refs/heads/NAME"),
        );
    } else if !is_ref_name(text) {
        problems.push(
            refused(format!(
                "`{path}` is {text:?}, which is not the name of a ref"
            ))
            .hint("give a branch, a tag, HEAD or a full object id"),
        );
    }
}

fn is_shortened_id(text: &str) -> bool {
    (4..64).contains(&text.len())
        && !matches!(text.len(), 40 | 64)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The rules of git-check-ref-format, and no leading dash, so that a ref can never be read as an option.
fn is_ref_name(text: &str) -> bool {
    let forbidden = |byte: u8| {
        byte.is_ascii_control()
            || matches!(byte, b' ' | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\')
    };
    (1..=MAX_REF_BYTES).contains(&text.len())
        && !text.starts_with('-')
        && text != "@"
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.bytes().any(forbidden)
        && text.split('/').all(|component| {
            !component.is_empty() && !component.starts_with('.') && !component.ends_with(".lock")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_parts_of_paths() {
        for good in ["a", "unit-tests", "v1.2_x", &"a".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "é", "a\n", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn refs_follow_git_and_are_never_options() {
        let full = "0123456789abcdef0123456789abcdef01234567";
        for good in [
            "HEAD",
            "main",
            "feature/x",
            "refs/heads/feed",
            "v1.0",
            full,
            "naïve",
        ] {
            assert!(is_ref_name(good) && !is_shortened_id(good), "{good}");
        }
        let bad = [
            "",
            "-x",
            "--upload-pack=x",
            "a..b",
            "a b",
            "HEAD~1",
            "HEAD^",
            "a:b",
            "a\0b",
            "a\n",
            "a//b",
            "/a",
            "a/",
            "a.lock",
            "a/.b",
            "@",
            "a@{1}",
            "a.",
            "a*",
        ];
        for bad in bad {
            assert!(!is_ref_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn shortened_ids_are_not_refs() {
        assert!(is_shortened_id("deadbee"));
        assert!(is_shortened_id(&"a".repeat(39)));
        assert!(!is_shortened_id(&"a".repeat(40)));
        assert!(!is_shortened_id("main"));
        assert!(is_object_id(&"a".repeat(64)) && !is_object_id(&"A".repeat(40)));
    }
}
