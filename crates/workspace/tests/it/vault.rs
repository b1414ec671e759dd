//! The vault takes what it needs and depends on nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_workspace::vault::VaultError;
use dogwatch_workspace::{Checkout, ObjectFormat, ObjectId, PrivateClone, Vault};

use crate::support::{
    Scene, bytes_path, commit_all, git, git_command, git_text, init, project, write,
};

fn vault_for(checkout: &Checkout, root: &std::path::Path) -> Vault {
    Vault::open_or_create(&root.join("data"), project(), checkout.object_format()).unwrap()
}

fn log(vault: &Vault, commit: ObjectId) -> usize {
    let output = git_command(vault.path())
        .args(["--git-dir=.", "rev-list", "--objects", &commit.to_string()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let commits = git_command(vault.path())
        .args(["--git-dir=.", "rev-list", &commit.to_string()])
        .output()
        .unwrap();
    String::from_utf8(commits.stdout).unwrap().lines().count()
}

#[test]
fn it_outlives_the_checkout() {
    let scene = Scene::new(|top| write(top.join("file"), "content"));
    let mode = fs::metadata(scene.vault.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    scene.vault.fetch_base(&scene.checkout, scene.base).unwrap();
    fs::remove_dir_all(scene.repository()).unwrap();
    scene.fsck();
    PrivateClone::create(
        &scene.vault,
        scene.base,
        &scene.root().join("again"),
        "dogwatch/x",
    )
    .unwrap();
    assert_eq!(
        fs::read(scene.root().join("again/file")).unwrap(),
        b"content"
    );
}

#[test]
fn a_commit_that_no_branch_names_can_be_fetched_and_later_ones_build_on_it() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("repository");
    init(&top, "sha1");
    let mut commits = Vec::new();
    for number in 0..4 {
        write(top.join("file"), format!("{number}\n").repeat(100));
        commits.push(commit_all(&top, "change"));
    }
    git(
        &top,
        ["update-ref", "refs/heads/main", &commits[0].to_string()],
    );
    let checkout = Checkout::discover(&top).unwrap();
    let vault = vault_for(&checkout, root.path());
    vault.fetch_base(&checkout, commits[2]).unwrap();
    assert_eq!(log(&vault, commits[2]), 3);
    vault.fetch_base(&checkout, commits[3]).unwrap();
    assert_eq!(log(&vault, commits[3]), 4);
    vault.fetch_base(&checkout, commits[1]).unwrap();
    git(vault.path(), ["--git-dir=.", "fsck", "--strict"]);

    let absent = "1".repeat(40).parse().unwrap();
    assert!(matches!(
        vault.fetch_base(&checkout, absent),
        Err(VaultError::Git(_))
    ));
    assert!(
        vault.fetch_base(&checkout, absent).is_err(),
        "a failed fetch leaves nothing that looks like success"
    );
}

#[test]
fn a_base_that_the_checkout_has_lost_does_not_matter() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("repository");
    init(&top, "sha1");
    write(top.join("file"), "one");
    let first = commit_all(&top, "one");
    git(&top, ["checkout", "-q", "--orphan", "other"]);
    write(top.join("file"), "two");
    let second = commit_all(&top, "two");
    let checkout = Checkout::discover(&top).unwrap();
    let vault = vault_for(&checkout, root.path());
    vault.fetch_base(&checkout, first).unwrap();
    git(&top, ["branch", "-q", "-D", "main"]);
    git(&top, ["reflog", "expire", "--expire=now", "--all"]);
    git(&top, ["gc", "-q", "--prune=now"]);
    vault.fetch_base(&checkout, second).unwrap();
    assert_eq!((log(&vault, first), log(&vault, second)), (1, 1));
}

#[test]
fn shallow_checkouts_end_where_they_end() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("repository");
    init(&top, "sha1");
    for number in 0..5 {
        write(top.join(format!("file{number}")), "x");
        commit_all(&top, "change");
    }
    let url = format!("file://{}", top.display());
    git(root.path(), ["clone", "-q", "--depth=2", &url, "shallow"]);
    let shallow = root.path().join("shallow");
    let checkout = Checkout::discover(&shallow).unwrap();
    assert!(checkout.is_shallow());
    let head = checkout.head().unwrap();
    let vault = vault_for(&checkout, root.path());
    vault.fetch_base(&checkout, head).unwrap();
    assert_eq!(log(&vault, head), 2);

    let clone = root.path().join("clone");
    PrivateClone::create(&vault, head, &clone, "dogwatch/x").unwrap();
    assert_eq!(git_text(&clone, ["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(git_text(&clone, ["status", "--porcelain"]), "");

    // More history arrives; a merge that goes round the cut must be complete.
    git(&shallow, ["fetch", "-q", "--unshallow"]);
    git(&shallow, ["checkout", "-q", "-b", "side", "HEAD~3"]);
    write(shallow.join("side"), "x");
    commit_all(&shallow, "side");
    git(&shallow, ["merge", "-q", "-m", "merge", &head.to_string()]);
    let merge: ObjectId = git_text(&shallow, ["rev-parse", "HEAD"]).parse().unwrap();
    let checkout = Checkout::discover(&shallow).unwrap();
    vault.fetch_base(&checkout, merge).unwrap();
    git(vault.path(), ["--git-dir=.", "fsck", "--strict"]);
    assert!(log(&vault, merge) >= 5);
}

#[test]
fn a_partial_clone_gives_the_commit_without_its_history() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("repository");
    init(&top, "sha1");
    git(&top, ["config", "uploadpack.allowFilter", "true"]);
    for number in 0..3 {
        write(top.join("file"), format!("{number}"));
        commit_all(&top, "change");
    }
    let url = format!("file://{}", top.display());
    git(
        root.path(),
        ["clone", "-q", "--filter=blob:none", &url, "partial"],
    );
    let partial = root.path().join("partial");
    let checkout = Checkout::discover(&partial).unwrap();
    let head = checkout.head().unwrap();
    let vault = vault_for(&checkout, root.path());
    vault.fetch_base(&checkout, head).unwrap();
    assert_eq!(log(&vault, head), 1);
    git(vault.path(), ["--git-dir=.", "fsck", "--strict"]);

    let older: ObjectId = git_text(&partial, ["rev-parse", "HEAD~2"]).parse().unwrap();
    let error = vault.fetch_base(&checkout, older).unwrap_err();
    assert!(matches!(error, VaultError::PartialClone { .. }), "{error}");
}

#[test]
fn it_is_made_once_and_not_used_when_it_was_meddled_with() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join(bytes_path(b"da ta\n\xff"));
    fs::create_dir(&data).unwrap();
    assert!(Vault::open(&data, project()).unwrap().is_none());
    let vaults: Vec<Vault> = std::thread::scope(|scope| {
        let open = || Vault::open_or_create(&data, project(), ObjectFormat::Sha256).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(fs::read_dir(data.join("vaults")).unwrap().count(), 1);
    let vault = &vaults[0];
    assert_eq!(
        git_text(
            vault.path(),
            ["--git-dir=.", "rev-parse", "--show-object-format"]
        ),
        "sha256"
    );
    let other = Vault::open_or_create(&data, project(), ObjectFormat::Sha1).unwrap_err();
    assert!(matches!(other, VaultError::Format { .. }), "{other}");

    let alternates = vault.path().join("objects/info/alternates");
    write(&alternates, "/elsewhere\n");
    assert!(matches!(
        Vault::open(&data, project()),
        Err(VaultError::Tampered { .. })
    ));
    fs::remove_file(alternates).unwrap();
    assert!(Vault::open(&data, project()).unwrap().is_some());
    let config = vault.path().join("config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + "[core]\n\tfsmonitor = /bin/false\n").unwrap();
    assert!(matches!(
        Vault::open(&data, project()),
        Err(VaultError::Tampered { .. })
    ));
}

#[test]
fn linked_worktrees_are_as_good_as_any_checkout() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("main");
    init(&top, "sha1");
    commit_all(&top, "one");
    git(&top, ["worktree", "add", "-q", "-b", "other", "../linked"]);
    write(root.path().join("linked/file"), "x");
    let head = commit_all(&root.path().join("linked"), "two");
    let checkout = Checkout::discover(&root.path().join("linked")).unwrap();
    let vault = vault_for(&checkout, root.path());
    vault.fetch_base(&checkout, head).unwrap();
    assert_eq!(log(&vault, head), 2);
}
