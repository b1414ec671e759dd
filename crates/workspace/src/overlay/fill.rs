//! From the difference of two trees to an upper layer.

use std::fs;
use std::io;
use std::path::Path;

use super::OverlayError;
use super::error::io_error;
use super::upper::UpperWriter;
use crate::diff;
use crate::git::{CatFile, CopyError, GitCommand, GitError};
use crate::object_id::{ObjectFormat, ObjectId};
use crate::path_bytes::PathBytes;
use crate::tree::{Listing, Mode, unescape_component};
use crate::vault::Vault;

/// What is written instead of what base has at a path.
struct Write {
    /// As the tree has it.
    stored: Vec<u8>,
    mode: Mode,
    id: ObjectId,
}

/// What differs between base and another tree.
pub(super) struct Difference {
    /// Paths of base that are gone, in order.
    gone: Vec<Vec<u8>>,
    written: Vec<Write>,
}

/// What the files of a tree are called in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// As in the tree.
    Stored,
    /// With every escape taken back.
    Original,
}

impl Difference {
    pub(super) fn read(vault: &Vault, base: ObjectId, to: ObjectId) -> Result<Self, GitError> {
        let output = diff::raw(vault, base, to)?;
        let mut fields = output.split(|byte| *byte == 0);
        let mut difference = Self {
            gone: Vec::new(),
            written: Vec::new(),
        };
        while let Some(header) = fields.next().filter(|header| !header.is_empty()) {
            let added = fields.next().and_then(|path| difference.add(header, path));
            added.ok_or_else(|| {
                GitError::unexpected("diff-tree", format!("`{}`", PathBytes::new(header)))
            })?;
        }
        difference.gone.sort_unstable();
        Ok(difference)
    }

    /// Takes up `:100644 100755 <id> <id> M` and its path.
    fn add(&mut self, header: &[u8], path: &[u8]) -> Option<()> {
        let mut fields = header.strip_prefix(b":")?.split(|byte| *byte == b' ');
        let (mode, id) = (fields.nth(1)?, fields.nth(1)?);
        if mode == b"000000" {
            self.gone.push(path.to_vec());
        } else {
            self.written.push(Write {
                stored: path.to_vec(),
                mode: Mode::parse(mode)?,
                id: ObjectId::from_hex(id).ok()?,
            });
        }
        Some(())
    }

    /// Writes the difference into an upper layer.
    pub(super) fn write(
        &self,
        vault: &Vault,
        base: &Listing,
        naming: Naming,
        upper: &mut UpperWriter,
        place: &Path,
    ) -> Result<(), OverlayError> {
        let mut names: Vec<(Vec<u8>, &Write)> = self
            .written
            .iter()
            .map(|write| (named(&write.stored, naming), write))
            .collect();
        names.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        if let Some((path, _)) = names
            .iter()
            .find(|(path, _)| path == b".git" || path.starts_with(b".git/"))
        {
            return Err(OverlayError::Repository {
                path: path.as_slice().into(),
            });
        }
        let paths: Vec<&[u8]> = names.iter().map(|(path, _)| path.as_slice()).collect();
        for path in whiteouts(base, &self.gone, &paths) {
            upper.whiteout(path).map_err(io_error("write", place))?;
        }
        let mut blobs = CatFile::trusted(vault.path())?;
        for (path, write) in &names {
            write_one(upper, path, write, &mut blobs).map_err(|error| match error {
                CopyError::Git(error) => OverlayError::Git(error),
                CopyError::Sink(source) => {
                    io_error("write", PathBytes::new(path.as_slice()).as_path())(source)
                }
            })?;
        }
        Ok(blobs.finish()?)
    }

    /// Makes an index in the upper layer that holds the other tree.
    pub(super) fn write_index(
        &self,
        format: ObjectFormat,
        lower: &Path,
        upper: &Path,
    ) -> Result<(), OverlayError> {
        let (from, to) = (lower.join(".git/index"), upper.join(".git/index"));
        fs::copy(from, &to).map_err(io_error("write", &to))?;
        let mut input = Vec::new();
        let nothing = "0".repeat(format.hex_len());
        for path in &self.gone {
            input.extend_from_slice(format!("0 {nothing}\t").as_bytes());
            input.extend_from_slice(path);
            input.push(0);
        }
        for Write { stored, mode, id } in &self.written {
            input.extend_from_slice(format!("{} {id}\t", mode.as_str()).as_bytes());
            input.extend_from_slice(stored);
            input.push(0);
        }
        if !input.is_empty() {
            GitCommand::trusted(&lower.join(".git"), "update-index")?
                .index_file(&to)
                .args(["-z", "--index-info"])
                .run_with_input(&input)?;
        }
        Ok(())
    }
}

fn write_one(
    upper: &mut UpperWriter,
    path: &[u8],
    write: &Write,
    blobs: &mut CatFile,
) -> Result<(), CopyError> {
    match write.mode {
        Mode::File | Mode::Executable => upper.file(path, write.mode == Mode::Executable, |sink| {
            blobs.blob_to(write.id, sink).map(drop)
        }),
        Mode::Symlink => {
            let target = blobs.blob(write.id).map_err(CopyError::Git)?;
            upper.symlink(path, &target).map_err(CopyError::Sink)
        }
        Mode::Submodule => upper.directory(path).map_err(CopyError::Sink),
    }
}

fn named(stored: &[u8], naming: Naming) -> Vec<u8> {
    match naming {
        Naming::Stored => stored.to_vec(),
        Naming::Original => stored
            .split(|byte| *byte == b'/')
            .map(unescape_component)
            .collect::<Vec<_>>()
            .join(&b'/'),
    }
}

/// The fewest names that have to be taken away: a directory in which nothing is left goes as a whole, as git would do it, and what is
/// covered by something written need not be taken away at all. All lists are in order.
fn whiteouts<'a>(base: &Listing, gone: &'a [Vec<u8>], written: &[&[u8]]) -> Vec<&'a [u8]> {
    let below = |path: &[u8]| {
        let (from, to) = ([path, b"/"].concat(), [path, b"0"].concat());
        (
            gone.partition_point(|other| *other < from)..gone.partition_point(|other| *other < to),
            written.partition_point(|other| *other < &from[..])
                ..written.partition_point(|other| *other < &to[..]),
        )
    };
    let mut result = Vec::new();
    let mut index = 0;
    'paths: while let Some(path) = gone.get(index) {
        let parents = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(end, _)| &path[..end]);
        for parent in parents {
            let (gone_below, written_below) = below(parent);
            let covered = written.binary_search(&parent).is_ok();
            if covered || (written_below.is_empty() && base.below(parent).len() == gone_below.len())
            {
                if !covered {
                    result.push(parent);
                }
                index = gone_below.end;
                continue 'paths;
            }
        }
        // A directory in its place covers it.
        if below(path).1.is_empty() {
            result.push(path);
        }
        index += 1;
    }
    result
}

impl From<io::Error> for CopyError {
    fn from(source: io::Error) -> Self {
        Self::Sink(source)
    }
}
