//! The demo's material: a small project with a real bug, and an agent that mends it at the second try.
//!
//! The first fix is plausible and wrong: it makes the failing check pass and breaks another one, which the agent does not notice and the
//! gate does. The second turn only goes on if the gate's output has reached it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The task of the demo.
pub const DEMO_TASK: &str = "slugify.sh turns \"Dogs & Watches\" into dogs---watches. Make it dogs-watches. `sh tests/run.sh` runs the checks.";

/// The script of the demo's agent, for a file outside the repository.
pub const DEMO_SCRIPT: &str = include_str!("demo/script.json");

const FILES: [(&str, &str); 4] = [
    ("README.md", include_str!("demo/repository/README.md")),
    (
        "dogwatch.toml",
        include_str!("demo/repository/dogwatch.toml"),
    ),
    ("slugify.sh", include_str!("demo/repository/slugify.sh")),
    ("tests/run.sh", include_str!("demo/repository/tests/run.sh")),
];

const GATES: [DemoGate; 1] = [DemoGate {
    name: "tests",
    run: "sh tests/run.sh",
}];

/// A check of the demo's project; its `dogwatch.toml` says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoGate {
    /// Its name.
    pub name: &'static str,
    /// Its command.
    pub run: &'static str,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// The files, relative to the directory, in order.
    pub files: Vec<PathBuf>,
    /// The checks.
    pub gates: Vec<DemoGate>,
}

/// Writes the demo's project into a directory, which is made if need be. No file is overwritten, and git is not involved.
pub fn demo_repository(dir: &Path) -> io::Result<Demo> {
    let mut files = Vec::new();
    for (name, content) in FILES {
        let path = dir.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mode = if content.starts_with("#!") {
            0o755
        } else {
            0o644
        };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?
            .write_all(content.as_bytes())?;
        files.push(PathBuf::from(name));
    }
    Ok(Demo {
        files,
        gates: GATES.to_vec(),
    })
}
