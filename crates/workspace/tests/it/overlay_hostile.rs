//! What an agent may leave in an upper layer, and what nobody may.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dogwatch_workspace::tree::{Marks, TreeError};
use dogwatch_workspace::{InitialContent, OverlayError, OverlayWorkspace, SnapshotError};
use rustix::fs::XattrFlags;

use crate::mounted::{Mounted, as_nobody, cache_in, take};
use crate::support::{Scene, commit_all, write};

fn scene() -> Scene {
    Scene::new(|top| {
        write(top.join("dir/file"), "x");
        write(top.join("dir/other"), "y");
        write(top.join("file"), "x");
    })
}

fn mark(path: &Path, name: &str, value: &str) {
    rustix::fs::lsetxattr(path, name, value.as_bytes(), XattrFlags::empty()).unwrap();
}

fn names(marks: Marks) -> (&'static str, &'static str) {
    match marks {
        Marks::Trusted => ("trusted.overlay.", "user.overlay."),
        Marks::User => ("user.overlay.", "user.overlay.overlay."),
    }
}

#[test]
fn content_that_is_somewhere_else_is_refused() {
    let scene = scene();
    for (number, (path, name, value)) in [
        ("dir", "redirect", "/other"),
        ("dir", "opaque", "x"),
        ("dir", "whiteouts", "y"),
        ("dir/file", "metacopy", ""),
        ("dir/file", "redirect", "/etc/passwd"),
        ("dir/file", "whiteout", "y"),
        ("dir/file", "opaque", "y"),
        (".", "opaque", "y"),
        ("file", "something.new", "y"),
    ]
    .into_iter()
    .enumerate()
    {
        let mounted = Mounted::named(&scene, &format!("run{number}"), InitialContent::Base, None);
        mounted.script("echo changed > dir/file; echo changed > file");
        mounted.agreed_snapshot(&format!("before-{number}"));
        let (ours, _) = names(mounted.overlay.marks());
        let upper = &mounted.overlay.paths().upper;
        mark(&upper.join(path), &format!("{ours}{name}"), value);
        let error = mounted
            .try_snapshot(&format!("after-{number}"))
            .unwrap_err();
        assert!(
            matches!(&error, SnapshotError::Tree(TreeError::UnexpectedMark { path: found, mark }) if found.as_path() == Path::new(path) && mark.as_bytes() == name.as_bytes()),
            "{path} {name}: {error}"
        );
    }
}

/// The kernel stores what is set inside under these names.
#[test]
fn marks_that_an_agent_makes_up_mean_nothing() {
    let scene = scene();
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    mounted.script("echo changed > dir/file; echo new > new");
    let before = mounted.agreed_snapshot("before");
    let (_, theirs) = names(mounted.overlay.marks());
    let upper = &mounted.overlay.paths().upper;
    for name in ["opaque", "redirect", "metacopy", "whiteout"] {
        for path in ["dir", "dir/file", "new", "."] {
            mark(&upper.join(path), &format!("{theirs}{name}"), "y");
        }
    }
    assert_eq!(mounted.agreed_snapshot("after").tree, before.tree);
}

#[test]
fn an_agent_can_make_no_whiteout() {
    let scene = scene();
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    let said = mounted.try_script(
        b"mknod dir/file2 c 0 0 && echo made; rm dir/file; mknod dir/file c 0 0 && echo made",
    );
    assert!(said.stdout.is_empty());
    assert_eq!(
        scene.paths(mounted.agreed_snapshot("turn-001").tree),
        ["dir/other", "file"]
    );
}

#[test]
fn layers_in_other_places_are_not_followed() {
    let scene = scene();
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    let upper = &mounted.overlay.paths().upper;
    // In the workspace a link is a link, whatever it points to.
    mounted.script("rm -r dir; ln -s /etc dir");
    let taken = mounted.agreed_snapshot("turn-001");
    assert!(scene.listing(taken.tree)[&b"dir"[..]].starts_with("120000"));
    let aside = upper.with_file_name("aside");
    fs::rename(upper, &aside).unwrap();
    symlink(&aside, upper).unwrap();
    assert!(matches!(
        mounted.try_snapshot("turn-002").unwrap_err(),
        SnapshotError::Tree(_)
    ));
}

#[test]
fn a_snapshot_is_only_taken_against_the_commit_of_the_lower_layer() {
    let scene = scene();
    write(scene.repository().join("file"), "newer");
    let newer = commit_all(scene.repository(), "newer");
    scene.vault.fetch_base(&scene.checkout, newer).unwrap();
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    let error = take(&scene, mounted.overlay.contents(), newer, "turn-001").unwrap_err();
    assert!(
        matches!(error, SnapshotError::Tree(TreeError::OtherBase { .. })),
        "{error}"
    );
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_stays() {
    let scene = scene();
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    let run_dir = mounted.target().parent().unwrap();
    let cache = cache_in(&scene);
    let open = || OverlayWorkspace::open(&scene.vault, &cache, run_dir);
    assert_eq!(open().unwrap().unwrap().paths(), mounted.overlay.paths());
    let record = run_dir.join("overlay/record.json");
    for (text, newer) in [
        ("", false),
        ("{\"schema_version\":1}", false),
        ("{\"schema_version\":2,\"x\":1}", true),
    ] {
        fs::write(&record, text).unwrap();
        let error = open().unwrap_err();
        assert!(
            matches!(
                (&error, newer),
                (OverlayError::Corrupt { .. }, false)
                    | (OverlayError::Version { found: 2, .. }, true)
            ),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&record).unwrap(), text);
    }
}

#[test]
fn all_of_it_holds_in_a_user_namespace() {
    as_nobody(&[
        "overlay_hostile::content_that_is_somewhere_else_is_refused",
        "overlay_hostile::marks_that_an_agent_makes_up_mean_nothing",
        "overlay_hostile::an_agent_can_make_no_whiteout",
        "overlay_hostile::layers_in_other_places_are_not_followed",
    ]);
}
