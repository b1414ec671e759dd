//! How a place in a document is written: `acceptance[0].name`, `agents."my agent".driver`.

/// The path of a key under `parent`.
pub fn join(parent: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let key = if bare {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if parent.is_empty() {
        key
    } else {
        format!("{parent}.{key}")
    }
}

/// The path of an item of the list at `parent`.
pub fn index(parent: &str, position: usize) -> String {
    format!("{parent}[{position}]")
}

/// Whether `path` is `ancestor` or lies below it.
pub(super) fn is_within(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_quoted_and_control_characters_escaped() {
        assert_eq!(join("", "limits"), "limits");
        assert_eq!(join("agents", "my agent"), r#"agents."my agent""#);
        assert_eq!(join("", "\u{1b}[2J"), r#""\u{1b}[2J""#);
    }

    #[test]
    fn within_respects_the_ends_of_keys() {
        assert!(is_within("limits.max_turns", "limits"));
        assert!(is_within("acceptance[0]", "acceptance"));
        assert!(!is_within("limits_of_growth", "limits"));
    }
}
