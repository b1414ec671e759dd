//! Making the places in which the commands of a run work: overlays over a cached checkout where commands have a view of their own,
//! plain checkouts otherwise.

use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use dogwatch_core::contract::Containment;
use dogwatch_core::ids::{ProjectId, RunId};
use dogwatch_supervisor::ProcessIdentity;
use dogwatch_workspace::included::{FILE_NAME, IncludeLimits, copy_included};
use dogwatch_workspace::snapshot::{RestoreError, restore};
use dogwatch_workspace::{
    CacheLimits, Checkout, Export, InitialContent, ObjectId, OverlayRequest, OverlayWorkspace,
    Owner, PathBytes, PristineCache, PrivateClone, Trash, Vault, Workspace,
};
use serde::{Deserialize, Serialize};

use crate::confinement::{Confinement, has_overlays};
use crate::error::RunnerError;
use crate::files::{make_private, write_durably};
use crate::layout::DataLayout;

/// A snapshot to go on from.
#[derive(Clone, Debug)]
pub(crate) struct EarlierWork {
    /// The run that left it.
    pub(crate) run: RunId,
    /// Its commit.
    pub(crate) commit: ObjectId,
    /// Its tree.
    pub(crate) tree: ObjectId,
}

/// What came along from the user's checkout into a workspace. It is in no result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CameAlong {
    /// Where.
    pub(crate) paths: Vec<PathBytes>,
    /// The contents, where they can be told from others.
    pub(crate) blobs: Vec<ObjectId>,
}

/// What has to be known of a run before there is a place for it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) layout: DataLayout,
    pub(super) project: ProjectId,
    pub(super) run: RunId,
    pub(super) base: ObjectId,
    pub(super) branch: String,
    /// The containment that its contract asks for.
    pub(super) required: Containment,
    /// The socket of its control channel.
    pub(super) channel: Option<PathBuf>,
    /// The agent's command.
    pub(super) command: Vec<String>,
}

impl Wanted {
    /// Decides what the run's commands may see. A machine that cannot give what is required is an error.
    pub(super) fn workshop(
        self,
        vault: Vault,
        checkout: &Checkout,
    ) -> Result<Workshop, RunnerError> {
        let confinement = Confinement::decide(
            self.required,
            &self.layout,
            self.channel.as_deref(),
            checkout,
            &vault,
            &self.command,
        )?;
        Ok(Workshop {
            layout: self.layout,
            project: self.project,
            run: self.run,
            vault,
            base: self.base,
            branch: self.branch,
            confinement,
        })
    }
}

/// What a workspace is made of.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    pub(crate) layout: DataLayout,
    pub(crate) project: ProjectId,
    pub(crate) run: RunId,
    pub(crate) vault: Vault,
    pub(crate) base: ObjectId,
    pub(crate) branch: String,
    pub(crate) confinement: Option<Confinement>,
}

impl Workshop {
    fn cache(&self) -> PristineCache {
        cache(&self.layout, self.project)
    }

    fn is_overlay(&self) -> bool {
        self.confinement.is_some() && has_overlays()
    }

    /// Makes the run's workspace: at the base, or with the files of a snapshot in their place. What the earlier agent changed is a change
    /// for this one too, and every name is what it was.
    pub(crate) fn make(&self, earlier: Option<&EarlierWork>) -> Result<Workspace, RunnerError> {
        let work = self.layout.work(self.run);
        make_private(&work)?;
        if self.is_overlay() {
            let content = match earlier {
                Some(earlier) => InitialContent::Work(earlier.tree),
                None => InitialContent::Base,
            };
            return self
                .overlay(&work, content)
                .map_err(|error| match (error, earlier) {
                    (RunnerError::Overlay(error), Some(earlier)) => RunnerError::SnapshotMissing {
                        run: earlier.run,
                        reason: format!("its snapshot cannot be used on this machine: {error}"),
                    },
                    (error, _) => error,
                });
        }
        let target = self.layout.workspace(self.run);
        match earlier {
            Some(earlier) => self.restore_into(earlier, &target)?,
            None => {
                PrivateClone::create(&self.vault, self.base, &target, &self.branch)?;
            }
        }
        Ok(Workspace::Plain(target))
    }

    /// The run's workspace as it was left, if it is there and whole: after a restart of the machine what was not synced may be missing,
    /// and the last snapshot is what counts.
    pub(crate) fn open(&self) -> Result<Option<Workspace>, RunnerError> {
        let since = self.layout.boot(self.run);
        let made_in = match fs::read_to_string(&since) {
            Ok(boot) => Some(boot),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(RunnerError::file("read", &since)(error)),
        };
        let found = open(&self.layout, self.project, self.run, &self.vault)?;
        match found {
            Some(Workspace::Overlay(overlay)) if made_in.as_ref() != Some(&this_boot()?) => {
                let trash = Trash::of(self.layout.root());
                let discarded = overlay.release(&self.cache(), &trash)?;
                discarded.delete_in_background();
                Ok(None)
            }
            found => Ok(found),
        }
    }

    /// A fresh place with tree T in it, for a round of gates.
    pub(crate) fn export(
        &self,
        tree: ObjectId,
        directory: &Path,
    ) -> Result<Workspace, RunnerError> {
        if self.is_overlay() {
            make_private(directory)?;
            return self.overlay(directory, InitialContent::Result(tree));
        }
        Export::create(&self.vault, self.base, tree, directory)?;
        Ok(Workspace::Plain(directory.to_owned()))
    }

    /// Brings along what the project's `.worktreeinclude` names of the user's checkout, such as a file of settings that git ignores.
    pub(crate) fn include(
        &self,
        checkout: &Checkout,
        workspace: &Workspace,
    ) -> Result<CameAlong, RunnerError> {
        let Some(patterns) = checkout.file_at(self.base, FILE_NAME)? else {
            return Ok(CameAlong::default());
        };
        let into = workspace
            .overlay()
            .map_or(workspace.path(), |paths| paths.upper.as_path());
        let included = copy_included(checkout, &patterns, into, IncludeLimits::default())?;
        if let Some(Owner { uid, gid }) = self.confinement.as_ref().and_then(Confinement::owner) {
            for file in &included.files {
                // The directories on the way are new as well, or the agent's own already.
                let mut path = file.path.as_path().to_path_buf();
                while !path.as_os_str().is_empty() {
                    let place = into.join(&path);
                    lchown(&place, Some(uid), Some(gid))
                        .map_err(RunnerError::file("change the owner of", &place))?;
                    path.pop();
                }
            }
        }
        let along = CameAlong {
            paths: included.paths(),
            blobs: included.blobs(),
        };
        let bytes = serde_json::to_vec(&along)
            .map_err(io::Error::from)
            .map_err(RunnerError::file("encode", self.layout.included(self.run)))?;
        write_durably(&self.layout.included(self.run), &bytes)?;
        Ok(along)
    }

    fn overlay(&self, run_dir: &Path, content: InitialContent) -> Result<Workspace, RunnerError> {
        let request = OverlayRequest {
            run_dir,
            base: self.base,
            branch: &self.branch,
            owner: self.confinement.as_ref().and_then(Confinement::owner),
            content,
        };
        let boot = self.layout.boot(self.run);
        write_durably(&boot, this_boot()?.as_bytes())?;
        let made = OverlayWorkspace::create(&self.vault, &self.cache(), &request)?;
        Ok(Workspace::Overlay(made))
    }

    /// Nothing is at `workspace` until all of it is.
    fn restore_into(&self, earlier: &EarlierWork, workspace: &Path) -> Result<(), RunnerError> {
        let files = workspace.with_extension("files");
        let clone = workspace.with_extension("clone");
        for leftover in [&files, &clone] {
            remove_if_there(leftover)?;
        }
        restore(&self.vault, earlier.tree, &files).map_err(|error| match error {
            RestoreError::Git(error) => RunnerError::SnapshotMissing {
                run: earlier.run,
                reason: format!("its snapshot is not on this machine: {error}"),
            },
            error => RunnerError::Restore(error),
        })?;
        PrivateClone::create(&self.vault, self.base, &clone, &self.branch)?;
        for entry in fs::read_dir(&clone).map_err(RunnerError::file("list", &clone))? {
            let entry = entry.map_err(RunnerError::file("list", &clone))?;
            if entry.file_name() != ".git" {
                remove_if_there(&entry.path())?;
            }
        }
        for entry in fs::read_dir(&files).map_err(RunnerError::file("list", &files))? {
            let entry = entry.map_err(RunnerError::file("list", &files))?;
            let target = clone.join(entry.file_name());
            fs::rename(entry.path(), &target).map_err(RunnerError::file("move", &target))?;
        }
        remove_if_there(&files)?;
        fs::rename(&clone, workspace).map_err(RunnerError::file("move", workspace))
    }
}

/// Which start of the machine this is.
fn this_boot() -> Result<String, RunnerError> {
    let own = ProcessIdentity::of_self();
    own.map(|own| own.boot_id)
        .map_err(|error| RunnerError::file("read", "/proc/self")(io::Error::other(error)))
}

/// The checked-out base commits of a project.
fn cache(layout: &DataLayout, project: ProjectId) -> PristineCache {
    PristineCache::new(
        &layout.pristine(project),
        Trash::of(layout.root()),
        CacheLimits::default(),
    )
}

/// The workspace of a run as it was left, whichever way it was made; none if it is not there.
pub(crate) fn open(
    layout: &DataLayout,
    project: ProjectId,
    run: RunId,
    vault: &Vault,
) -> Result<Option<Workspace>, RunnerError> {
    let overlay = OverlayWorkspace::open(vault, &cache(layout, project), &layout.work(run))?;
    if let Some(overlay) = overlay {
        return Ok(Some(Workspace::Overlay(overlay)));
    }
    // The mount point of an overlay that was never made to its end is nobody's work.
    let unfinished = layout.work(run).join("overlay").exists();
    let plain = layout.workspace(run);
    Ok((!unfinished && plain.exists()).then_some(Workspace::Plain(plain)))
}

/// The files that came along into a run's workspace.
pub(crate) fn included(layout: &DataLayout, run: RunId) -> Result<CameAlong, RunnerError> {
    let path = layout.included(run);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(io::Error::from)
            .map_err(RunnerError::file("understand", &path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(CameAlong::default()),
        Err(error) => Err(RunnerError::file("read", &path)(error)),
    }
}

/// Removes what dogwatch itself made. No agent has been there.
fn remove_if_there(path: &Path) -> Result<(), RunnerError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(RunnerError::file("remove", path))
}
