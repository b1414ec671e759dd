//! Who runs dogwatch, and whose the repository is.

use std::fs;
use std::path::Path;

use dogwatch_testkit::{Repo, as_user_65534, give_to_65534, skip};
use serde_json::{Value, json};

use crate::support::{Case, Finished, program};

/// Who runs dogwatch on whose repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whoever runs the tests, on a repository of the same user.
    Same,
    /// Root, on the repository of an ordinary user: the agent is that user.
    Given,
    /// An ordinary user, although root runs the tests.
    Ordinary,
}

impl Kind {
    /// A case of this kind; none, with the reason in the report, where the machine has no such users.
    pub(super) fn case(self, test: &str, repo: Repo) -> Option<Case> {
        let name = format!("contained::{test} ({self:?})");
        let mut case = Case::in_repo(repo, json!([]));
        if self == Self::Same {
            return Some(case);
        }
        let Some(user) = as_user_65534() else {
            skip(&name, "only root can be another user here");
            return None;
        };
        if self == Self::Given {
            // Git asks for as much of whoever uses another user's repository.
            let config = case.home.root().join("home/.gitconfig");
            fs::write(config, "[safe]\n\tdirectory = *\n").unwrap();
            give_to_65534(case.repo.root());
            return Some(case);
        }
        let reached = user.command("test").arg("-x").arg(program()).status();
        if !reached.is_ok_and(|status| status.success()) {
            skip(
                &name,
                "an ordinary user cannot reach the program under test",
            );
            return None;
        }
        case.hand_over(user);
        Some(case)
    }

    /// The best that there is for it.
    pub(super) fn level(self) -> &'static str {
        if self == Self::Same && nix::unistd::geteuid().is_root() {
            "reduced"
        } else {
            "full"
        }
    }

    /// Whom its agent is.
    pub(super) fn agent(self) -> u32 {
        match self {
            Self::Same => nix::unistd::geteuid().as_raw(),
            Self::Given | Self::Ordinary => 65534,
        }
    }

    /// A contract that asks for that level.
    pub(super) fn contract(self, mut contract: Value) -> Value {
        contract["containment"] = json!(self.level());
        contract
    }

    /// How every run of this kind is held.
    #[track_caller]
    pub(super) fn assert_held(self, finished: &Finished) {
        assert_eq!(finished.result["containment"], self.level(), "{self:?}");
        let manifest = fs::read(finished.bundle.manifest()).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["containment"]["level"], self.level(), "{self:?}");
        assert_eq!(manifest["containment"]["kill_rung"], "pid_namespace");
        let ready = finished.facts("workspace.ready.v1");
        assert_eq!(ready[0]["method"], "overlay", "{self:?}");
    }
}

/// A shell command of the scripted agent.
pub(super) fn shell(script: &str) -> Value {
    json!({"shell": {"command": script}})
}

/// A repository with one commit that ignores `*.cache`, of which `warm.cache` comes along.
#[track_caller]
pub(super) fn repo() -> Repo {
    let repo = Repo::with_commit();
    repo.write("gone.txt", "gone\n")
        .write(".gitignore", "*.cache\n")
        .write(".worktreeinclude", "settings/warm.cache\n")
        .write("settings/warm.cache", "warm\n")
        .write("settings/cold.cache", "cold\n");
    repo.commit("more");
    repo
}

/// Files below a directory that are not of this user.
pub(super) fn not_of(uid: u32, root: &Path) -> Vec<std::path::PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        if facts.uid() != uid {
            found.push(path.clone());
        }
        if facts.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}
