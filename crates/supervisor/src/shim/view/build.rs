//! From the question to a finished plan: places, staging, mountpoints, in this order.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{geteuid, getuid};

use super::arguments::{Mounted, Wrapping};
use super::mountpoints::Making;
use super::places::{self, Kind, Place, Shown, Source, Standing};
use super::staging;
use crate::containment::{PROC_MASKED, PROC_READ_ONLY, View};
use crate::os::mounts;
use crate::spec::ShimSpec;

/// Why a view could not be made.
#[derive(Debug)]
pub(super) struct BuildError {
    what: String,
    source: io::Error,
}

impl BuildError {
    pub(super) fn path(what: &str, path: &Path, source: io::Error) -> Self {
        Self {
            what: format!("{what} `{}`", path.display()),
            source,
        }
    }

    pub(super) fn new(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self {
            what: what.into(),
            source: source.into(),
        }
    }

    pub(super) fn is_out_of_reach(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::PermissionDenied
        )
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.source)
    }
}

/// A view ready for bubblewrap.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) wrapping: Wrapping,
    /// Where the command may write, as it sees it.
    pub(super) writable: Vec<PathBuf>,
    /// What is given to the command's user.
    pub(super) owned: Vec<PathBuf>,
}

/// Makes everything that bubblewrap then puts together. The calling process has mounts of its own and a `/proc` of its namespace.
pub(super) fn build(spec: &ShimSpec, view: &View) -> Result<Built, BuildError> {
    let uid = view.user.map_or_else(|| getuid().as_raw(), |user| user.uid);
    let in_user_namespace = !geteuid().is_root();
    let places = places::resolve(spec, view, uid)?;
    staging::stage(view, &places, in_user_namespace)?;
    let mut mounted = Vec::new();
    for (number, place) in places.iter().enumerate() {
        mounted.extend(mount(number, place, &places, view)?);
    }
    mounted.sort_by(|a: &Mounted, b| a.target().cmp(b.target()));
    mounted.dedup_by(|later, earlier| later.target() == earlier.target());
    let exists = |path: &&str| Path::new(path).exists();
    let writable = mounted
        .iter()
        .filter(|mounted| mounted.is_writable())
        .map(|mounted| mounted.target().to_owned())
        .chain([PathBuf::from("/dev")])
        .collect();
    let runtime = places::runtime_directory(spec, uid)?;
    let owned = mounted
        .iter()
        .filter(|mounted| mounted.target() == runtime)
        .map(|mounted| mounted.target().to_owned())
        .collect();
    Ok(Built {
        wrapping: Wrapping {
            network: view.network,
            in_user_namespace,
            proc_read_only: PROC_READ_ONLY.into_iter().filter(exists).collect(),
            proc_masked: PROC_MASKED.into_iter().filter(exists).collect(),
            mounted,
        },
        writable,
        owned,
    })
}

/// What lies around a place.
enum Around<'a> {
    /// The machine's own file system, which cannot be written.
    ReadOnly,
    /// An empty directory that bubblewrap fills.
    Empty(&'a Place),
    /// Something staged that the command may write.
    Writable { number: usize, place: &'a Place },
}

fn around<'a>(place: &Place, places: &'a [Place]) -> Around<'a> {
    let nearest = places
        .iter()
        .enumerate()
        .filter(|(_, other)| {
            other.target != place.target && place.target.starts_with(&other.target)
        })
        .max_by_key(|(_, other)| other.target.components().count());
    match nearest {
        None => Around::ReadOnly,
        Some((number, nearest)) => match &nearest.shown {
            Shown::Nothing(_) | Shown::Fresh { .. } => Around::Empty(nearest),
            Shown::Staged { writable: true, .. } => Around::Writable {
                number,
                place: nearest,
            },
            Shown::Staged { .. } => Around::ReadOnly,
        },
    }
}

/// What has to be mounted for one place: itself, and the directories on the way to it, so that nobody moves them away.
fn mount(
    number: usize,
    place: &Place,
    places: &[Place],
    view: &View,
) -> Result<Vec<Mounted>, BuildError> {
    let target = place.target.clone();
    let around = around(place, places);
    let mut mounted = Vec::new();
    let kind_below = match &around {
        Around::Writable {
            number: outer_number,
            place: outer,
        } => {
            let below = target.strip_prefix(&outer.target).unwrap_or(&target);
            let staged = staging::name(*outer_number);
            let kind = ensure(outer, &staged, below, place, view)?;
            for directory in below.ancestors().skip(1) {
                if !directory.as_os_str().is_empty() {
                    mounted.push(Mounted::Staged {
                        source: staged.join(directory),
                        target: outer.target.join(directory),
                        writable: true,
                    });
                }
            }
            Some(kind)
        }
        Around::Empty(outer) => {
            let way = target.ancestors().skip(1);
            mounted.extend(way.take_while(|directory| *directory != outer.target).map(
                |directory| Mounted::Way {
                    target: directory.to_owned(),
                },
            ));
            None
        }
        Around::ReadOnly => None,
    };
    match (&place.shown, around) {
        // Nothing can be made there.
        (Shown::Nothing(Standing::Absent | Standing::Symlink), Around::ReadOnly) => {}
        (Shown::Nothing(standing), _) => {
            let kind = match (kind_below, *standing) {
                (Some(kind), _) | (None, Standing::There(kind)) => kind,
                (None, Standing::Absent | Standing::Symlink) => Kind::Directory,
            };
            mounted.push(match kind {
                Kind::Directory => Mounted::NoDirectory { target },
                Kind::File => Mounted::NoFile { target },
            });
        }
        (Shown::Fresh { mode, bytes }, around) => {
            // The machine has no such directory, and none can be made in this view.
            if matches!(around, Around::ReadOnly) && !target.is_dir() {
                return Ok(mounted);
            }
            mounted.push(Mounted::Fresh {
                target,
                mode: *mode,
                bytes: *bytes,
            });
        }
        (Shown::Staged { writable, .. }, _) => mounted.push(Mounted::Staged {
            source: staging::name(number),
            target,
            writable: *writable,
        }),
    }
    Ok(mounted)
}

fn ensure(
    outer: &Place,
    staged: &Path,
    below: &Path,
    place: &Place,
    view: &View,
) -> Result<Kind, BuildError> {
    let wanted = match &place.shown {
        Shown::Nothing(_) => None,
        Shown::Fresh { .. } => Some(Kind::Directory),
        Shown::Staged { kind, .. } => Some(*kind),
    };
    let in_overlay = matches!(
        outer.shown,
        Shown::Staged {
            source: Source::Overlay(_),
            ..
        }
    );
    let making = Making {
        may_replace: in_overlay,
        owner: view.user,
    };
    mounts::open_resolved(staged)
        .and_then(|root| making.ensure(root, below, wanted))
        .map_err(|error| BuildError::path("make room for", &place.target, error))
}
