//! The `.gitignore` files that apply to a directory.

use std::rc::Rc;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::pattern;

/// The patterns of one file.
pub(super) struct IgnoreFile {
    set: RegexSet,
    /// Per pattern: negative, directories only.
    decisions: Vec<(bool, bool)>,
}

impl IgnoreFile {
    /// Larger files are disregarded, which lets in what they name.
    pub(super) const MAX_BYTES: u64 = 1 << 20;

    /// None for a file that is too large or too complicated to compile.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        if content.len() as u64 > Self::MAX_BYTES {
            return None;
        }
        let patterns = pattern::parse(content);
        let set = RegexSetBuilder::new(patterns.iter().map(|pattern| &pattern.regex))
            .unicode(false)
            .dot_matches_new_line(true)
            .size_limit(64 << 20)
            .build()
            .ok()?;
        let decisions = patterns
            .iter()
            .map(|pattern| (pattern.negative, pattern.directories_only))
            .collect();
        Some(Self { set, decisions })
    }

    /// What the last matching line says; none if no line matches.
    fn ignores(&self, path: &[u8], directory: bool) -> Option<bool> {
        let matched = self.set.matches(path);
        matched
            .iter()
            .rev()
            .map(|index| self.decisions[index])
            .find(|(_, directories_only)| directory || !directories_only)
            .map(|(negative, _)| !negative)
    }
}

/// The files from the root down to the current directory.
#[derive(Default)]
pub(super) struct IgnoreStack {
    /// With the length of the directory's path, its trailing slash included.
    files: Vec<(usize, Rc<IgnoreFile>)>,
}

impl IgnoreStack {
    pub(super) fn push(&mut self, prefix: usize, file: Rc<IgnoreFile>) {
        self.files.push((prefix, file));
    }

    pub(super) fn pop(&mut self) {
        self.files.pop();
    }

    /// Whether a path in the current directory is ignored. The nearest file that says anything decides.
    pub(super) fn ignores(&self, path: &[u8], directory: bool) -> bool {
        self.files
            .iter()
            .rev()
            .find_map(|(prefix, file)| file.ignores(&path[*prefix..], directory))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What git itself says about each path, as files and as directories.
    fn git_says(patterns: &[u8], paths: &[Vec<u8>]) -> Vec<bool> {
        let directory = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command
                .current_dir(directory.path())
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .args(arguments);
            command
        };
        assert!(
            git(&["init", "-q", "--template="])
                .status()
                .unwrap()
                .success()
        );
        std::fs::write(directory.path().join(".gitignore"), patterns).unwrap();
        let mut child = git(&["check-ignore", "--no-index", "--stdin", "-z", "-v", "-n"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for path in paths {
            stdin.write_all(path).unwrap();
            stdin.write_all(b"\0").unwrap();
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap().stdout;
        let fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
        fields
            .chunks_exact(4)
            .map(|record| !record[2].is_empty() && !record[2].starts_with(b"!"))
            .collect()
    }

    /// What we say, with directories above the path looked at first, as the walk does.
    fn we_say(patterns: &[u8], path: &[u8]) -> bool {
        let file = IgnoreFile::parse(patterns).unwrap();
        let slashes = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(index, _)| index);
        for end in slashes {
            if file.ignores(&path[..end], true) == Some(true) {
                return true;
            }
        }
        file.ignores(path, false) == Some(true)
    }

    #[test]
    fn the_corners_of_the_language_are_those_of_git() {
        let paths: Vec<Vec<u8>> = [
            &b"a"[..],
            b"b",
            b"a/b",
            b"a/b/c",
            b"x/a/b",
            b"foo.o",
            b"x/foo.o",
            b"{a,b}",
            b"foo ",
            b"foo",
            b"!a",
            b"#a",
            b"caf\xe9",
            b"x-y",
            b"]",
            b"^",
            b"a b",
            b"abc",
            b"x/y/abc",
            b"ab/c",
            b"build/x",
            b"src/build/x",
            b"\\",
            b"a\\b",
            b"9",
            b"-",
            b"[",
        ]
        .iter()
        .map(|path| path.to_vec())
        .collect();
        for patterns in [
            &b"a"[..],
            b"/a",
            b"a/",
            b"a/b",
            b"*.o",
            b"{a,b}",
            b"foo ",
            b"foo\\ ",
            b"\\!a",
            b"\\#a",
            b"#a",
            b"caf\xe9",
            b"caf?",
            b"[a-c]",
            b"[!a]",
            b"[^a]",
            b"[]]",
            b"[]a-]",
            b"[[:digit:]]",
            b"[[:nope:]]",
            b"[a",
            b"a**c",
            b"**/b",
            b"a/**",
            b"**/a/**",
            b"x/**/abc",
            b"*",
            b"*\n!*.o",
            b"a/*\n!a/b",
            b"\xef\xbb\xbfa",
            b"a\r",
            b"a\\",
            b"[\\]]",
            b"[z-a]",
            b"[a-]",
            b"**",
            b"/**",
            b"/*",
            b"build",
            b"*/x",
            b"?",
            b"[[]",
            b"\\\\",
            b"a\\\\b",
            b"[!-]",
            b"[^]]",
            b"x[-]y",
            b"x[+-/]y",
            b"!",
            b"/",
            b"//",
            b"!/a",
            b"[[:punct:]]",
            b"foo\t",
            b"   ",
            b"***/b",
            b"a/***",
            b"x/**\\/abc",
            b"[--9]",
            b"[[:alpha:]-z]",
            b"[[:]",
            b"[[:a]",
        ] {
            let theirs = git_says(patterns, &paths);
            assert_eq!(theirs.len(), paths.len());
            for (path, git) in paths.iter().zip(theirs) {
                assert_eq!(
                    we_say(patterns, path),
                    git,
                    "pattern {} path {}",
                    patterns.escape_ascii(),
                    path.escape_ascii()
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_file_means_what_it_means_to_git(
            lines in prop::collection::vec("[ab/*?!\\[\\]^\\\\. :-]{1,7}", 1..4),
            paths in prop::collection::btree_set("[ab]{1,2}(/[ab.-]{1,2}){0,3}", 1..12),
        ) {
            let patterns = lines.join("\n").into_bytes();
            let paths: Vec<Vec<u8>> = paths
                .into_iter()
                .filter(|path| path.split('/').all(|part| part != "." && part != ".."))
                .map(String::into_bytes)
                .collect();
            prop_assume!(!paths.is_empty());
            let theirs = git_says(&patterns, &paths);
            prop_assert_eq!(theirs.len(), paths.len());
            for (path, git) in paths.iter().zip(theirs) {
                prop_assert_eq!(we_say(&patterns, path), git, "pattern {} path {}", patterns.escape_ascii(), path.escape_ascii());
            }
        }
    }
}
