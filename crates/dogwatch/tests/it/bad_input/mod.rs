//! What a user can get wrong, each with the message it gives. Nothing of it leaves a trace in the data directory.

mod agent;
mod configuration;
mod contract;
mod machine;
mod repository;

use serde_json::{Value, json};

use crate::support::{Case, Ended};

/// An agent that does its work at the first try.
fn good_turns() -> Value {
    json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}])
}

fn case() -> Case {
    Case::new(good_turns())
}

/// A refusal before anything was written.
#[track_caller]
fn refused(case: &Case, ended: &Ended, code: &str, parts: &[&str]) {
    ended.expect_refusal(code, parts);
    assert!(!case.home.data().exists(), "{ended:?}");
    assert!(
        !case.repo.path().join(".git/dogwatch").exists(),
        "{ended:?}"
    );
}

#[track_caller]
fn task_refused(case: &Case, code: &str, parts: &[&str]) {
    refused(case, &case.dogwatch(&["run", "do it"]), code, parts);
    // A program gets the same code and words.
    refused(case, &case.run(), code, parts);
}
