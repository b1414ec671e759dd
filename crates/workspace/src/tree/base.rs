//! The entries of a base commit.

use super::listing::{Listed, Listing};
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
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
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
}

/// Everything a commit contains, and what of it T has as well.
pub(crate) struct BaseTree {
    listing: Listing,
    /// Whether T has something at the path of an entry.
    seen: Vec<bool>,
}

impl BaseTree {
    /// For a walk that sees every file: what it does not come across is gone.
    pub(crate) fn read(vault: &Vault, base: ObjectId) -> Result<Self, GitError> {
        let listing = Listing::read(vault, base, false)?;
        let seen = vec![false; listing.len()];
        Ok(Self { listing, seen })
    }

    /// For a walk that sees only changes: what it does not come across is there.
    pub(crate) fn assumed_present(listing: Listing) -> Self {
        let seen = vec![true; listing.len()];
        Self { listing, seen }
    }

    pub(crate) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<BaseEntry> {
        self.listing.find(path).map(|index| self.entry(index))
    }

    fn entry(&self, index: usize) -> BaseEntry {
        let Listed { mode, id, .. } = self.listing.entry(index);
        BaseEntry { mode, id }
    }

    pub(crate) fn mark_seen(&mut self, path: &[u8]) {
        if let Some(index) = self.listing.find(path) {
            self.seen[index] = true;
        }
    }

    /// Takes back that T has what base has at `path`, and returns the files this concerned.
    pub(crate) fn hide(&mut self, path: &[u8]) -> Hidden {
        let index = self.listing.find(path);
        self.hide_entries(index.into_iter())
    }

    /// The same for everything below the directory `path`.
    pub(crate) fn hide_below(&mut self, path: &[u8]) -> Hidden {
        let below = self.listing.below(path);
        self.hide_entries(below)
    }

    fn hide_entries(&mut self, indices: impl Iterator<Item = usize>) -> Hidden {
        let mut hidden = Hidden::default();
        for index in indices {
            if std::mem::replace(&mut self.seen[index], false) {
                let entry = self.listing.entry(index);
                hidden.files += u64::from(entry.mode != Mode::Submodule);
                hidden.bytes += entry.size;
            }
        }
        hidden
    }

    /// Whether base has anything below the directory `path`.
    pub(crate) fn has_below(&self, path: &[u8]) -> bool {
        !self.listing.below(path).is_empty()
    }

    /// Whether T still has anything of what base has below the directory `path`.
    pub(crate) fn shows_below(&self, path: &[u8]) -> bool {
        self.seen[self.listing.below(path)].contains(&true)
    }

    /// Whether the vault is known to hold this object.
    pub(crate) fn holds(&self, id: ObjectId) -> bool {
        self.listing.holds(id)
    }

    /// Paths of base that T does not have.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = (&[u8], BaseEntry)> {
        let unseen = self.seen.iter().enumerate().filter(|(_, seen)| !**seen);
        unseen.map(|(index, _)| (self.listing.path(index), self.entry(index)))
    }
}

/// Files of base that turned out to be covered by something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hidden {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
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
