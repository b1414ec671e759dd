//! The entries of a base commit.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// The mode of a tree entry that is not a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    File,
    Executable,
    Symlink,
    Submodule,
}

impl Mode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Submodule => "160000",
        }
    }

    /// Old repositories hold group-writable files; git takes them as plain ones, and so does this.
    fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"100644" | b"100664" => Some(Self::File),
            b"100755" => Some(Self::Executable),
            b"120000" => Some(Self::Symlink),
            b"160000" => Some(Self::Submodule),
            _ => None,
        }
    }
}

/// One path of base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaseEntry {
    pub(crate) mode: Mode,
    pub(crate) id: ObjectId,
    /// Whether the walk found something that T stores at this path.
    pub(crate) seen: bool,
}

/// Everything a commit contains, by path.
pub(crate) struct BaseTree {
    entries: BTreeMap<Vec<u8>, BaseEntry>,
    ids: HashSet<ObjectId>,
}

impl BaseTree {
    pub(crate) fn read(vault: &Vault, base: ObjectId) -> Result<Self, GitError> {
        let listing = vault
            .command("ls-tree")?
            .args(["-r", "-z", "--full-tree"])
            .arg(base.to_string())
            .run()?;
        let mut entries = BTreeMap::new();
        let mut ids = HashSet::new();
        for entry in parse_ls_tree(&listing) {
            let (mode, id, path) = entry?;
            ids.insert(id);
            entries.insert(
                path.to_vec(),
                BaseEntry {
                    mode,
                    id,
                    seen: false,
                },
            );
        }
        Ok(Self { entries, ids })
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<BaseEntry> {
        self.entries.get(path).copied()
    }

    pub(crate) fn mark_seen(&mut self, path: &[u8]) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.seen = true;
        }
    }

    /// Whether base has anything below the directory `path`.
    pub(crate) fn has_below(&self, path: &[u8]) -> bool {
        let below = [path, b"/"].concat();
        let next = self
            .entries
            .range::<[u8], _>((Bound::Included(&below[..]), Bound::Unbounded))
            .next();
        next.is_some_and(|(found, _)| found.starts_with(&below))
    }

    /// Whether the vault is known to hold this object.
    pub(crate) fn holds(&self, id: ObjectId) -> bool {
        self.ids.contains(&id)
    }

    /// Paths of base that the walk did not come across.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = (&[u8], BaseEntry)> {
        self.entries
            .iter()
            .filter(|(_, entry)| !entry.seen)
            .map(|(path, entry)| (path.as_slice(), *entry))
    }
}

/// Reads what `git ls-tree -r -z` prints.
pub(crate) fn parse_ls_tree(
    listing: &[u8],
) -> impl Iterator<Item = Result<(Mode, ObjectId, &[u8]), GitError>> {
    listing
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
        .map(|record| {
            let parsed = || {
                let tab = record.iter().position(|byte| *byte == b'\t')?;
                let mut fields = record[..tab].split(|byte| *byte == b' ');
                let (mode, _kind, id) = (fields.next()?, fields.next()?, fields.next()?);
                Some((
                    Mode::parse(mode)?,
                    ObjectId::from_hex(id).ok()?,
                    &record[tab + 1..],
                ))
            };
            parsed().ok_or_else(|| {
                GitError::unexpected("ls-tree", format!("`{}`", crate::PathBytes::new(record)))
            })
        })
}
