//! Process trees are found and ended as a whole.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dogwatch_testkit::{
    NotInTime, Pid, descendants, kill_tree, processes_with_env, wait_for, wait_until,
};

const LONG: Duration = Duration::from_secs(20);

fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn is_running(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Ends the tree when a test fails half-way.
struct Tree(Child);

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = kill_tree(pid(&self.0));
        let _ = self.0.wait();
    }
}

/// A shell with two children, one of which has a child of its own in another session.
fn tree() -> (Tree, Vec<Pid>) {
    let tree =
        Tree(start(Command::new("sh").args([
            "-c",
            "sleep 300 & setsid sh -c 'sleep 300 & wait' & wait",
        ])));
    let found = wait_for("three descendants that are what they will be", LONG, || {
        let found = descendants(pid(&tree.0)).unwrap();
        let sleeps = found
            .iter()
            .filter(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|name| name == "sleep\n")
            })
            .count();
        (found.len() == 3 && sleeps == 2).then_some(found)
    });
    (tree, found.unwrap())
}

#[test]
fn descendants_are_found_across_sessions() {
    let (tree, found) = tree();
    assert!(!found.contains(&pid(&tree.0)));
    assert!(descendants(Pid::this()).unwrap().contains(&found[0]));
    assert_eq!(descendants(Pid::from_raw(i32::MAX)).unwrap(), []);
}

#[test]
fn a_tree_is_ended_as_a_whole() {
    let (mut tree, found) = tree();
    let root = pid(&tree.0);
    let ended = kill_tree(root).unwrap();
    assert!(ended.contains(&root) && found.iter().all(|pid| ended.contains(pid)));
    assert!(!found.iter().any(|pid| is_running(*pid)));
    assert_eq!(tree.0.wait().unwrap().signal(), Some(9));
    // What is gone needs no ending.
    assert_eq!(kill_tree(root).unwrap(), []);
}

#[test]
fn a_tree_that_grows_while_it_is_ended_does_not_get_away() {
    let name = "DOGWATCH_TESTKIT_GROWING";
    let value = std::process::id().to_string();
    let mut tree = Tree(start(Command::new("sh").env(name, &value).args([
        "-c",
        "trap '' TERM; while :; do sleep 0.01 & sh -c 'sleep 0.02' & wait $!; done",
    ])));
    wait_until("the tree has grown", LONG, || {
        !descendants(pid(&tree.0)).unwrap().is_empty()
    })
    .unwrap();
    kill_tree(pid(&tree.0)).unwrap();
    tree.0.wait().unwrap();
    assert_eq!(processes_with_env(name, &value).unwrap(), []);
}

#[test]
fn processes_are_found_by_their_environment() {
    let name = "DOGWATCH_TESTKIT_MARK";
    let value = format!("a b={}", std::process::id());
    assert_eq!(processes_with_env(name, &value).unwrap(), []);
    let mut sleeper = Command::new("sleep");
    sleeper.arg("300").env(name, &value).process_group(0);
    let tree = Tree(start(&mut sleeper));
    assert_eq!(processes_with_env(name, &value).unwrap(), [pid(&tree.0)]);
    assert_eq!(processes_with_env(name, &value[..1]).unwrap(), []);
    drop(tree);
    assert_eq!(processes_with_env(name, &value).unwrap(), []);
}

#[test]
fn waiting_in_vain_says_for_what() {
    let (tree, _) = tree();
    let error = wait_until(
        "the shell ends by itself",
        Duration::from_millis(30),
        || !is_running(pid(&tree.0)),
    )
    .unwrap_err();
    assert_eq!(
        error,
        NotInTime {
            what: "the shell ends by itself".to_owned(),
            within: Duration::from_millis(30),
        }
    );
}
