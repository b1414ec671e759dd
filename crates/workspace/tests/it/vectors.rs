//! The ways in which a repository makes git run a program or write elsewhere, one by one: `docs/threats.md` lists them. Each is planted in
//! an agent's clone, shown to work on a copy of it where plain git can show it, and then everything this crate does is done.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use dogwatch_workspace::fingerprint::fingerprint;
use dogwatch_workspace::history::History;
use dogwatch_workspace::included::{IncludeLimits, copy_included};
use dogwatch_workspace::land::{LandError, Mode, PromotionRequest, execute, plan};
use dogwatch_workspace::snapshot::{Extent, restore_with_ignored, take};
use dogwatch_workspace::{Checkout, Export, ObjectId, SnapshotRequest, Trash, diff};

use crate::canary::HOOKS;
use crate::history::{import_with, make_bundle};
use crate::support::{AT, Scene, bytes_path, content_of, git_command, run, write};

/// Where traps are laid and where they leave their mark.
struct Ground<'a> {
    clone: &'a Path,
    canaries: &'a Path,
}

impl Ground<'_> {
    /// A shell command that tells that it ran.
    fn touch(&self, name: &str) -> String {
        format!("touch '{}'", self.canaries.join(name).display())
    }

    fn git_dir(&self) -> PathBuf {
        self.clone.join(".git")
    }

    fn config(&self, section: &str, key: &str, value: &str) {
        let path = self.git_dir().join("config");
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!("[{section}]\n\t{key} = \"{value}\"\n"));
        fs::write(path, text).unwrap();
    }

    fn runs(&self, section: &str, key: &str, name: &str) {
        self.config(section, key, &self.touch(name));
    }

    fn attribute(&self, line: &str) {
        // The second is where dogwatch had switched such things off, until the agent came.
        let info = self.git_dir().join("info/attributes");
        for path in [self.clone.join(".gitattributes"), info] {
            let text = fs::read_to_string(&path).unwrap_or_default();
            fs::write(path, format!("{text}{line}\n")).unwrap();
        }
    }

    fn script(&self, path: &Path, name: &str) {
        write(path, format!("#!/bin/sh\n{}\n", self.touch(name)));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A repository all of whose configuration and hooks tell that they ran.
    fn evil_repository(&self, at: &Path, name: &str) {
        crate::support::init(at, "sha1");
        let inner = Ground {
            clone: at,
            canaries: self.canaries,
        };
        inner.runs("core", "fsmonitor", name);
        inner.runs("diff", "external", name);
        for hook in HOOKS {
            inner.script(&at.join(".git/hooks").join(hook), name);
        }
    }
}

/// One way.
struct Vector {
    name: &'static str,
    plant: fn(&Ground<'_>),
    /// What plain git is asked to do in a copy of the clone to show that the way is open; empty where that takes a terminal or a server.
    proof: &'static [&'static [&'static str]],
}

const fn vector(
    name: &'static str,
    plant: fn(&Ground<'_>),
    proof: &'static [&'static [&'static str]],
) -> Vector {
    Vector { name, plant, proof }
}

/// Those that can all be in one clone.
const CONFIGURED: &[Vector] = &[
    vector(
        "fsmonitor",
        |g| g.runs("core", "fsmonitor", "fsmonitor"),
        &[&["status"]],
    ),
    vector(
        "filter-clean",
        |g| {
            g.runs("filter \"c\"", "clean", "filter-clean");
            g.attribute("*.clean filter=c");
            write(g.clone.join("a.clean"), "x");
        },
        &[&["add", "a.clean"]],
    ),
    vector(
        "filter-smudge",
        |g| {
            g.runs("filter \"s\"", "smudge", "filter-smudge");
            g.attribute("*.smudge filter=s");
            write(g.clone.join("a.smudge"), "x");
        },
        &[
            &["add", "a.smudge"],
            &["checkout-index", "--prefix=out/", "a.smudge"],
        ],
    ),
    vector(
        "filter-process",
        |g| {
            g.runs("filter \"p\"", "process", "filter-process");
            g.attribute("*.process filter=p");
            write(g.clone.join("a.process"), "x");
        },
        &[&["add", "a.process"]],
    ),
    vector(
        "diff-external",
        |g| g.runs("diff", "external", "diff-external"),
        &[&["diff"]],
    ),
    vector(
        "textconv",
        |g| {
            g.runs("diff \"t\"", "textconv", "textconv");
            g.attribute("file diff=t");
        },
        &[&["diff", "--no-ext-diff"]],
    ),
    vector(
        "diff-command",
        |g| {
            g.runs("diff \"d\"", "command", "diff-command");
            g.attribute("other diff=d");
        },
        &[&["diff"]],
    ),
    vector(
        "merge-driver",
        |g| {
            g.runs("merge \"m\"", "driver", "merge-driver");
            g.attribute("* merge=m");
        },
        &[
            &["commit", "-qam", "one"],
            &["checkout", "-q", "HEAD~1"],
            &["-c", "alias.change=!echo other > file", "change"],
            &["commit", "-qam", "two"],
            &["merge", "-q", "dogwatch/abc123"],
        ],
    ),
    vector(
        "ssh-command",
        |g| {
            g.runs("core", "sshCommand", "ssh-command");
            g.config("remote \"origin\"", "url", "ssh://nobody@localhost/x");
        },
        &[&["fetch", "origin"]],
    ),
    vector(
        "credential-helper",
        |g| {
            let helper = format!("!{}", g.touch("credential-helper"));
            g.config("credential", "helper", &helper);
        },
        &[],
    ),
    vector(
        "uploadpack",
        |g| {
            g.config("remote \"up\"", "url", "..");
            g.runs("remote \"up\"", "uploadpack", "uploadpack");
            g.runs("uploadpack", "packObjectsHook", "pack-objects-hook");
        },
        &[&["fetch", "up"]],
    ),
    vector(
        "ext-url",
        |g| {
            g.config("protocol \"ext\"", "allow", "always");
            let script = g.clone.with_extension("ext");
            g.script(&script, "ext-url");
            g.config(
                "remote \"ext\"",
                "url",
                &format!("ext::{}", script.display()),
            );
            g.config("extensions", "partialClone", "ext");
        },
        &[&["fetch", "ext"]],
    ),
    vector(
        "gpg-program",
        |g| {
            let script = g.clone.with_extension("gpg");
            g.script(&script, "gpg-program");
            g.config("gpg", "program", script.to_str().unwrap());
            g.config("commit", "gpgSign", "true");
            g.config("log", "showSignature", "true");
        },
        &[&["commit", "-q", "--allow-empty", "-S", "-m", "x"]],
    ),
    vector(
        "editor",
        |g| {
            g.runs("core", "editor", "editor");
            g.runs("sequence", "editor", "sequence-editor");
        },
        &[&["commit", "--allow-empty"]],
    ),
    vector(
        "pager",
        |g| {
            g.runs("core", "pager", "pager");
            g.runs("pager", "diff", "pager-diff");
            g.runs("interactive", "diffFilter", "diff-filter");
        },
        &[],
    ),
    vector(
        "alias",
        |g| {
            for command in ["evil", "status", "diff-tree", "fast-import", "ls-tree"] {
                g.config("alias", command, &format!("!{}", g.touch("alias")));
            }
        },
        &[&["evil"]],
    ),
    vector(
        "hooks",
        |g| {
            let hooks = g.git_dir().join("own-hooks");
            for hook in HOOKS {
                g.script(&hooks.join(hook), hook);
                g.script(&g.git_dir().join("hooks").join(hook), hook);
            }
            g.script(&hooks.join("hooks"), "hooks");
            fs::copy(hooks.join("hooks"), hooks.join("post-index-change")).unwrap();
            g.config("core", "hooksPath", hooks.to_str().unwrap());
        },
        &[&["add", "file"]],
    ),
    vector(
        "include",
        |g| {
            let path = g.clone.with_extension("config");
            write(
                &path,
                format!("[alias]\n\tincluded = \"!{}\"\n", g.touch("include")),
            );
            g.config("include", "path", path.to_str().unwrap());
        },
        &[&["included"]],
    ),
    vector(
        "config-worktree",
        |g| {
            g.config("core", "repositoryFormatVersion", "1");
            g.config("extensions", "worktreeConfig", "true");
            let text = format!("[core]\n\tfsmonitor = \"{}\"\n", g.touch("config-worktree"));
            write(g.git_dir().join("config.worktree"), text);
        },
        &[&["status"]],
    ),
    vector(
        "nested-repository",
        |g| g.evil_repository(&g.clone.join("vendor/nested"), "nested-repository"),
        &[&["-C", "vendor/nested", "status"]],
    ),
    vector(
        "ref-names",
        |g| {
            let commit =
                fs::read_to_string(g.git_dir().join("refs/heads/dogwatch/abc123")).unwrap();
            for name in [
                "$(touch x)",
                "`touch x`",
                "a;touch x",
                "--upload-pack=touch x",
                "x\u{3000}",
            ] {
                write(g.git_dir().join("refs/heads").join(name), &commit);
            }
        },
        &[],
    ),
    vector(
        "file-names",
        |g| {
            let mark = g.canaries.join("file-names");
            let mark = mark.to_str().unwrap().replace('/', "\\057");
            for name in [
                format!("$(printf '{mark}' | xargs touch)"),
                "-c".to_owned(),
                "--upload-pack=touch".to_owned(),
                "--output=..".to_owned(),
                ":(exclude)file".to_owned(),
                "a\nD file\n".to_owned(),
                "\"quoted\" \\ \u{1b}]0;x\u{7}".to_owned(),
            ] {
                write(g.clone.join(name), "x");
            }
            write(g.clone.join(bytes_path(b"\xff\xfe")), "x");
        },
        &[],
    ),
    vector(
        "forbidden-names",
        |g| {
            for name in [".GIT", "git~1", ".git ", "dir/.git", "dir/..\\.git"] {
                write(
                    g.clone.join(name).join("config"),
                    "[core]\n\tfsmonitor = touch\n",
                );
            }
            symlink("/etc/passwd", g.clone.join(".gitmodules")).unwrap();
        },
        &[],
    ),
];

fn repoint(g: &Ground<'_>, how: impl FnOnce(&Path)) {
    let evil = g.clone.with_extension("evil");
    g.evil_repository(&evil, "evil");
    let aside = g.clone.with_extension("aside");
    fs::rename(g.git_dir(), &aside).unwrap();
    how(&evil.join(".git"));
}

/// Those that make of `.git` something else, and so each need a clone.
const REPOINTED: &[Vector] = &[
    vector(
        "git-file",
        |g| {
            repoint(g, |evil| {
                write(g.git_dir(), format!("gitdir: {}\n", evil.display()));
            });
        },
        &[&["status"]],
    ),
    vector(
        "git-link",
        |g| repoint(g, |evil| symlink(evil, g.git_dir()).unwrap()),
        &[&["status"]],
    ),
    vector(
        "commondir",
        |g| {
            let evil = g.clone.with_extension("evil");
            g.evil_repository(&evil, "commondir");
            let evil = evil.join(".git");
            write(
                g.git_dir().join("commondir"),
                format!("{}\n", evil.display()),
            );
        },
        &[&["status"]],
    ),
];

/// Those that aim at the user's repository.
const REDIRECTED: &[Vector] = &[
    vector(
        "core-worktree",
        |g| {
            let host = g.clone.with_file_name("repository");
            g.config("core", "worktree", host.to_str().unwrap());
            let alternates = g.git_dir().join("objects/info/alternates");
            let text = fs::read_to_string(&alternates).unwrap();
            fs::write(
                alternates,
                format!("{text}{}\n", host.join(".git/objects").display()),
            )
            .unwrap();
        },
        &[],
    ),
    vector(
        "git-file-to-host",
        |g| {
            fs::remove_dir_all(g.git_dir()).unwrap();
            let host = g.clone.with_file_name("repository/.git");
            write(g.git_dir(), format!("gitdir: {}\n", host.display()));
        },
        &[],
    ),
    vector(
        "links-to-host",
        |g| {
            let host = g.clone.with_file_name("repository/.git");
            symlink(&host, g.clone.join("host")).unwrap();
            symlink(host.join("hooks"), g.clone.join("dir-hooks")).unwrap();
            for name in ["index", "config"] {
                fs::remove_file(g.git_dir().join(name)).unwrap();
                symlink(host.join(name), g.git_dir().join(name)).unwrap();
            }
        },
        &[],
    ),
];

/// Submodules, which git refuses to receive in these forms.
const SUBMODULES: &[Vector] = &[vector(
    "submodule",
    |g| {
        let script = g.clone.with_extension("sub");
        g.script(&script, "submodule");
        let text = format!(
            "[submodule \"x\"]\n\tpath = x\n\turl = ext::{}\n\tupdate = !{}\n[submodule \"../../.git\"]\n\tpath = y\n\turl = -u./touch\n",
            script.display(),
            script.display()
        );
        write(g.clone.join(".gitmodules"), text);
        g.config(
            "submodule \"x\"",
            "update",
            &format!("!{}", script.display()),
        );
        g.config("submodule", "recurse", "true");
        write(g.clone.join("x/.git"), "gitdir: ../.git/modules/x\n");
    },
    &[],
)];

fn sprung(canaries: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(canaries)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn scene() -> (Scene, PathBuf) {
    let scene = Scene::new(|top| {
        write(top.join(".gitignore"), "*.o\n.env\n");
        write(top.join("file"), "before\n");
        write(top.join("other"), "before\n");
        write(top.join("dir/file"), "before\n");
        write(top.join("lines"), format!("1\n{}2\n", "same\n".repeat(20)));
    });
    write(scene.repository().join(".env"), "SECRET=value\n");
    let canaries = scene.root().join("canaries");
    fs::create_dir(&canaries).unwrap();
    (scene, canaries)
}

/// Plants vectors in a clone, and shows on a copy for each that it is open.
fn plant(scene: &Scene, canaries: &Path, vectors: &[Vector]) {
    let fill = |clone: &Path| {
        write(clone.join("file"), "after\n");
        write(clone.join("other"), "after\n");
        write(clone.join("a.o"), "ignored\n");
    };
    let mut closed = Vec::new();
    let copy = scene.root().join("copy");
    for vector in vectors.iter().filter(|vector| !vector.proof.is_empty()) {
        let copied = Command::new("cp")
            .arg("-a")
            .args([&scene.clone, &copy])
            .status();
        assert!(copied.unwrap().success());
        (vector.plant)(&Ground {
            clone: &copy,
            canaries,
        });
        fill(&copy);
        for arguments in vector.proof {
            // Many end in an error, having run what they were made to run.
            let _ = git_command(&copy).args(*arguments).output().unwrap();
        }
        if sprung(canaries).is_empty() {
            closed.push(vector.name);
        }
        for name in sprung(canaries) {
            fs::remove_file(canaries.join(name)).unwrap();
        }
        fs::remove_dir_all(&copy).unwrap();
        for beside in ["evil", "aside"] {
            let _ = fs::remove_dir_all(copy.with_extension(beside));
        }
    }
    assert_eq!(closed, [""; 0], "traps that are not live prove nothing");
    let ground = Ground {
        clone: &scene.clone,
        canaries,
    };
    for vector in vectors {
        (vector.plant)(&ground);
    }
    fill(&scene.clone);
}

type Files = BTreeMap<Vec<u8>, (char, Vec<u8>)>;

/// What a promotion may change in the user's `.git`.
fn without_promoted(files: Files) -> Files {
    let may = [
        "objects/",
        "refs/heads/",
        "logs/",
        "index",
        "dogwatch/landing/",
    ];
    files
        .into_iter()
        .filter(|(path, _)| !may.iter().any(|start| path.starts_with(start.as_bytes())))
        .collect()
}

/// Everything this crate does with a workspace, a result and a checkout.
fn everything(scene: &Scene, canaries: &Path) -> Result<(), LandError> {
    let quiet = |after: &str| assert_eq!(sprung(canaries), [""; 0], "{after}");
    let host = scene.repository().join(".git");
    let before = content_of(&host);
    let limits = IncludeLimits::default();
    let included = copy_included(&scene.checkout, b".env\n", &scene.clone, limits).unwrap();
    assert_eq!(included.files.len(), 1);
    let excluded = included.paths();
    let extent = Extent {
        excluded: &excluded,
        ..Extent::default()
    };
    let request = SnapshotRequest {
        workspace: scene.clone.as_path().into(),
        base: scene.base,
        run: run(),
        label: "turn-001",
        parent: scene.base,
        message: "turn 1\n",
        at: AT,
        limits: Default::default(),
    };
    let complete = take(&scene.vault, &request, &extent).unwrap();
    let tree = complete.snapshot.tree;
    quiet("snapshot");
    diff::patch(&scene.vault, scene.base, tree).unwrap();
    diff::changes(&scene.vault, scene.base, tree).unwrap();
    diff::stat(&scene.vault, scene.base, tree).unwrap();
    quiet("diff");
    Export::create(&scene.vault, scene.base, tree, &scene.root().join("gate")).unwrap();
    let ignored = complete.ignored.map(|ignored| ignored.commit);
    let restored = scene.root().join("restored");
    restore_with_ignored(&scene.vault, tree, ignored, &restored).unwrap();
    quiet("export and restore");
    // Made as by a shim that does not contain anything, whatever it then does to itself.
    make_bundle(scene);
    for name in sprung(canaries) {
        fs::remove_file(canaries.join(name)).unwrap();
    }
    let history = import_with(scene, tree, &included.blobs(), |_| {}).unwrap();
    quiet("history");
    let base = scene.vault.path().join("refs/dogwatch/base");
    fs::remove_file(base.join(scene.base.to_string())).unwrap();
    scene.vault.fetch_base(&scene.checkout, scene.base).unwrap();
    scene.checkout.dirty().unwrap();
    fingerprint(scene.checkout.common_dir()).unwrap();
    quiet("questions to the checkout");
    assert_eq!(content_of(&host), before, "the host's .git is byte-equal");
    let tip = match history {
        History::Kept { tip, .. } => Some(tip),
        History::OneCommit { .. } => None,
    };
    let landed = promote(scene, tree, tip);
    quiet("promotion");
    assert_eq!(
        without_promoted(content_of(&host)),
        without_promoted(before)
    );
    // What has landed is inert as well.
    let commands: [&[&str]; 6] = [
        &["status"],
        &["log", "-p"],
        &["diff", "HEAD~1"],
        &["checkout", "-q", "HEAD~1"],
        &["checkout", "-q", "main"],
        &["fsck", "--strict"],
    ];
    for arguments in commands {
        let _ = git_command(scene.repository())
            .args(arguments)
            .output()
            .unwrap();
    }
    quiet("plain git in the user's repository");
    Trash::of(&scene.data()).remove(&scene.clone).unwrap();
    quiet("clean-up");
    landed
}

fn promote(scene: &Scene, tree: ObjectId, history: Option<ObjectId>) -> Result<(), LandError> {
    let request = PromotionRequest {
        history,
        mode: Mode::Merge,
        ..crate::land::request(scene, tree)
    };
    let checkout = Checkout::discover(scene.repository())?;
    let plan = plan(&checkout, &scene.vault, &request)?;
    let landed = execute(&checkout, &scene.vault, &plan)?;
    assert!(!landed.was_landed);
    Ok(())
}

#[test]
fn nothing_that_is_configured_runs() {
    let (scene, canaries) = scene();
    plant(&scene, &canaries, CONFIGURED);
    // The branch has moved, and what both sides changed has to be merged.
    let lines = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(20));
    write(scene.clone.join("lines"), lines("theirs", "2"));
    write(scene.repository().join("lines"), lines("1", "ours"));
    crate::support::commit_all(scene.repository(), "meanwhile");
    everything(&scene, &canaries).unwrap();
    assert_eq!(
        fs::read(scene.repository().join("file")).unwrap(),
        b"after\n"
    );
}

fn each(vectors: &[Vector]) {
    for index in 0..vectors.len() {
        let (scene, canaries) = scene();
        plant(&scene, &canaries, &vectors[index..=index]);
        everything(&scene, &canaries).unwrap();
        assert_eq!(
            fs::read(scene.repository().join("file")).unwrap(),
            b"after\n"
        );
    }
}

#[test]
fn nothing_that_is_repointed_is_followed() {
    each(REPOINTED);
}

#[test]
fn nothing_aims_at_the_host() {
    each(REDIRECTED);
}

#[test]
fn submodules_that_run_commands_do_not_land() {
    let (scene, canaries) = scene();
    plant(&scene, &canaries, SUBMODULES);
    let refused = everything(&scene, &canaries).unwrap_err();
    assert_eq!(refused.code(), "objects_refused", "{refused}");
    assert_eq!(
        fs::read(scene.repository().join("file")).unwrap(),
        b"before\n"
    );
}

#[test]
fn a_promotion_runs_nothing_of_the_users_but_filters() {
    let (scene, canaries) = scene();
    let ground = Ground {
        clone: scene.repository(),
        canaries: &canaries,
    };
    for vector in CONFIGURED.iter().filter(|vector| {
        !vector.name.starts_with("filter-")
            && ![
                "nested-repository",
                "ref-names",
                "file-names",
                "forbidden-names",
                "textconv",
            ]
            .contains(&vector.name)
            && !["diff-command", "merge-driver", "config-worktree"].contains(&vector.name)
    }) {
        (vector.plant)(&ground);
    }
    write(scene.clone.join("file"), "after\n");
    let tree = scene.snapshot().tree;
    promote(&scene, tree, None).unwrap();
    assert_eq!(
        fs::read(scene.repository().join("file")).unwrap(),
        b"after\n"
    );
    assert_eq!(sprung(&canaries), [""; 0]);
    let _ = git_command(scene.repository())
        .arg("status")
        .output()
        .unwrap();
    assert!(!sprung(&canaries).is_empty(), "the traps are live");
}
