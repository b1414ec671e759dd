//! What the commands of a run see of this machine: decided once per run, and shown to each of its commands.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, lchown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dogwatch_core::contract::Containment;
use dogwatch_supervisor::containment::{
    AgentUser, Network, Overlay, View, level, standard_masks, standard_readable,
};
use dogwatch_supervisor::{Capabilities, RawText, probe};
use dogwatch_workspace::{Checkout, Owner, Vault, Workspace};
use nix::unistd::{Uid, User, geteuid};

use crate::error::RunnerError;
use crate::layout::DataLayout;

/// What this machine can isolate, tried once per process. Every shim finds out for itself again and refuses what it cannot give.
pub fn isolation() -> &'static Capabilities {
    static FOUND: OnceLock<Capabilities> = OnceLock::new();
    FOUND.get_or_init(probe)
}

/// How a run is kept apart from the machine.
#[derive(Clone, Debug)]
pub(crate) struct Confinement {
    required: Containment,
    user: Option<AgentUser>,
    home: Option<PathBuf>,
    masked: Vec<PathBuf>,
    readable: Vec<PathBuf>,
}

/// Where the changes of a home directory go.
#[derive(Clone, Debug)]
pub(crate) struct HomeLayers {
    upper: PathBuf,
    work: PathBuf,
}

impl HomeLayers {
    /// The layers below a directory of the run.
    pub(crate) fn below(directory: &Path) -> Self {
        Self {
            upper: directory.join("home/upper"),
            work: directory.join("home/work"),
        }
    }
}

impl Confinement {
    /// The confinement that a contract asks for; none if it asks for none. A level that this machine cannot give is an error, and nothing
    /// is started.
    pub(crate) fn decide(
        required: Containment,
        layout: &DataLayout,
        channel: Option<&Path>,
        checkout: &Checkout,
        vault: &Vault,
        command: &[String],
    ) -> Result<Option<Self>, RunnerError> {
        if required == Containment::None {
            return Ok(None);
        }
        let user = agent_user(checkout)?;
        let (available, missing) = level(isolation(), geteuid().is_root(), user.is_some());
        if available < required {
            return Err(RunnerError::Containment {
                required,
                available,
                missing,
            });
        }
        let home = home(user);
        let mut masked = home.as_deref().map_or_else(Vec::new, standard_masks);
        masked.push(layout.root().to_owned());
        let mut readable = standard_readable();
        readable.push(vault.path().join("objects"));
        // Not even in the copy of its home may an agent take the user's checkout for its workspace.
        readable.push(checkout.common_dir().to_owned());
        readable.extend(Some(checkout.top_level().to_owned()));
        readable.extend(channel.map(Path::to_owned));
        readable.extend(named_in_temporary(command));
        readable.retain(|path| path.exists());
        Ok(Some(Self {
            required,
            user,
            home,
            masked,
            readable,
        }))
    }

    /// The home directory that the commands get a copy of.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Whose the files of a workspace have to be.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.user.map(|AgentUser { uid, gid }| Owner { uid, gid })
    }

    /// Variables that commands get because of what they see and whom they run as.
    pub(crate) fn env(&self) -> Vec<(OsString, OsString)> {
        // Every view has directories for temporary files of its own; another one that the user named is not in it.
        let mut env = vec![("TMPDIR".into(), "/tmp".into())];
        if self.user.is_some() {
            let home = self.home.as_deref().unwrap_or(Path::new("/tmp"));
            env.push(("HOME".into(), home.into()));
        }
        env
    }

    /// The view of a command that works in `workspace`. It may write there, in a copy of its home, and in `writable`.
    pub(crate) fn view(
        &self,
        workspace: &Workspace,
        home: &HomeLayers,
        writable: &[&Path],
        readable: &[&Path],
    ) -> Result<View, RunnerError> {
        let mut view = View::new(self.required, writable);
        view.user = self.user;
        view.network = Network::Host;
        view.masked = self.masked.iter().map(|path| text(path)).collect();
        view.readable = self
            .readable
            .iter()
            .map(PathBuf::as_path)
            .chain(readable.iter().copied())
            .map(text)
            .collect();
        if let (Some(target), true) = (&self.home, isolation().overlay.available) {
            for directory in [&home.upper, &home.work] {
                self.make_own(directory)?;
            }
            view.overlays.push(Overlay {
                target: text(target),
                lower: text(target),
                upper: text(&home.upper),
                work: text(&home.work),
            });
        }
        match workspace.overlay() {
            Some(paths) => view.overlays.push(Overlay {
                target: text(&paths.target),
                lower: text(&paths.lower),
                upper: text(&paths.upper),
                work: text(&paths.work),
            }),
            None => view.writable.push(text(workspace.path())),
        }
        Ok(view)
    }

    /// A directory that the commands' user owns.
    pub(crate) fn make_own(&self, directory: &Path) -> Result<(), RunnerError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(RunnerError::file("create", directory))?;
        match self.user {
            Some(AgentUser { uid, gid }) => lchown(directory, Some(uid), Some(gid))
                .map_err(RunnerError::file("change the owner of", directory)),
            None => Ok(()),
        }
    }
}

/// The files that the agent's command line names in directories for temporary files, which every command has its own of. Nothing that is
/// hidden on purpose is shown because a configuration names it.
fn named_in_temporary(command: &[String]) -> impl Iterator<Item = PathBuf> {
    command.iter().map(PathBuf::from).filter(|path| {
        ["/tmp", "/var/tmp", "/dev/shm"]
            .iter()
            .any(|directory| path.starts_with(directory) && path != Path::new(directory))
            && fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
    })
}

/// Whether workspaces here are overlays.
pub(crate) fn has_overlays() -> bool {
    isolation().overlay.available
}

fn text(path: &Path) -> RawText {
    RawText::from(path)
}

/// As root, commands run as whoever owns the repository, unless that is root too.
fn agent_user(checkout: &Checkout) -> Result<Option<AgentUser>, RunnerError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let top = checkout.top_level();
    let found = fs::metadata(top).map_err(RunnerError::file("look at", top))?;
    let uid = found.uid();
    if uid == 0 {
        return Ok(None);
    }
    // A `chown` of the user alone leaves files root's group, which is no reason to run as root.
    let gid = match found.gid() {
        0 => group_of(uid),
        gid => gid,
    };
    Ok(Some(AgentUser { uid, gid }))
}

/// The group that a user logs in with; that of the same number where the machine does not know the user.
fn group_of(uid: u32) -> u32 {
    let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    match known.map(|user| user.gid.as_raw()) {
        Some(0) | None => uid,
        Some(gid) => gid,
    }
}

/// The home directory of the commands' user, if there is one to show.
fn home(user: Option<AgentUser>) -> Option<PathBuf> {
    let home = match user {
        Some(AgentUser { uid, .. }) => User::from_uid(Uid::from_raw(uid)).ok()??.dir,
        None => PathBuf::from(std::env::var_os("HOME")?),
    };
    // Whatever else that is, it is no home whose copy could be written.
    let usable = home.is_absolute() && home.parent().is_some() && home.is_dir();
    usable.then_some(home)
}
