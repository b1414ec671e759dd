//! `cargo xtask schema`: writes everything that is made from types: JSON Schemas, `openapi.json`, the pages of the codes.
//!
//! The tests that compare these files with the types are what writes them, so there is one list of them and none can be forgotten.

use anyhow::Result;

use crate::ci::FEATURES;
use crate::run::{self, Root};

/// Tells the tests to write what they would compare.
const WRITE: &str = "DOGWATCH_WRITE_SCHEMAS";

/// The crates whose types are published.
const CRATES: [&str; 4] = [
    "dogwatch-core",
    "dogwatch-config",
    "dogwatch-api",
    "dogwatch-server",
];

/// Writes them all.
pub(crate) fn run(root: &Root) -> Result<()> {
    let mut command = root.cargo();
    command.args(["test", "--quiet", FEATURES]);
    for name in CRATES {
        command.args(["--package", name]);
    }
    // What these tests' names have in common.
    command.args(["--", "the_committed_"]).env(WRITE, "1");
    run::show(&mut command)
}
