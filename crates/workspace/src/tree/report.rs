//! What a walk found.

use serde::{Deserialize, Serialize};

use super::base::Hidden;
use crate::object_id::ObjectId;
use crate::path_bytes::{PathBytes, PathList};

/// A name that git forbids and the name it is stored under. What lies below a directory is not listed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscapedPath {
    /// Where it is in the workspace.
    pub path: PathBytes,
    /// Where it is in the tree.
    pub stored: PathBytes,
}

/// Files that `.gitignore` files leave out of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// How many.
    pub count: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// The first of them.
    pub sample: Vec<IgnoredFile>,
    /// Ignored directories that could not be read, so that nothing is known of their content.
    pub unreadable: PathList,
}

/// One file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredFile {
    /// Where it is in the workspace.
    pub path: PathBytes,
    /// Its size in bytes.
    pub size: u64,
}

impl Ignored {
    pub(super) fn push(&mut self, path: &[u8], size: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(size);
        if self.sample.len() < PathList::SAMPLE {
            self.sample.push(IgnoredFile {
                path: path.into(),
                size,
            });
        }
    }
}

/// A tree T and everything about it that a reader of the diff would not see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeReport {
    /// The tree.
    pub tree: ObjectId,
    /// Files and links in it.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Names that git forbids; at most as many as a [`PathList`] samples.
    pub escaped: Vec<EscapedPath>,
    /// How many names were escaped.
    pub escaped_count: u64,
    /// Directories that are repositories of their own, stored as plain files.
    pub nested_repositories: PathList,
    /// Submodules of base that have content now and are stored as plain files instead.
    pub submodules_with_content: PathList,
    /// FIFOs, sockets and devices: not stored, never opened.
    pub skipped_special: PathList,
    /// Files that are left out now and that base's own `.gitignore` files would have let in.
    pub newly_ignored: PathList,
    /// `.gitignore` files too large or too complicated to obey; what they name is in the tree.
    pub disregarded_ignore_files: PathList,
    /// What was left out.
    pub ignored: Ignored,
    /// Directories without entries, which a tree cannot hold.
    pub empty_directories: u64,
}

impl TreeReport {
    pub(super) fn new(base: ObjectId) -> Self {
        Self {
            tree: base,
            files: 0,
            bytes: 0,
            escaped: Vec::new(),
            escaped_count: 0,
            nested_repositories: PathList::default(),
            submodules_with_content: PathList::default(),
            skipped_special: PathList::default(),
            newly_ignored: PathList::default(),
            disregarded_ignore_files: PathList::default(),
            ignored: Ignored::default(),
            empty_directories: 0,
        }
    }

    /// Files that were counted because base has them, and that turned out to be covered.
    pub(super) fn take_off(&mut self, hidden: Hidden) {
        self.files = self.files.saturating_sub(hidden.files);
        self.bytes = self.bytes.saturating_sub(hidden.bytes);
    }

    pub(super) fn push_escaped(&mut self, path: &[u8], stored: &[u8]) {
        self.escaped_count += 1;
        if self.escaped.len() < PathList::SAMPLE {
            self.escaped.push(EscapedPath {
                path: path.into(),
                stored: stored.into(),
            });
        }
    }
}
