//! Tokens at the command line.

use serde_json::{Value, json};

use crate::support::Case;

#[test]
fn a_token_is_shown_once_listed_without_its_secret_and_revoked() {
    let case = Case::new(json!([]));
    let created = case.dogwatch(&["token", "create", "ci", "--scope", "read,submit", "--json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let created: Value = serde_json::from_str(&created.out).expect("a document");
    let secret = created["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("dwt_"));
    let id = created["token"]["id"].as_str().expect("an id").to_owned();
    let listed = case.dogwatch(&["token", "list", "--json"]);
    assert!(listed.out.contains(&id), "{listed:?}");
    assert!(!listed.out.contains(&secret), "{listed:?}");

    let as_ci = |args: &[&str]| {
        let mut command = case.command(args);
        let socket = case.home.data().join("server/server.sock");
        command
            .env("DOGWATCH_ENDPOINT", format!("unix:{}", socket.display()))
            .env("DOGWATCH_TOKEN", &secret);
        case.start(command).wait()
    };
    assert_eq!(as_ci(&["approvals", "list"]).code, Some(0));
    let jobs = as_ci(&["jobs", "list", "--json"]);
    assert_eq!(jobs.code, Some(0), "{jobs:?}");
    assert!(jobs.out.contains("next_cursor"), "{jobs:?}");
    let refused = as_ci(&["token", "list"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("scope_missing"), "{refused:?}");
    assert_eq!(
        case.dogwatch(&["token", "revoke", &id[id.len() - 6..]])
            .code,
        Some(0)
    );
    let refused = as_ci(&["approvals", "list"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("token_revoked"), "{refused:?}");

    // Who did it stands in the control log, and the secret nowhere.
    let audit = case.dogwatch(&["audit", "--json"]);
    for kind in ["server.started.v1", "token.created.v1", "token.revoked.v1"] {
        assert!(audit.out.contains(kind), "{kind}: {audit:?}");
    }
    assert!(!audit.out.contains(&secret));
    let database = std::fs::read(case.home.data().join("dogwatch.db")).unwrap();
    assert!(
        !database
            .windows(secret.len())
            .any(|bytes| bytes == secret.as_bytes())
    );
}

#[test]
fn a_token_has_no_more_than_its_maker() {
    let case = Case::new(json!([]));
    let refused = case.dogwatch(&["token", "create", "x", "--scope", "agent"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let refused = case.dogwatch(&["token", "create", "x", "--scope", "everything"]);
    refused.expect_refusal("scope_unknown", &["read"]);
}
