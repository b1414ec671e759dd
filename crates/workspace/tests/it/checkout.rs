//! Finding and asking the user's repository.

use std::fs;
use std::path::Path;

use dogwatch_workspace::{Checkout, CheckoutError, ObjectFormat};

use crate::support::{bytes_path, commit_all, git, init, write};

fn code(directory: &Path) -> &'static str {
    Checkout::discover(directory).unwrap_err().code()
}

#[test]
fn every_refusal_has_its_own_name() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(code(&root.path().join("nowhere")), "directory_missing");
    assert_eq!(code(root.path()), "not_a_repository");

    let bare = root.path().join("bare.git");
    fs::create_dir(&bare).unwrap();
    git(&bare, ["init", "-q", "--bare", "--template="]);
    assert_eq!(code(&bare), "bare_repository");

    let empty = root.path().join("empty");
    init(&empty, "sha1");
    assert_eq!(code(&empty), "empty_repository");
    assert_eq!(code(&empty.join(".git")), "inside_git_directory");
}

#[test]
fn a_missing_ref_is_named_with_its_neighbours() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    let head = commit_all(root.path(), "one");
    git(root.path(), ["branch", "release"]);
    git(root.path(), ["tag", "-m", "tag", "v1.0"]);
    let checkout = Checkout::discover(root.path()).unwrap();
    for name in [
        "main",
        "HEAD",
        "v1.0",
        &head.to_string(),
        &head.to_string()[..10],
    ] {
        assert_eq!(checkout.resolve(name).unwrap(), head, "{name}");
    }
    let error = checkout.resolve("relase").unwrap_err();
    assert_eq!(error.code(), "base_ref_not_found");
    assert_eq!(
        error.to_string(),
        "resolve `relase` to a commit; did you mean `release`?"
    );
    for name in [
        "",
        "--all",
        "-h",
        "main\n",
        "main\0",
        "main..release",
        "@{u}",
        "HEAD^{tree}",
        "\u{3000}",
        "refs/heads",
    ] {
        let error = checkout.resolve(name).unwrap_err();
        assert!(
            matches!(error, CheckoutError::RefNotFound { .. }),
            "{name:?}: {error}"
        );
    }
}

#[test]
fn paths_are_bytes() {
    let root = tempfile::tempdir().unwrap();
    for name in [
        &b"with space"[..],
        b"line\nbreak",
        b"two\n\nbreaks\n",
        b"caf\xe9 \xff",
        b"-dash",
        b"quo\"te",
        b"sha1\ntrue",
    ] {
        let top = root.path().canonicalize().unwrap().join(bytes_path(name));
        init(&top, "sha1");
        write(top.join("sub/file"), "x");
        let head = commit_all(&top, "one");
        let checkout = Checkout::discover(&top.join("sub")).unwrap();
        assert_eq!(checkout.top_level(), top);
        assert_eq!(checkout.git_dir(), top.join(".git"));
        assert_eq!(checkout.common_dir(), top.join(".git"));
        assert_eq!(checkout.head(), Some(head));
    }
}

#[test]
fn worktrees_and_formats_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().canonicalize().unwrap().join("main\nline");
    init(&top, "sha256");
    commit_all(&top, "one");
    git(&top, ["worktree", "add", "-q", "-b", "other", "../linked"]);
    let linked = Checkout::discover(&top.parent().unwrap().join("linked")).unwrap();
    assert_eq!(linked.common_dir(), top.join(".git"));
    assert_ne!(linked.git_dir(), linked.common_dir());
    assert_eq!(linked.object_format(), ObjectFormat::Sha256);
    assert_eq!(linked.branch_name().unwrap().unwrap().as_bytes(), b"other");
    git(&top, ["checkout", "-q", "--detach"]);
    assert_eq!(
        Checkout::discover(&top).unwrap().branch_name().unwrap(),
        None
    );
}

#[test]
fn an_unborn_branch_beside_others_is_not_an_empty_repository() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    commit_all(root.path(), "one");
    git(root.path(), ["checkout", "-q", "--orphan", "fresh"]);
    let checkout = Checkout::discover(root.path()).unwrap();
    assert_eq!(checkout.head(), None);
    assert_eq!(
        checkout.resolve("HEAD").unwrap_err().code(),
        "base_ref_not_found"
    );
}

#[test]
fn uncommitted_paths_are_counted_whatever_they_are_called() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    for name in ["kept", "changed", "renamed", "removed"] {
        write(root.path().join(name), name.repeat(20));
    }
    commit_all(root.path(), "one");
    let checkout = Checkout::discover(root.path()).unwrap();
    assert!(checkout.dirty().unwrap().is_clean());

    write(root.path().join("changed"), "other");
    git(root.path(), ["mv", "renamed", "new name"]);
    fs::remove_file(root.path().join("removed")).unwrap();
    write(root.path().join(bytes_path(b"? odd\n\xff")), "x");
    let dirty = checkout.dirty().unwrap();
    let sample: Vec<&[u8]> = dirty.sample.iter().map(|path| path.as_bytes()).collect();
    assert_eq!(dirty.count, 5);
    assert_eq!(
        sample,
        [
            &b"changed"[..],
            b"new name",
            b"removed",
            b"renamed",
            b"? odd\n\xff"
        ]
    );
}

#[test]
fn a_file_is_read_from_the_commit_and_not_from_the_directory() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    write(root.path().join("dogwatch.toml"), "a = 1\n\nb = 2\n");
    let head = commit_all(root.path(), "one");
    write(root.path().join("dogwatch.toml"), "hostile");
    let checkout = Checkout::discover(root.path()).unwrap();
    assert_eq!(
        checkout.file_at(head, "dogwatch.toml").unwrap().unwrap(),
        b"a = 1\n\nb = 2\n"
    );
    assert_eq!(checkout.file_at(head, "missing file\n.toml").unwrap(), None);
}

#[test]
fn variables_of_git_do_not_redirect_the_question() {
    const HERE: &str = "DOGWATCH_TEST_CHECKOUT";
    // The test runs itself again as a child, because the environment of this process belongs to all its tests.
    if let Some(here) = std::env::var_os(HERE) {
        let checkout = Checkout::discover(here.as_ref()).unwrap();
        assert!(checkout.dirty().unwrap().is_clean());
        assert_eq!(checkout.top_level(), Path::new(&here));
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let top = root.path().canonicalize().unwrap();
    let (here, elsewhere) = (top.join("here"), top.join("elsewhere"));
    for directory in [&here, &elsewhere] {
        init(directory, "sha1");
        write(
            directory.join("file"),
            directory.as_os_str().as_encoded_bytes(),
        );
        commit_all(directory, "one");
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "checkout::variables_of_git_do_not_redirect_the_question",
        ])
        .env("GIT_DIR", elsewhere.join(".git"))
        .env("GIT_WORK_TREE", &elsewhere)
        .env("GIT_INDEX_FILE", elsewhere.join(".git/index"))
        .env(HERE, &here)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
