//! `cargo xtask test`: installs what the tests need and runs them all.
//!
//! What cannot be installed never turns a test off silently: the tests that miss it say so in the skip report, which is printed last.

mod doctests;
mod packages;
mod skips;

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use self::skips::SkipReport;
use crate::ci::FEATURES;
use crate::run::{self, Root};
use crate::tools;

#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Arguments for the test runner, after `--`: a filter, `-p CRATE`, `--no-capture`.
    #[arg(last = true)]
    runner: Vec<String>,
}

impl TestArgs {
    /// Whether the caller chose packages, which `--workspace` would override.
    fn names_packages(&self) -> bool {
        self.runner
            .iter()
            .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
    }

    fn names_profile(&self) -> bool {
        self.runner
            .iter()
            .any(|argument| argument.starts_with("-P") || argument.starts_with("--profile"))
    }
}

/// Prepares the machine, runs the documentation tests and then all others, and says what was skipped.
pub(crate) fn run(root: &Root, args: &TestArgs) -> Result<()> {
    packages::ensure(root);
    let report = SkipReport::create()?;
    // The documentation tests go first, so that the closing lines of the whole run are those of the main runner.
    let documentation = documentation_tests(root, args);
    let tests = main_tests(root, args, &report);
    report.print()?;
    match (documentation, tests) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Err(documentation), Err(tests)) => bail!("{documentation:#}; {tests:#}"),
    }
}

fn documentation_tests(root: &Root, args: &TestArgs) -> Result<()> {
    if !args.runner.is_empty() {
        println!("documentation tests are left out, because arguments for the runner were given");
        return Ok(());
    }
    let packages = doctests::packages(root)?;
    if packages.is_empty() {
        return Ok(());
    }
    let mut command = root.cargo();
    command.args(["test", "--doc", FEATURES]);
    for package in packages {
        command.args(["--package", &package]);
    }
    run::show(&mut command)
}

fn main_tests(root: &Root, args: &TestArgs, report: &SkipReport) -> Result<()> {
    let mut command = match tools::NEXTEST.ensure(root) {
        Ok(()) => nextest(root, args),
        Err(error) => {
            println!("{error:#}: falling back to `cargo test`, which has no time limit per test");
            cargo_test(root, args)
        }
    };
    report.announce(&mut command);
    run::show(&mut command)
}

fn nextest(root: &Root, args: &TestArgs) -> Command {
    let mut command = root.cargo();
    command.args(["nextest", "run", FEATURES]);
    if !args.names_packages() {
        command.arg("--workspace");
    }
    if !args.names_profile() {
        command.args(["--profile", "ci"]);
    }
    command.args(&args.runner);
    command
}

fn cargo_test(root: &Root, args: &TestArgs) -> Command {
    let mut command = root.cargo();
    // Without the documentation tests, which have run already.
    command.args(["test", "--all-targets", "--no-fail-fast", FEATURES]);
    if !args.names_packages() {
        command.arg("--workspace");
    }
    command.args(&args.runner);
    command
}
