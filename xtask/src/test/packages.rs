//! The programs the tests call, and their Debian packages.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Result, bail};

use crate::run::{self, Root};

/// A program some tests cannot do without.
#[derive(Debug)]
struct Needed {
    program: &'static str,
    package: &'static str,
    /// What is not tested where it is missing.
    purpose: &'static str,
}

const NEEDED: [Needed; 6] = [
    Needed {
        program: "git",
        package: "git",
        purpose: "everything that touches a repository",
    },
    Needed {
        program: "setpriv",
        package: "util-linux",
        purpose: "runs of an ordinary user, started by root",
    },
    Needed {
        program: "unshare",
        package: "util-linux",
        purpose: "namespaces made by hand",
    },
    Needed {
        program: "ps",
        package: "procps",
        purpose: "process trees, seen from outside",
    },
    Needed {
        program: "bwrap",
        package: "bubblewrap",
        purpose: "what doctor says about isolation",
    },
    Needed {
        program: "curl",
        package: "curl",
        purpose: "the control API, used from outside",
    },
];

/// Installs what is missing, where it can; where it cannot, says so and goes on, as the tests concerned report themselves skipped.
pub(crate) fn ensure(root: &Root) {
    let missing = missing();
    if missing.is_empty() {
        return;
    }
    let packages = packages_of(&missing);
    println!("missing for the tests: {}", packages.join(" "));
    if let Err(error) = install(root, &packages) {
        println!("not installed: {error:#}");
    }
    for needed in self::missing() {
        println!(
            "going on without {} (package {}): tests of {} will be skipped and listed at the end",
            needed.program, needed.package, needed.purpose
        );
    }
}

fn missing() -> Vec<&'static Needed> {
    NEEDED
        .iter()
        .filter(|needed| !run::on_path(needed.program))
        .collect()
}

fn packages_of(missing: &[&'static Needed]) -> Vec<&'static str> {
    let mut packages: Vec<&'static str> = missing.iter().map(|needed| needed.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(root: &Root, packages: &[&str]) -> Result<()> {
    if !run::on_path("apt-get") {
        bail!("this machine has no apt-get; install the packages by its own means");
    }
    if !is_root() {
        bail!(
            "only root may install; run `sudo apt-get install {}`",
            packages.join(" ")
        );
    }
    // An outdated list may still name a version that is there, so a failed update is no reason to stop.
    if let Err(error) = run::show(root.command("apt-get").arg("update")) {
        println!("{error:#}; trying with the package lists as they are");
    }
    // One by one, so that a package this release does not have costs only itself.
    let mut failed = Vec::new();
    for package in packages {
        let done = run::show(
            root.command("apt-get")
                .args(["install", "--yes", "--no-install-recommends", package])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        );
        if let Err(error) = done {
            failed.push(format!("{error:#}"));
        }
    }
    if !failed.is_empty() {
        bail!(failed.join("; "));
    }
    Ok(())
}

fn is_root() -> bool {
    // The owner of a process's own directory is its effective user.
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_two_missing_programs_is_named_once() {
        let missing: Vec<&Needed> = NEEDED.iter().collect();
        assert_eq!(
            packages_of(&missing),
            ["bubblewrap", "curl", "git", "procps", "util-linux"]
        );
    }
}
