//! Whatever is done in a mounted overlay, T read from its layers is T read from what it shows.

use proptest::prelude::*;

use dogwatch_workspace::InitialContent;

use crate::mounted::{Mounted, as_nobody, owners};
use crate::support::{Scene, write};
use crate::tree_matches_git::{content, lay_out};

/// One thing an agent does. It may fail, such as when there is nothing to move.
#[derive(Clone, Debug)]
enum Deed {
    Write(Vec<u8>, u8),
    Append(Vec<u8>),
    Rewrite(Vec<u8>),
    Remove(Vec<u8>),
    Chmod(Vec<u8>, &'static str),
    Symlink(Vec<u8>, &'static str),
    Hardlink(Vec<u8>, Vec<u8>),
    Move(Vec<u8>, Vec<u8>),
    Recreate(Vec<u8>),
    File(Vec<u8>),
    Directory(Vec<u8>),
    Ignore(Vec<u8>, &'static str),
    Pipe(Vec<u8>),
    /// Ends the command; the next one has the overlay mounted anew.
    NextCommand,
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        &b"a"[..],
        b"a",
        b"b",
        b"b",
        b"A",
        b"a.b",
        b"a-",
        b"a0",
        b"caf\xe9",
        b"new\nline",
        b"sp ace",
        b"\"q\"",
        b"x.o",
        b"out",
        b".git",
        b"dw%x",
        b"git~1",
        b".gitignore",
    ]);
    prop::collection::vec(name, 1..4)
        .prop_map(|names| names.join(&b'/'))
        .prop_filter("not the repository itself", |path| {
            path != b".git" && !path.starts_with(b".git/")
        })
}

fn patterns() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a", "/b", "*.o", "!a", "a/", "b/*", "out", "!*.o", "*", "[", "A/**",
    ])
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, byte)| Deed::Write(path, byte)),
        2 => path().prop_map(Deed::Append),
        1 => path().prop_map(Deed::Rewrite),
        3 => path().prop_map(Deed::Remove),
        2 => (path(), prop::sample::select(vec!["755", "644", "600", "711"])).prop_map(|(path, mode)| Deed::Chmod(path, mode)),
        1 => (path(), prop::sample::select(vec!["a", "../x", "/nowhere/at/all"])).prop_map(|(path, target)| Deed::Symlink(path, target)),
        1 => (path(), path()).prop_map(|(from, to)| Deed::Hardlink(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Deed::Move(from, to)),
        3 => path().prop_map(Deed::Recreate),
        2 => path().prop_map(Deed::File),
        2 => path().prop_map(Deed::Directory),
        2 => (path(), patterns()).prop_map(|(path, pattern)| Deed::Ignore(path, pattern)),
        1 => path().prop_map(Deed::Pipe),
        2 => Just(Deed::NextCommand),
    ]
}

fn quoted(path: &[u8]) -> Vec<u8> {
    let mut quoted = b"'./".to_vec();
    for byte in path {
        if *byte == b'\'' {
            quoted.extend_from_slice(b"'\\''");
        } else {
            quoted.push(*byte);
        }
    }
    quoted.push(b'\'');
    quoted
}

/// The deed in shell.
fn spelled(deed: &Deed) -> Vec<u8> {
    let one = |template: &str, path: &Vec<u8>| {
        let mut line = b"p=".to_vec();
        line.extend(quoted(path));
        line.extend(format!("; {template}").bytes());
        line
    };
    let two = |template: &str, from: &Vec<u8>, to: &Vec<u8>| {
        let mut line = b"q=".to_vec();
        line.extend(quoted(to));
        line.push(b';');
        line.extend(one(template, from));
        line
    };
    const PARENT: &str = "mkdir -p \"${p%/*}\"";
    match deed {
        // A pipe would wait for a reader.
        Deed::Write(path, byte) => one(
            &format!("{PARENT}; test -p \"$p\" || echo {byte} > \"$p\""),
            path,
        ),
        Deed::Append(path) => one("test -f \"$p\" && echo more >> \"$p\"", path),
        Deed::Rewrite(path) => one(
            "test -f \"$p\" && c=$(cat \"$p\"; echo .) && printf %s \"${c%.}\" > \"$p\"; touch \"$p\"",
            path,
        ),
        Deed::Remove(path) => one("rm -rf \"$p\"", path),
        Deed::Chmod(path, mode) => one(&format!("test -f \"$p\" && chmod {mode} \"$p\""), path),
        Deed::Symlink(path, target) => one(&format!("{PARENT}; ln -sfn {target} \"$p\""), path),
        Deed::Hardlink(from, to) => two("ln -T \"$p\" \"$q\"", from, to),
        Deed::Move(from, to) => two("rm -rf \"$q\"; mv -T \"$p\" \"$q\"", from, to),
        Deed::Recreate(path) => one("rm -rf \"$p\"; mkdir -p \"$p\"", path),
        Deed::File(path) => one(
            &format!("rm -rf \"$p\"; {PARENT}; echo file > \"$p\""),
            path,
        ),
        Deed::Directory(path) => one(
            "rm -rf \"$p\"; mkdir -p \"$p\"; echo below > \"$p/a\"",
            path,
        ),
        Deed::Ignore(path, pattern) => one(
            &format!(
                "{PARENT}; g=\"${{p%/*}}/.gitignore\"; test -d \"${{p%/*}}\" && ! test -p \"$g\" && echo '{pattern}' >> \"$g\""
            ),
            path,
        ),
        Deed::Pipe(path) => one("mkfifo \"$p\"", path),
        Deed::NextCommand => Vec::new(),
    }
}

fn cases() -> u32 {
    std::env::var("DOGWATCH_TEST_REPEATS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
    #[test]
    fn t_is_what_the_mounted_workspace_shows(
        before in content(),
        rules in prop::option::of(patterns()),
        deeds in prop::collection::vec(deed(), 1..24),
        owner: prop::sample::Index,
    ) {
        let scene = Scene::new(|top| {
            lay_out(top, &before);
            write(top.join("stays/where/it.is"), "x");
            if let Some(rules) = rules {
                // Files of base that are ignored are in base all the same.
                write(top.join("stays/.gitignore"), rules);
            }
        });
        let mounted = Mounted::new(&scene, InitialContent::Base, *owner.get(&owners()));
        for (index, commands) in deeds.split(|deed| matches!(deed, Deed::NextCommand)).enumerate() {
            let script: Vec<u8> = commands.iter().flat_map(|deed| [spelled(deed), b"\n".to_vec()].concat()).collect();
            mounted.try_script(&script);
            mounted.agreed_snapshot(&format!("turn-{index:03}"));
        }
        scene.fsck();
    }
}

#[test]
fn all_of_it_holds_in_a_user_namespace() {
    as_nobody(&[
        "overlay_random::t_is_what_the_mounted_workspace_shows",
        "overlay::an_agent_finds_a_clean_repository_on_its_branch",
        "overlay_fill::any_result_can_be_started_from",
        "overlay_fill::directories_that_come_and_go_do_so_as_a_whole",
        "overlay_fill::what_is_special_in_a_repository_is_special_here",
        "overlay::t_is_what_the_mounted_workspace_shows",
    ]);
}
