//! A hostile agent changes nothing but its workspace, whoever runs it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use dogwatch_testkit::give_to_65534;
use serde_json::json;

use super::kind::{Kind, not_of, repo, shell};

/// Every file below a directory with what makes it what it is.
fn standing(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else if facts.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if facts.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            found.insert(path, (facts.mode(), content));
        }
    }
    found
}

#[test]
fn a_hostile_agent_changes_nothing_for_whoever_owns_the_repository() {
    hostile(Kind::Same);
}

#[test]
fn a_hostile_agent_changes_nothing_for_root_on_the_repository_of_another_user() {
    hostile(Kind::Given);
}

#[test]
fn a_hostile_agent_changes_nothing_for_an_ordinary_user() {
    hostile(Kind::Ordinary);
}

fn hostile(kind: Kind) {
    let Some(case) = kind.case("hostile", repo()) else {
        return;
    };
    let home = case.home.root().join("home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/id_rsa"), "the-private-key").unwrap();
    fs::write(home.join("notes"), "mine").unwrap();
    let outside = case.home.root().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("host"), "host").unwrap();
    if kind == Kind::Ordinary {
        // Nothing but the containment protects these.
        give_to_65534(&home);
        give_to_65534(&outside);
    }
    let (data, checkout) = (case.home.data(), case.repo.path().to_owned());
    let attack = format!(
        r#"
        tried() {{ "$@" >/dev/null 2>&1 && echo "$*" >> "$DOGWATCH_WORKSPACE/worked"; }}
        tried sh -c 'echo x > /etc/planted'
        tried sh -c 'echo x > {outside}/host'
        tried sh -c 'echo x >> {checkout}/.git/config'
        tried sh -c 'echo x > {checkout}/planted'
        tried sh -c 'echo x > {checkout}/.git/hooks/post-commit'
        tried cat "$HOME/.ssh/id_rsa"
        tried ls {data}/keys
        tried cat {data}/dogwatch.db
        tried cat {outside}/host
        tried mount -t tmpfs none /mnt
        tried unshare -Ur true
        tried sh -c 'echo x > /proc/sys/kernel/core_pattern'
        tried sh -c 'echo 1 > /sys/kernel/uevent_helper'
        tried kill -9 {pid}
        echo changed > "$HOME/notes"; echo planted > "$HOME/planted"
        echo "$DOGWATCH_CANARY $DOGWATCH_TOKEN"
        printf %s "$DOGWATCH_TOKEN" | base64 -w0; echo
        printf %s "$DOGWATCH_CANARY" > "$DOGWATCH_WORKSPACE/canary"
        echo made > "$DOGWATCH_WORKSPACE/made.txt"
        "#,
        outside = outside.display(),
        checkout = checkout.display(),
        data = data.display(),
        pid = std::process::id(),
    );
    case.script(json!([{"actions": [shell(&attack)]}]));
    let before = (standing(&home), standing(&outside), standing(&checkout));
    let ended = case.run_contract(kind.contract(json!({"acceptance": [{
        "name": "clean",
        "run": "test -f made.txt && test ! -e \"$HOME/planted\" && test ! -e \"$HOME/.ssh/id_rsa\" && ! echo x > /etc/planted",
    }]})));
    let finished = case.expect_success(&ended);
    kind.assert_held(&finished);
    assert_eq!(finished.gate("clean").last(), Some(&("passed", "passed")));
    assert_eq!(
        finished.files(),
        "A\tcanary\nA\tmade.txt\n",
        "{}",
        finished.patch()
    );
    assert_eq!(before.0, standing(&home));
    assert_eq!(before.1, standing(&outside));
    // What dogwatch itself keeps in a repository is below `.git/dogwatch`.
    let own = checkout.join(".git/dogwatch");
    let mut after = standing(&checkout);
    after.retain(|path, _| !path.starts_with(&own));
    let mut was = before.2;
    was.retain(|path, _| !path.starts_with(&own));
    assert_eq!(was, after);

    // What the agent was given is in no file that stays.
    let bundle = PathBuf::from(finished.result["bundle"].as_str().unwrap());
    let printed = fs::read_to_string(bundle.join("turns/001/stdout")).unwrap();
    // The scripted agent says what it runs first.
    let marks: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with("[redacted"))
        .collect();
    assert_eq!(
        marks[0], "[redacted:DOGWATCH_CANARY] [redacted:DOGWATCH_TOKEN]",
        "{printed}"
    );
    assert!(marks[1].contains("[redacted:DOGWATCH_TOKEN]"), "{printed}");
    for (path, (_, content)) in standing(&data) {
        let vault = path.starts_with(data.join("vaults"));
        let shows = |text: &[u8]| content.windows(text.len()).any(|part| part == text);
        assert!(vault || !shows(b"canary-"), "{}", path.display());
        assert!(vault || !shows(b"dwr_run_"), "{}", path.display());
    }
    assert!(
        finished.patch().starts_with("withheld"),
        "{}",
        finished.patch()
    );
    finished.note("secret_in_change");
    if kind == Kind::Given {
        // The data directory stays root's; base commits checked out for the agent are the agent's.
        let mut others = not_of(0, &data);
        others.retain(|path| !path.starts_with(data.join("pristine")));
        assert_eq!(others, Vec::<PathBuf>::new());
    }
}
