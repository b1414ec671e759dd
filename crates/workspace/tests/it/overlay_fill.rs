//! Overlay workspaces that start from something else than base.

use std::fs;
use std::path::Path;

use dogwatch_workspace::{InitialContent, OverlayError};
use proptest::prelude::*;

use crate::mounted::{Mounted, owners, take};
use crate::support::{Scene, commit_all, content_of, git, git_text, init, write};
use crate::tree_matches_git::{clear, content, lay_out};

fn check(before: &[(&str, &str)], after: &[(&str, &str)]) {
    let lay_out = |top: &Path, files: &[(&str, &str)]| {
        for (path, text) in files {
            write(top.join(path), text);
        }
    };
    let scene = Scene::new(|top| lay_out(top, before));
    clear(&scene.clone);
    lay_out(&scene.clone, after);
    agrees(&scene);
}

/// Both ways to start from the scene's plain clone show its content, and T of an untouched start is where it started.
fn agrees(scene: &Scene) {
    let wanted = take(scene, scene.clone.as_path().into(), scene.base, "wanted").unwrap();
    for (index, owner) in owners().into_iter().enumerate() {
        let name = format!("work{index}");
        let work = Mounted::named(scene, &name, InitialContent::Work(wanted.tree), owner);
        let label = format!("work-{index}");
        assert_eq!(work.agreed_snapshot(&label).tree, wanted.tree);
        let name = format!("copy-{label}");
        assert_eq!(
            content_of(&work.target().with_file_name(name)),
            content_of(&scene.clone)
        );
        let name = format!("result{index}");
        let result = Mounted::named(scene, &name, InitialContent::Result(wanted.tree), owner);
        let said = result.script(
            "git rev-parse HEAD; git write-tree; git diff --name-only; git ls-files --others",
        );
        assert_eq!(said, format!("{}\n{}\n", scene.base, wanted.tree));
    }
}

#[test]
fn directories_that_come_and_go_do_so_as_a_whole() {
    let one = [
        ("a", "1"),
        ("b/c", "2"),
        ("b/d/e", "3"),
        ("b/d/f", "3"),
        ("kept", "4"),
    ];
    let other = [("a/x", "1"), ("b", "2"), ("kept", "4")];
    check(&one, &other);
    check(&other, &one);
    check(&one, &[]);
    check(&[("x", "")], &one);
    check(
        &one,
        &[("b/d/e", "3"), ("b/d/g", "new"), ("kept", "changed")],
    );
    check(&one, &one);

    let scene = Scene::new(|top| {
        for (path, text) in one {
            write(top.join(path), text);
        }
    });
    fs::remove_dir_all(scene.clone.join("b")).unwrap();
    let tree = scene.snapshot().tree;
    let work = Mounted::new(&scene, InitialContent::Work(tree), None);
    assert_eq!(work.script("ls"), "a\nkept\n");
    let names: Vec<_> = fs::read_dir(&work.overlay.paths().upper)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "the repository and one whiteout: {names:?}");
}

#[test]
fn names_that_git_forbids_come_back_for_work_and_not_for_judgement() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    write(
        scene.clone.join("sub/.git/config"),
        "[core]\n\tfsmonitor = false\n",
    );
    let tree = scene.snapshot().tree;
    let work = Mounted::named(&scene, "work", InitialContent::Work(tree), None);
    assert_eq!(
        work.script("cat sub/.git/config"),
        "[core]\n\tfsmonitor = false\n"
    );
    assert_eq!(work.agreed_snapshot("turn-002").tree, tree);
    let result = Mounted::named(&scene, "result", InitialContent::Result(tree), None);
    result.script("test -f sub/dw%%2Egit/config && test ! -e sub/.git");
}

#[test]
fn a_tree_cannot_write_the_repository_of_the_workspace() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    // No walk stores this name, but a tree in the vault could have it.
    let blob = scene.in_vault(["hash-object", "-w", "-t", "blob", "/dev/null"]);
    let blob = String::from_utf8(blob).unwrap();
    let index = scene.root().join("index");
    let mut command = crate::support::git_command(scene.vault.path());
    command.arg("--git-dir=.").env("GIT_INDEX_FILE", &index);
    command.args(["update-index", "--add", "--cacheinfo"]);
    command.arg(format!("100644,{},dw%%2Egit/config", blob.trim()));
    assert!(command.status().unwrap().success());
    let mut command = crate::support::git_command(scene.vault.path());
    command
        .arg("--git-dir=.")
        .env("GIT_INDEX_FILE", &index)
        .arg("write-tree");
    let tree = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let run_dir = scene.data().join("run");
    fs::create_dir(&run_dir).unwrap();
    let request = dogwatch_workspace::OverlayRequest {
        run_dir: &run_dir,
        base: scene.base,
        branch: "dogwatch/x",
        owner: None,
        content: InitialContent::Work(tree.trim().parse().unwrap()),
    };
    let cache = crate::mounted::cache_in(&scene);
    let error =
        dogwatch_workspace::OverlayWorkspace::create(&scene.vault, &cache, &request).unwrap_err();
    assert!(matches!(error, OverlayError::Repository { .. }), "{error}");
    // It is not a workspace, and its place can be used.
    let open = dogwatch_workspace::OverlayWorkspace::open(&scene.vault, &cache, &run_dir);
    assert!(open.unwrap().is_none());
    let request = dogwatch_workspace::OverlayRequest {
        content: InitialContent::Base,
        ..request
    };
    dogwatch_workspace::OverlayWorkspace::create(&scene.vault, &cache, &request).unwrap();
}

#[test]
fn what_is_special_in_a_repository_is_special_here() {
    let scene = Scene::new(|top| {
        write(top.join("file"), "x");
        write(
            top.join(".gitattributes"),
            "*.txt text eol=crlf\n*.big filter=lfs diff=lfs\n",
        );
        write(top.join("a.txt"), "one\n");
        write(
            top.join("a.big"),
            "version https://git-lfs.github.com/spec/v1\n",
        );
        for name in ["README", "readme", "ReadMe"] {
            write(top.join(name), name);
        }
        write(top.join(crate::support::bytes_path(b"\xff\xfe")), "d");
        write(top.join("run.sh"), "#!/bin/sh\n");
        write(top.join("sparse/file"), "not everywhere");
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(".gitattributes", top.join(".gitignore")).unwrap();
        let module = top.parent().unwrap().join("module");
        init(&module, "sha1");
        commit_all(&module, "one");
        for name in ["empty", "gone", "filled", "replaced", "newer"] {
            let commit = commit_all(&module, name);
            let entry = format!("160000,{commit},modules/{name}");
            git(top, ["update-index", "--add", "--cacheinfo", &entry]);
            fs::create_dir_all(top.join("modules").join(name)).unwrap();
        }
    });
    // The user sees a part of the repository; the workspace is the whole.
    git(
        scene.repository(),
        ["sparse-checkout", "set", "--no-cone", "/file"],
    );
    assert!(!scene.repository().join("sparse").exists());
    for (index, owner) in owners().into_iter().enumerate() {
        let mounted = Mounted::named(&scene, &format!("run{index}"), InitialContent::Base, owner);
        assert_eq!(
            mounted.script(
                "git status --porcelain; cat a.txt; test -x run.sh; ls modules; cat sparse/file"
            ),
            "one\nempty\nfilled\ngone\nnewer\nreplaced\nnot everywhere"
        );
        assert_eq!(
            mounted.agreed_snapshot(&format!("same-{index}")).tree,
            scene.base_tree()
        );
        mounted.script("cd modules; rmdir gone replaced; echo f > replaced; echo code > filled/code; mkdir filled/empty; rm ../README; echo r > ../ReadMe; mkdir -p ../e/e");
        let taken = mounted.agreed_snapshot(&format!("changed-{index}"));
        let listing = scene.listing(taken.tree);
        assert!(listing[&b"modules/gone"[..]].starts_with("160000"));
        assert!(listing[&b"modules/replaced"[..]].starts_with("100644"));
        assert_eq!(taken.report.submodules_with_content.count, 1);
        assert_eq!(taken.report.empty_directories, 2);
    }
    assert_eq!(git_text(scene.repository(), ["status", "--porcelain"]), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]
    #[test]
    fn any_result_can_be_started_from(before in content(), after in content(), sha256: bool) {
        let scene = Scene::with_format(if sha256 { "sha256" } else { "sha1" }, |top| lay_out(top, &before));
        clear(&scene.clone);
        lay_out(&scene.clone, &after);
        agrees(&scene);
    }
}
