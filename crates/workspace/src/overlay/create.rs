//! Making the layers of a workspace.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::error::io_error;
use super::fill::{Difference, Naming};
use super::open::{Record, at};
use super::upper::UpperWriter;
use super::{OverlayError, OverlayWorkspace};
use crate::clone::layout::check_branch;
use crate::object_id::ObjectId;
use crate::pristine::{Owner, Pristine, PristineCache};
use crate::tree::{Listing, Marks};
use crate::vault::Vault;

/// What a new workspace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialContent {
    /// The base commit.
    Base,
    /// The files of a snapshot under the names they had, in a repository at base: to go on with the work.
    Work(ObjectId),
    /// A tree under the names it has, and in the index: to judge what would land.
    Result(ObjectId),
}

/// A workspace to be made.
#[derive(Clone, Copy, Debug)]
pub struct OverlayRequest<'a> {
    /// Where: an existing directory on the file system of the cache, in which `workspace` and `overlay` are made.
    pub run_dir: &'a Path,
    /// The commit, which the vault holds.
    pub base: ObjectId,
    /// The branch that HEAD is on.
    pub branch: &'a str,
    /// Whose the files are, if not the caller's.
    pub owner: Option<Owner>,
    /// What is in it.
    pub content: InitialContent,
}

impl OverlayWorkspace {
    /// Makes the layers of a workspace. What a creation that was killed left behind is replaced; a workspace that is whole is an error.
    pub fn create(
        vault: &Vault,
        cache: &PristineCache,
        request: &OverlayRequest<'_>,
    ) -> Result<Self, OverlayError> {
        check_branch(request.branch)?;
        let run_dir = std::path::absolute(request.run_dir);
        let run_dir = run_dir.map_err(io_error("locate", request.run_dir))?;
        let places = at(&run_dir);
        if Record::read(&places.record)?.is_some() {
            return Err(OverlayError::Exists {
                path: places.top.into(),
            });
        }
        for leftover in [&places.top, &places.target] {
            // No agent has been there, since nothing is mounted without a record.
            match fs::remove_dir_all(leftover) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("clear", leftover)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        for directory in [&places.target, &places.top, &places.upper, &places.work] {
            DirBuilder::new()
                .mode(0o700)
                .create(directory)
                .map_err(io_error("create", directory))?;
        }
        let marks =
            Marks::of_this_process(&places.upper).map_err(io_error("examine", &places.upper))?;
        let pristine = cache.hold(vault, request.base, request.owner, &places.top)?;
        fill(vault, request, &pristine, &places.upper)?;
        if let Some(Owner { uid, gid }) = request.owner {
            for directory in [&places.upper, &places.work] {
                std::os::unix::fs::lchown(directory, Some(uid), Some(gid))
                    .map_err(io_error("change the owner of", directory))?;
            }
        }
        let record = Record::new(request.base, request.owner, marks);
        record.write(&places.record)?;
        Ok(Self::assemble(&record, places, pristine))
    }
}

fn fill(
    vault: &Vault,
    request: &OverlayRequest<'_>,
    pristine: &Pristine,
    upper: &Path,
) -> Result<(), OverlayError> {
    let io = io_error("write", upper);
    let mut writer = UpperWriter::open(upper, request.owner).map_err(&io)?;
    let OverlayRequest { base, branch, .. } = request;
    let mut small = |path: &str, content: String| {
        writer.file(path.as_bytes(), false, |file| {
            file.write_all(content.as_bytes())
        })
    };
    small(".git/HEAD", format!("ref: refs/heads/{branch}\n")).map_err(&io)?;
    small(&format!(".git/refs/heads/{branch}"), format!("{base}\n")).map_err(&io)?;
    let (to, naming) = match request.content {
        InitialContent::Base => return Ok(()),
        InitialContent::Work(to) => (to, Naming::Original),
        InitialContent::Result(to) => (to, Naming::Stored),
    };
    let listing = Listing::load(&pristine.listing, vault.object_format())
        .map_err(io_error("read", &pristine.listing))?;
    let difference = Difference::read(vault, request.base, to)?;
    difference.write(vault, &listing, naming, &mut writer, upper)?;
    if naming == Naming::Stored {
        difference.write_index(vault.object_format(), &pristine.tree, upper)?;
        writer.adopt(b".git/index").map_err(io)?;
    }
    Ok(())
}
