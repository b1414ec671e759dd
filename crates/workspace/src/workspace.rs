//! Where a run works, whichever way it was made.

use std::path::{Path, PathBuf};

use crate::overlay::{OverlayPaths, OverlayWorkspace};
use crate::pristine::PristineCache;
use crate::trash::{Discarded, RemoveError, Trash};
use crate::tree::Contents;

/// A working copy for the commands of a run or of a gate.
#[derive(Clone, Debug)]
pub enum Workspace {
    /// A directory with everything in it: a private clone or an export.
    Plain(PathBuf),
    /// The layers of an overlay.
    Overlay(OverlayWorkspace),
}

impl Workspace {
    /// Where commands see it.
    pub fn path(&self) -> &Path {
        match self {
            Self::Plain(directory) => directory,
            Self::Overlay(overlay) => &overlay.paths().target,
        }
    }

    /// What has to be mounted there, if anything.
    pub fn overlay(&self) -> Option<&OverlayPaths> {
        match self {
            Self::Plain(_) => None,
            Self::Overlay(overlay) => Some(overlay.paths()),
        }
    }

    /// Where T is read from.
    pub fn contents(&self) -> Contents<'_> {
        match self {
            Self::Plain(directory) => Contents::Directory(directory),
            Self::Overlay(overlay) => overlay.contents(),
        }
    }

    /// Moves it into the trash, once nothing runs in it.
    pub fn release(self, cache: &PristineCache, trash: &Trash) -> Result<Discarded, RemoveError> {
        match self {
            Self::Plain(directory) => trash.set_aside(&directory),
            Self::Overlay(overlay) => overlay.release(cache, trash),
        }
    }
}
