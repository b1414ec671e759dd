//! The cargo subcommands the tasks use, and how to get one that is missing.

use std::process::Stdio;

use anyhow::{Context, Result};

use crate::run::{self, Root};

/// A cargo subcommand that comes as a crate of its own.
#[derive(Debug)]
pub(crate) struct CargoTool {
    /// The crate and program name.
    name: &'static str,
    /// What follows `cargo`, to ask whether it is there.
    subcommand: &'static str,
    /// The version that is installed where there is none; one that is there is used as it is.
    version: &'static str,
}

/// Runs the tests.
pub(crate) const NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    subcommand: "nextest",
    version: "0.9.143",
};

/// Checks licences, sources and duplicates in the lock file.
pub(crate) const DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    subcommand: "deny",
    version: "0.20.2",
};

impl CargoTool {
    /// Makes sure the tool can be called, installing it where it cannot.
    pub(crate) fn ensure(&self, root: &Root) -> Result<()> {
        if self.is_present(root) {
            return Ok(());
        }
        println!(
            "{} is not installed: installing {}",
            self.name, self.version
        );
        // Unoptimised, because building it is most of its cost: it runs for seconds, and an optimised build takes minutes.
        run::show(root.cargo().args([
            "install",
            self.name,
            "--version",
            self.version,
            "--locked",
            "--debug",
        ]))
        .with_context(|| format!("{} is missing and could not be installed", self.name))
    }

    fn is_present(&self, root: &Root) -> bool {
        root.cargo()
            .args([self.subcommand, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
