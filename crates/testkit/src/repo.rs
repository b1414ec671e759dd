//! Real git repositories, the same on every machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// When the first commit is made: 2026-01-01T00:00:00Z. Each git command is one second later than the one before.
const START: u64 = 1_767_225_600;

/// Which hash names the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectFormat {
    /// What nearly all repositories use.
    #[default]
    Sha1,
    /// The newer one.
    Sha256,
}

impl ObjectFormat {
    /// Its name for git.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// What a repository is made of.
#[derive(Clone, Debug)]
pub struct RepoBuilder {
    format: ObjectFormat,
    name: PathBuf,
    branch: String,
}

impl RepoBuilder {
    /// Which hash names the objects.
    pub fn format(mut self, format: ObjectFormat) -> Self {
        self.format = format;
        self
    }

    /// The name of its directory, which need not be text; `repo` otherwise.
    pub fn name(mut self, name: impl AsRef<OsStr>) -> Self {
        self.name = PathBuf::from(name.as_ref());
        self
    }

    /// The branch it starts with; `main` otherwise.
    pub fn branch(mut self, branch: &str) -> Self {
        branch.clone_into(&mut self.branch);
        self
    }

    /// Makes it, without a commit.
    #[track_caller]
    pub fn init(self) -> Repo {
        let root = tempfile::Builder::new()
            .prefix("dwrepo")
            .tempdir()
            .expect("a temporary directory");
        let path = root.path().join(&self.name);
        fs::create_dir(&path).expect("a directory for the repository");
        fs::create_dir(root.path().join("home")).expect("a home for git");
        let repo = Repo {
            root,
            path,
            commands: AtomicU64::new(0),
        };
        repo.git([
            "init",
            "--quiet",
            // The machine's template may hold hooks.
            "--template=",
            &format!("--object-format={}", self.format.as_str()),
            &format!("--initial-branch={}", self.branch),
        ])
        .expect_success();
        repo
    }
}

/// What a git command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitOutput {
    command: String,
    /// The exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its errors.
    pub stderr: Vec<u8>,
}

impl GitOutput {
    /// Panics with what git said unless it succeeded.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(
            self.code == Some(0),
            "{} ended with {:?}: {}{}",
            self.command,
            self.code,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        );
        self
    }

    /// Its output as text without the last line end. Panics unless it succeeded and printed text.
    #[track_caller]
    pub fn text(self) -> String {
        let output = self.expect_success();
        let mut text = String::from_utf8(output.stdout).expect("git printed text");
        if text.ends_with('\n') {
            text.pop();
        }
        text
    }
}

/// A repository in a temporary directory that is gone afterwards. Identity, dates and configuration are fixed, so the same steps give
/// the same object ids every time.
#[derive(Debug)]
pub struct Repo {
    root: TempDir,
    path: PathBuf,
    commands: AtomicU64,
}

impl Repo {
    /// What to make one of.
    pub fn builder() -> RepoBuilder {
        RepoBuilder {
            format: ObjectFormat::default(),
            name: PathBuf::from("repo"),
            branch: "main".to_owned(),
        }
    }

    /// An empty repository with SHA-1.
    #[track_caller]
    pub fn init() -> Self {
        Self::builder().init()
    }

    /// A repository with one commit of one file, `README.md`.
    #[track_caller]
    pub fn with_commit() -> Self {
        let repo = Self::init();
        repo.write("README.md", "# A project\n").commit("start");
        repo
    }

    /// Its work tree.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The temporary directory that holds the work tree and linked ones.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file of the work tree.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> &Self {
        let place = self.place(path.as_ref());
        fs::write(&place, bytes)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", place.display()));
        self
    }

    /// Writes a file that can be run.
    #[track_caller]
    pub fn write_executable(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> &Self {
        let path = path.as_ref();
        self.write(path, bytes);
        fs::set_permissions(self.path.join(path), fs::Permissions::from_mode(0o755))
            .unwrap_or_else(|error| panic!("cannot make {} executable: {error}", path.display()));
        self
    }

    /// Makes a symbolic link.
    #[track_caller]
    pub fn symlink(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> &Self {
        let place = self.place(path.as_ref());
        symlink(target, &place)
            .unwrap_or_else(|error| panic!("cannot link {}: {error}", place.display()));
        self
    }

    /// Removes a file or link of the work tree.
    #[track_caller]
    pub fn remove(&self, path: impl AsRef<Path>) -> &Self {
        let place = self.path.join(path.as_ref());
        fs::remove_file(&place)
            .unwrap_or_else(|error| panic!("cannot remove {}: {error}", place.display()));
        self
    }

    /// Commits the work tree except for ignored files, and tells the commit's id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git(["add", "--all"]).expect_success();
        self.git(["commit", "--quiet", "--allow-empty", "--message", message])
            .expect_success();
        self.head()
    }

    /// The id of the commit that is checked out.
    #[track_caller]
    pub fn head(&self) -> String {
        self.resolve("HEAD^{commit}")
    }

    /// The id of an object.
    #[track_caller]
    pub fn resolve(&self, revision: &str) -> String {
        self.git(["rev-parse", "--verify", "--end-of-options", revision])
            .text()
    }

    /// Makes a branch at the commit that is checked out, without changing to it.
    #[track_caller]
    pub fn branch(&self, name: &str) -> &Self {
        self.git(["branch", name]).expect_success();
        self
    }

    /// Checks a branch or commit out.
    #[track_caller]
    pub fn checkout(&self, revision: &str) -> &Self {
        self.git(["checkout", "--quiet", revision]).expect_success();
        self
    }

    /// A linked work tree with a new branch of that name, beside the repository.
    #[track_caller]
    pub fn worktree_add(&self, name: &str) -> PathBuf {
        let path = self.root().join("worktrees").join(name);
        self.git([
            OsStr::new("worktree"),
            OsStr::new("add"),
            OsStr::new("--quiet"),
            OsStr::new("-b"),
            OsStr::new(name),
            path.as_os_str(),
        ])
        .expect_success();
        path
    }

    /// What is not committed, as `git status --porcelain` has it. Empty for a clean work tree.
    #[track_caller]
    pub fn status(&self) -> String {
        self.git(["status", "--porcelain", "--untracked-files=all"])
            .text()
    }

    /// Runs git in the work tree, whatever comes of it.
    #[track_caller]
    pub fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitOutput {
        let mut command = self.git_command();
        command.args(args);
        match command.output() {
            Ok(output) => GitOutput {
                command: format!("{:?}", command.get_args().collect::<Vec<_>>()),
                code: output.status.code(),
                stdout: output.stdout,
                stderr: output.stderr,
            },
            Err(error) => panic!("cannot run git: {error}"),
        }
    }

    /// A git command in the work tree, for tests that need its pipes.
    pub fn git_command(&self) -> Command {
        let count = self.commands.fetch_add(1, Ordering::SeqCst);
        let date = format!("@{} +0000", START + count);
        let mut command = Command::new("git");
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.root().join("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", self.root())
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Ada Example")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_NAME", "Ada Example")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_DATE", &date)
            // Nothing may go on in the background, and the files may have been given to another user.
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(["-c", "safe.directory=*", "-c", "core.fsync=none"])
            .current_dir(&self.path)
            .stdin(Stdio::null());
        command
    }

    /// Where a path of the work tree lies, with the directories on the way.
    #[track_caller]
    fn place(&self, path: &Path) -> PathBuf {
        let place = self.path.join(path);
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", directory.display()));
        }
        place
    }
}
