//! Names that git refuses in a tree, on any of the file systems it protects.
//!
//! The rules are those of git's `is_hfs_dotgit`, `is_ntfs_dotgit` and their kin: a tree written here must pass `git fsck --strict` and
//! must not turn into a repository's `.git` on somebody's macOS or Windows.

/// Whether git forbids a component of this name.
pub(super) fn is_forbidden(name: &[u8], symlink: bool) -> bool {
    if matches!(name, b"." | b"..") || is_hfs(name, b".git") {
        return true;
    }
    // Windows takes a backslash as a separator, so each part behind one counts.
    let mut parts = name.split(|byte| *byte == b'\\');
    if parts.any(is_ntfs_dotgit) {
        return true;
    }
    symlink
        && LINKS.iter().any(|link| {
            is_hfs(name, link.name)
                || name
                    .split(|byte| *byte == b'\\')
                    .any(|part| is_ntfs_link(part, link))
        })
}

/// A file that git reads, and therefore does not want to be a link.
struct LinkName {
    name: &'static [u8],
    /// The start of the short name NTFS makes up when the plain ones are taken.
    short: &'static [u8; 6],
}

const LINKS: [LinkName; 3] = [
    LinkName {
        name: b".gitmodules",
        short: b"gi7eba",
    },
    LinkName {
        name: b".gitattributes",
        short: b"gi7d29",
    },
    LinkName {
        name: b".gitignore",
        short: b"gi250a",
    },
];

/// HFS+ ignores case and some code points. git stops reading at a malformed character and takes what it has.
fn is_hfs(name: &[u8], wanted: &[u8]) -> bool {
    let valid = name.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let folded = valid.chars().filter(|character| {
        !matches!(u32::from(*character), 0x200C..=0x200F | 0x202A..=0x202E | 0x206A..=0x206F | 0xFEFF)
    });
    folded
        .map(|character| character.to_ascii_lowercase())
        .eq(wanted.iter().map(|byte| char::from(*byte)))
}

/// NTFS ignores case, and spaces and dots at the end; a colon starts the name of a stream.
fn ends_on_ntfs(rest: &[u8]) -> bool {
    rest.iter()
        .find(|byte| !matches!(byte, b'.' | b' '))
        .is_none_or(|byte| *byte == b':')
}

fn strip_prefix_ignoring_case<'a>(name: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_ntfs_dotgit(name: &[u8]) -> bool {
    [&b".git"[..], b"git~1"]
        .into_iter()
        .filter_map(|prefix| strip_prefix_ignoring_case(name, prefix))
        .any(ends_on_ntfs)
}

fn is_ntfs_link(name: &[u8], link: &LinkName) -> bool {
    if strip_prefix_ignoring_case(name, link.name).is_some_and(ends_on_ntfs) {
        return true;
    }
    // The usual short name: six characters and a number from 1 to 4.
    if let Some([b'~', b'1'..=b'4', rest @ ..]) = strip_prefix_ignoring_case(name, &link.name[1..7])
        && ends_on_ntfs(rest)
    {
        return true;
    }
    // The fallback: up to six characters of the hash form, and a number that fills up to eight.
    let Some((eight, rest)) = name.split_at_checked(8) else {
        return false;
    };
    let Some(tilde) = eight.iter().position(|byte| *byte == b'~') else {
        return false;
    };
    let (head, number) = (&eight[..tilde], &eight[tilde + 1..]);
    tilde <= 6
        && head.eq_ignore_ascii_case(&link.short[..tilde])
        && matches!(number, [b'1'..=b'9', digits @ ..] if digits.iter().all(u8::is_ascii_digit))
        && ends_on_ntfs(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disguise_of_dot_git_is_seen() {
        for name in [
            &b".git"[..],
            b".GIT",
            b".gIt",
            b"git~1",
            b"GIT~1",
            b".git ",
            b".git.",
            b".git . .",
            b".git::$INDEX_ALLOCATION",
            b"git~1:x",
            ".g\u{200c}it".as_bytes(),
            "\u{feff}.GIT".as_bytes(),
            b"x\\.git",
            b".git\\config",
            b".git\xff",
            b"..",
            b".",
        ] {
            assert!(is_forbidden(name, false), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn innocent_names_are_left_alone() {
        for name in [
            &b".gitignore"[..],
            b".gitmodules",
            b".github",
            b".gitx",
            b"git",
            b"git~2",
            b"git~10",
            b"a.git",
            b".git-x",
            b"...",
            b"~1",
            b"\xff.git",
            "gitä".as_bytes(),
        ] {
            assert!(!is_forbidden(name, false), "{}", name.escape_ascii());
        }
        assert!(!is_forbidden(b".gitignore_global", true));
        assert!(!is_forbidden(b"gi7eba~x", true));
    }

    #[test]
    fn files_git_reads_may_not_be_links() {
        for name in [
            &b".gitmodules"[..],
            b".GitAttributes",
            b".gitignore",
            b".gitmodules ",
            b"GITMOD~1",
            b"gitatt~4",
            b"gitign~2.",
            b"gi7eba~1",
            b"GI7D29~9",
            b"gi250~10",
            b"~1000000",
            ".git\u{200d}modules".as_bytes(),
        ] {
            assert!(is_forbidden(name, true), "{}", name.escape_ascii());
            assert!(!is_forbidden(name, false), "{}", name.escape_ascii());
        }
    }
}
