//! For an honest change, T is what git itself would write.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;

use crate::support::{Scene, bytes_path, commit_all, git_text, write};

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Vec<u8>, bool),
    Link(Vec<u8>),
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..40), any::<bool>()).prop_map(|(content, executable)| Node::File(content, executable)),
        1 => prop::sample::select(vec![&b"a"[..], b"../x", b"/etc/passwd", b"nowhere\n"]).prop_map(|target| Node::Link(target.to_vec())),
    ]
}

pub(crate) fn content() -> impl Strategy<Value = BTreeMap<Vec<u8>, Node>> {
    let name = prop::sample::select(vec![
        &b"a"[..],
        b"b",
        b"A",
        b"a.b",
        b"a-",
        b"a0",
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"new\nline",
        b"sp ace",
        b"\"q\"",
        b"back\\slash",
        b"git~2",
        b"-",
    ]);
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join(&b'/'));
    prop::collection::btree_map(path, node(), 0..10).prop_map(|nodes| {
        // A name is either a file or a directory.
        let paths: Vec<Vec<u8>> = nodes.keys().cloned().collect();
        let is_parent = |path: &Vec<u8>| {
            paths
                .iter()
                .any(|other| other.starts_with(&[path, &b"/"[..]].concat()))
        };
        nodes
            .into_iter()
            .filter(|(path, _)| !is_parent(path))
            .collect()
    })
}

pub(crate) fn lay_out(top: &Path, nodes: &BTreeMap<Vec<u8>, Node>) {
    for (path, node) in nodes {
        let path = top.join(bytes_path(path));
        match node {
            Node::File(content, executable) => {
                write(&path, content);
                let mode = if *executable { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Node::Link(target) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(bytes_path(target), &path).unwrap();
            }
        }
    }
}

pub(crate) fn clear(top: &Path) {
    for entry in fs::read_dir(top)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_name() != ".git")
    {
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn check(format: &str, before: &BTreeMap<Vec<u8>, Node>, after: &BTreeMap<Vec<u8>, Node>) {
    let scene = Scene::with_format(format, |top| lay_out(top, before));
    assert_eq!(
        scene.try_snapshot("turn-000").unwrap().tree,
        scene.base_tree(),
        "an untouched clone is base"
    );
    clear(&scene.clone);
    lay_out(&scene.clone, after);
    clear(scene.repository());
    lay_out(scene.repository(), after);
    commit_all(scene.repository(), "the same, by git");
    let snapshot = scene.snapshot();
    assert_eq!(
        snapshot.tree.to_string(),
        git_text(scene.repository(), ["rev-parse", "HEAD^{tree}"])
    );
    assert_eq!(snapshot.report.files, after.len() as u64);
    scene.fsck();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn for_any_change(before in content(), after in content(), sha256: bool) {
        check(if sha256 { "sha256" } else { "sha1" }, &before, &after);
    }
}

#[test]
fn for_files_that_become_directories_and_back() {
    let file = |text: &str| Node::File(text.into(), false);
    let nodes = |entries: &[(&str, &str)]| {
        entries
            .iter()
            .map(|(path, text)| (path.as_bytes().to_vec(), file(text)))
            .collect::<BTreeMap<_, _>>()
    };
    let one = nodes(&[("a", "1"), ("b/c", "2"), ("b/d/e", "3"), ("kept", "4")]);
    let other = nodes(&[("a/x", "1"), ("b", "2"), ("kept", "4")]);
    check("sha1", &one, &other);
    check("sha1", &other, &one);
    check("sha1", &one, &nodes(&[]));
    check("sha1", &nodes(&[]), &one);
}

#[test]
fn for_files_of_every_size() {
    let scene = Scene::new(|top| write(top.join("grows"), vec![b'a'; 100]));
    let sizes = [0, 1, 65_536, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 5 << 20];
    for top in [&scene.clone, scene.repository()] {
        for size in sizes {
            write(
                top.join(format!("size{size}")),
                &b"0123456".repeat(size / 7 + 1)[..size],
            );
        }
        write(top.join("grows"), vec![b'b'; 5 << 20]);
    }
    commit_all(scene.repository(), "the same, by git");
    let snapshot = scene.snapshot();
    assert_eq!(
        snapshot.tree.to_string(),
        git_text(scene.repository(), ["rev-parse", "HEAD^{tree}"])
    );
    assert_eq!(
        snapshot.report.bytes,
        sizes.iter().sum::<usize>() as u64 + (5 << 20)
    );
}
