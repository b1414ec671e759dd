//! Commits as bytes: reading what somebody else wrote, and writing our own.

use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// Who a commit says it is by, as dogwatch itself does.
pub(crate) const DOGWATCH: &str = "dogwatch <dogwatch@localhost>";

/// The parts of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommitObject {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    /// Name, address, seconds and zone.
    pub(crate) author: String,
    pub(crate) committer: String,
    /// Names of the headers after the committer.
    pub(crate) extra: Vec<String>,
    pub(crate) message: String,
}

impl CommitObject {
    /// Reads a raw commit. None if it is not one, or not in UTF-8.
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(raw).ok()?;
        let (headers, message) = text.split_once("\n\n")?;
        let mut lines = headers.split('\n');
        let id = |line: &str, key: &str| line.strip_prefix(key)?.parse::<ObjectId>().ok();
        let tree = id(lines.next()?, "tree ")?;
        let mut parents = Vec::new();
        let author = loop {
            let line = lines.next()?;
            match id(line, "parent ") {
                Some(parent) => parents.push(parent),
                None => break line.strip_prefix("author ")?.to_owned(),
            }
        };
        let committer = lines.next()?.strip_prefix("committer ")?.to_owned();
        let extra = lines
            // What starts with a space goes on with the header before.
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        Some(Self {
            tree,
            parents,
            author,
            committer,
            extra,
            message: message.to_owned(),
        })
    }

    /// Writes the commit to the vault, without its extra headers: a signature would not be one of this text.
    pub(crate) fn write(&self, vault: &Vault) -> Result<ObjectId, GitError> {
        let mut raw = format!("tree {}\n", self.tree);
        for parent in &self.parents {
            raw.push_str(&format!("parent {parent}\n"));
        }
        raw.push_str(&format!(
            "author {}\ncommitter {}\n\n{}",
            self.author, self.committer, self.message
        ));
        let id = vault
            .command("hash-object")?
            .args(["-t", "commit", "-w", "--stdin"])
            .run_with_input(raw.as_bytes())?;
        ObjectId::from_hex(id.trim_ascii_end())
            .map_err(|error| GitError::unexpected("hash-object", error.to_string()))
    }
}

/// Whether a character in a name or message would do something to a terminal or show the text in another order than it has.
pub(crate) fn is_hostile(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(
            u32::from(character),
            0x61C | 0x200E | 0x200F | 0x2028..=0x202E | 0x2066..=0x2069 | 0xFEFF | 0xE0000..=0xE007F
        )
}

/// Whether a line of a message speaks for dogwatch, which only dogwatch may do.
pub(crate) fn speaks_for_dogwatch(line: &str) -> bool {
    const PREFIX: &str = "dogwatch-";
    line.trim_start()
        .get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_commit_are_read() {
        let (tree, parent) = ("1".repeat(40), "2".repeat(40));
        let raw = format!(
            "tree {tree}\nparent {parent}\nauthor A <a> 1 +0000\ncommitter B <b> 2 +0000\ngpgsig one\n two\nencoding x\n\nsubject\n\nbody\n"
        );
        let commit = CommitObject::parse(raw.as_bytes()).unwrap();
        assert_eq!(commit.parents, [parent.parse().unwrap()]);
        assert_eq!(commit.author, "A <a> 1 +0000");
        assert_eq!(commit.extra, ["gpgsig", "encoding"]);
        assert_eq!(commit.message, "subject\n\nbody\n");
        for other in ["", "tree x\n\n", "tree\n", &raw[..60]] {
            assert_eq!(CommitObject::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_dogwatch_speaks_for_dogwatch() {
        for line in ["Dogwatch-Run: x", "  dogwatch-bundle: x", "DOGWATCH-X"] {
            assert!(speaks_for_dogwatch(line), "{line}");
        }
        for line in ["dogwatch", "the dogwatch-run", "é"] {
            assert!(!speaks_for_dogwatch(line), "{line}");
        }
    }
}
