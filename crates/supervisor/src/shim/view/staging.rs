//! Overlays and binds under names of their own.
//!
//! They are staged on a file system over `/tmp`, which bubblewrap needs and every view covers. Everything is opened first, as mounting
//! hides: the home directory's overlay may cover the data directory, and the staging covers what is in `/tmp`.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::build::BuildError;
use super::places::{Kind, Place, Shown, Source};
use crate::containment::View;
use crate::os::mounts::{self, Layered};

const STAGE: &str = "/tmp";

/// An empty file nobody may write, to show instead of others.
pub(super) const EMPTY_FILE: &str = "/tmp/empty";

/// An empty directory nobody may write, for the same.
pub(super) const EMPTY_DIRECTORY: &str = "/tmp/nothing";

/// Where what is shown at the place of this number is staged.
pub(super) fn name(number: usize) -> PathBuf {
    Path::new(STAGE).join(number.to_string())
}

struct OpenOverlay {
    lower: OwnedFd,
    upper: OwnedFd,
    work: OwnedFd,
}

enum Open {
    Overlay(OpenOverlay),
    Itself(OwnedFd),
}

/// Stages what the places show.
pub(super) fn stage(
    view: &View,
    places: &[Place],
    in_user_namespace: bool,
) -> Result<(), BuildError> {
    let mut opened = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let Shown::Staged { source, kind, .. } = &place.shown else {
            continue;
        };
        let open = match source {
            Source::Overlay(index) => Open::Overlay(open_overlay(view, *index)?),
            Source::Itself => Open::Itself(open(&place.target)?),
        };
        opened.push((number, *kind, &place.target, open));
    }
    let failed = |error| BuildError::path("stage mounts on", Path::new(STAGE), error);
    mounts::memory(Path::new(STAGE)).map_err(failed)?;
    fs::write(EMPTY_FILE, b"").map_err(failed)?;
    fs::create_dir(EMPTY_DIRECTORY).map_err(failed)?;
    for (number, kind, target, open) in opened {
        let staged = name(number);
        match kind {
            Kind::Directory => fs::create_dir(&staged).map_err(failed)?,
            Kind::File => fs::write(&staged, b"").map_err(failed)?,
        }
        match open {
            Open::Overlay(OpenOverlay { lower, upper, work }) => {
                let layers = Layered {
                    lower: &lower,
                    upper: &upper,
                    work: &work,
                    in_user_namespace,
                };
                mounts::overlay(&layers, &staged)
                    .map_err(|error| BuildError::path("mount the overlay of", target, error))?;
            }
            Open::Itself(fd) => mounts::bind(&fd, &staged)
                .map_err(|error| BuildError::path("show", target, error))?,
        }
    }
    Ok(())
}

fn open_overlay(view: &View, index: usize) -> Result<OpenOverlay, BuildError> {
    let overlay = &view.overlays[index];
    let open_as_named = |path: &crate::text::RawText| {
        let path = path.as_path();
        fs::canonicalize(path)
            .and_then(|resolved| mounts::open_resolved(&resolved))
            .map_err(|error| BuildError::path("open", path, error))
    };
    Ok(OpenOverlay {
        lower: open_as_named(&overlay.lower)?,
        upper: open_as_named(&overlay.upper)?,
        work: open_as_named(&overlay.work)?,
    })
}

fn open(path: &Path) -> Result<OwnedFd, BuildError> {
    mounts::open_resolved(path).map_err(|error| BuildError::path("open", path, error))
}
