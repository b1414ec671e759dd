//! Repositories to work on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ProjectId, RunId, uuid_v7};
use dogwatch_workspace::tree::TreeLimits;
use dogwatch_workspace::{
    Checkout, ObjectId, PrivateClone, Snapshot, SnapshotError, SnapshotRequest, Vault, snapshot,
};
use tempfile::TempDir;

pub(crate) const AT: Timestamp = Timestamp::from_micros(1_763_656_200_000_000);

/// Runs git the way a person would, apart from the configuration of the machine.
pub(crate) fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(directory);
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", "/nonexistent");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "A Person")
            .env(format!("GIT_{role}_EMAIL"), "person@example.com");
        command.env(format!("GIT_{role}_DATE"), "2026-01-02T03:04:05Z");
    }
    command
}

pub(crate) fn git<S: AsRef<OsStr>>(
    directory: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Vec<u8> {
    let output = git_command(directory).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

pub(crate) fn git_text<S: AsRef<OsStr>>(
    directory: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> String {
    String::from_utf8(git(directory, arguments))
        .unwrap()
        .trim_end()
        .to_owned()
}

pub(crate) fn init(directory: &Path, format: &str) {
    fs::create_dir_all(directory).unwrap();
    let format = format!("--object-format={format}");
    git(
        directory,
        ["init", "-q", "--template=", "-b", "main", &format],
    );
}

pub(crate) fn commit_all(directory: &Path, message: &str) -> ObjectId {
    git(directory, ["add", "-A"]);
    git(directory, ["commit", "-q", "--allow-empty", "-m", message]);
    git_text(directory, ["rev-parse", "HEAD"]).parse().unwrap()
}

pub(crate) fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn bytes_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

pub(crate) fn project() -> ProjectId {
    ProjectId::from_uuid(uuid_v7(AT, &[7; 10]))
}

pub(crate) fn run() -> RunId {
    RunId::from_uuid(uuid_v7(AT, &[9; 10]))
}

/// A repository, its vault and a clone, as a run has them.
pub(crate) struct Scene {
    root: TempDir,
    pub(crate) checkout: Checkout,
    pub(crate) vault: Vault,
    pub(crate) base: ObjectId,
    pub(crate) clone: PathBuf,
}

impl Scene {
    /// `fill` writes the files of the base commit.
    pub(crate) fn new(fill: impl FnOnce(&Path)) -> Self {
        Self::with_format("sha1", fill)
    }

    pub(crate) fn with_format(format: &str, fill: impl FnOnce(&Path)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("repository");
        init(&repository, format);
        fill(&repository);
        let base = commit_all(&repository, "base");
        let checkout = Checkout::discover(&repository).unwrap();
        let data = root.path().join("data");
        fs::create_dir(&data).unwrap();
        let vault = Vault::open_or_create(&data, project(), checkout.object_format()).unwrap();
        vault.fetch_base(&checkout, base).unwrap();
        let clone = root.path().join("clone");
        PrivateClone::create(&vault, base, &clone, "dogwatch/abc123").unwrap();
        Self {
            root,
            checkout,
            vault,
            base,
            clone,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    pub(crate) fn repository(&self) -> &Path {
        self.checkout.top_level()
    }

    pub(crate) fn try_snapshot(&self, label: &str) -> Result<Snapshot, SnapshotError> {
        self.snapshot_within(label, TreeLimits::default())
    }

    pub(crate) fn snapshot_within(
        &self,
        label: &str,
        limits: TreeLimits,
    ) -> Result<Snapshot, SnapshotError> {
        let request = SnapshotRequest {
            workspace: self.clone.as_path().into(),
            base: self.base,
            run: run(),
            label,
            parent: self.base,
            message: "turn 1\n",
            at: AT,
            limits,
        };
        snapshot::create(&self.vault, &request)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.try_snapshot("turn-001").unwrap()
    }

    /// Paths and modes of a tree in the vault, as git lists them.
    pub(crate) fn listing(&self, tree: ObjectId) -> BTreeMap<Vec<u8>, String> {
        let listing = self.in_vault(["ls-tree", "-r", "-z", "--full-tree", &tree.to_string()]);
        listing
            .split(|byte| *byte == 0)
            .filter(|record| !record.is_empty())
            .map(|record| {
                let tab = record.iter().position(|byte| *byte == b'\t').unwrap();
                (
                    record[tab + 1..].to_vec(),
                    String::from_utf8(record[..tab].to_vec()).unwrap(),
                )
            })
            .collect()
    }

    pub(crate) fn paths(&self, tree: ObjectId) -> Vec<String> {
        self.listing(tree)
            .into_keys()
            .map(|path| String::from_utf8_lossy(&path).into_owned())
            .collect()
    }

    pub(crate) fn content(&self, tree: ObjectId, path: &str) -> Vec<u8> {
        self.in_vault(["cat-file", "blob", &format!("{tree}:{path}")])
    }

    pub(crate) fn base_tree(&self) -> ObjectId {
        let tree = self.in_vault(["rev-parse", &format!("{}^{{tree}}", self.base)]);
        String::from_utf8(tree).unwrap().trim_end().parse().unwrap()
    }

    pub(crate) fn in_vault<const N: usize>(&self, arguments: [&str; N]) -> Vec<u8> {
        let mut command = git_command(self.vault.path());
        let output = command
            .arg("--git-dir=.")
            .args(["-c", "core.maxTreeDepth=20000"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// git's own verdict on everything in the vault.
    pub(crate) fn fsck(&self) {
        self.in_vault(["fsck", "--strict", "--full", "--no-dangling"]);
    }
}

/// Every file below a directory with its kind, executable bit and content, without the top `.git`.
pub(crate) fn content_of(directory: &Path) -> BTreeMap<Vec<u8>, (char, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(relative) = pending.pop() {
        for entry in fs::read_dir(directory.join(&relative)).unwrap() {
            let entry = entry.unwrap();
            let path = relative.join(entry.file_name());
            if path == Path::new(".git") {
                continue;
            }
            let kind = entry.file_type().unwrap();
            let value = if kind.is_symlink() {
                (
                    'l',
                    fs::read_link(entry.path())
                        .unwrap()
                        .into_os_string()
                        .into_vec(),
                )
            } else if kind.is_dir() {
                pending.push(path);
                continue;
            } else {
                let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
                (
                    if executable { 'x' } else { 'f' },
                    fs::read(entry.path()).unwrap(),
                )
            };
            found.insert(path.into_os_string().into_vec(), value);
        }
    }
    found
}

/// Sets its flag when the test ends, also by a failed assertion, so that the other thread does not go on for ever.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
