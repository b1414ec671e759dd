//! The walk over a workspace.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::base::BaseTree;
use super::content::{BlobWriter, limit};
use super::escape::escape_component;
use super::ignore_rules::{IgnoreFile, IgnoreStack};
use super::import::{Change, Import};
use super::layers::{Contents, LayerReader};
use super::{Listing, Mode, TreeError, TreeLimits, TreeReport};
use crate::directory_stack::DirectoryStack;
use crate::git::{CatFile, GitError};
use crate::object_id::{BlobHasher, ObjectId};
use crate::os::{self, EntryKind, Metadata};
use crate::path_bytes::PathList;
use crate::vault::Vault;

/// What a walk found, before it is a tree.
pub(crate) struct Walked {
    pub(crate) report: TreeReport,
    pub(crate) changed: Vec<Change>,
    pub(crate) base: BaseTree,
    pub(crate) beside: Beside,
}

/// What a walk comes across and leaves out of T.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) ignored: Vec<IgnoredEntry>,
    /// Directories without entries.
    pub(crate) empty: Vec<Vec<u8>>,
    /// Files that were not to be looked at.
    pub(crate) excluded: PathList,
}

/// One ignored entry that is not a directory.
pub(crate) struct IgnoredEntry {
    pub(crate) path: Vec<u8>,
    /// The path with escaped names.
    pub(crate) stored: Vec<u8>,
    pub(crate) kind: EntryKind,
    pub(crate) size: u64,
}

impl Walked {
    /// Paths of base that are gone.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &[u8]> {
        self.base.unseen().map(|(path, _)| path)
    }
}

/// Reads the workspace and sends every blob that base does not hold to `import`. Files at `excluded` paths are not read at all, unless
/// base has them.
pub(crate) fn walk(
    workspace: Contents<'_>,
    vault: &Vault,
    base: ObjectId,
    limits: TreeLimits,
    excluded: &BTreeSet<Vec<u8>>,
    import: &mut Import,
) -> Result<Walked, TreeError> {
    let (root, entries, layers) = open(workspace, vault, base)?;
    let directories =
        DirectoryStack::open(root).map_err(|source| TreeError::unreadable(b"", source))?;
    let mut report = TreeReport::new(base);
    if layers.is_some() {
        // What is covered is taken off on the way.
        let listing = entries.listing();
        report.files = listing.files();
        report.bytes = listing.total_size();
    }
    let mut walker = Walker {
        vault,
        limits,
        entries: 0,
        directories,
        frames: Vec::new(),
        path: Vec::new(),
        stored: Vec::new(),
        rules: IgnoreStack::default(),
        base_rules: IgnoreStack::default(),
        rules_differ: 0,
        blobs: BlobWriter::new(import, vault.object_format(), limits),
        base_blobs: None,
        base: entries,
        layers,
        report,
        changed: Vec::new(),
        excluded,
        beside: Beside::default(),
    };
    walker.run()?;
    walker.finish()
}

/// What to read, what base has, and how to read layers if there are any.
fn open<'a>(
    workspace: Contents<'a>,
    vault: &Vault,
    base: ObjectId,
) -> Result<(&'a Path, BaseTree, Option<LayerReader>), TreeError> {
    match workspace {
        Contents::Directory(directory) => Ok((directory, BaseTree::read(vault, base)?, None)),
        Contents::Layers(layers) => {
            let reader = LayerReader::open(&layers)?;
            let listing = Listing::load(layers.listing, vault.object_format());
            let listing = listing.map_err(|source| TreeError::Layer {
                action: "read the listing of the lower layer",
                source,
            })?;
            if listing.commit() != base {
                return Err(TreeError::OtherBase {
                    lower: listing.commit(),
                    base,
                });
            }
            Ok((
                layers.upper,
                BaseTree::assumed_present(listing),
                Some(reader),
            ))
        }
    }
}

/// A directory on the way to the current one.
struct Frame {
    /// Subdirectories that are still to be read.
    pending: Vec<Pending>,
    path_len: usize,
    stored_len: usize,
    ignored: bool,
    ignored_by_base: bool,
    /// Whether what base has below this directory shows where the layer that is read has nothing.
    merged: bool,
    pushed_rules: bool,
    pushed_base_rules: bool,
    rules_differ: bool,
}

struct Pending {
    name: Vec<u8>,
    stored: Vec<u8>,
    ignored: bool,
    ignored_by_base: bool,
    merged: bool,
}

struct Walker<'a> {
    vault: &'a Vault,
    limits: TreeLimits,
    entries: u64,
    directories: DirectoryStack,
    frames: Vec<Frame>,
    /// Where the walk is, relative to the workspace; empty or with a slash at the end.
    path: Vec<u8>,
    /// The same in the tree, with escaped names.
    stored: Vec<u8>,
    rules: IgnoreStack,
    /// As base's own `.gitignore` files have it.
    base_rules: IgnoreStack,
    /// How many directories on the way have other rules than in base. While there are none, both say the same.
    rules_differ: usize,
    blobs: BlobWriter<'a>,
    base_blobs: Option<CatFile>,
    base: BaseTree,
    layers: Option<LayerReader>,
    report: TreeReport,
    changed: Vec<Change>,
    excluded: &'a BTreeSet<Vec<u8>>,
    beside: Beside,
}

impl Walker<'_> {
    fn run(&mut self) -> Result<(), TreeError> {
        let merged = match &self.layers {
            Some(layers) => {
                let current = self.directories.current();
                let current = current.map_err(|source| TreeError::unreadable(b"", source))?;
                layers.check_root(current)?;
                true
            }
            None => false,
        };
        self.read_directory(false, false, merged)?;
        while let Some(frame) = self.frames.last_mut() {
            match frame.pending.pop() {
                Some(next) => self.descend(next)?,
                None => self.ascend(),
            }
        }
        Ok(())
    }

    fn descend(&mut self, next: Pending) -> Result<(), TreeError> {
        let Pending {
            name,
            stored,
            ignored,
            ignored_by_base,
            merged,
        } = next;
        self.path.extend_from_slice(&name);
        self.stored.extend_from_slice(&stored);
        if self.directories.depth() >= self.limits.depth {
            return Err(limit(
                &self.path,
                "nested directories",
                self.limits.depth as u64,
            ));
        }
        // Nothing of an ignored directory is stored unless base has something in it, so not to know its content is worth a note only.
        let only_counted = ignored && !self.base.has_below(&self.stored);
        let entered = self.directories.enter(&name);
        match entered {
            Err(_) if only_counted => {
                self.report.ignored.unreadable.push(&self.path);
                self.truncate();
                return Ok(());
            }
            other => other.map_err(|source| TreeError::unreadable(&self.path, source))?,
        }
        self.path.push(b'/');
        self.stored.push(b'/');
        let merged = self.merge(merged)?;
        self.read_directory(ignored, ignored_by_base, merged)
    }

    fn ascend(&mut self) {
        if let Some(frame) = self.frames.pop() {
            if frame.pushed_rules {
                self.rules.pop();
            }
            if frame.pushed_base_rules {
                self.base_rules.pop();
            }
            self.rules_differ -= usize::from(frame.rules_differ);
        }
        self.directories.leave();
        self.truncate();
    }

    fn truncate(&mut self) {
        let (path, stored) = self
            .frames
            .last()
            .map_or((0, 0), |frame| (frame.path_len, frame.stored_len));
        self.path.truncate(path);
        self.stored.truncate(stored);
    }

    /// Whether base shows through in the directory that was just entered, which its parent would allow or not.
    fn merge(&mut self, allowed: bool) -> Result<bool, TreeError> {
        let Some(layers) = &self.layers else {
            return Ok(false);
        };
        let path = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        let current = self.directories.current();
        let current = current.map_err(|source| TreeError::unreadable(path, source))?;
        let opaque = layers.is_opaque(current, path)?;
        if opaque && allowed {
            let hidden = self.base.hide_below(path);
            self.report.take_off(hidden);
        }
        Ok(allowed && !opaque)
    }

    /// Reads the directory that was just entered.
    fn read_directory(
        &mut self,
        ignored: bool,
        ignored_by_base: bool,
        merged: bool,
    ) -> Result<(), TreeError> {
        let names = self.directories.current().and_then(os::entries);
        let mut names = names.map_err(|source| TreeError::unreadable(&self.path, source))?;
        names.sort_unstable();
        self.entries += names.len() as u64;
        if self.entries > self.limits.entries {
            return Err(limit(&self.path, "directory entries", self.limits.entries));
        }
        let mut frame = Frame {
            pending: Vec::new(),
            path_len: self.path.len(),
            stored_len: self.stored.len(),
            ignored,
            ignored_by_base,
            merged,
            pushed_rules: false,
            pushed_base_rules: false,
            rules_differ: false,
        };
        self.load_rules(&names, &mut frame)?;
        let directory = self.path.strip_suffix(b"/").unwrap_or(&self.path).to_vec();
        let stored_directory = self.stored.strip_suffix(b"/").unwrap_or(&self.stored);
        let submodule = self
            .base
            .get(stored_directory)
            .is_some_and(|entry| entry.mode == Mode::Submodule);
        let at_root = self.frames.is_empty();
        let mut empty = true;
        for name in names {
            // Whatever the agent made of it, the repository of the workspace itself is not part of its content.
            if at_root && name == b".git" {
                continue;
            }
            let is_there = self.visit(name, &directory, &mut frame)?;
            empty &= !is_there;
        }
        empty &= !(merged && self.base.shows_below(&directory));
        if empty && !at_root {
            self.beside.empty.push(directory.clone());
        }
        if !ignored && !at_root {
            if submodule && !empty {
                self.report.submodules_with_content.push(&directory);
            }
            self.report.empty_directories += u64::from(empty && !submodule);
        }
        frame.pending.reverse();
        self.frames.push(frame);
        Ok(())
    }

    /// Stores an entry or notes it for later. Returns whether there is anything: a whiteout only says that there is not.
    fn visit(
        &mut self,
        name: Vec<u8>,
        directory: &[u8],
        frame: &mut Frame,
    ) -> Result<bool, TreeError> {
        let path = [&self.path[..], &name].concat();
        let found = self
            .directories
            .current()
            .and_then(|current| os::metadata_at(current, &name));
        let found = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound && frame.ignored => {
                return Ok(false);
            }
            other => other.map_err(|source| TreeError::unreadable(&path, source))?,
        };
        if self.layers.is_some() {
            if frame.merged {
                self.cover(&path, found.kind);
            }
            if found.whiteout {
                return Ok(false);
            }
        }
        let escaped = self.stored_name(&name, found.kind);
        let stored = [&self.stored[..], &escaped].concat();
        let is_directory = found.kind == EntryKind::Directory;
        let ignored = frame.ignored || self.rules.ignores(&path, is_directory);
        let ignored_by_base = if self.rules_differ == 0
            && !frame.rules_differ
            && frame.ignored == frame.ignored_by_base
        {
            ignored
        } else {
            frame.ignored_by_base || self.base_rules.ignores(&path, is_directory)
        };
        let known = self.base.get(&stored);
        if !is_directory && known.is_none() && self.excluded.contains(&path) {
            self.beside.excluded.push(&path);
            return Ok(true);
        }
        let kept = !ignored || known.is_some() || (is_directory && self.base.has_below(&stored));
        if kept && found.kind != EntryKind::Special {
            if escaped != name {
                self.report.push_escaped(&path, &stored);
            }
            if name.eq_ignore_ascii_case(b".git") && !directory.is_empty() {
                self.report.nested_repositories.push(directory);
            }
        }
        if is_directory {
            frame.pending.push(Pending {
                name,
                stored: escaped,
                ignored,
                ignored_by_base,
                merged: frame.merged,
            });
            return Ok(true);
        }
        if !kept {
            self.report.ignored.push(&path, found.size);
            if !ignored_by_base {
                self.report.newly_ignored.push(&path);
            }
            self.beside.ignored.push(IgnoredEntry {
                path,
                stored,
                kind: found.kind,
                size: found.size,
            });
            return Ok(true);
        }
        match found.kind {
            EntryKind::Symlink => self.store_link(&name, &path, stored)?,
            EntryKind::File => self.store_file(&name, &path, stored, found)?,
            EntryKind::Special | EntryKind::Directory => self.report.skipped_special.push(&path),
        }
        Ok(true)
    }

    /// What the upper layer has at `path` hides what base has there. Two directories are one, unless the upper is opaque.
    fn cover(&mut self, path: &[u8], kind: EntryKind) {
        let hidden = self.base.hide(path);
        self.report.take_off(hidden);
        if kind != EntryKind::Directory {
            let hidden = self.base.hide_below(path);
            self.report.take_off(hidden);
        }
    }

    /// The name under which an entry is stored. A link that base has under a name it should not have is an unchanged link.
    fn stored_name(&self, name: &[u8], kind: EntryKind) -> Vec<u8> {
        let symlink = kind == EntryKind::Symlink;
        let escaped = escape_component(name, symlink);
        if symlink && *escaped != *name && *escape_component(name, false) == *name {
            let plain = [&self.stored[..], name].concat();
            if self
                .base
                .get(&plain)
                .is_some_and(|entry| entry.mode == Mode::Symlink)
            {
                return name.to_vec();
            }
        }
        escaped.into_owned()
    }

    fn store_link(&mut self, name: &[u8], path: &[u8], stored: Vec<u8>) -> Result<(), TreeError> {
        let target = self
            .directories
            .current()
            .and_then(|current| os::read_link(current, name));
        let target = target.map_err(|source| TreeError::unreadable(path, source))?;
        let id = self.blobs.bytes(&self.base, path, &target)?;
        self.store(stored, Mode::Symlink, id, target.len() as u64);
        Ok(())
    }

    fn store_file(
        &mut self,
        name: &[u8],
        path: &[u8],
        stored: Vec<u8>,
        found: Metadata,
    ) -> Result<(), TreeError> {
        let unreadable = |source| TreeError::unreadable(path, source);
        let mut file = self
            .directories
            .current()
            .and_then(|current| os::open_file(current, name))
            .map_err(unreadable)?;
        let opened = os::metadata_of(&file).map_err(unreadable)?;
        if opened.identity != found.identity || opened.kind != EntryKind::File {
            return Err(TreeError::Unstable { path: path.into() });
        }
        if let Some(layers) = &self.layers {
            layers.check_file(&file, path)?;
        }
        let (id, len) = self.blobs.file(&self.base, path, &mut file)?;
        let mode = if opened.mode & 0o100 == 0 {
            Mode::File
        } else {
            Mode::Executable
        };
        self.store(stored, mode, id, len);
        Ok(())
    }

    fn store(&mut self, stored: Vec<u8>, mode: Mode, id: ObjectId, len: u64) {
        self.report.files += 1;
        self.report.bytes = self.report.bytes.saturating_add(len);
        let known = self.base.get(&stored);
        self.base.mark_seen(&stored);
        if known.is_none_or(|entry| entry.mode != mode || entry.id != id) {
            self.changed.push(Change {
                path: stored,
                mode,
                id,
            });
        }
    }

    /// Takes up the `.gitignore` of the directory, and base's if it is another.
    fn load_rules(&mut self, names: &[Vec<u8>], frame: &mut Frame) -> Result<(), TreeError> {
        const NAME: &[u8] = b".gitignore";
        let path = [&self.path[..], NAME].concat();
        let stored = [&self.stored[..], NAME].concat();
        let listed = names
            .binary_search_by(|name| name.as_slice().cmp(NAME))
            .is_ok();
        let content = match self.rules_of_base(&path) {
            _ if frame.ignored => None,
            _ if listed => self.read_rules(&path)?,
            Some(id) if frame.merged => Some(self.base_blob(&path, id)?),
            Some(_) | None => None,
        };
        let id = content
            .as_ref()
            .map(|content| BlobHasher::blob(self.vault.object_format(), content));
        let parsed = content.as_deref().map(IgnoreFile::parse);
        if matches!(parsed, Some(None)) {
            self.report.disregarded_ignore_files.push(&path);
        }
        let rules = parsed.flatten().map(Rc::new);
        if let Some(rules) = &rules {
            self.rules.push(self.path.len(), Rc::clone(rules));
            frame.pushed_rules = true;
        }
        let of_base = self
            .rules_of_base(&stored)
            .filter(|_| !frame.ignored_by_base);
        frame.rules_differ = id != of_base;
        self.rules_differ += usize::from(frame.rules_differ);
        // Base's rules are kept even where they are the same, as a directory below may differ.
        let base_rules = match of_base {
            Some(_) if id == of_base => rules,
            Some(id) => IgnoreFile::parse(&self.base_blob(&path, id)?).map(Rc::new),
            None => None,
        };
        if let Some(rules) = base_rules {
            self.base_rules.push(self.path.len(), rules);
            frame.pushed_base_rules = true;
        }
        Ok(())
    }

    fn rules_of_base(&self, path: &[u8]) -> Option<ObjectId> {
        let entry = self.base.get(path)?;
        matches!(entry.mode, Mode::File | Mode::Executable).then_some(entry.id)
    }

    /// git does not follow a `.gitignore` that is a link, and neither does this.
    fn read_rules(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>, TreeError> {
        const NAME: &[u8] = b".gitignore";
        let unreadable = |source| TreeError::unreadable(path, source);
        let current = self.directories.current().map_err(unreadable)?;
        if os::metadata_at(current, NAME).map_err(unreadable)?.kind != EntryKind::File {
            return Ok(None);
        }
        let file = os::open_file(current, NAME).map_err(unreadable)?;
        if os::metadata_of(&file).map_err(unreadable)?.kind != EntryKind::File {
            return Err(TreeError::Unstable { path: path.into() });
        }
        let mut content = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(file, IgnoreFile::MAX_BYTES + 1),
            &mut content,
        )
        .map_err(unreadable)?;
        Ok(Some(content))
    }

    /// A file of base. The lower layer of an overlay has it too, without a process.
    fn base_blob(&mut self, path: &[u8], id: ObjectId) -> Result<Vec<u8>, GitError> {
        let layers = self.layers.as_ref();
        if let Some(content) =
            layers.and_then(|layers| layers.lower_file(path, id, IgnoreFile::MAX_BYTES + 1))
        {
            return Ok(content);
        }
        if self.base_blobs.is_none() {
            self.base_blobs = Some(CatFile::trusted(self.vault.path())?);
        }
        match self.base_blobs.as_mut() {
            Some(reader) => reader.blob(id),
            None => Err(GitError::unexpected("cat-file", "it is not running")),
        }
    }

    fn finish(mut self) -> Result<Walked, TreeError> {
        if let Some(reader) = self.base_blobs.take() {
            reader.finish()?;
        }
        self.changed
            .sort_unstable_by(|left, right| left.path.cmp(&right.path));
        self.keep_submodules();
        Ok(Walked {
            report: self.report,
            changed: self.changed,
            base: self.base,
            beside: self.beside,
        })
    }

    /// A submodule stays what it is in base unless something is stored in its place: a checkout has only an empty directory there.
    fn keep_submodules(&mut self) {
        let kept: Vec<Vec<u8>> = self
            .base
            .unseen()
            .filter(|(_, entry)| entry.mode == Mode::Submodule)
            .filter(|(path, _)| {
                let below = [path, &b"/"[..]].concat();
                let next = self.changed.partition_point(|change| change.path < below);
                self.changed
                    .get(next)
                    .is_none_or(|change| !change.path.starts_with(&below))
            })
            .map(|(path, _)| path.to_vec())
            .collect();
        for path in kept {
            self.base.mark_seen(&path);
        }
    }
}
