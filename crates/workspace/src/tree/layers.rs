//! Workspaces that are overlays, read without mounting them.
//!
//! The lower layer is the base commit as dogwatch checked it out, so the upper layer alone says what T is: a whiteout takes a name
//! away, an opaque directory takes away everything below, and whatever else stands there covers what base has at its path. Layers in
//! which content is kept elsewhere (redirects, copied-up metadata without data) are never made by dogwatch's mounts, and are refused.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TreeError;
use crate::object_id::{BlobHasher, ObjectId};
use crate::os;
use crate::path_bytes::PathBytes;

/// Where the files of a workspace are.
#[derive(Clone, Copy, Debug)]
pub enum Contents<'a> {
    /// In a directory.
    Directory(&'a Path),
    /// In the layers of an overlay, which need not be mounted.
    Layers(Layers<'a>),
}

impl<'a> Contents<'a> {
    /// Where everything is that base does not have.
    pub(crate) const fn root(self) -> &'a Path {
        match self {
            Self::Directory(directory) => directory,
            Self::Layers(layers) => layers.upper,
        }
    }
}

impl<'a> From<&'a Path> for Contents<'a> {
    fn from(directory: &'a Path) -> Self {
        Self::Directory(directory)
    }
}

/// The layers of an overlay over a base commit.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    pub(crate) upper: &'a Path,
    /// The checked-out base commit.
    pub(crate) lower: &'a Path,
    /// The listing of the base commit.
    pub(crate) listing: &'a Path,
    pub(crate) marks: Marks,
}

/// Under which names the kernel keeps its marks in an upper layer. An overlay mounted with the rights of the machine's root uses names
/// that nobody else can write; in a user namespace they are the user's own, and the kernel renames what the user writes there himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    /// `trusted.overlay.*`: mounted without `userxattr`.
    Trusted,
    /// `user.overlay.*`: mounted with `userxattr`.
    User,
}

impl Marks {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.",
            Self::User => "user.overlay.",
        }
    }

    /// Which marks this process can write, tried out on a directory of ours. Who cannot write trusted ones cannot read them either.
    pub(crate) fn of_this_process(directory: &Path) -> io::Result<Self> {
        const PROBE: &str = "trusted.dogwatch.probe";
        let directory = os::open_root(directory)?;
        match os::set_attribute(&directory, PROBE, b"y") {
            Ok(()) => {
                os::remove_attribute(&directory, PROBE)?;
                Ok(Self::Trusted)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(Self::User)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads what only overlays have.
pub(super) struct LayerReader {
    lower: OwnedFd,
    marks: Marks,
}

impl LayerReader {
    pub(super) fn open(layers: &Layers<'_>) -> Result<Self, TreeError> {
        let failed = |action| move |source| TreeError::Layer { action, source };
        let marks =
            Marks::of_this_process(layers.upper).map_err(failed("examine the upper layer"))?;
        if layers.marks == Marks::Trusted && marks == Marks::User {
            return Err(failed("read the marks of the upper layer")(
                io::ErrorKind::PermissionDenied.into(),
            ));
        }
        Ok(Self {
            lower: os::open_root(layers.lower).map_err(failed("open the lower layer"))?,
            marks: layers.marks,
        })
    }

    /// Whether an open directory hides what the lower layer has at its place.
    pub(super) fn is_opaque(&self, directory: impl AsFd, path: &[u8]) -> Result<bool, TreeError> {
        self.marked(directory, path, true)
    }

    /// Refuses a root that would hide everything: the kernel makes none.
    pub(super) fn check_root(&self, root: impl AsFd) -> Result<(), TreeError> {
        if self.marked(root, b"", true)? {
            return Err(unexpected(b"", b"opaque"));
        }
        Ok(())
    }

    /// Refuses an open file whose content is somewhere else.
    pub(super) fn check_file(&self, file: &File, path: &[u8]) -> Result<(), TreeError> {
        self.marked(file, path, false).map(drop)
    }

    fn marked(&self, file: impl AsFd, path: &[u8], directory: bool) -> Result<bool, TreeError> {
        let prefix = self.marks.prefix();
        let unreadable = |source| TreeError::unreadable(path, source);
        let mut opaque = false;
        for name in os::attributes(&file).map_err(unreadable)? {
            let Some(mark) = name.strip_prefix(prefix.as_bytes()) else {
                continue;
            };
            match mark {
                b"opaque" if directory => {
                    let value =
                        os::attribute(&file, &format!("{prefix}opaque")).map_err(unreadable)?;
                    if value.as_deref() != Some(b"y") {
                        return Err(unexpected(path, mark));
                    }
                    opaque = true;
                }
                // Where a copy came from, and other notes of the kernel that say nothing about content.
                b"origin" | b"impure" | b"nlink" | b"upper" | b"uuid" | b"protattr" => {}
                // What somebody in the overlay tried to pass off as a mark.
                other if other.starts_with(b"overlay.") => {}
                other => return Err(unexpected(path, other)),
            }
        }
        Ok(opaque)
    }

    /// The content of a file of base, if the lower layer has just that.
    pub(super) fn lower_file(&self, path: &[u8], id: ObjectId, most: u64) -> Option<Vec<u8>> {
        let file = os::open_beneath(self.lower.as_fd(), PathBytes::new(path).as_path()).ok()?;
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content).ok()?;
        (BlobHasher::blob(id.format(), &content) == id).then_some(content)
    }
}

fn unexpected(path: &[u8], mark: &[u8]) -> TreeError {
    let path = if path.is_empty() { &b"."[..] } else { path };
    TreeError::UnexpectedMark {
        path: path.into(),
        mark: mark.into(),
    }
}
