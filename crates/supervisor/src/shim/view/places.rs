//! What goes where in a view.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::libc;

use super::build::BuildError;
use crate::containment::{AgentUser, View};
use crate::spec::ShimSpec;

/// How much a temporary directory holds: it is memory.
const TEMPORARY_BYTES: u64 = 4 << 30;

/// How much the runtime directory holds.
const RUNTIME_BYTES: u64 = 64 << 20;

/// What a path is when nothing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// What stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    There(Kind),
    /// A symlink: nothing can be mounted on one.
    Symlink,
    Absent,
}

/// What is shown at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing, whatever stands there.
    Nothing(Standing),
    /// An empty directory of its own.
    Fresh { mode: u32, bytes: u64 },
    /// Something staged.
    Staged {
        source: Source,
        kind: Kind,
        writable: bool,
    },
}

/// What is staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The overlay of this number.
    Overlay(usize),
    /// The path itself.
    Itself,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) target: PathBuf,
    pub(super) shown: Shown,
}

impl Place {
    fn new(target: PathBuf, shown: Shown) -> Self {
        Self { target, shown }
    }

    pub(super) const fn is_mask(&self) -> bool {
        matches!(self.shown, Shown::Nothing(_))
    }
}

/// Resolves a view's paths. Parents come before what is in them, and each target is there once; where lists contradict each other, what
/// hides wins.
pub(super) fn resolve(spec: &ShimSpec, view: &View, uid: u32) -> Result<Vec<Place>, BuildError> {
    let mut places = Vec::new();
    for path in &view.masked {
        hide(path.as_path(), &mut places)?;
    }
    for (index, overlay) in view.overlays.iter().enumerate() {
        let (target, _) = existing(overlay.target.as_path())?;
        let shown = Shown::Staged {
            source: Source::Overlay(index),
            kind: Kind::Directory,
            writable: true,
        };
        places.push(Place::new(target, shown));
    }
    for path in &view.writable {
        let (target, kind) = existing(path.as_path())?;
        let shown = Shown::Staged {
            source: Source::Itself,
            kind,
            writable: true,
        };
        places.push(Place::new(target, shown));
    }
    for path in &view.readable {
        match existing(path.as_path()) {
            Ok((target, kind)) => {
                let shown = Shown::Staged {
                    source: Source::Itself,
                    kind,
                    writable: false,
                };
                places.push(Place::new(target, shown));
            }
            // What is not there needs no showing, and what this user may not reach cannot be shown.
            Err(error) if error.is_out_of_reach() => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(user) = view.user {
        let unreachable = unreachable(&places, user);
        places.extend(unreachable);
    }
    places.extend(fresh(spec, uid)?);
    // Stable, so that of two at one place the one that was pushed first stays: masks, then what the runner asked for.
    places.sort_by(|a, b| a.target.cmp(&b.target));
    places.dedup_by(|later, earlier| later.target == earlier.target);
    Ok(without_hidden_twice(places))
}

/// Leaves out what is hidden by something around it already.
fn without_hidden_twice(places: Vec<Place>) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::new();
    for place in places {
        let around = kept
            .iter()
            .rev()
            .find(|other| place.target.starts_with(&other.target));
        if !(place.is_mask() && around.is_some_and(Place::is_mask)) {
            kept.push(place);
        }
    }
    kept
}

/// The temporary directories.
fn fresh(spec: &ShimSpec, uid: u32) -> Result<Vec<Place>, BuildError> {
    let mut places = Vec::new();
    for path in ["/tmp", "/var/tmp"] {
        if let Ok((target, Kind::Directory)) = existing(Path::new(path)) {
            let shown = Shown::Fresh {
                mode: 0o1777,
                bytes: TEMPORARY_BYTES,
            };
            places.push(Place::new(target, shown));
        }
    }
    let runtime = Shown::Fresh {
        mode: 0o755,
        bytes: RUNTIME_BYTES,
    };
    places.push(Place::new(resolved(Path::new("/run/user"))?, runtime));
    places.push(Place::new(
        runtime_directory(spec, uid)?,
        Shown::Fresh {
            mode: 0o700,
            bytes: RUNTIME_BYTES,
        },
    ));
    Ok(places)
}

/// Where the command expects its runtime directory.
pub(super) fn runtime_directory(spec: &ShimSpec, uid: u32) -> Result<PathBuf, BuildError> {
    let told = spec
        .env
        .iter()
        .find(|variable| variable.name.as_bytes() == b"XDG_RUNTIME_DIR")
        .map(|variable| variable.value.as_path())
        .filter(|path| path.is_absolute() && path.parent().is_some());
    match told {
        Some(path) => resolved(path),
        None => resolved(Path::new(&format!("/run/user/{uid}"))),
    }
}

/// Hides a path, and what it leads to if it is a symlink.
fn hide(path: &Path, places: &mut Vec<Place>) -> Result<(), BuildError> {
    let literal = resolved_parent(path)?;
    let standing = match fs::symlink_metadata(&literal) {
        Ok(meta) if meta.is_symlink() => {
            if let Ok((target, kind)) = followed(&literal) {
                places.push(Place::new(target, Shown::Nothing(Standing::There(kind))));
            }
            Standing::Symlink
        }
        Ok(meta) if meta.is_dir() => Standing::There(Kind::Directory),
        Ok(_) => Standing::There(Kind::File),
        Err(error) if is_absence(&error) => Standing::Absent,
        // Whoever may not even look cannot reach it either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(BuildError::path("look at", path, error)),
    };
    places.push(Place::new(literal, Shown::Nothing(standing)));
    Ok(())
}

/// The directories above what is shown that the user may not search. They are nothing to that user, so hiding them takes nothing away,
/// and what is shown below them can be reached.
fn unreachable(places: &[Place], user: AgentUser) -> Vec<Place> {
    let mut found = Vec::new();
    for place in places.iter().filter(|place| !place.is_mask()) {
        let mut above: Vec<&Path> = place.target.ancestors().skip(1).collect();
        above.reverse();
        for directory in above {
            if places.iter().any(|other| other.target == directory) {
                continue;
            }
            let searchable = fs::metadata(directory).is_ok_and(|meta| may_search(&meta, user));
            if !searchable {
                let shown = Shown::Nothing(Standing::There(Kind::Directory));
                found.push(Place::new(directory.to_owned(), shown));
                break;
            }
        }
    }
    found
}

fn may_search(meta: &fs::Metadata, user: AgentUser) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let bit = if meta.uid() == user.uid {
        0o100
    } else if meta.gid() == user.gid {
        0o010
    } else {
        0o001
    };
    meta.mode() & bit != 0
}

/// A path that must exist and whose last part is no symlink: what is shown there is what was named.
fn existing(path: &Path) -> Result<(PathBuf, Kind), BuildError> {
    let literal = resolved_parent(path)?;
    let meta =
        fs::symlink_metadata(&literal).map_err(|error| BuildError::path("find", path, error))?;
    if meta.is_symlink() {
        let error = io::Error::from_raw_os_error(libc::ELOOP);
        return Err(BuildError::path("show", path, error));
    }
    Ok((literal, kind_of(&meta)))
}

fn followed(path: &Path) -> io::Result<(PathBuf, Kind)> {
    let target = fs::canonicalize(path)?;
    let meta = fs::symlink_metadata(&target)?;
    Ok((target, kind_of(&meta)))
}

fn kind_of(meta: &fs::Metadata) -> Kind {
    if meta.is_dir() {
        Kind::Directory
    } else {
        Kind::File
    }
}

/// The path with everything but its last part resolved.
fn resolved_parent(path: &Path) -> Result<PathBuf, BuildError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(resolved(parent)?.join(name)),
        _ => Ok(path.to_owned()),
    }
}

/// The path with everything resolved that exists.
fn resolved(path: &Path) -> Result<PathBuf, BuildError> {
    let mut rest = Vec::new();
    for ancestor in path.ancestors() {
        match fs::canonicalize(ancestor) {
            Ok(mut resolved) => {
                resolved.extend(rest.iter().rev());
                return Ok(resolved);
            }
            Err(error) if is_absence(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                rest.extend(ancestor.file_name());
            }
            Err(error) => return Err(BuildError::path("resolve", path, error)),
        }
    }
    Ok(path.to_owned())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
