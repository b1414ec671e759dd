//! What lies beside T: ignored files and empty directories, in a commit of their own.
//!
//! Its tree has two entries: `files`, with the ignored files that are kept, and `listing.json`, which names the others. A file that changes
//! while it is read is kept in one of its states, and one that goes away meanwhile is not kept.

use std::fs::File;
use std::io::{self, Read as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use dogwatch_core::Sha256Digest;

use super::{Extent, SnapshotError, SnapshotRequest};
use crate::directory_stack::DirectoryStack;
use crate::git::GitError;
use crate::object_id::{BlobHasher, ObjectId};
use crate::os::{self, EntryKind};
use crate::path_bytes::PathBytes;
use crate::tree::{Beside, Change, IgnoredEntry, Import, Mode, TreeError};
use crate::vault::Vault;

/// Where the files are in the tree.
pub(super) const FILES: &[u8] = b"files/";
const LISTING: &str = "listing.json";

/// How many files are listed by name before they are only counted.
const LISTED: usize = 100_000;

/// What was kept beside a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredSnapshot {
    /// The commit that holds it.
    pub commit: ObjectId,
    /// The ref that keeps that.
    pub name: String,
    /// Files that were kept.
    pub kept: u64,
    /// Their sizes together.
    pub kept_bytes: u64,
    /// Files that were not, and are listed.
    pub listed: u64,
}

/// What the snapshot does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    schema_version: u32,
    /// Files that were kept.
    pub kept: u64,
    /// Their sizes together.
    pub kept_bytes: u64,
    /// Files that were not, by path.
    pub files: Vec<ListedFile>,
    /// How many more of them there are.
    pub more: u64,
    /// Directories without entries, which a tree cannot hold. They come back with the snapshot.
    pub empty_directories: Vec<PathBytes>,
}

/// An ignored file of which only this is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Where it is in the workspace.
    pub path: PathBytes,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content; none for what is not a file, cannot be read, or is beyond what is read for this.
    pub sha256: Option<Sha256Digest>,
}

impl Listing {
    const VERSION: u32 = 1;

    /// The listing of a snapshot's ignored commit.
    pub fn read(vault: &Vault, commit: ObjectId) -> Result<Self, GitError> {
        let bytes = vault
            .command("cat-file")?
            .arg("blob")
            .arg(format!("{commit}:{LISTING}"))
            .run()?;
        serde_json::from_slice(&bytes)
            .map_err(|error| GitError::unexpected("cat-file", error.to_string()))
    }
}

impl IgnoredSnapshot {
    /// What stands under a name, if anything does.
    pub(super) fn find(vault: &Vault, name: &str) -> Result<Option<Self>, SnapshotError> {
        let Some(commit) = vault.read_ref(name)? else {
            return Ok(None);
        };
        let listing = Listing::read(vault, commit)?;
        Ok(Some(Self::of(commit, name, &listing)))
    }

    fn of(commit: ObjectId, name: &str, listing: &Listing) -> Self {
        Self {
            commit,
            name: name.to_owned(),
            kept: listing.kept,
            kept_bytes: listing.kept_bytes,
            listed: listing.files.len() as u64 + listing.more,
        }
    }
}

/// Commits what lies beside T under `name`, in place of what a snapshot that was not finished may have left there.
pub(super) fn keep(
    vault: &Vault,
    request: &SnapshotRequest<'_>,
    extent: &Extent<'_>,
    name: &str,
    beside: &mut Beside,
) -> Result<Option<IgnoredSnapshot>, SnapshotError> {
    let since = vault.marker()?;
    if beside.ignored.is_empty() && beside.empty.is_empty() {
        if let Some(stale) = vault.read_ref(name)? {
            vault
                .command("update-ref")?
                .args(["--no-deref", "-d", name, &stale.to_string()])
                .run()?;
        }
        return Ok(None);
    }
    let chosen = choose(&mut beside.ignored, extent.ignored_max);
    let unreadable = |source| TreeError::Unreadable {
        path: ".".into(),
        source,
    };
    let mut reader = Reader {
        directories: DirectoryStack::open(request.workspace.root()).map_err(unreadable)?,
        import: Import::start(vault)?,
        vault,
        digest_left: extent.digest_max,
        changed: Vec::new(),
        listing: Listing {
            schema_version: Listing::VERSION,
            empty_directories: beside.empty.iter().map(|path| path[..].into()).collect(),
            ..Listing::default()
        },
    };
    for (entry, chosen) in beside.ignored.iter().zip(chosen) {
        reader.entry(entry, chosen)?;
    }
    let (commit, listing) = reader.finish(name, request)?;
    vault.sync_directories(&since, name)?;
    Ok(Some(IgnoredSnapshot::of(commit, name, &listing)))
}

/// Which entries fit into `max` bytes, small ones first; entries are put in the order of their paths.
fn choose(entries: &mut [IgnoredEntry], max: u64) -> Vec<bool> {
    entries.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    let mut by_size: Vec<usize> = (0..entries.len()).collect();
    by_size.sort_by_key(|index| entries[*index].size);
    let mut chosen = vec![false; entries.len()];
    let mut sum: u64 = 0;
    for index in by_size {
        let entry = &entries[index];
        sum = sum.saturating_add(entry.size);
        if sum > max {
            break;
        }
        chosen[index] = matches!(entry.kind, EntryKind::File | EntryKind::Symlink);
    }
    chosen
}

struct Reader<'a> {
    directories: DirectoryStack,
    import: Import,
    vault: &'a Vault,
    digest_left: u64,
    changed: Vec<Change>,
    listing: Listing,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &IgnoredEntry, chosen: bool) -> Result<(), SnapshotError> {
        let mut components: Vec<&[u8]> = entry.path.split(|byte| *byte == b'/').collect();
        let name = components.pop().unwrap_or_default();
        let content = match self.directories.go_to(&components, false) {
            Ok(()) => self.read(name, entry, chosen),
            Err(error) => Err(error),
        };
        match content {
            Ok(Content::Whole(mode, bytes)) => {
                let id = BlobHasher::blob(self.vault.object_format(), &bytes);
                self.import.blob(&bytes)?;
                self.changed.push(Change {
                    path: [FILES, &entry.stored].concat(),
                    mode,
                    id,
                });
                self.listing.kept += 1;
                self.listing.kept_bytes += bytes.len() as u64;
            }
            Ok(Content::Digest(sha256)) => self.list(entry, sha256),
            // An ignored file that cannot be read is no reason to have no snapshot; the walk tells of its directory.
            Err(_) => self.list(entry, None),
        }
        Ok(())
    }

    fn list(&mut self, entry: &IgnoredEntry, sha256: Option<Sha256Digest>) {
        if self.listing.files.len() == LISTED {
            self.listing.more += 1;
            return;
        }
        self.listing.files.push(ListedFile {
            path: entry.path[..].into(),
            size: entry.size,
            sha256,
        });
    }

    fn read(&mut self, name: &[u8], entry: &IgnoredEntry, chosen: bool) -> io::Result<Content> {
        let current = self.directories.current()?;
        match entry.kind {
            EntryKind::Symlink if chosen => {
                return Ok(Content::Whole(Mode::Symlink, os::read_link(current, name)?));
            }
            EntryKind::File => {}
            EntryKind::Symlink | EntryKind::Special | EntryKind::Directory => {
                return Ok(Content::Digest(None));
            }
        }
        let found = os::metadata_at(current, name)?;
        if found.kind != EntryKind::File {
            return Ok(Content::Digest(None));
        }
        let file = os::open_file(current, name)?;
        let opened = os::metadata_of(&file)?;
        if opened.kind != EntryKind::File {
            return Ok(Content::Digest(None));
        }
        if chosen && opened.size <= entry.size {
            let mode = if opened.mode & 0o100 == 0 {
                Mode::File
            } else {
                Mode::Executable
            };
            let mut bytes = Vec::new();
            (&file).take(entry.size).read_to_end(&mut bytes)?;
            return Ok(Content::Whole(mode, bytes));
        }
        if opened.size > self.digest_left {
            return Ok(Content::Digest(None));
        }
        self.digest_left -= opened.size;
        digest(&file, opened.size).map(|digest| Content::Digest(Some(digest)))
    }

    fn finish(
        mut self,
        name: &str,
        request: &SnapshotRequest<'_>,
    ) -> Result<(ObjectId, Listing), SnapshotError> {
        let json = serde_json::to_vec(&self.listing)
            .map_err(|error| GitError::unexpected("fast-import", error.to_string()))?;
        self.import.blob(&json)?;
        self.changed.push(Change {
            path: LISTING.as_bytes().to_vec(),
            mode: Mode::File,
            id: BlobHasher::blob(self.vault.object_format(), &json),
        });
        let message = format!("beside {}\n", request.label);
        let commit = self
            .import
            .commit_alone(name, &message, request.seconds(), &self.changed)?;
        Ok((commit, self.listing))
    }
}

enum Content {
    Whole(Mode, Vec<u8>),
    Digest(Option<Sha256Digest>),
}

fn digest(file: &File, size: u64) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut source = file.take(size);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(Sha256Digest::from_bytes(hasher.finalize().into())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
