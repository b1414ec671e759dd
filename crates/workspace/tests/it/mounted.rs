//! Overlays that are really mounted, as a run's commands see them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dogwatch_workspace::tree::{Contents, Marks, TreeLimits};
use dogwatch_workspace::{
    CacheLimits, InitialContent, ObjectId, OverlayRequest, OverlayWorkspace, Owner, PristineCache,
    Snapshot, SnapshotError, SnapshotRequest, Trash, snapshot,
};

use crate::support::{AT, Scene, run};

/// Somebody who is not root.
pub(crate) const NOBODY: Owner = Owner {
    uid: 65_534,
    gid: 65_534,
};

pub(crate) fn cache_in(scene: &Scene) -> PristineCache {
    PristineCache::new(
        &scene.data().join("pristine"),
        Trash::of(&scene.data()),
        CacheLimits::default(),
    )
}

/// An overlay workspace of a scene.
pub(crate) struct Mounted<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) overlay: OverlayWorkspace,
    owner: Option<Owner>,
}

impl<'a> Mounted<'a> {
    pub(crate) fn new(scene: &'a Scene, content: InitialContent, owner: Option<Owner>) -> Self {
        Self::named(scene, "run", content, owner)
    }

    pub(crate) fn named(
        scene: &'a Scene,
        name: &str,
        content: InitialContent,
        owner: Option<Owner>,
    ) -> Self {
        let run_dir = scene.data().join(name);
        fs::create_dir(&run_dir).unwrap();
        if owner.is_some() {
            // The shim shows only what it has to; here the way to the workspace and the vault is opened instead.
            let vaults = scene.data().join("vaults");
            for directory in [
                scene.root(),
                &scene.data(),
                &run_dir,
                &vaults,
                scene.vault.path(),
            ] {
                fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let request = OverlayRequest {
            run_dir: &run_dir,
            base: scene.base,
            branch: "dogwatch/abc123",
            owner,
            content,
        };
        let overlay = OverlayWorkspace::create(&scene.vault, &cache_in(scene), &request).unwrap();
        Self {
            scene,
            overlay,
            owner,
        }
    }

    pub(crate) fn target(&self) -> &Path {
        &self.overlay.paths().target
    }

    /// Runs a script in the mounted workspace, as whom it belongs to.
    pub(crate) fn try_script(&self, script: &[u8]) -> Output {
        let paths = self.overlay.paths();
        let file = self.scene.root().join("script");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let mut options = OsString::from("lowerdir=");
        options.push(&paths.lower);
        for (name, path) in [(",upperdir=", &paths.upper), (",workdir=", &paths.work)] {
            options.push(name);
            options.push(path);
        }
        options.push(match self.overlay.marks() {
            Marks::Trusted => ",redirect_dir=off,metacopy=off,index=off",
            Marks::User => ",userxattr,metacopy=off,index=off",
        });
        let mut command = Command::new("unshare");
        command.arg("-m");
        if self.overlay.marks() == Marks::User {
            command.arg("-Ur");
        }
        command
            .args(["sh", "-c"])
            .arg(r#"mount -t overlay overlay -o "$1" "$2" && cd "$2" && shift 2 && exec "$@""#)
            .arg("sh")
            .arg(options)
            .arg(&paths.target);
        if let Some(Owner { uid, gid }) = self.owner {
            command
                .args(["setpriv", "--clear-groups", "--bounding-set=-all"])
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={gid}"));
        }
        command
            .arg("sh")
            .arg(file)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", "/nonexistent");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "An Agent")
                .env(format!("GIT_{role}_EMAIL"), "agent@example.com");
        }
        command.output().unwrap()
    }

    /// The same for a script that has to succeed; what it printed.
    pub(crate) fn script(&self, script: impl AsRef<[u8]>) -> String {
        let output = self.try_script(&[b"set -e\n", script.as_ref()].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the mounted workspace shows, as a directory of its own.
    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        let copy = self.target().with_file_name(name);
        if let Some(Owner { uid, gid }) = self.owner {
            let parent = copy.parent().unwrap();
            std::os::unix::fs::chown(parent, Some(uid), Some(gid)).unwrap();
        }
        self.script(format!("cp -a . '{}'", copy.display()));
        copy
    }

    pub(crate) fn try_snapshot(&self, label: &str) -> Result<Snapshot, SnapshotError> {
        take(self.scene, self.overlay.contents(), self.scene.base, label)
    }

    pub(crate) fn snapshot(&self, label: &str) -> Snapshot {
        self.try_snapshot(label).unwrap()
    }

    /// Takes T from the layers and from what the mounted workspace shows, which must agree in everything.
    pub(crate) fn agreed_snapshot(&self, label: &str) -> Snapshot {
        let copy = self.copy(&format!("copy-{label}"));
        let layered = self.snapshot(label);
        let plain = take(
            self.scene,
            copy.as_path().into(),
            self.scene.base,
            &format!("{label}-plain"),
        )
        .unwrap();
        assert_eq!(
            self.scene.listing(layered.tree),
            self.scene.listing(plain.tree)
        );
        assert_eq!(layered.tree, plain.tree);
        assert_eq!(layered.report, plain.report);
        layered
    }
}

pub(crate) fn take(
    scene: &Scene,
    workspace: Contents<'_>,
    base: ObjectId,
    label: &str,
) -> Result<Snapshot, SnapshotError> {
    let request = SnapshotRequest {
        workspace,
        base,
        run: run(),
        label,
        parent: base,
        message: "turn 1\n",
        at: AT,
        limits: TreeLimits::default(),
    };
    snapshot::create(&scene.vault, &request)
}

/// For whom workspaces can be made here.
pub(crate) fn owners() -> Vec<Option<Owner>> {
    if nix::unistd::geteuid().is_root() {
        vec![None, Some(NOBODY)]
    } else {
        vec![None]
    }
}

/// Runs tests of this binary once more as somebody who is not root, if they did not run so already.
pub(crate) fn as_nobody(tests: &[&str]) {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), open.clone()).unwrap();
    fs::set_permissions(&binary, open).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        .arg("--exact")
        .args(tests)
        .current_dir(directory.path())
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains(&format!("{} passed", tests.len())),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
