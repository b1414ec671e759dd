//! One project id per repository.

use std::fs;
use std::sync::Barrier;

use dogwatch_core::ids::{ProjectId, uuid_v7};
use dogwatch_workspace::Checkout;
use dogwatch_workspace::link::{self, LinkError};

use crate::support::{AT, commit_all, git, init};

fn candidate(byte: u8) -> ProjectId {
    ProjectId::from_uuid(uuid_v7(AT, &[byte; 10]))
}

#[test]
fn worktrees_share_the_id_and_it_is_minted_once() {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("main");
    init(&top, "sha1");
    commit_all(&top, "one");
    git(&top, ["worktree", "add", "-q", "../linked"]);
    let checkout = Checkout::discover(&top).unwrap();
    let linked = Checkout::discover(&root.path().join("linked")).unwrap();
    assert_eq!(link::read(&checkout).unwrap(), None);

    let minted = link::read_or_mint(&checkout, candidate(1), AT).unwrap();
    assert_eq!(minted.project_id, candidate(1));
    assert_eq!(
        link::read_or_mint(&linked, candidate(2), AT).unwrap(),
        minted
    );
    assert_eq!(link::read(&linked).unwrap(), Some(minted));
    let directory = top.join(".git/dogwatch/link");
    assert_eq!(
        fs::read_dir(directory).unwrap().count(),
        1,
        "nothing but the record is left"
    );
    assert!(checkout.dirty().unwrap().is_clean());
}

#[test]
fn those_who_mint_at_once_agree() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    commit_all(root.path(), "one");
    let checkout = Checkout::discover(root.path()).unwrap();
    let barrier = Barrier::new(8);
    let ids: Vec<ProjectId> = std::thread::scope(|scope| {
        let mint = |byte| {
            let (checkout, barrier) = (&checkout, &barrier);
            scope.spawn(move || {
                barrier.wait();
                link::read_or_mint(checkout, candidate(byte), AT)
                    .unwrap()
                    .project_id
            })
        };
        let threads: Vec<_> = (0..8).map(mint).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
}

#[test]
fn a_damaged_record_is_an_error_and_stays() {
    let root = tempfile::tempdir().unwrap();
    init(root.path(), "sha1");
    commit_all(root.path(), "one");
    let checkout = Checkout::discover(root.path()).unwrap();
    link::read_or_mint(&checkout, candidate(1), AT).unwrap();
    let path = root.path().join(".git/dogwatch/link/project.json");
    for text in [
        "",
        "{",
        r#"{"schema_version":1}"#,
        r#"{"schema_version":1,"project_id":"job_1","minted_at":"x"}"#,
    ] {
        fs::write(&path, text).unwrap();
        let error = link::read_or_mint(&checkout, candidate(2), AT).unwrap_err();
        assert!(matches!(error, LinkError::Corrupt { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, r#"{"schema_version":2,"project":"x"}"#).unwrap();
    let error = link::read_or_mint(&checkout, candidate(2), AT).unwrap_err();
    assert!(
        matches!(error, LinkError::Version { found: 2, .. }),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(link::read(&checkout), Err(LinkError::Io { .. })));
}
