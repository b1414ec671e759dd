//! The entries of one tree object, by our own rules: git's checks do not see objects that were stored before they were asked for.

use std::collections::HashSet;

use super::HistoryRefusal;
use crate::object_id::{ObjectFormat, ObjectId};
use crate::tree::escape_component;

/// What a tree may hold besides files, links and directories.
pub(super) struct TreeRules {
    pub(super) format: ObjectFormat,
    /// Submodules of base, by the last component of their path and their commit.
    pub(super) submodules: HashSet<(Vec<u8>, ObjectId)>,
}

impl TreeRules {
    /// Checks every entry of a raw tree. Returns its subtrees and how many entries it has itself.
    pub(super) fn check(
        &self,
        tree: ObjectId,
        raw: &[u8],
    ) -> Result<(Vec<ObjectId>, u64), HistoryRefusal> {
        let refused = |name: &[u8], detail| HistoryRefusal::Tree {
            tree,
            name: name.into(),
            detail,
        };
        let mut subtrees = Vec::new();
        let mut count = 0;
        let mut rest = raw;
        while !rest.is_empty() {
            let (mode, name, id, after) =
                entry(rest, self.format).ok_or_else(|| refused(b"", "is not one"))?;
            rest = after;
            count += 1;
            if name.is_empty() || name.contains(&b'/') {
                return Err(refused(name, "is not the name of an entry"));
            }
            let symlink = mode == b"120000";
            // Names that look like our escape are fine here; it is the forbidden ones that matter.
            if !name.starts_with(b"dw%") && *escape_component(name, symlink) != *name {
                return Err(refused(name, "git forbids"));
            }
            match mode {
                b"40000" => subtrees.push(id),
                b"100644" | b"100755" | b"120000" => {}
                b"160000" if self.submodules.contains(&(name.to_vec(), id)) => {}
                b"160000" => return Err(refused(name, "is a submodule that base does not have")),
                _ => return Err(refused(name, "has a mode that git does not write")),
            }
        }
        Ok((subtrees, count))
    }
}

/// Mode, name, id and what follows.
type Entry<'a> = (&'a [u8], &'a [u8], ObjectId, &'a [u8]);

fn entry(raw: &[u8], format: ObjectFormat) -> Option<Entry<'_>> {
    let space = raw.iter().position(|byte| *byte == b' ')?;
    let (mode, rest) = (&raw[..space], &raw[space + 1..]);
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (&rest[..end], &rest[end + 1..]);
    let (id, rest) = rest.split_at_checked(format.hex_len() / 2)?;
    let id = match format {
        ObjectFormat::Sha1 => ObjectId::Sha1(id.try_into().ok()?),
        ObjectFormat::Sha256 => ObjectId::Sha256(id.try_into().ok()?),
    };
    Some((mode, name, id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[(&str, &[u8])]) -> Result<(Vec<ObjectId>, u64), HistoryRefusal> {
        let mut raw = Vec::new();
        for (mode, name) in entries {
            raw.extend_from_slice(mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(name);
            raw.push(0);
            raw.extend_from_slice(&[7; 20]);
        }
        let rules = TreeRules {
            format: ObjectFormat::Sha1,
            submodules: HashSet::from([(b"module".to_vec(), ObjectId::Sha1([7; 20]))]),
        };
        rules.check(ObjectId::Sha1([1; 20]), &raw)
    }

    #[test]
    fn plain_entries_pass() {
        let entries = [
            ("100644", &b"a"[..]),
            ("100755", b"dw%%2Egit"),
            ("40000", b"d"),
            ("120000", b"l"),
            ("160000", b"module"),
        ];
        assert_eq!(check(&entries).unwrap(), (vec![ObjectId::Sha1([7; 20])], 5));
    }

    #[test]
    fn hostile_entries_do_not() {
        for (mode, name) in [
            ("40000", &b".git"[..]),
            ("40000", b".GIT"),
            ("100644", b"git~1"),
            ("100644", b".git "),
            ("40000", b".."),
            ("40000", b"."),
            ("100644", b""),
            ("100644", b"a/b"),
            ("120000", b".gitmodules"),
            ("160000", b"other"),
            ("100664", b"x"),
            ("040000", b"x"),
            ("777", b"x"),
        ] {
            assert!(check(&[(mode, name)]).is_err(), "{mode} {name:?}");
        }
        let rules = TreeRules {
            format: ObjectFormat::Sha1,
            submodules: HashSet::new(),
        };
        let tree = ObjectId::Sha1([1; 20]);
        for raw in [&b"100644"[..], b"100644 a", b"100644 a\0short"] {
            assert!(rules.check(tree, raw).is_err());
        }
    }
}
