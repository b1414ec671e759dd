//! How the bundle is made, inside the containment.

use std::ffi::OsString;
use std::path::Path;

use crate::object_id::{ObjectFormat, ObjectId};

/// A command for the shim to run in the workspace, contained like the agent was: whatever the agent's configuration makes git do, it
/// does it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleCommand {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Variables beside those every contained command gets.
    pub env: Vec<(&'static str, &'static str)>,
}

/// The command that writes the commits between `base` and the agent's HEAD to `bundle`. It fails when there are none.
pub fn bundle_command(base: ObjectId, bundle: &Path) -> BundleCommand {
    let version = match base.format() {
        ObjectFormat::Sha1 => "--version=2",
        ObjectFormat::Sha256 => "--version=3",
    };
    let mut argv: Vec<OsString> = [
        "git",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "gc.auto=0",
        "-c",
        "maintenance.auto=false",
        "-c",
        "pack.threads=1",
        "-c",
        "pack.writeReverseIndex=false",
        "bundle",
        "create",
        "--quiet",
        version,
    ]
    .map(OsString::from)
    .to_vec();
    argv.push(bundle.into());
    argv.push(format!("{base}..HEAD").into());
    let env = vec![
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ];
    BundleCommand { argv, env }
}
